"""Every subject of the client against a running API with something of everything in it."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import redirect_stdout
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from barnhand_desktop.client import (
    ApiKey,
    Barnhand,
    Conflict,
    Connection,
    Invalid,
    JobEnded,
    NotFound,
    Unreachable,
    WaitedTooLong,
)
from barnhand_desktop.client.__main__ import main
from barnhand_desktop.client.answers import Schedule, TourStep
from barnhand_desktop.client.subjects.recordings import DetectionEdit
from tests.fixtures_api import PASSWORD
from tests.fixtures_document import HORSES, RECORDINGS, SPAN_S, Barn
from tests.fixtures_identity import at
from tests.fixtures_motion import MotionBarn
from tests.helpers.cut_connections import Relay
from tests.helpers.recordings import write_video
from tests.helpers.tiny_models import bright_cell_yolox


def test_lists_go_on_over_all_their_pages(barn: Barnhand, stocked: Barn) -> None:
    chunks = list(barn.chunks.list(stream_id=stocked.world.granted, limit=7))
    assert len(chunks) == len({chunk.id for chunk in chunks}) == RECORDINGS + 1
    starts = [chunk.start_at for chunk in chunks]
    assert starts == sorted(starts, reverse=True)
    assert len(list(islice(barn.chunks.list(limit=10), 15))) == 15
    assert list(barn.chunks.list(state="damaged")) == []
    horses = list(barn.horses.list(limit=5))
    assert len({horse.id for horse in horses}) >= HORSES - 1
    assert barn.horses.get(horses[0].id).label == horses[0].label


def test_hundreds_of_detections_come_whole(barn: Barnhand, stocked: Barn) -> None:
    rows = MotionBarn(stocked.world.config.dsn)
    track = rows.track(stocked.world.granted, 2000.0, 2100.0, rows=350)
    rows.close()
    found = list(
        barn.detections.list(
            stream_id=stocked.world.granted, start_time=at(1999), end_time=at(2101), limit=60
        )
    )
    assert len({one.at for one in found}) == len(found) == 350
    assert {one.track_id for one in found} == {track}
    assert found[0].bbox_xyxy_px == (0.0, 0.0, 9.0, 9.0)


def test_a_correction_is_tried_done_and_taken_back(barn: Barnhand, stocked: Barn) -> None:
    kept, absorbed = (UUID(stocked.known["horse_id"][index]) for index in (2, 3))
    tried = barn.tracking.merge(kept, absorbed, dry_run=True)
    assert tried.command is None and tried.effect is not None and tried.effect.tracks >= 1
    done = barn.tracking.merge(kept, absorbed, reason="same star", expected=tried.effect.expected)
    assert done.command is not None and done.command.reason == "same star"
    assert barn.horses.get(absorbed).merged_into == kept
    with pytest.raises(Conflict):
        barn.horses.change(kept, {"breed": "Haflinger"}, expected=tried.effect.expected)
    newest = next(barn.tracking.commands(horse_id=kept))
    assert newest.command_id == done.command.command_id
    undone = barn.tracking.undo(newest.command_id)
    assert undone.command is not None and undone.command.undone_by == "root"
    assert barn.horses.get(absorbed).merged_into is None
    barn.tracking.redo(newest.command_id)
    assert barn.horses.get(absorbed).merged_into == kept
    barn.tracking.undo(newest.command_id)
    track = UUID(stocked.known["track_id"][2])
    for correction in (
        barn.tracking.reassign(track, absorbed, dry_run=True),
        barn.tracking.reject(track, kept, dry_run=True),
        barn.tracking.swap(kept, absorbed, at(100), dry_run=True),
        barn.tracking.split(kept, at(100), "everywhere", dry_run=True),
    ):
        assert correction.effect is not None
    assert barn.tracking.stats(stocked.world.farm).corrections >= 1


def test_a_horse_tells_who_it_is_and_what_it_did(barn: Barnhand, stocked: Barn) -> None:
    horse = UUID(stocked.known["horse_id"][5])
    done = barn.horses.change(horse, {"name": "Stella", "breed": None, "birth_year": 2014})
    assert done.command is not None
    assert barn.horses.get(horse).profile.name == "Stella"
    assert next(barn.horses.list(q="Stella")).id == horse
    barn.tracking.undo(done.command.command_id)
    stretch = (at(0), at(SPAN_S))
    assert barn.horses.timeline(horse, *stretch).presence
    assert barn.horses.time_budget(horse, *stretch).budgets[0].seen_s > 0
    assert next(barn.horses.strides(horse, *stretch, gait=["trot"])).gait == "trot"
    assert barn.horses.metrics(horse, *stretch).horse_id == horse
    assert barn.horses.asymmetry(horse, *stretch).refusal
    assert barn.horses.similar(horse, limit=3)[0].similarity <= 1.0
    assert horse in {live.horse_id for live in barn.tracking.horses()}
    assert barn.tracking.horse(horse).now
    assert barn.analytics.presence(start_time=at(0), end_time=at(SPAN_S), horse_id=horse)
    assert barn.analytics.hourly_activity(start_time=at(0), end_time=at(SPAN_S))
    review = next(barn.tracking.reviews(stocked.world.farm))
    assert barn.tracking.decide(review.id, "later").command is None


def test_a_horse_has_the_picture_that_was_chosen(
    barn: Barnhand, stocked: Barn, tmp_path: Path
) -> None:
    horse = UUID(stocked.known["horse_id"][6])
    picture = tmp_path / "bella.jpg"
    picture.write_bytes(stocked.picture)
    barn.horses.choose_avatar(horse, picture)
    assert barn.horses.avatar(horse).startswith(b"\xff\xd8")
    barn.horses.forget_avatar(horse)
    picture.write_bytes(b"no picture")
    with pytest.raises(Invalid, match="avatar_refused"):
        barn.horses.choose_avatar(horse, picture)


def test_cameras_are_added_changed_and_looked_through(barn: Barnhand, stocked: Barn) -> None:
    made = barn.streams.add("Paddock", "rtsp://192.0.2.9/live", analysis_fps=5.0, password="geheim")
    assert made.has_credentials and "geheim" not in repr(made)
    changed = barn.streams.change(made.id, "South paddock", made.address, made.version)
    assert barn.streams.get(made.id).name == "South paddock" and changed.analysis_fps is None
    with pytest.raises(Conflict):
        barn.streams.change(made.id, "West", made.address, made.version)
    assert barn.streams.start(made.id).command == "start"
    assert barn.streams.stop(made.id).command == "stop"
    assert barn.streams.status(made.id).state
    barn.streams.remove(made.id)
    with pytest.raises(NotFound):
        barn.streams.get(made.id)
    assert barn.streams.snapshot(stocked.world.granted).startswith(b"\xff\xd8")
    assert barn.hls.playlist(stocked.world.granted).startswith("#EXTM3U")
    assert "/hls/" in barn.hls.link(stocked.world.granted).url
    assert barn.nodes.list().nodes == ()


def test_cameras_are_steered(barn: Barnhand, stocked: Barn) -> None:
    camera = UUID(stocked.known["steered"][0])
    barn.ptz.hold(camera)
    assert barn.ptz.move(camera, pan=0.2).holder is not None
    barn.ptz.stop(camera)
    assert barn.ptz.presets(camera)[0].name == "Door"
    barn.ptz.go_to(camera, 1)
    assert barn.ptz.thumbnail(camera, 1).startswith(b"\xff\xd8")
    night = Schedule(weekdays=(0,), start="22:00:00", end="23:00:00")
    tour = barn.ptz.add_tour(camera, "Night", [TourStep(preset=1, dwell_s=5)], night)
    assert tour in barn.ptz.tours(camera) and tour.schedule == night
    barn.ptz.remove_tour(camera, tour.id)
    barn.ptz.release(camera)
    assert barn.ptz.state(camera).fault == ""


def test_a_farm_its_places_rules_and_alerts(barn: Barnhand, stocked: Barn) -> None:
    farm = barn.farms.add(f"Farm {uuid4().hex[:6]}")
    assert barn.farms.change(farm.id, farm.name, 12).expected_residents == 12
    assert barn.farms.get(farm.id) in barn.farms.list()
    box = barn.areas.add("Box 3", "stall", farm_id=farm.id)
    box = barn.areas.change(box.id, "Box 4", "stall", box.version)
    assert barn.areas.list(farm.id) == (box,) == (barn.areas.get(box.id),)
    barn.areas.remove(box.id)
    rule = barn.alert_rules.add("rolling", "Rolls", "info", farm.id, parameters={"times": 3})
    rule = barn.alert_rules.change(
        rule.id, "rolling", "Rolls much", "warning", rule.version, parameters={"times": 5}
    )
    assert rule in barn.alert_rules.list(farm.id)
    barn.alert_rules.remove(rule.id)
    barn.farms.remove(farm.id)
    alert = next(barn.alerts.list(open_only=True))
    assert barn.alerts.picture(alert.id).startswith(b"\xff\xd8")
    assert barn.alerts.acknowledge(alert.id, "seen").acknowledged_by == "root"
    assert barn.alerts.get(alert.id).note == "seen"


def test_bookmarks_calendar_and_edits(barn: Barnhand, stocked: Barn) -> None:
    farm, start, end = stocked.world.farm, at(0), at(60)
    mark = barn.bookmarks.add("Colic?", start, end, farm_id=farm)
    mark = barn.bookmarks.change(mark.id, "No colic", start, end, locked=True)
    assert mark in list(barn.bookmarks.list()) and barn.bookmarks.get(mark.id).locked
    barn.bookmarks.remove(mark.id)
    entry = barn.calendar.add("Farrier", start, end, farm, whole_day=True)
    entry = barn.calendar.change(entry.id, "Vet", start, end, entry.version, done=True)
    assert entry in list(barn.calendar.list(start, end)) and barn.calendar.get(entry.id).done
    assert "SUMMARY:Vet" in barn.calendar.export(start, end)
    barn.calendar.remove(entry.id)
    chunk = UUID(stocked.known["chunk_id"][-1])
    box = DetectionEdit(edit="add", at=at(12.5), box_xyxy_px=(10.0, 10.0, 60.0, 60.0))
    assert barn.chunks.preview(chunk, [box]).refused == {}
    edit = barn.chunks.edit(chunk, [box], "was missed")
    assert edit.id in {one.id for one in barn.chunks.edits(chunk)}
    assert barn.chunks.undo(chunk, edit.id).undone_by == "root"
    assert barn.chunks.lock(chunk).locked
    assert not barn.chunks.lock(chunk, False).locked
    assert barn.chunks.overlay(chunk)


def test_work_is_waited_for_and_cancelled(barn: Barnhand, stocked: Barn) -> None:
    done = UUID(stocked.known["export_id"][0])
    assert barn.jobs.wait(done).state == "done"
    job = barn.exports.add("csv", at(0), at(60), tables=["bouts"], farm_id=stocked.world.farm)
    assert job.id in {one.id for one in barn.jobs.list(active_only=True, kind=["export"])}
    seen: list[str] = []
    with pytest.raises(WaitedTooLong):
        barn.jobs.wait(job.id, 0.05, 0.02, lambda one: seen.append(one.state))
    assert set(seen) == {"queued"}
    barn.jobs.cancel(job.id)
    with pytest.raises(JobEnded) as caught:
        barn.jobs.wait(job.id)
    assert caught.value.state == "cancelled"
    assert job.id in {one.id for one in barn.exports.list()}
    barn.exports.remove(job.id)


def test_downloads_are_whole_and_go_on_after_a_cut(
    barn: Barnhand, stocked: Barn, tmp_path: Path
) -> None:
    chunk = barn.chunks.get(UUID(stocked.known["chunk_id"][0]))
    whole = barn.chunks.video(chunk.id, tmp_path / "whole.mp4")
    assert hashlib.sha256(whole.read_bytes()).hexdigest() == chunk.sha256
    key = ApiKey(stocked.world.tokens["root"])
    with Relay(stocked.world.url) as relay:
        relay.cut_after(chunk.size_bytes // 2, 900)
        with Barnhand.over(Connection(relay.url, key)) as cut:
            again = cut.chunks.video(chunk.id, tmp_path / "cut.mp4")
        assert relay.accepted >= 2
        assert again.read_bytes() == whole.read_bytes()
        relay.cut_after(chunk.size_bytes // 2, *[10] * 50)
        impatient = Connection(relay.url, key, patience_s=0.0)
        with Barnhand.over(impatient) as cut, pytest.raises(Unreachable):
            cut.chunks.video(chunk.id, tmp_path / "never.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.mp4", "whole.mp4"]
    export = UUID(stocked.known["export_id"][0])
    assert barn.exports.download(export, tmp_path / "x.csv").read_text() == "a,b\n1,2\n"


def test_a_video_is_uploaded_as_a_session(barn: Barnhand, stocked: Barn, tmp_path: Path) -> None:
    film = write_video(tmp_path / 'Trot "up" ä.mp4', 50)
    recorded = datetime(2026, 11, 1, 12, tzinfo=UTC)
    session = barn.sessions.upload(
        "Trot up", film, kind="trot_up", recorded_at=recorded, farm_id=stocked.world.farm
    )
    assert session.size_bytes == film.stat().st_size and session.start_at == recorded
    assert session.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    assert session in list(barn.sessions.list(state=session.state))
    got = barn.sessions.video(session.id, tmp_path / "back.mp4")
    assert got.read_bytes() == film.read_bytes()
    changed = barn.sessions.change(session.id, session.version, note="left hind", horse_id=None)
    assert changed.note == "left hind" and barn.sessions.get(session.id) == changed
    assert session.job_id is not None
    barn.jobs.cancel(session.job_id)
    with pytest.raises(NotFound):
        barn.sessions.metrics(session.id)
    barn.sessions.remove(session.id)
    made = barn.sessions.stretch(
        "Morning", [stocked.world.granted], at(0), at(60), farm_id=stocked.world.farm
    )
    assert made.source == "stretch" and made.end_at == at(60)
    with pytest.raises(Invalid, match="session_file_type"):
        barn.sessions.upload("Text", Path(__file__), farm_id=stocked.world.farm)


def test_a_model_is_uploaded_and_used(barn: Barnhand, stocked: Barn, tmp_path: Path) -> None:
    file = bright_cell_yolox(tmp_path / "yard.onnx", ["batch", 3, "h", "w"])
    description = {
        "name": "yard",
        "version": "1",
        "task": "detector",
        "layout": "yolox",
        "input": {"width_px": 64, "height_px": 64, "colour": "bgr", "std": [1, 1, 1]},
        "classes": {"0": "horse"},
        "licence": "MIT",
    }
    model = barn.models.upload(description, file)
    assert model.state == "ready" and model in list(barn.models.list(task="detector"))
    used = barn.models.activate(model.id, stocked.world.granted)
    assert used.model.active_streams == (stocked.world.granted,)
    assert barn.models.deactivate(model.id).model.active_streams == ()
    barn.models.remove(model.id)
    file.write_bytes(b"\x80\x02 a pickle")
    with pytest.raises(Invalid) as caught:
        barn.models.upload(description, file)
    assert caught.value.code.startswith("model_")


def test_the_server_says_how_it_is(barn: Barnhand) -> None:
    assert barn.operation.healthz().status == "ok"
    ready = barn.operation.readyz()
    assert ready.status == "ready" and all(check.ok for check in ready.checks.values())
    assert "barnhand_" in barn.operation.metrics()


def test_the_command_line(
    stocked: Barn,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = ["--url", stocked.world.url]
    monkeypatch.setenv("BARNHAND_API_KEY", stocked.world.tokens["root"])
    told = io.StringIO()
    with redirect_stdout(told):
        assert main([*where, "check"]) == 0
        assert main([*where, "streams"]) == 0
        file = tmp_path / "now.jpg"
        assert main([*where, "snapshot", str(stocked.world.granted), str(file)]) == 0
        assert main([*where, "watch", "--count", "2"]) == 0
    lines = told.getvalue().splitlines()
    assert lines[1] == "root, admin"
    assert any(str(stocked.world.granted) in line for line in lines)
    assert file.read_bytes().startswith(b"\xff\xd8")
    assert [json.loads(line)["event"] for line in lines[-2:]] == ["connected", "livestate"]
    assert main([*where, "snapshot", str(uuid4()), str(file)]) == 1
    assert "404 not_found" in capsys.readouterr().err
    monkeypatch.delenv("BARNHAND_API_KEY")
    assert main([*where, "check"]) == 1
    monkeypatch.setattr("getpass.getpass", lambda _: PASSWORD)
    assert main([*where, "--user", "viewer", "check"]) == 0

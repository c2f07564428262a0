"""The TimelineRepository contract on PostgreSQL: the same story at every zoom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest

from db.motion_store import MotionStore
from db.pool import transaction
from db.repositories.farms import DEFAULT_FARM
from engine.domain.behaviour import LaneKind, TimelineRuns
from engine.domain.errors import OperatorMistake
from engine.domain.identity import Merge
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.motion import BoutKind
from engine.domain.streams import StreamState, StreamStatusChanged
from tests.fixtures_identity import at
from tests.fixtures_motion import MotionBarn, bout, seconds

KINDS = tuple(LaneKind)
Run = tuple[UUID, str, str, float, float, float]


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[MotionBarn]:
    barn = MotionBarn(postgres_dsn)
    yield barn
    barn.close()


def listed(runs: TimelineRuns, zero: datetime | None = None) -> list[Run]:
    zero_us = (zero or at(0)).timestamp() * 1e6
    return [
        (
            runs.lanes[runs.lane[n]], KINDS[runs.kind[n]].value, runs.values[runs.value[n]],
            round((int(runs.start_us[n]) - zero_us) / 1e6, 3),
            round((int(runs.end_us[n]) - zero_us) / 1e6, 3), round(float(runs.share[n]), 6),
        )
        for n in range(len(runs))
    ]  # fmt: skip


def test_a_short_range_tells_every_bout(barn: MotionBarn) -> None:
    north, south, bella = barn.camera("north"), barn.camera("south"), barn.horse()
    first = barn.track(north, 0, 100, bella, rows=2)
    barn.track(south, 80, 150, bella, rows=2)
    barn.tell(
        bout(first, north, 0, 60, "standing", BoutKind.ACTION),
        bout(first, north, 0, 60, "standing", BoutKind.GAIT),
        bout(first, north, 60, 100, "sternal", BoutKind.POSTURE),
        bout(first, north, 20, 30, "person", BoutKind.COMPANY),
        bout(first, north, 0, 60, "unknown", BoutKind.POSTURE),
    )
    barn.raised("k", 10, horse_id=bella, stream_id=north, ended_s=40)
    runs = barn.timeline.lanes(at(-50), at(200), 1000, [bella], [north])
    assert runs.exact and runs.lanes == (bella, north)
    assert listed(runs) == [
        (bella, "seen", "seen", 0, 150, 1),
        (bella, "gait", "standing", 0, 60, 1),
        (bella, "action", "standing", 0, 60, 1),
        (bella, "posture", "sternal", 60, 100, 1),
        (bella, "company", "person", 20, 30, 1),
        (bella, "alert", "warning", 10, 40, 1),
        (north, "seen", "seen", 0, 100, 1),
        (north, "alert", "warning", 10, 40, 1),
    ]
    only = barn.timeline.lanes(at(0), at(50), 10, [bella], kinds=[LaneKind.GAIT, LaneKind.SEEN])
    assert [run[1:5] for run in listed(only)] == [
        ("seen", "seen", 0, 50), ("gait", "standing", 0, 50),
    ]  # fmt: skip


def test_lanes_of_nobody_or_another_farm_are_empty(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    barn.seen(camera, 0, 10, bella, (BoutKind.GAIT, "walk"))
    assert len(barn.timeline.lanes(at(0), at(10), 10, [bella], farm_id=DEFAULT_FARM)) == 2
    assert len(barn.timeline.lanes(at(0), at(10), 10, [bella], farm_id=FarmId(uuid4()))) == 0
    assert len(barn.timeline.lanes(at(0), at(10), 10)) == 0
    assert len(barn.timeline.lanes(at(10), at(0), 10, [bella])) == 0
    assert len(barn.timeline.lanes(at(0), at(9), 5, [HorseId(uuid4())], [StreamId(uuid4())])) == 0
    for buckets in (0, 10**6):
        with pytest.raises(OperatorMistake):
            barn.timeline.lanes(at(0), at(10), buckets, [bella])


def season(barn: MotionBarn) -> tuple[datetime, list[HorseId], StreamId]:
    """Two months in which each of three horses walks an hour and lies two, every fifth day."""
    start = at(0).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=62)
    camera, horses = barn.camera("north"), [barn.horse() for _ in range(3)]
    for number, horse in enumerate(horses):
        for day in range(0, 60, 5):
            begin = seconds(start) + (day * 24 + number * 4) * 3600.0
            track = barn.track(camera, begin, begin + 3 * 3600, horse, rows=2)
            barn.tell(
                bout(track, camera, begin, begin + 3600, "walk", BoutKind.GAIT),
                bout(track, camera, begin + 3600, begin + 10_800, "lateral", BoutKind.POSTURE),
            )
    return start, horses, camera


def test_a_season_is_summed_up_and_follows_corrections(barn: MotionBarn) -> None:
    start, horses, camera = season(barn)

    def spent(runs: TimelineRuns, lane: UUID, kind: str) -> float:
        rows = [run for run in listed(runs, start) if run[0] == lane and run[1] == kind]
        return round(sum((end - begin) * share for *_, begin, end, share in rows) / 3600, 2)

    def lanes() -> TimelineRuns:
        return barn.timeline.lanes(start, start + timedelta(days=60), 480, horses, [camera])

    runs = lanes()
    assert not runs.exact and len(runs) < 3 * 4000
    assert float(runs.share.max()) <= 1.0 and bool((runs.end_us > runs.start_us).all())
    for horse in horses:
        assert [spent(runs, horse, kind) for kind in ("gait", "posture", "seen")] == [12, 24, 36]
    assert spent(runs, camera, "seen") == 12 * 9
    assert np.array_equal(np.lexsort((runs.start_us, runs.kind, runs.lane)), np.arange(len(runs)))
    again = lanes()
    assert listed(again) == listed(runs)
    record = barn.identity.apply(Merge(horses[1], horses[2]), "Anna")
    merged = lanes()
    assert spent(merged, horses[2], "seen") == 0
    assert spent(merged, horses[1], "seen") == 12 * 6
    barn.identity.undo(record.id, "Ben")
    assert listed(lanes()) == listed(runs)


def test_no_lane_gets_more_runs_than_can_be_drawn(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track = barn.track(camera, 0, 50_000, bella, rows=2)
    barn.tell(
        *(
            bout(track, camera, n * 5, n * 5 + 5, ("walk", "trot")[n % 2], BoutKind.GAIT)
            for n in range(10_000)
        )
    )
    runs = barn.timeline.lanes(at(0), at(50_000), 500, [bella])
    assert not runs.exact and len(runs) <= 1001
    share = {run[2]: run[5] for run in listed(runs) if run[1] == "gait"}
    assert share == {"walk": 0.5, "trot": 0.5}
    assert ("seen", 0, 50_000) in {(run[1], run[3], run[4]) for run in listed(runs)}


# --- cameras without pictures --------------------------------------------------------------------


def note(barn: MotionBarn, camera: StreamId, state: StreamState, at_s: float) -> None:
    key = barn.ask("SELECT key FROM streams WHERE id = %s", camera)[0]["key"]
    with transaction(barn.pool, "testing") as connection:
        change = StreamStatusChanged(camera, state, "a reason", at(at_s))
        MotionStore(connection).note_states([change], {}, lambda _: int(key))


def beat(barn: MotionBarn, camera: StreamId, at_s: float) -> None:
    key = barn.ask("SELECT key FROM streams WHERE id = %s", camera)[0]["key"]
    with transaction(barn.pool, "testing") as connection:
        MotionStore(connection).note_states([], {camera: at(at_s)}, lambda _: int(key))


def gaps(barn: MotionBarn, camera: StreamId, end_s: float = 1e5) -> list[tuple[float, float]]:
    runs = barn.timeline.lanes(at(-1000), at(end_s), 1000, [], [camera], [LaneKind.NO_DATA])
    return [(run[3], run[4]) for run in listed(runs)]


def test_a_camera_has_no_data_while_it_gives_no_pictures(barn: MotionBarn) -> None:
    camera = barn.camera("north")
    note(barn, camera, StreamState.CONNECTING, 0)
    note(barn, camera, StreamState.ACTIVE, 5)
    note(barn, camera, StreamState.OFFLINE, 50)
    note(barn, camera, StreamState.CONNECTING, 60)
    note(barn, camera, StreamState.OFFLINE, 65)
    assert gaps(barn, camera, 500) == [(0, 5), (50, 500)]
    note(barn, camera, StreamState.ACTIVE, 80)
    assert gaps(barn, camera) == [(0, 5), (50, 80)]


def test_a_program_that_ended_without_a_word_gave_no_pictures(barn: MotionBarn) -> None:
    camera = barn.camera("north")
    note(barn, camera, StreamState.ACTIVE, 0)
    beat(barn, camera, 300)
    note(barn, camera, StreamState.CONNECTING, 900)
    note(barn, camera, StreamState.ACTIVE, 910)
    assert gaps(barn, camera) == [(300, 910)]
    note(barn, camera, StreamState.OFFLINE, 950)
    note(barn, camera, StreamState.ACTIVE, 960)
    assert gaps(barn, camera) == [(300, 910), (950, 960)]


def test_recordings_that_hang_together_are_one_run(barn: MotionBarn) -> None:
    camera, other = barn.camera("north"), barn.camera("south")

    def record(
        stream: StreamId, start_s: float, locked: bool = False, state: str = "complete"
    ) -> None:
        barn.run(
            "INSERT INTO video_chunks (id, stream_id, start_at, end_at, path, codec, width_px, "
            "height_px, state, locked) VALUES (%s, %s, %s, %s, %s, 'h264', 1, 1, %s, %s)",
            uuid4(), stream, at(start_s), at(start_s + 10), str(uuid4()), state, locked,
        )  # fmt: skip

    for start_s in (0, 10, 20.5, 60):
        record(camera, start_s)
    record(camera, 30, locked=True)
    record(camera, 80, state="removed")
    record(other, 5, state="open")
    runs = barn.timeline.lanes(at(3), at(100), 100, [], [camera, other], [LaneKind.RECORDED])
    assert [(run[0], run[2], run[3], run[4]) for run in listed(runs)] == [
        (camera, "plain", 3, 30.5), (camera, "locked", 30, 40), (camera, "plain", 60, 70),
        (other, "plain", 5, 15),
    ]  # fmt: skip
    week = barn.timeline.lanes(at(-3600), at(600_000), 168, [], [camera], [LaneKind.RECORDED])
    assert {run[2] for run in listed(week)} == {"plain", "locked"} and len(week) == 2
    assert all(run[3] <= 30 and run[4] >= 40 for run in listed(week))


def test_the_maintenance_worker_makes_every_sum_and_then_has_nothing_to_do(
    barn: MotionBarn,
) -> None:
    start, horses, camera = season(barn)
    sums, now = barn.timeline.sums, at(0)
    assert not sums.fill(now, 62, 0.0), "there is work left"
    while not sums.fill(now, 62, 0.5):
        pass
    kept = barn.ask("SELECT count(*) AS days FROM timeline_day_states WHERE summed = generation")
    assert kept[0]["days"] == 62 * 4
    assert sums.fill(now, 62, 0.0)
    barn.tell(*(bout(track, camera, -3600, -3000) for track in [barn.track(camera, -3600, -3000)]))
    assert sums.fill(now, 62, 0.0), "today is nobody's yet"
    begin = seconds(start) + 3600 * 24 * 2
    barn.track(camera, begin, begin + 60, horses[0], rows=2)
    assert not sums.fill(now, 62, 0.0), "a day that changed is missing again"
    assert sums.fill(now, 62, 60.0)

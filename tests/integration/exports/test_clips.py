"""Clips read back with ffprobe and another decoder run: pictures, times, overlays in step."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from barnhand_desktop.exports import clip
from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.recording import ExportKind, JobCancelled
from tests.integration.exports.conftest import FPS, PICTURES, SIZE, Context, ExportBarn

Need = Callable[[str], str]
STEP_PX = 4
"""The square moves so far from picture to picture."""


def pictures(path: Path) -> tuple[list[float], list[NDArray[np.uint8]]]:
    """Times in seconds and BGR pictures of a video."""
    times, frames = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.pts is not None and frame.time_base is not None
            times.append(float(frame.pts * frame.time_base))
            frames.append(frame.to_ndarray(format="bgr24"))
    return times, frames


def probed(ffprobe: str, path: Path) -> dict[str, Any]:
    words = "stream=codec_name,width,height,nb_read_frames,duration"
    told = subprocess.run(
        [ffprobe, "-v", "error", "-count_frames", "-show_entries", words, "-of", "json", str(path)],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    streams = json.loads(told.stdout)["streams"]
    assert len(streams) == 1 and not told.stderr
    return dict(streams[0])


def square_left(bgr: NDArray[np.uint8]) -> int:
    white = np.flatnonzero((bgr[24:36] > 200).all(axis=(0, 2)))
    return int(white[0])


def test_a_clip_without_overlays_is_the_recording_itself(barn: ExportBarn, need: Need) -> None:
    result = barn.export(ExportKind.CLIP)
    assert result["method"] == "copied" and result["pictures"] == PICTURES
    told = probed(need("ffprobe"), barn.file(result))
    assert (told["codec_name"], told["width"], told["height"]) == ("h264", *SIZE)
    assert int(told["nb_read_frames"]) == PICTURES
    times, frames = pictures(barn.file(result))
    assert np.diff(times) == pytest.approx(1 / FPS, abs=0.002)
    assert [square_left(frame) // STEP_PX for frame in frames] == list(range(PICTURES))
    assert result["chunks"] == [{"id": str(c.id), "sha256": c.sha256} for c in barn.chunks]


def test_a_copied_clip_begins_with_the_key_picture_before_its_start(barn: ExportBarn) -> None:
    start, end = barn.start + timedelta(seconds=1.5), barn.start + timedelta(seconds=5)
    result = barn.export(ExportKind.CLIP, start_at=start, end_at=end)
    _, frames = pictures(barn.file(result))
    shown = [square_left(frame) // STEP_PX for frame in frames]
    assert result["method"] == "copied"
    assert result["start_at"] == (barn.start + timedelta(seconds=1)).isoformat()
    assert shown[0] == 25 and shown == list(range(25, 25 + len(shown))) and shown[-1] in (124, 125)


@pytest.mark.parametrize("start_s", [0.0, 1.52, 4.2])
def test_overlays_lie_on_their_own_pictures(barn: ExportBarn, start_s: float, need: Need) -> None:
    start = barn.start + timedelta(seconds=start_s)
    end = barn.start + timedelta(seconds=5.6)
    result = barn.export(ExportKind.CLIP, overlays=True, start_at=start, end_at=end)
    assert result["method"] == "encoded"
    first = round(start_s * FPS)
    told = probed(need("ffprobe"), barn.file(result))
    assert int(told["nb_read_frames"]) == 140 - first
    times, frames = pictures(barn.file(result))
    assert np.diff(times) == pytest.approx(1 / FPS, abs=0.002)
    source = barn.export(ExportKind.CLIP)
    _, plain = pictures(barn.file(source))
    drawn, drifts = 0, []
    for index, frame in enumerate(frames, start=first):
        true_px = square_left(plain[index])
        assert true_px == index * STEP_PX
        changed = np.abs(frame.astype(int) - plain[index].astype(int)).sum(axis=2)
        columns = np.flatnonzero(changed[39:42].max(axis=0) > 60)
        if len(columns):
            drawn += 1
            drifts.append(abs(float(columns[0]) - true_px) / STEP_PX)
    # All pictures between the first and the last analysed one of each chunk have a box.
    assert drawn >= len(frames) - 8
    # Coding blurs an edge by up to two pixels, half of a picture's way; the next picture's is four.
    assert max(drifts) < 0.75, f"worst drift {max(drifts):.2f} pictures"


def test_a_box_carries_the_name_that_is_known_now(barn: ExportBarn) -> None:
    def label(result: object) -> NDArray[np.uint8]:
        _, frames = pictures(barn.file(result))  # type: ignore[arg-type]
        return frames[60][:20]

    before = label(barn.export(ExportKind.CLIP, overlays=True))
    barn.run("UPDATE horses SET name = 'Wilhelmina' WHERE id = %s", barn.bella)
    after = label(barn.export(ExportKind.CLIP, overlays=True))
    assert np.abs(before.astype(int) - after.astype(int)).max() > 100


def test_two_cameras_come_side_by_side_in_step(barn: ExportBarn, need: Need) -> None:
    other = barn.camera("south")
    for chunk in barn.chunks:
        barn.adopted(chunk, other)
    result = barn.export(ExportKind.CLIP, stream_ids=(barn.stream_id, other))
    told = probed(need("ffprobe"), barn.file(result))
    assert (told["width"], told["height"]) == (1920, 540)
    _, frames = pictures(barn.file(result))
    for index in (10, 70, 130):
        left, right = frames[index][:, :960], frames[index][:, 960:]
        assert abs(square_left_scaled(left) - index * STEP_PX * 1.5) <= 3
        assert square_left_scaled(left) == pytest.approx(square_left_scaled(right), abs=1)


def square_left_scaled(half: NDArray[np.uint8]) -> int:
    white = np.flatnonzero((half[38:52] > 200).all(axis=(0, 2)))
    return int(white[0])


def test_a_camera_that_stopped_recording_shows_nothing_in_the_grid(barn: ExportBarn) -> None:
    other = barn.camera("south")
    barn.adopted(barn.chunks[0], other)
    result = barn.export(ExportKind.CLIP, stream_ids=(barn.stream_id, other))
    _, frames = pictures(barn.file(result))
    assert frames[60][:, 960:].max() > 100
    assert frames[-1][:, :960].max() > 100 and frames[-1][:, 960:].max() < 30


def test_a_long_way_to_the_key_picture_is_encoded_and_cut_exactly(
    barn: ExportBarn, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Key pictures of this recording lie 1 s apart.
    monkeypatch.setattr(clip, "LONGEST_LEAD_S", 0.3)
    start = barn.start + timedelta(seconds=1.48)
    result = barn.export(ExportKind.CLIP, start_at=start)
    assert result["method"] == "encoded" and result["start_at"] == start.isoformat()
    _, frames = pictures(barn.file(result))
    assert square_left(frames[0]) // STEP_PX == 37


def test_a_cancelled_export_leaves_nothing(barn: ExportBarn) -> None:
    for kind, changes in (
        (ExportKind.CLIP, {"overlays": True}),
        (ExportKind.CLIP, {}),
        (ExportKind.CSV, {"tables": ("detections", "bouts")}),
        (ExportKind.PACKET, {"horse_id": barn.bella}),
    ):
        with pytest.raises(JobCancelled):
            barn.export(kind, Context(cancel_at=0.01), **changes)
    folder = barn.media / "exports"
    assert not list(folder.iterdir())


def test_what_was_left_by_a_killed_program_is_swept(barn: ExportBarn) -> None:
    folder = barn.media / "exports"
    folder.mkdir()
    for name in ("a.mp4.part", "b.zip.part.bouts", "kept.mp4"):
        (folder / name).write_text("x")
    assert barn.exporter.sweep() == 2
    assert [path.name for path in folder.iterdir()] == ["kept.mp4"]


def test_where_nothing_was_recorded_there_is_no_clip(barn: ExportBarn) -> None:
    later = barn.end + timedelta(hours=1)
    with pytest.raises(NotFound, match="Nothing was recorded"):
        barn.export(ExportKind.CLIP, start_at=later, end_at=later + timedelta(seconds=5))
    with pytest.raises(OperatorMistake):
        barn.export(ExportKind.CLIP, start_at=later, end_at=later)


def test_every_export_is_recorded(barn: ExportBarn) -> None:
    result = barn.export(ExportKind.CLIP)
    rows = barn.ask("SELECT username, action, details FROM audit_log")
    assert [(row["username"], row["action"]) for row in rows] == [("Anna", "export.make")]
    assert rows[0]["details"]["sha256"] == result["sha256"]

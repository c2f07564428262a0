"""Room on the disk: what goes, what stays, and what happens when nothing more can go."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import av
import numpy as np
import pytest

from engine.domain.ids import new_stream_id
from engine.domain.recording import ChunkId, ChunkState
from engine.recording.layout import chunk_path, start_in
from engine.recording.motion_only import Candidate, MotionOnly
from tests.helpers.recordings import RecordedBarn, write_video
from tests.helpers.waiting import wait_until

NewBarn = Callable[..., RecordedBarn]
PLAIN = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
MB = 1_000_000


@pytest.fixture
def full_barn(new_barn: NewBarn, tmp_path: Path) -> RecordedBarn:
    """Three chunks on disk, not running; their rows say 3 MB each and that they end a day apart,
    the last one now."""
    barn = new_barn().start()
    barn.record_whole(write_video(tmp_path / "clip.mp4", 300, options=PLAIN))
    assert not barn.stop()
    for days, chunk in zip((2, 1, 0), barn.chunks.list(), strict=True):
        moved = timedelta(days=days)
        barn.chunks.rows[chunk.id] = replace(
            chunk,
            start_at=chunk.start_at - moved,
            end_at=chunk.end_at - moved,
            size_bytes=3 * MB,
        )
    return barn


def kept(barn: RecordedBarn) -> list[bool]:
    """Of each chunk, oldest first: whether its file is there; its row agrees."""
    rows = barn.chunks.list(states=list(ChunkState))
    for row in rows:
        assert (barn.media / row.path).exists() == (row.state is not ChunkState.REMOVED)
    return [row.state is not ChunkState.REMOVED for row in rows]


def look(barn: RecordedBarn, new_barn: NewBarn, **settings: float) -> list[bool]:
    """Let a keeper with these settings look once."""
    again = new_barn(**settings)
    again.chunks = barn.chunks
    again.recorder._keeper._chunks = barn.chunks
    again.recorder._keeper.look()
    return kept(barn)


def test_what_is_too_old_goes(full_barn: RecordedBarn, new_barn: NewBarn) -> None:
    assert look(full_barn, new_barn, retention_days=3.0) == [True, True, True]
    assert look(full_barn, new_barn, retention_days=1.5) == [False, True, True]
    assert len(list(full_barn.media.rglob("*.overlay.json"))) == 2


def test_what_is_too_much_goes_oldest_first(full_barn: RecordedBarn, new_barn: NewBarn) -> None:
    assert look(full_barn, new_barn, max_gb=0.010) == [True, True, True]
    assert look(full_barn, new_barn, max_gb=0.0055) == [False, False, True]


def test_locked_chunks_stay(full_barn: RecordedBarn, new_barn: NewBarn) -> None:
    oldest = full_barn.chunks.list()[0]
    full_barn.chunks.lock_one(oldest.id, locked=True)
    assert look(full_barn, new_barn, max_gb=0.001) == [True, False, False]
    full_barn.chunks.lock_one(oldest.id, locked=False)
    assert look(full_barn, new_barn, retention_days=1.0) == [False, False, False]


def test_without_the_store_nothing_goes(full_barn: RecordedBarn, new_barn: NewBarn) -> None:
    full_barn.chunks.away = True
    again = new_barn(retention_days=0.5)
    again.recorder._keeper._chunks = full_barn.chunks
    assert again.recorder._keeper.look().removed == 0
    full_barn.chunks.away = False
    assert kept(full_barn) == [True, True, True]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def heavy_movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s of noise, about 0.75 MB a second."""
    path = tmp_path_factory.mktemp("heavy") / "noise.mp4"
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={**PLAIN, "b": "6000000"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for _ in range(200):
            noise = rng.integers(0, 255, (180, 320, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, "bgr24")))
        container.mux(stream.encode())
    return path


def test_recording_goes_on_for_ever_on_a_small_disk(small_disk: Path, heavy_movie: Path) -> None:
    barn = RecordedBarn(small_disk, min_free_gb=0.005).start()
    camera = barn.camera(heavy_movie)
    wait_until(lambda: len(barn.chunks.list(states=[ChunkState.REMOVED])) >= 2, 60.0)
    first, *_ = barn.of(camera)
    barn.chunks.lock_one(first.id, locked=True)
    removed = len(barn.chunks.list(states=[ChunkState.REMOVED]))
    wait_until(lambda: len(barn.chunks.list(states=[ChunkState.REMOVED])) > removed, 30.0)
    assert not barn.stop()
    assert (small_disk / first.path).exists()
    rows = barn.chunks.list(states=list(ChunkState))
    assert {row.state for row in rows} <= {ChunkState.COMPLETE, ChunkState.REMOVED}
    assert not [n for n in barn.notices if n.active]
    ends = [(one.end_at, two.start_at) for one, two in pairwise(rows)]
    assert all(abs((start - end).total_seconds()) < 0.3 for end, start in ends)


def test_a_full_disk_stops_recording_and_room_resumes_it(
    small_disk: Path, heavy_movie: Path
) -> None:
    barn = RecordedBarn(small_disk, min_free_gb=0.0).start()
    camera = barn.camera(heavy_movie)
    wait_until(lambda: any(p.stat().st_size > 300_000 for p in small_disk.rglob("*.mp4.part")))
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(os.urandom(65536))
    wait_until(lambda: barn.recorder.state_of(camera.stream.id) == "stopped", 30.0)
    wait_until(lambda: any(c.state is ChunkState.RESCUED for c in barn.of(camera)), 30.0)
    ballast.unlink()
    wait_until(lambda: barn.recorder.state_of(camera.stream.id) == "on", 30.0)
    rescued = [c for c in barn.of(camera) if c.state is ChunkState.RESCUED][-1]
    wait_until(
        lambda: any(
            c.state is ChunkState.COMPLETE and c.start_at > rescued.end_at for c in barn.of(camera)
        ),
        30.0,
    )
    assert not barn.stop()
    for chunk in barn.of(camera):
        with av.open(str(small_disk / chunk.path)) as container:
            assert sum(1 for _ in container.decode(video=0)) >= 1


def test_too_little_room_is_told_and_nothing_is_begun(small_disk: Path, heavy_movie: Path) -> None:
    barn = RecordedBarn(small_disk, min_free_gb=1.0).start()
    camera = barn.camera(heavy_movie)
    wait_until(lambda: any(n.key == "recording.stopped" and n.active for n in barn.notices))
    wait_until(lambda: barn.recorder.state_of(camera.stream.id) == "stopped")
    assert not list(small_disk.rglob("*.mp4*"))
    barn.recorder.apply(barn.settings.model_copy(update={"min_free_gb": 0.001}))
    wait_until(lambda: barn.recorder.state_of(camera.stream.id) == "on", 20.0)
    assert not barn.notices[-1].active
    assert not barn.stop()


# --- motion only -------------------------------------------------------------------------------


def decisions(seen: str, gaps: tuple[int, ...] = ()) -> str:
    """What is kept of chunks of 10 s in which something was seen (x) or not (.)."""
    motion: MotionOnly[int] = MotionOnly()
    kept: dict[int, bool] = {}
    at_s = 0.0
    for number, letter in enumerate(seen):
        at_s += 60.0 if number in gaps else 0.0
        kept.update(motion.offer(Candidate(number, at_s, at_s + 10.0, letter == "x")))
        at_s += 10.0
    kept.update(motion.flush())
    assert sorted(kept) == list(range(len(seen)))
    return "".join("x" if kept[number] else "." for number in sorted(kept))


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        (".....", "....."),
        ("..x..", ".xxx."),
        ("x....", "xx..."),
        ("....x", "...xx"),
        ("x...x", "xx.xx"),
        ("x..x.", "xxxxx"),
        ("xxxxx", "xxxxx"),
    ],
)
def test_neighbours_are_kept_as_run_up_and_run_out(seen: str, kept: str) -> None:
    assert decisions(seen) == kept


def test_chunks_on_the_other_side_of_a_gap_are_no_neighbours() -> None:
    assert decisions("..x..", gaps=(2,)) == "..xx."
    assert decisions("..x..", gaps=(3,)) == ".xx.."


def test_motion_only_keeps_what_was_seen(new_barn: NewBarn, tmp_path: Path) -> None:
    barn = new_barn(mode="motion").start()
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=PLAIN)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for index in range(700):
            grey = np.full((180, 320, 3), 90, np.uint8)
            if 320 <= index < 380:  # the square shows itself in the fourth chunk only
                grey[20:40, 100:120] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "bgr24")))
        container.mux(stream.encode())
    barn.record_whole(path)
    assert not barn.stop()
    starts = [round(c.first_source_pts_s or 0.0) for c in barn.chunks.list()]
    assert starts == [8, 12, 16]
    assert len(list(barn.media.rglob("*.mp4"))) == 3
    assert len(list(barn.media.rglob("*.overlay.json"))) == 3


def test_names_say_when_and_whose() -> None:
    stream_id = new_stream_id()
    at = datetime(2026, 3, 29, 1, 59, 59, 123_000, tzinfo=UTC)
    path = chunk_path(stream_id, ChunkId(uuid4()), at)
    assert start_in(path) == (stream_id, at) == start_in(path + ".part")
    for other in ("recordings/x/2026-03-29/a.mp4", "scans/a.mp4", path + ".txt"):
        assert start_in(other) is None

"""A real headless process records, is killed or stopped; the next start has what it recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from barnhand_desktop import lifecycle
from barnhand_desktop.installation import Installation
from barnhand_desktop.wiring import Barn, Servers, build
from engine.domain.recording import Chunk, ChunkState
from engine.recording.fragments import read_fragments
from engine.recording.layout import OVERLAY_PART, PART
from engine.recording.overlay import read_overlay
from engine.recording.rescue import sha256_of
from tests.helpers.recordings import write_video
from tests.helpers.waiting import wait_until

SLOW_S = 60.0


@pytest.fixture
def place(servers_dir: Path, tmp_path: Path) -> Installation:
    """An installation of its own that records chunks of 4 s."""
    config = tmp_path / "settings.toml"
    config.write_text(
        "[api]\nenabled = false\n[engine.recording]\nsegment_s = 4.0\nmin_free_gb = 0.0\n"
        "[engine.analysis]\nfps = 5.0\n"
    )
    data = servers_dir / f"recording-{tmp_path.name}"
    return Installation.read(config, {"BARNHAND_DATA_DIR": str(data)})


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """20 s with a key picture every two."""
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "50"}
    return write_video(tmp_path / "clip.mp4", 500, options=options)


@contextmanager
def headless(place: Installation, movie: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The headless command in a process of its own."""
    command = [
        sys.executable, "-m", "barnhand_desktop", "--config", str(place.settings_path),
        "headless", "--source", str(movie),
    ]  # fmt: skip
    environment = {**os.environ, "BARNHAND_DATA_DIR": str(place.folders.data)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(SLOW_S)


def files(place: Installation, ending: str) -> list[Path]:
    """Recorded files with this ending."""
    return sorted((place.folders.media / "recordings").glob(f"*/*/*{ending}"))


def rows_after_start(place: Installation) -> Sequence[Chunk]:
    """What the next start knows of."""
    barn: Barn = build(place, Servers.start(place))
    lifecycle.start(barn, [])
    try:
        wait_until(lambda: not barn.recorder.journal.waiting(), SLOW_S)
        return barn.chunks.list()
    finally:
        assert lifecycle.stop(barn) == ()


def check(place: Installation, chunks: Sequence[Chunk]) -> None:
    """Every chunk is a whole video with the hash in its row."""
    for chunk in chunks:
        file = place.folders.media / chunk.path
        assert sha256_of(file) == chunk.sha256
        with av.open(str(file)) as container:
            pictures = sum(1 for _ in container.decode(video=0))
        assert pictures == pytest.approx(chunk.duration_s * 25, abs=1)


def test_kill_9_loses_at_most_the_open_two_seconds(place: Installation, movie: Path) -> None:
    with headless(place, movie) as process:

        def recorded_s() -> float:
            parts = [part for part in files(place, PART) if part.stat().st_size]
            return read_fragments(parts[0]).duration_s if parts else 0.0

        def open_s() -> float:
            """So much was seen after what is on disk; lines are written as pictures are seen."""
            seen = files(place, OVERLAY_PART)
            entries = read_overlay(seen[0]).entries if len(seen) == 1 else ()
            return entries[-1].pts_s - recorded_s() if entries else 0.0

        wait_until(lambda: bool(files(place, ".mp4")) and recorded_s() >= 2.0, SLOW_S)
        wait_until(lambda: recorded_s() >= 2.0 and open_s() > 0.5, SLOW_S)
        process.kill()
        process.wait(SLOW_S)
    (part,) = files(place, PART)
    on_disk_s = read_fragments(part).duration_s
    (seen,) = files(place, OVERLAY_PART)
    lost_s = read_overlay(seen).entries[-1].pts_s - on_disk_s
    assert 0.5 < lost_s <= 2.0
    chunks = rows_after_start(place)
    states = [chunk.state for chunk in chunks]
    assert states == [ChunkState.COMPLETE] * (len(chunks) - 1) + [ChunkState.RESCUED]
    assert chunks[-1].duration_s == pytest.approx(on_disk_s)
    check(place, chunks)
    assert not files(place, PART) and not files(place, OVERLAY_PART)


def test_sigterm_closes_every_chunk(place: Installation, movie: Path) -> None:
    with headless(place, movie) as process:
        wait_until(lambda: bool(files(place, ".mp4")), SLOW_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SLOW_S) == 0
    assert not files(place, PART) and not files(place, OVERLAY_PART)
    chunks = rows_after_start(place)
    assert {chunk.state for chunk in chunks} == {ChunkState.COMPLETE} and len(chunks) >= 2
    check(place, chunks)
    assert all(chunk.overlay_path for chunk in chunks)

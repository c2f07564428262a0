"""Cameras on the network, recorded: what RTSP and MJPEG servers send, with overlays in step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.domain.recording import Chunk, ChunkState
from engine.recording.overlay import read_overlay
from engine.recording.reader import ChunkReader
from tests.helpers.cameras import RtspServer, http_camera
from tests.helpers.recordings import RecordedBarn, square_left_px, write_video
from tests.helpers.waiting import wait_until


@pytest.fixture
def barn(tmp_path: Path) -> Iterator[RecordedBarn]:
    media = tmp_path / "media"
    media.mkdir()
    barn = RecordedBarn(media).start()
    yield barn
    assert not barn.stop()


def drift_px(barn: RecordedBarn, chunk: Chunk) -> list[float]:
    """Between each overlay entry and the picture at its time: how far the square lies apart."""
    overlay = read_overlay(barn.media / chunk.overlay_path)
    with ChunkReader(barn.media / chunk.path) as reader:
        pictures = {p.pts_s: square_left_px(p.picture) for p in reader.pictures()}
    return [abs(e.tracks[0].box_xyxy_px[0] - pictures[e.pts_s]) for e in overlay.entries]


@pytest.mark.parametrize("frames", ["b-frames", "plain"])
def test_an_rtsp_camera_is_recorded_as_it_comes(
    barn: RecordedBarn, tmp_path: Path, frames: str
) -> None:
    options = {
        "b-frames": {"preset": "veryfast", "bf": "2", "g": "25", "sc_threshold": "0"},
        "plain": {"preset": "ultrafast", "tune": "zerolatency", "g": "25"},
    }[frames]
    (tmp_path / "served").mkdir()
    write_video(tmp_path / "served" / "clip.mp4", 250, options=options)
    server = RtspServer(tmp_path / "served")
    server.start()
    try:
        camera = barn.camera(server.url("clip.mp4"), fps=25.0)
        wait_until(lambda: any(c.state is ChunkState.COMPLETE for c in barn.of(camera)), 30.0)
        camera.capture.ask_to_stop()
        assert camera.capture.join(5.0)
        barn.settle()
    finally:
        server.kill()
    chunks = barn.of(camera)
    drifts = [drift for chunk in chunks for drift in drift_px(barn, chunk)]
    assert len(drifts) > 60 and max(drifts) <= 1
    assert {c.codec for c in chunks} == {"h264"} and chunks[0].duration_s >= 3.9
    assert chunks[0].first_source_pts_s is not None


def test_an_mjpeg_camera_is_encoded(barn: RecordedBarn) -> None:
    with http_camera() as served:
        camera = barn.camera(served.base + "/mjpeg")
        wait_until(lambda: any(c.state is ChunkState.COMPLETE for c in barn.of(camera)), 30.0)
        camera.capture.ask_to_stop()
        assert camera.capture.join(5.0)
        barn.settle()
    first = barn.of(camera)[0]
    assert (first.codec, first.first_source_pts_s) == ("h264", None)
    overlay = read_overlay(barn.media / first.overlay_path)
    with ChunkReader(barn.media / first.path) as reader:
        times = set(reader.times_s)
    assert len(overlay.entries) > 10 and {e.pts_s for e in overlay.entries} <= times

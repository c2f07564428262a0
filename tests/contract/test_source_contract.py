"""What every FrameSource keeps, on the real ones: files, folders, RTSP, RTMP that is
pushed, HTTP, web pages, simulated."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.domain.errors import SourceEnded, SourceUnreachable
from engine.domain.ports import FrameSource
from engine.domain.push import new_push_key
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.registry import abandon_opening, open_source
from tests.helpers.cameras import RtspServer, free_port, http_camera
from tests.helpers.movies import colour_card, write_movie
from tests.helpers.publisher import Publisher
from tests.helpers.streams import QUICK, stream_of
from tests.helpers.video_site import video_site, write_site

KINDS = ("mp4", "gif", "avi", "folder", "rtsp", "mjpeg", "snapshot", "simulated", "web", "push")
PATIENT = CaptureSettings(connect_timeout_s=30, read_timeout_s=3)
ROOT = str(Path(__file__).resolve().parents[2])
RECORDED = ("mp4", "gif", "avi", "folder", "web")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("media")
    write_movie(folder / "clip.mp4", frames=20)
    mixed = folder / "mixed"
    mixed.mkdir()
    write_movie(mixed / "b.mp4", frames=5)
    write_movie(mixed / "a.avi", frames=5, codec="mpeg4", size=(160, 96))
    cv2.imwrite(str(mixed / "still.png"), colour_card(64, 48, 0))
    server = RtspServer(folder)
    server.start()
    site_folder = folder / "site"
    site_folder.mkdir()
    write_site(site_folder)
    with http_camera() as camera, video_site(site_folder) as site:
        yield {
            "web": site.page("/watch"),
            "push": f"rtmp-listen://127.0.0.1:{free_port()}/barn",
            "mp4": str(folder / "clip.mp4"),
            "gif": str(write_movie(folder / "clip.gif", codec="gif", pixels="rgb8", frames=12)),
            "avi": str(write_movie(folder / "clip.avi", codec="mjpeg", pixels="yuvj420p")),
            "folder": str(mixed),
            "rtsp": server.url("clip.mp4"),
            "mjpeg": camera.base + "/mjpeg",
            "snapshot": camera.base + "/snapshot.jpg",
            "simulated": "simulated:stall",
        }
    server.kill()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stream(kind: str, media: dict[str, str]) -> Iterator[Stream]:
    stream = stream_of(media[kind], realtime=kind not in RECORDED, extra={"poll_fps": 20})
    if kind != "push":
        yield stream
        return
    stream = replace(stream, password=new_push_key())
    publisher = Publisher(f"rtmp{stream.address[11:]}/{stream.password}", ROOT)
    yield stream
    publisher.kill()
    abandon_opening(stream)


@pytest.fixture
def settings(kind: str) -> CaptureSettings:
    return PATIENT if kind == "push" else QUICK


@pytest.fixture
def source(stream: Stream, settings: CaptureSettings) -> Iterator[FrameSource]:
    source = open_source(stream, settings)
    yield source
    source.close()


def test_pictures_can_be_scaled_and_cropped(source: FrameSource) -> None:
    shot = source.read()
    picture = shot.picture
    assert picture.width_px > 0 and picture.height_px > 0
    bgr = picture.scaled_bgr(100, 60)
    bgra = picture.scaled_bgra(100, 60)
    assert (bgr.shape, bgr.dtype) == ((60, 100, 3), np.uint8)
    assert (bgra.shape, bgra.dtype) == ((60, 100, 4), np.uint8)
    assert bgr.flags.c_contiguous and bgra.flags.c_contiguous
    assert (bgra[..., 3] == 255).all()
    assert np.abs(bgra[..., :3].astype(int) - bgr).max() <= 2
    assert bgr.std() > 5  # something is on it
    bgr[:] = 0  # the caller owns what it gets
    assert picture.scaled_bgr(100, 60).std() > 5
    crop = picture.warped_bgr(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), 40, 30)
    assert (crop.shape, crop.dtype) == ((30, 40, 3), np.uint8)


def test_times_grow(source: FrameSource, kind: str) -> None:
    times = [source.read().pts_s for _ in range(6)]
    if kind in ("mjpeg", "snapshot"):
        assert times == [None] * 6
    else:
        stated = [t for t in times if t is not None]
        # RTP says when the first picture was only with the second.
        assert len(stated) == 6 or (kind == "rtsp" and times[0] is None and len(stated) == 5)
        assert all(b > a for a, b in itertools.pairwise(stated))


def test_it_says_what_it_is(source: FrameSource, kind: str) -> None:
    assert source.live is (kind not in RECORDED)
    assert source.nominal_fps is None or 0 < source.nominal_fps <= 240
    if source.live or kind == "folder":
        assert source.duration_s is None
    else:
        assert source.duration_s is not None and 0.3 < source.duration_s < 3


def test_received_bytes_are_counted(source: FrameSource, kind: str) -> None:
    received = sum(source.read().packet_bytes for _ in range(6))
    assert received > 0 or kind == "simulated"


@pytest.mark.parametrize("kind", RECORDED, indirect=True)
def test_a_recording_ends(source: FrameSource, kind: str) -> None:
    pictures = 0
    with pytest.raises(SourceEnded):
        while True:
            source.read()
            pictures += 1
    assert pictures == {"mp4": 20, "gif": 12, "avi": 25, "folder": 11, "web": 60}[kind]


def test_a_closed_source_cannot_be_read(source: FrameSource) -> None:
    source.read()
    source.close()
    source.close()
    with pytest.raises(SourceUnreachable):
        for _ in range(3):
            source.read()


def test_closing_from_another_thread_ends_reading(source: FrameSource) -> None:
    errors: list[Exception] = []

    def read_on() -> None:
        try:
            while True:
                source.read()
        except (SourceUnreachable, SourceEnded) as error:
            errors.append(error)

    reader = threading.Thread(target=read_on)
    reader.start()
    source.close()
    reader.join(PATIENT.read_timeout_s + 10)
    assert not reader.is_alive()
    assert len(errors) == 1


def test_pictures_outlive_their_source(stream: Stream, settings: CaptureSettings) -> None:
    source = open_source(stream, settings)
    pictures = [source.read().picture for _ in range(3)]
    before = [picture.scaled_bgr(64, 36) for picture in pictures]
    source.close()
    del source
    for picture, earlier in zip(pictures, before, strict=True):
        assert np.array_equal(picture.scaled_bgr(64, 36), earlier)

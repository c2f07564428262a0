"""From a source to chunks on disk: nothing is lost, times are exact, overlays are in step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import pytest

from engine.domain.recording import Chunk, ChunkState
from engine.domain.streams import StreamState
from engine.recording.fragments import read_fragments
from engine.recording.overlay import read_overlay
from engine.recording.reader import ChunkReader
from engine.recording.rescue import sha256_of
from engine.sources.pictures import picture_of
from tests.helpers.recordings import SEGMENT_S, RecordedBarn, square_left_px, write_video
from tests.helpers.waiting import wait_until

EVERY = {"analyse_every": 1}
CODINGS = {
    "plain": {"preset": "ultrafast", "tune": "zerolatency", "g": "25"},
    "b-frames": {"preset": "veryfast", "bf": "3", "g": "50", "sc_threshold": "0"},
    "open groups": {
        "preset": "veryfast",
        "x264-params": "open-gop=1:bframes=3:keyint=50:scenecut=0:log-level=none",
    },
    "long groups": {"preset": "veryfast", "bf": "2", "g": "90", "sc_threshold": "0"},
}


@pytest.fixture(scope="module", params=CODINGS)
def movie(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """270 pictures, 10.8 s."""
    path = tmp_path_factory.mktemp("movie") / "clip.mp4"
    return write_video(path, 270, options=CODINGS[request.param])


def decoded(path: Path) -> list[tuple[float, int]]:
    """Time and place of the square of every picture, by FFmpeg alone."""
    with ChunkReader(path) as reader:
        return [(p.pts_s, square_left_px(p.picture)) for p in reader.pictures()]


def of_source(path: Path) -> list[tuple[float, int]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None and stream.start_time is not None
        return [
            (float((f.pts - stream.start_time) * stream.time_base), square_left_px(picture_of(f)))
            for f in container.decode(stream)
            if f.pts is not None
        ]


def test_every_picture_is_kept_at_its_time(barn: RecordedBarn, movie: Path) -> None:
    chunks = barn.record_whole(movie)
    assert len(chunks) >= 2
    found: dict[float, int] = {}
    for chunk in chunks:
        assert chunk.state is ChunkState.COMPLETE and chunk.codec == "h264"
        assert (chunk.width_px, chunk.height_px) == (320, 180)
        assert chunk.first_source_pts_s is not None
        pictures = decoded(barn.media / chunk.path)
        assert pictures[0][0] == 0.0
        for pts_s, left_px in pictures:
            found.setdefault(round(chunk.first_source_pts_s + pts_s, 5), left_px)
    assert sorted(found.items()) == [(round(t, 5), left) for t, left in of_source(movie)]


def test_chunks_follow_each_other(barn: RecordedBarn, movie: Path) -> None:
    chunks = barn.record_whole(movie)
    for one, two in pairwise(chunks):
        assert abs((two.start_at - one.end_at).total_seconds()) < 0.001
        assert one.duration_s >= SEGMENT_S - 0.02
    assert sum(c.duration_s for c in chunks) == pytest.approx(10.8, abs=0.001)


def test_the_hash_and_the_size_are_the_files(barn: RecordedBarn, movie: Path) -> None:
    for chunk in barn.record_whole(movie):
        file = barn.media / chunk.path
        assert chunk.sha256 == sha256_of(file) and chunk.size_bytes == file.stat().st_size
        assert not file.with_name(file.name + ".part").exists()


def test_fragments_are_short_and_times_need_no_decoder(barn: RecordedBarn, movie: Path) -> None:
    for chunk in barn.record_whole(movie):
        index = read_fragments(barn.media / chunk.path)
        assert index.whole_size == chunk.size_bytes
        assert index.fragments[0].is_key and index.fragments[0].offset == index.init_size
        assert max(f.duration_s for f in index.fragments) <= 2.0 + 0.041
        assert index.duration_s == pytest.approx(chunk.duration_s, abs=0.15)  # decoding time
        with ChunkReader(barn.media / chunk.path) as reader:
            assert index.times_s == reader.times_s


def overlay_drift(barn: RecordedBarn, chunk: Chunk) -> tuple[int, int]:
    """Entries of a chunk's overlay, and how many of them do not say what their picture shows."""
    overlay = read_overlay(barn.media / chunk.overlay_path)
    pictures = dict(decoded(barn.media / chunk.path))
    wrong = 0
    for entry in overlay.entries:
        left_px = pictures.get(entry.pts_s)
        assert left_px is not None, f"no picture at {entry.pts_s}"
        wrong += abs(entry.tracks[0].box_xyxy_px[0] - left_px) > 1
    return len(overlay.entries), wrong


def test_overlays_lie_on_the_very_picture_they_were_made_from(
    barn: RecordedBarn, movie: Path
) -> None:
    entries = 0
    for chunk in barn.record_whole(movie, extra=EVERY):
        count, wrong = overlay_drift(barn, chunk)
        entries += count
        assert not wrong
        assert chunk.horses == 1
    assert entries == 270


def test_loops_go_on_in_the_same_chunk(barn: RecordedBarn, tmp_path: Path) -> None:
    path = write_video(tmp_path / "short.mp4", 38, options=CODINGS["b-frames"])
    camera = barn.camera(path, realtime=False, extra=EVERY)
    wait_until(lambda: camera.seen > 400)
    camera.capture.ask_to_stop()
    assert camera.capture.join(5.0)
    barn.settle()
    chunks = barn.of(camera)
    assert len(chunks) >= 3 and all(c.duration_s >= SEGMENT_S - 0.02 for c in chunks[:-1])
    checked = [overlay_drift(barn, chunk) for chunk in chunks]
    assert sum(count for count, _ in checked) == camera.seen
    assert sum(wrong for _, wrong in checked) == 0
    assert abs((chunks[1].start_at - chunks[0].end_at).total_seconds()) < 0.001


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "mjpeg"), ("a.gif", "gif"), ("a.avi", "mpeg4")]
)
def test_what_browsers_cannot_play_is_encoded(
    barn: RecordedBarn, tmp_path: Path, name: str, codec: str
) -> None:
    path = write_video(tmp_path / name, 150, codec=codec, size=(640, 360))
    chunks = barn.record_whole(path)
    assert len(chunks) == 2 and {c.codec for c in chunks} == {"h264"}
    entries = 0
    for chunk in chunks:
        overlay = read_overlay(barn.media / chunk.overlay_path)
        with ChunkReader(barn.media / chunk.path) as reader:
            times = set(reader.times_s)
            assert reader.times_s[0] == 0.0
        entries += len(overlay.entries)
        assert {e.pts_s for e in overlay.entries} <= times
    assert entries == pytest.approx(60, abs=2)


def test_large_pictures_are_encoded_smaller(
    new_barn: Callable[..., RecordedBarn], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "a.avi", 60, codec="mjpeg", size=(640, 362))
    (chunk,) = new_barn(encode_height_px=180).start().record_whole(path)
    assert (chunk.width_px, chunk.height_px) == (318, 180)
    overlay = read_overlay(tmp_path / "media" / chunk.overlay_path)
    assert (overlay.width_px, overlay.height_px) == (640, 362)


def test_h265_is_copied(barn: RecordedBarn, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 60, codec="libx265", options={"preset": "ultrafast"})
    (chunk,) = barn.record_whole(path, extra=EVERY)
    assert chunk.codec == "hevc"
    assert overlay_drift(barn, chunk) == (60, 0)


def test_a_camera_can_be_left_out(barn: RecordedBarn, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 30, options=CODINGS["plain"])
    camera = barn.camera(path, loop=False, realtime=False, extra={"record": "off"})
    wait_until(lambda: StreamState.ENDED in camera.states)
    assert barn.recorder.state_of(camera.stream.id) == "off"
    assert not list(barn.media.rglob("*.mp4*"))

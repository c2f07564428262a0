"""Files and folders: what plays, what is refused and how that is said."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from engine.domain.errors import BarnhandError, OperatorMistake, SourceEnded, SourceUnreadable
from engine.domain.ports import FrameSource, SourcePicture
from engine.settings import CaptureSettings
from engine.sources.probe import probe
from engine.sources.registry import open_source
from tests.helpers.movies import colour_card, write_movie
from tests.helpers.streams import stream_of

SETTINGS = CaptureSettings()


def opened(path: Path) -> FrameSource:
    return open_source(stream_of(path, realtime=False), SETTINGS)


def played(path: Path) -> list[SourcePicture]:
    """Every picture of a recording."""
    source = opened(path)
    shots = []
    try:
        while True:
            shots.append(source.read())
    except SourceEnded:
        return shots
    finally:
        source.close()


def refused(path: Path) -> BarnhandError:
    with pytest.raises(BarnhandError) as caught:
        played(path)
    assert str(caught.value).count("\n") == 0
    assert caught.value.advice
    return caught.value


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx265", "yuv420p10le"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mov", "libx264", "yuvj420p"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.gif", "gif", "rgb8"),
        ("a.mjpeg", "mjpeg", "yuvj422p"),
    ],
)
def test_formats_play_to_their_end(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    shots = played(write_movie(tmp_path / name, codec=codec, pixels=pixels, frames=12))
    assert len(shots) == 12
    assert [shot.corrupt for shot in shots] == [0] * 12
    assert shots[0].pts_s == pytest.approx(0.0, abs=1e-6)
    times = [shot.pts_s or 0.0 for shot in shots]
    assert np.diff(times) == pytest.approx(np.full(11, 0.04), abs=0.011)
    moved = shots[11].picture.scaled_bgr(320, 180).astype(int)
    few_colours = codec == "gif"
    assert abs(moved - colour_card(320, 180, 11)).mean() < (20 if few_colours else 8)


def test_a_missing_file(tmp_path: Path) -> None:
    error = refused(tmp_path / "gone.mp4")
    assert isinstance(error, OperatorMistake)
    assert "gone.mp4" in error.message


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
def test_a_picture_renamed_to_mp4(tmp_path: Path, suffix: str) -> None:
    done, content = cv2.imencode(suffix, colour_card(64, 48, 0))
    assert done
    (tmp_path / "yard.mp4").write_bytes(content.tobytes())
    error = refused(tmp_path / "yard.mp4")
    assert isinstance(error, SourceUnreadable)
    assert "yard.mp4 is a picture" in error.message


def test_a_video_cut_off_before_its_index(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "cut.mp4", frames=50)
    content = movie.read_bytes()
    movie.write_bytes(content[: content.index(b"moov") - 200])
    error = refused(movie)
    assert isinstance(error, SourceUnreadable)
    assert "cut off" in error.message


@pytest.mark.parametrize("content", [b"Dear vet, ..." * 40, b"\0" * 4000, b"GIF89a", b"x"])
def test_files_that_are_no_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "letter.mp4").write_bytes(content)
    assert isinstance(refused(tmp_path / "letter.mp4"), SourceUnreadable)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "none.mp4").write_bytes(b"")
    assert "is empty" in refused(tmp_path / "none.mp4").message


def test_a_recording_of_sound_only(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "neigh.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(SourceUnreadable, match="no pictures"):
        opened(tmp_path / "neigh.wav")


def test_an_unknown_codec_is_said(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "odd.mp4")
    movie.write_bytes(movie.read_bytes().replace(b"avc1", b"zz9x"))
    error = refused(movie)
    assert isinstance(error, SourceUnreadable)
    assert "coding that cannot be decoded" in error.message


def test_damaged_pictures_are_skipped_and_counted(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "hurt.ts", frames=60, keys_every=10)
    content = bytearray(movie.read_bytes())
    chance = np.random.default_rng(3)
    for packet in chance.integers(len(content) // 188 // 4, len(content) // 188, 12):
        start = int(packet) * 188 + 20
        content[start : start + 120] = chance.integers(0, 256, 120, np.uint8).tobytes()
    movie.write_bytes(content)
    shots = played(movie)
    assert 20 < len(shots) <= 60
    source = opened(movie)
    assert sum(shot.corrupt for shot in shots) > 0
    source.close()


def test_a_size_that_changes_in_the_middle(tmp_path: Path) -> None:
    small = write_movie(tmp_path / "a.h264", size=(160, 96), frames=6)
    large = write_movie(tmp_path / "b.h264", size=(320, 192), frames=6)
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    widths = [shot.picture.width_px for shot in played(both)]
    assert widths == [160] * 6 + [320] * 6


def test_a_folder_plays_videos_then_pictures(tmp_path: Path) -> None:
    write_movie(tmp_path / "clip_10.mp4", size=(320, 192), frames=5)
    write_movie(tmp_path / "clip_2.mp4", size=(160, 96), frames=5)
    cv2.imwrite(str(tmp_path / "a.png"), colour_card(64, 48, 0))
    cv2.imwrite(str(tmp_path / "b.jpg"), colour_card(80, 48, 0))
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("hay")
    shots = played(tmp_path)
    assert [s.picture.width_px for s in shots] == [160] * 5 + [320] * 5 + [64, 80]
    times = [shot.pts_s or 0.0 for shot in shots]
    assert np.diff(times) == pytest.approx([0.04] * 10 + [1.0], abs=0.001)
    assert sum(shot.corrupt for shot in shots) == 1


def test_folders_with_nothing_to_play(tmp_path: Path) -> None:
    assert "no videos" in refused(tmp_path).message
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    assert "can be read" in refused(tmp_path).message


def test_a_probe_brings_a_picture(tmp_path: Path) -> None:
    report = probe(stream_of(write_movie(tmp_path / "a.mp4")), SETTINGS)
    assert (report.width, report.height, report.fps, report.codec) == (320, 180, 25.0, "h264")
    assert report.picture.scaled_bgr(32, 18).shape == (18, 32, 3)


def test_hardware_decoding_falls_back_to_software(tmp_path: Path) -> None:
    """True on every machine: where there is no decoder chip, pictures come all the same."""
    stream = stream_of(write_movie(tmp_path / "a.mp4"))
    source = open_source(stream, CaptureSettings(hardware_decode=True))
    picture = source.read().picture
    source.close()
    shown = picture.scaled_bgr(320, 180).astype(int)
    assert abs(shown - colour_card(320, 180, 0)).mean() < 8


@pytest.mark.parametrize(
    "options",
    [{"filter": "movie=x"}, {"rtsp_transport": "tcp;x"}, {"user_agent": "a\r\nCookie: b"}, "tcp"],
)
def test_options_off_the_list_are_refused(tmp_path: Path, options: object) -> None:
    stream = stream_of(write_movie(tmp_path / "a.mp4"), extra={"options": options})
    with pytest.raises(OperatorMistake):
        open_source(stream, SETTINGS)


def test_a_playlist_cannot_reach_the_network(tmp_path: Path) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:1/secret.ts\n#EXT-X-ENDLIST\n")
    refused(playlist)


def test_every_clip_of_the_barn_data_plays(shared: Path) -> None:
    clips = sorted((shared / "data" / "video").iterdir())
    assert clips
    for clip in clips:
        shots = played(clip)
        assert len(shots) >= 10, clip.name
        assert sum(shot.corrupt for shot in shots) == 0, clip.name
        assert shots[-1].picture.scaled_bgr(64, 64).std() > 3, clip.name

"""Corrupt H.264 and H.265: skipped, no crash, counted."""

from __future__ import annotations

import random
from pathlib import Path

import av
import pytest

from engine.domain.errors import BarnhandError, SourceEnded
from engine.domain.streams import StreamState
from engine.settings import CaptureSettings
from engine.sources.registry import open_source
from tests.faults.conftest import Say
from tests.helpers.captures import Captures
from tests.helpers.movies import write_movie
from tests.helpers.recordings import write_video
from tests.helpers.streams import stream_of

PICTURES = 150
CODECS = ("libx264", "libx265")


def damaged(source: Path, target: Path, flips: int, seed: int, headers: bool = False) -> Path:
    """A copy with ``flips`` bits turned over: in the pictures only, or anywhere."""
    chance = random.Random(seed)
    with av.open(str(source)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size and p.pos]
    data = bytearray(source.read_bytes())
    for _ in range(flips):
        # The first two packets stay whole, so that there is something to see.
        start, size = (0, len(data)) if headers else chance.choice(packets[2:])
        data[start + chance.randrange(size)] ^= 1 << chance.randrange(8)
    target.write_bytes(data)
    return target


@pytest.fixture(scope="module", params=CODECS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 6 s with several key pictures."""
    path = tmp_path_factory.mktemp("whole") / f"{request.param}.mp4"
    options = {"preset": "ultrafast", "g": "25"}
    return write_video(path, PICTURES, codec=str(request.param), options=options)


@pytest.mark.parametrize("flips", [5, 100, 2000])
def test_flipped_bits_are_skipped_and_counted(
    whole: Path, tmp_path: Path, captures: Captures, flips: int, say: Say
) -> None:
    film = damaged(whole, tmp_path / "damaged.mp4", flips, seed=flips)
    camera = captures.start(film, loop=False, realtime=False)
    camera.reaches(StreamState.ENDED, 60.0)
    health = camera.capture.health()
    say(f"{whole.stem}, {flips} bits: {health.decoded} of {PICTURES} shown, {health.corrupt} lost")
    assert 0 < health.decoded <= PICTURES
    assert health.corrupt > 0
    sequences = [frame.stamp.sequence for frame in camera.outputs.frames]
    assert sequences == sorted(sequences)
    assert camera.capture._worker.failures == 0


@pytest.mark.parametrize("seed", range(12))
def test_any_damage_ends_in_pictures_or_in_words(
    whole: Path, tmp_path: Path, captures: Captures, seed: int
) -> None:
    """Damage anywhere, the container's own tables included."""
    film = damaged(whole, tmp_path / "damaged.mp4", 10 * (seed + 1), seed, headers=True)
    try:
        source = open_source(stream_of(film, loop=False), CaptureSettings())
    except BarnhandError as error:
        assert error.message
        return
    shown = 0
    try:
        while shown <= 2 * PICTURES:
            source.read()
            shown += 1
    except SourceEnded:
        pass
    except BarnhandError as error:
        assert error.message
    finally:
        source.close()
    assert shown <= 2 * PICTURES


def test_a_damaged_film_beside_whole_ones_costs_them_nothing(
    tmp_path: Path, captures: Captures
) -> None:
    film = write_movie(tmp_path / "film.mp4", frames=PICTURES)
    broken = damaged(film, tmp_path / "damaged.mp4", 500, seed=1)
    cameras = [captures.start(p, loop=False, realtime=False) for p in (film, broken, film)]
    for camera in cameras:
        camera.reaches(StreamState.ENDED, 60.0)
    assert [c.capture.health().decoded for c in cameras[::2]] == [PICTURES, PICTURES]
    assert [c.capture.health().corrupt for c in cameras[::2]] == [0, 0]
    assert cameras[1].capture.health().corrupt > 0

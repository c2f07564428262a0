"""Capture from recordings and from the simulated barn."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from engine.domain.frames import AnalysisFrame
from engine.domain.streams import StreamState
from engine.runtime.mailbox import Closed
from engine.settings import AnalysisSettings, CaptureSettings
from tests.helpers.captures import Captures, Outputs
from tests.helpers.movies import write_movie
from tests.helpers.streams import stream_of
from tests.helpers.waiting import wait_until


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movie(tmp_path_factory.mktemp("movies") / "clip.mp4", frames=30)


def test_a_file_at_any_speed_loses_nothing(movie: Path, captures: Captures) -> None:
    class Slow(Outputs):
        def __init__(self) -> None:
            super().__init__()
            self.gate = threading.Semaphore(0)

        def on_analysis_frame(self, frame: AnalysisFrame) -> None:
            assert self.gate.acquire(timeout=20)
            super().on_analysis_frame(frame)

    outputs = Slow()
    one = captures.start(
        movie, loop=False, realtime=False, outputs=outputs, extra={"analyse_every": 1}
    )
    for done in range(1, 31):
        outputs.gate.release()
        wait_until(lambda done=done: len(outputs.frames) >= done)  # type: ignore[misc]
    one.reaches(StreamState.ENDED)
    stamps = [frame.stamp for frame in outputs.frames]
    assert [stamp.sequence for stamp in stamps] == list(range(30))
    pts = np.array([stamp.pts_s for stamp in stamps], float)
    assert pts == pytest.approx(np.arange(30) / 25, abs=1e-6)
    # However slowly it was read, its stamps are the recording's own time.
    mono = np.array([stamp.captured_mono_s for stamp in stamps])
    assert np.diff(mono) == pytest.approx(np.full(29, 0.04), abs=1e-6)
    utc = [(stamp.captured_at - stamps[0].captured_at).total_seconds() for stamp in stamps]
    assert utc == pytest.approx(list(pts - pts[0]), abs=1e-4)


def test_every_third_picture(movie: Path, captures: Captures) -> None:
    one = captures.start(movie, loop=False, realtime=False, extra={"analyse_every": 3})
    one.reaches(StreamState.ENDED)
    assert [f.stamp.sequence for f in one.outputs.frames] == list(range(0, 30, 3))


def test_analysis_rate_of_a_recording_is_exact(movie: Path, captures: Captures) -> None:
    one = captures.start(movie, loop=False, realtime=False, analysis_fps=5.0)
    one.reaches(StreamState.ENDED)
    assert [f.stamp.sequence for f in one.outputs.frames] == [0, 5, 10, 15, 20, 25]


def test_a_loop_goes_on_counting(movie: Path, captures: Captures) -> None:
    one = captures.start(movie, realtime=False, extra={"analyse_every": 1})
    wait_until(lambda: len(one.outputs.frames) > 75)
    stamps = [frame.stamp for frame in one.outputs.frames[:75]]
    assert [stamp.sequence for stamp in stamps] == list(range(75))
    pts = np.array([stamp.pts_s for stamp in stamps], float)
    assert np.diff(pts) == pytest.approx(np.full(74, 0.04), abs=1e-3)
    assert one.outputs.states() == [StreamState.CONNECTING, StreamState.ACTIVE]


def test_real_time_is_paced_by_the_recording(movie: Path, captures: Captures) -> None:
    one = captures.start(movie, loop=False)
    one.reaches(StreamState.ENDED)
    stamps = [frame.stamp for frame in one.outputs.frames]
    mono_s = stamps[-1].captured_mono_s - stamps[0].captured_mono_s
    assert stamps[-1].pts_s is not None and stamps[0].pts_s is not None
    # Never faster than the recording; a busy machine may make it slower.
    assert mono_s > stamps[-1].pts_s - stamps[0].pts_s - 0.05


def test_wall_frames_follow_the_tile(captures: Captures) -> None:
    one = captures.start("simulated:stall", CaptureSettings())
    one.reaches(StreamState.ACTIVE)
    one.sees_more()
    assert one.capture.wall_frames() == ()
    one.capture.show((300, 300))
    wait_until(lambda: len(one.capture.wall_frames()) >= 5)
    frames = one.capture.wall_frames()
    assert {frame.bgra.shape for frame in frames} == {(169, 300, 4)}
    assert not frames[0].bgra.flags.writeable
    assert (frames[0].picture_width_px, frames[0].picture_height_px) == (960, 540)
    sequences = [frame.stamp.sequence for frame in frames]
    assert sequences == sorted(sequences)
    one.sees_more(40)
    times = [frame.stamp.captured_mono_s for frame in one.capture.wall_frames()]
    assert times[-1] - times[0] <= 0.71
    one.capture.show(None)
    assert one.capture.wall_frames() == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\xff\xd8\xff\xe0 not a video", "is a picture"), (b"plain text " * 90, "not a video")],
)
def test_a_wrong_file_is_an_error_that_is_not_retried(
    tmp_path: Path, captures: Captures, content: bytes, says: str
) -> None:
    (tmp_path / "wrong.mp4").write_bytes(content)
    one = captures.start(tmp_path / "wrong.mp4")
    one.reaches(StreamState.ERROR)
    health = one.capture.health()
    assert says in health.reason
    assert health.retry_in_s is None
    assert one.capture.join(5)


def test_a_closed_receiver_ends_the_capture(movie: Path, captures: Captures) -> None:
    class Gone(Outputs):
        def on_analysis_frame(self, frame: AnalysisFrame) -> None:
            raise Closed("analysis")

    one = captures.start(movie, outputs=Gone())
    assert one.capture.join(10)


def test_numbering_continues_after_a_restart(movie: Path, captures: Captures) -> None:
    from engine.pipeline.capture import Capture
    from engine.runtime.clock import SystemClock

    first = captures.start(movie, loop=False, realtime=False, extra={"analyse_every": 1})
    first.reaches(StreamState.ENDED)
    outputs = Outputs()
    second = Capture(
        stream_of(movie, loop=False, realtime=False, extra={"analyse_every": 1}),
        CaptureSettings(),
        AnalysisSettings(),
        SystemClock(),
        outputs,
        lambda: (64, 64),
        first_sequence=first.capture.next_sequence,
    )
    second.start()
    wait_until(lambda: second.state is StreamState.ENDED)
    assert second.join(5)
    assert [f.stamp.sequence for f in outputs.frames] == list(range(30, 60))

"""Pictures wait fairly, still scenes are skipped, results reach every listener."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engine.domain.detections import DetectionBatch
from engine.domain.frames import AnalysisFrame, FrameStamp
from engine.domain.ids import ModelId, StreamId, new_stream_id
from engine.domain.notices import Notice, Severity
from engine.domain.results import Degradation
from engine.domain.streams import StreamState, StreamStatusChanged
from engine.domain.tracks import TrackState
from engine.models.model_set import ModelSet
from engine.pipeline.analysis import Analysis
from engine.pipeline.fan_out import RESULTS_KEPT, FanOut
from engine.pipeline.inbox import AnalysisInbox
from engine.pipeline.motion_gate import MotionGate
from engine.pipeline.tally import ERRORS_REMEMBERED, TRACKS_REMEMBERED, Tally
from engine.runtime.clock import SystemClock
from engine.runtime.mailbox import Closed
from engine.runtime.worker import StopToken, Worker, WorkerState
from engine.settings import EngineSettings
from engine.sources.pictures import ArrayPicture
from tests.helpers.frame_results import frame_result

A, B = new_stream_id(), new_stream_id()
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def frame(stream: StreamId = A, t_s: float = 0.0, x: int = 0, level: int = 200) -> AnalysisFrame:
    """A grey 320 x 180 picture with a 60 px square at ``x``."""
    bgr = np.full((180, 320, 3), 90, np.uint8)
    bgr[60:120, x : x + 60] = level
    stamp = FrameStamp(stream, round(t_s * 100), AT, t_s, None)
    return AnalysisFrame(stamp, ArrayPicture(bgr), bgr, 1.0)


class Sink:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda value: self.told.append((name, value))


class BadSink:
    """Fails on purpose."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("on purpose")


class ScriptedDetector:
    """Finds what the script says, one entry a call; an exception is raised."""

    model_id = ModelId("scripted@1")
    input_size_px = (320, 180)

    def __init__(self, *script: Exception | list[float]) -> None:
        self.script = list(script)
        self.calls = 0

    def detect(self, pictures: Any, scales: Any, min_score: float) -> list[DetectionBatch]:
        self.calls += 1
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        found = DetectionBatch(
            np.array([step], np.float32), np.full(1, 0.9, np.float32), np.zeros(1, np.int16)
        )
        return [found] * len(pictures)

    def close(self) -> None: ...


# --- inbox ---------------------------------------------------------------------------------


def test_the_newest_picture_of_a_camera_wins_and_the_other_counts() -> None:
    inbox = AnalysisInbox()
    newest = frame(A, 2.0)
    for one in (frame(A, 1.0), newest, frame(B, 1.0)):
        inbox.put(one, wait=False)
    taken = inbox.take(8, 0.0, 0.0)
    assert taken[0] is newest
    assert [one.stamp.stream_id for one in taken] == [A, B]
    assert (inbox.dropped(A), inbox.dropped(B), inbox.dropped_total) == (1, 0, 1)


def test_a_busy_camera_keeps_its_place_in_the_row() -> None:
    inbox = AnalysisInbox()
    for one in (frame(A, 1.0), frame(B, 1.0), frame(A, 2.0)):
        inbox.put(one, wait=False)
    assert inbox.take(1, 0.0, 0.0)[0].stamp.stream_id == A
    inbox.put(frame(A, 3.0), wait=False)
    assert inbox.take(1, 0.0, 0.0)[0].stamp.stream_id == B


def test_a_recording_waits_and_loses_nothing() -> None:
    inbox = AnalysisInbox()

    def send(token: StopToken) -> None:
        for number in range(20):
            inbox.put(frame(A, number / 100), wait=True)

    sender = Worker("sender", send)
    sender.start()
    taken = [inbox.take(8, 0.0, 10.0)[0].stamp.sequence for _ in range(20)]
    assert sender.join(10.0)
    assert taken == list(range(20))
    assert inbox.dropped_total == 0


def test_closing_wakes_a_waiting_sender() -> None:
    inbox = AnalysisInbox()
    inbox.put(frame(A), wait=False)
    sender = Worker("sender", lambda token: inbox.put(frame(A, 1.0), wait=True))
    sender.start()
    inbox.close()
    assert sender.join(10.0)
    assert (sender.state, sender.failures) == (WorkerState.STOPPED, 0)
    with pytest.raises(Closed):
        inbox.take(1, 0.0, 0.0)


# --- gate ----------------------------------------------------------------------------------


def test_a_still_scene_is_wanted_again_after_the_interval() -> None:
    gate = MotionGate(2.0)
    wanted = [t for t in (0.0, 0.5, 1.9, 2.0, 3.9, 4.1) if gate.wants(frame(A, t))]
    assert wanted == [0.0, 2.0, 4.1]
    assert gate.wants(frame(B, 4.2))


def test_slow_drift_adds_up_until_it_is_seen() -> None:
    gate = MotionGate(60.0)
    levels = range(100, 140, 4)
    wanted = [lvl for step, lvl in enumerate(levels) if gate.wants(frame(A, step / 10, 0, lvl))]
    assert wanted == [100, 116, 132]


def test_a_small_movement_is_seen() -> None:
    gate = MotionGate(60.0)
    assert gate.wants(frame(A, 0.0, 100))
    assert not gate.wants(frame(A, 0.1, 100))
    assert gate.wants(frame(A, 0.2, 104))


# --- fan-out and tally -----------------------------------------------------------------------


def test_a_raising_sink_does_not_stop_the_others() -> None:
    sink = Sink()
    fan_out = FanOut([BadSink(), sink])
    results = [frame_result(A, number) for number in range(RESULTS_KEPT + 1)]
    for result in results:
        fan_out.on_result(result)
    assert [value for _, value in sink.told] == results
    assert fan_out.failures == len(results)
    assert fan_out.results(A) == tuple(results[1:])
    fan_out.forget(A)
    assert fan_out.results(A) == ()


def test_a_notice_is_raised_once_and_cleared_once() -> None:
    sink = Sink()
    fan_out = FanOut([sink])
    begin = Notice("disk.full", Severity.WARNING, "Full.", "Delete.", AT)
    end = Notice("disk.full", Severity.WARNING, "Full.", "Delete.", AT, active=False)
    for notice in (end, begin, begin):
        fan_out.on_notice(notice)
    assert fan_out.notices() == (begin,)
    for notice in (end, end):
        fan_out.on_notice(notice)
    assert fan_out.notices() == ()
    assert [value for _, value in sink.told] == [begin, end]


def test_the_tally_counts_distinct_confirmed_horses() -> None:
    tally = Tally(SystemClock())
    first = frame_result(A, 0, horses=2)
    tally.on_result(first)
    tally.on_result(frame_result(A, 1, track_ids=first.tracks.track_ids))
    tally.on_result(frame_result(A, 2, horses=1))
    tally.on_result(frame_result(A, 3, horses=5, state=TrackState.TENTATIVE))
    camera = tally._camera(A)
    assert (camera.tracks_seen, camera.horses_at_once) == (3, 2)


def test_the_tally_of_a_day_takes_no_more_memory_than_that_of_an_hour() -> None:
    tally = Tally(SystemClock())
    stays = frame_result(A, 0, horses=1).tracks.track_ids[0]
    passing = 2 * TRACKS_REMEMBERED
    for number in range(passing):
        comes = frame_result(A, 0, horses=1).tracks.track_ids[0]
        tally.on_result(frame_result(A, number, track_ids=(stays, comes)))
        reason = f"No picture for {number} s."
        tally.on_status(StreamStatusChanged(A, StreamState.OFFLINE, reason, AT))
    camera = tally._camera(A)
    assert camera.tracks_seen == passing + 1, "who stays is not counted again"
    assert len(camera.tracks) == TRACKS_REMEMBERED
    assert len(camera.errors) == ERRORS_REMEMBERED
    tally.forget(A)
    assert A not in tally._cameras


# --- analysis --------------------------------------------------------------------------------


def analysis_with(detector: ScriptedDetector, sink: Sink, inbox: AnalysisInbox) -> Analysis:
    models = ModelSet(detector, None, None, Degradation.NO_POSE, ())
    clock = SystemClock()
    return Analysis(
        EngineSettings(), models, inbox, FanOut([sink]), clock, lambda _: None, lambda _: None
    )


def test_a_still_picture_repeats_the_tracks_at_rest() -> None:
    detector, sink = ScriptedDetector([10, 60, 70, 120], [40, 60, 100, 120]), Sink()
    analysis = analysis_with(detector, sink, AnalysisInbox())
    analysis.process([frame(A, 0.0, 10)])
    [moved] = analysis.process([frame(A, 0.2, 40)])
    [held] = analysis.process([frame(A, 0.4, 40)])
    assert (detector.calls, moved.held, held.held) == (2, False, True)
    assert np.abs(moved.tracks.velocities_px_s).max() > 10
    assert held.tracks.track_ids == moved.tracks.track_ids
    assert not held.tracks.velocities_px_s.any()
    assert held.stamp.captured_mono_s == 0.4
    assert [value for _, value in sink.told][-1] is held


def test_a_failing_model_costs_its_pictures_and_not_the_analysis() -> None:
    detector = ScriptedDetector(RuntimeError("on purpose"), [10, 60, 70, 120])
    sink, inbox = Sink(), AnalysisInbox()
    analysis = analysis_with(detector, sink, inbox)
    worker = Worker("analysis", analysis.run, restart_delay_s=0.0)
    worker.start()
    for number in range(4):
        inbox.put(frame(A, number / 10, number * 20), wait=True)
    inbox.put(frame(A, 0.5, 200), wait=True)  # taken only after the fourth was finished with
    inbox.close()
    assert worker.join(10.0)
    assert worker.failures == 1
    analysis.finish()
    results = [value for name, value in sink.told if name == "on_result"]
    assert [len(result.tracks) for result in results[:2]] == [1, 1]
    closed = [value for name, value in sink.told if name == "on_track_closed"]
    assert [summary.detections for summary in closed] == [len(results)]

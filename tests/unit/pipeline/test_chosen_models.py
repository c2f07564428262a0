"""Cameras with models of their own: each picture goes to its camera's, failures stay with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engine.domain.detections import DetectionBatch
from engine.domain.errors import EnvironmentFault
from engine.domain.frames import AnalysisFrame, FrameStamp
from engine.domain.ids import ModelId, StreamId, new_stream_id
from engine.domain.notices import Notice
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.skeletons import SKELETONS, Skeleton
from engine.models.model_set import ModelSet
from engine.pipeline.analysis import Analysis
from engine.pipeline.chosen_models import StreamModels
from engine.pipeline.fan_out import FanOut
from engine.pipeline.inbox import AnalysisInbox
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings
from engine.sources.pictures import ArrayPicture

A, B, C = new_stream_id(), new_stream_id(), new_stream_id()
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
EQUINE26, AP10K = SKELETONS["equine26"], SKELETONS["ap10k"]


class PlainDetector:
    """Finds one horse in every picture; ``answer`` may be an error instead."""

    def __init__(self, name: str, size_px: tuple[int, int] = (320, 180)) -> None:
        self.model_id = ModelId(f"{name}@1")
        self.input_size_px = size_px
        self.answer: Exception | float = 0.9
        self.seen: list[tuple[tuple[int, ...], float]] = []
        self.closed = False

    def detect(
        self, pictures: Sequence[Any], scales: Sequence[float], min_score: float
    ) -> list[DetectionBatch]:
        assert not self.closed
        if isinstance(self.answer, Exception):
            raise self.answer
        self.seen += [(p.shape[1::-1], s) for p, s in zip(pictures, scales, strict=True)]
        boxes = np.array([[20, 40, 120, 140]], np.float32)
        return [
            DetectionBatch(boxes.copy(), np.full(1, self.answer, np.float32), np.zeros(1, np.int16))
            for _ in pictures
        ]

    def close(self) -> None:
        self.closed = True


class PlainPose:
    """Spreads the landmarks over the diagonal of their box."""

    def __init__(self, name: str, skeleton: Skeleton) -> None:
        self.model_id = ModelId(f"{name}@1")
        self.skeleton = skeleton
        self.score: Exception | float = 0.8
        self.closed = False

    def estimate(self, jobs: Sequence[tuple[Any, Any]]) -> list[PoseBatch]:
        if isinstance(self.score, Exception):
            raise self.score
        count = len(self.skeleton.landmarks)
        made = []
        for _, boxes in jobs:
            along = np.linspace(0.0, 1.0, count)[None, :, None]
            low, high = boxes[:, None, :2], boxes[:, None, 2:]
            points = (low + (high - low) * along).astype(np.float32)
            scores = np.full((len(boxes), count), self.score, np.float32)
            made.append(PoseBatch(points, scores, self.skeleton))
        return made

    def close(self) -> None:
        self.closed = True


class Ears:
    """Keeps the notices."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda value: self.notices.append(value) if name == "on_notice" else None


class Bench:
    """An analysis with its own models, and three cameras."""

    def __init__(self) -> None:
        self.own, self.own_pose = PlainDetector("own"), PlainPose("own-pose", EQUINE26)
        self.ears = Ears()
        models = ModelSet(self.own, self.own_pose, None, Degradation.NONE, ())
        self.analysis = Analysis(
            EngineSettings(), models, AnalysisInbox(), FanOut([self.ears]), SystemClock(),
            lambda _: None, lambda _: None,
        )  # fmt: skip
        self._number = 0

    def look(self, *streams: StreamId) -> dict[StreamId, FrameResult]:
        """One batch with a picture of each camera, a different one every time."""
        self._number += 1
        bgr = np.full((180, 320, 3), 60 + 40 * (self._number % 3), np.uint8)
        stamps = [FrameStamp(s, self._number, AT, self._number / 5, None) for s in streams]
        frames = [AnalysisFrame(stamp, ArrayPicture(bgr), bgr, 1.0) for stamp in stamps]
        return {r.stamp.stream_id: r for r in self.analysis.process(frames)}

    def choose(self, **chosen: StreamModels) -> None:
        names = {"a": A, "b": B, "c": C}
        self.analysis.chosen.assign({names[name]: models for name, models in chosen.items()})


@pytest.fixture
def bench() -> Bench:
    return Bench()


def ids(results: dict[StreamId, FrameResult]) -> list[tuple[str | None, str | None]]:
    return [(results[s].detector_id, results[s].pose_id) for s in (A, B, C)]


def test_each_picture_goes_to_its_cameras_models(bench: Bench) -> None:
    fast, pose = PlainDetector("fast", (160, 160)), PlainPose("ap", AP10K)
    assert ids(bench.look(A, B, C)) == [("own@1", "own-pose@1")] * 3
    bench.choose(b=StreamModels(fast, pose), c=StreamModels(pose=pose))
    results = bench.look(A, B, C)
    assert ids(results) == [("own@1", "own-pose@1"), ("fast@1", "ap@1"), ("own@1", "ap@1")]
    # A picture that was scaled for another detector is scaled again for this one.
    assert fast.seen == [((160, 90), 0.5)]
    poses = [results[s].poses for s in (A, B, C)]
    skeletons = [None if pose is None else pose.skeleton for pose in poses]
    assert skeletons == [EQUINE26, AP10K, AP10K]
    assert bench.analysis.chosen.detector_of(B).input_size_px == (160, 160)
    tracked = [len(results[s].tracks) for s in (A, B, C)]
    assert tracked == [1, 1, 1]


def test_a_larger_picture_on_its_way_is_scaled_for_the_own_detector_again(bench: Bench) -> None:
    large = PlainDetector("large", (640, 640))
    bench.own.input_size_px = (160, 160)
    bench.choose(a=StreamModels(large))
    bench.look(A)
    bench.choose()
    bench.look(A)
    assert large.seen == [((640, 360), 2.0)]
    assert bench.own.seen == [((160, 90), 0.5)]


def test_models_that_nobody_uses_are_closed_by_the_analysis(bench: Bench) -> None:
    first, second = PlainDetector("first"), PlainDetector("second")
    bench.choose(a=StreamModels(first), b=StreamModels(first))
    bench.look(A, B, C)
    bench.choose(a=StreamModels(second), b=StreamModels(first))
    bench.look(A, B, C)
    assert (first.closed, second.closed) == (False, False)
    bench.choose(a=StreamModels(second))
    assert not first.closed, "only the analysis thread closes"
    bench.look(A, B, C)
    assert (first.closed, second.closed) == (True, False)
    bench.analysis.chosen.close()
    assert second.closed
    assert not bench.own.closed
    assert ids(bench.look(A, B, C)) == [("own@1", "own-pose@1")] * 3


@pytest.mark.parametrize(
    "answer", [EnvironmentFault("It broke."), ValueError("shapes"), float("nan"), float("inf")]
)
def test_a_detector_that_fails_gives_way_to_the_own_one(
    bench: Bench, answer: Exception | float
) -> None:
    bad, good = PlainDetector("bad"), PlainDetector("good")
    bench.choose(a=StreamModels(bad), b=StreamModels(good), c=StreamModels(bad))
    bench.look(A, B, C)
    bad.answer = answer
    results = bench.look(A, B, C)
    assert [d for d, _ in ids(results)] == ["own@1", "good@1", "own@1"]
    assert all(len(result.tracks) for result in results.values())
    standing = [n for n in bench.ears.notices if n.active]
    assert [n.key for n in standing] == ["model.chosen:bad@1"]
    assert bench.analysis.chosen.given_up() == {"bad@1"}
    bad.answer = 0.9
    assert [d for d, _ in ids(bench.look(A, B, C))] == ["own@1", "good@1", "own@1"]
    bench.choose(b=StreamModels(good))
    bench.look(A, B, C)
    assert bad.closed
    assert [n.key for n in bench.ears.notices if not n.active] == ["model.chosen:bad@1"]
    assert bench.analysis.chosen.given_up() == frozenset()


def test_a_model_that_failed_gets_another_chance_as_a_new_instance(bench: Bench) -> None:
    bad = PlainDetector("bad")
    bad.answer = EnvironmentFault("It broke.")
    bench.choose(a=StreamModels(bad))
    assert bench.look(A)[A].detector_id == "own@1"
    bad.answer = 0.9
    bench.choose(a=StreamModels(bad), b=StreamModels(bad))
    assert bench.look(A)[A].detector_id == "own@1"
    assert [n.active for n in bench.ears.notices] == [True], "the notice stands"
    assert not bad.closed
    again = PlainDetector("bad")
    bench.choose(a=StreamModels(again))
    assert bench.look(A)[A].detector_id == "bad@1"
    assert [n.active for n in bench.ears.notices] == [True, False]
    assert bad.closed and not again.closed


def test_models_of_an_assignment_that_was_never_used_are_closed_too(bench: Bench) -> None:
    first, second = PlainDetector("first"), PlainDetector("second")
    bench.choose(a=StreamModels(first))
    bench.choose(a=StreamModels(second))
    assert not first.closed
    bench.look(A)
    assert (first.closed, second.closed) == (True, False)


def test_a_pose_model_that_fails_gives_way_to_the_own_one(bench: Bench) -> None:
    pose = PlainPose("ap", AP10K)
    bench.choose(a=StreamModels(pose=pose))
    assert bench.look(A, B, C)[A].pose_id == "ap@1"
    pose.score = RuntimeError("native")
    results = bench.look(A, B, C)
    assert ids(results) == [("own@1", "own-pose@1")] * 3
    assert results[A].poses is not None and results[A].poses.skeleton is EQUINE26


def test_a_chosen_model_ends_what_was_missing_at_its_camera(bench: Bench) -> None:
    missing = Degradation.NO_DETECTOR | Degradation.NO_POSE | Degradation.ON_CPU
    chosen = bench.analysis.chosen
    bench.choose(a=StreamModels(PlainDetector("one")), b=StreamModels(pose=PlainPose("p", AP10K)))
    bench.look(A, B, C)
    assert chosen.degradation_of(A, missing) == Degradation.NO_POSE | Degradation.ON_CPU
    assert chosen.degradation_of(B, missing) == Degradation.NO_DETECTOR | Degradation.ON_CPU
    assert chosen.degradation_of(C, missing) == missing

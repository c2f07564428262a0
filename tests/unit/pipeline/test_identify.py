"""The identify stage inside the pipeline: names, colours, numbers, pictures, meters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.frames import AnalysisFrame, FrameStamp, Picture
from engine.domain.geometry import FloatArray
from engine.domain.identity import CropTaken, HorseFound, IdentityEvent, SpanDecided
from engine.domain.ids import new_stream_id
from engine.domain.motion import MotionEvent
from engine.domain.results import Degradation, FrameResult
from engine.models.model_set import ModelSet
from engine.pipeline.analysis import Analysis
from engine.pipeline.crop_quality import crop_qualities
from engine.pipeline.fan_out import FanOut
from engine.pipeline.identify import TOO_MANY
from engine.pipeline.inbox import AnalysisInbox
from engine.pipeline.stages import STAGES
from engine.runtime.clock import SystemClock
from engine.runtime.worker import Worker
from engine.settings import AnalysisSettings, EngineSettings, TrackingSettings
from engine.sources.pictures import ArrayPicture
from tests.helpers.frame_results import frame_result
from tests.helpers.herd import DIMENSION, MODEL, crops, known, look, snapshot
from tests.helpers.waiting import wait_until

CAMERA = new_stream_id()
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXTURE = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
LEFT, RIGHT = (20.0, 60.0, 220.0, 300.0), (400.0, 60.0, 600.0, 300.0)


class Barn:
    """A detector and an embedder that know what stands where."""

    model_id = MODEL
    input_size_px = (640, 360)
    dimension = DIMENSION

    def __init__(self) -> None:
        self.there: list[tuple[tuple[float, ...], int, SubjectClass]] = []
        self.threshold: float | None = None
        self._seed = 0

    def detect(
        self, pictures: Sequence[Any], scales: Sequence[float], min_score: float
    ) -> list[DetectionBatch]:
        boxes = np.array([box for box, _, _ in self.there], np.float32).reshape(-1, 4)
        kinds = np.array([kind for _, _, kind in self.there], np.int16)
        return [DetectionBatch(boxes, np.full(len(boxes), 0.9, np.float32), kinds)]

    def embed(
        self, jobs: Sequence[tuple[Picture, FloatArray]], poses: Any = None
    ) -> list[FloatArray]:
        self._seed += 1
        vectors = [crops(look(seed), 1, self._seed)[0] for _, seed, _ in self.there]
        return [np.stack(vectors) if vectors else np.zeros((0, DIMENSION), np.float32)]

    def close(self) -> None:
        pass


class Stage:
    """The analysis of one camera, fed by hand at 10 pictures a second."""

    def __init__(self, embedder: bool = True, settings: EngineSettings | None = None) -> None:
        self.barn = Barn()
        self.events: list[IdentityEvent] = []
        self.notices: list[Any] = []
        self.fan_out = FanOut((self,))
        models = ModelSet(
            self.barn, None, self.barn if embedder else None, Degradation.NONE, (), {}, {}
        )
        self.analysis = Analysis(
            settings or EngineSettings(analysis=AnalysisSettings(motion_gate=False)),
            models, AnalysisInbox(), self.fan_out, SystemClock(), lambda _: None, lambda _: None,
        )  # fmt: skip
        self.now_s = 0.0

    def on_motion(self, events: Sequence[MotionEvent]) -> None:
        """Not used here."""

    def on_identity(self, event: IdentityEvent) -> None:
        self.events.append(event)

    def on_notice(self, notice: Any) -> None:
        self.notices.append(notice)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda _value: None

    def show(self, seconds: float, *there: tuple[tuple[float, ...], int]) -> FrameResult:
        self.barn.there = [(box, seed, SubjectClass.HORSE) for box, seed in there]
        for _ in range(max(round(seconds * 10), 1)):
            self.now_s += 0.1
            stamp = FrameStamp(
                CAMERA, 0, AT + timedelta(seconds=self.now_s), self.now_s, self.now_s
            )
            frame = AnalysisFrame(stamp, ArrayPicture(TEXTURE.copy()), TEXTURE, 1.0)
            (result,) = self.analysis.process([frame])
        return result


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_tracks_get_their_horse_and_its_stored_colour(stage: Stage) -> None:
    bella, rusty = known(look(1), colour=7), known(look(2), colour=7)
    stage.analysis.identify.load(snapshot(bella, rusty))
    result = stage.show(4.0, (LEFT, 1), (RIGHT, 9))
    assert result.tracks.horse_ids[0] == bella.horse.id
    assert result.tracks.colours[0] == 7
    assert result.tracks.colours[1] != 7, "nobody else in the picture wears it"
    assert len(stage.analysis.meters.time_ms["identify"]._values) > 0
    assert STAGES.index("track") < STAGES.index("identify")


def test_the_tracker_is_told_and_goes_on_naming(stage: Stage) -> None:
    bella = known(look(1))
    stage.analysis.identify.load(snapshot(bella))
    result = stage.show(4.0, (LEFT, 1))
    tracker = stage.analysis._trackers[CAMERA]
    assert tracker.horse_of(result.tracks.track_ids[0]) == bella.horse.id


def test_a_correction_of_a_person_shows_with_the_next_picture(stage: Stage) -> None:
    bella, rusty = known(look(1), colour=1), known(look(2), colour=2)
    stage.analysis.identify.load(snapshot(bella, rusty))
    track = stage.show(4.0, (LEFT, 1)).tracks.track_ids[0]
    corrected = snapshot(bella, rusty, owners={track: (rusty.horse.id, "ann")})
    loader = Worker("loader", lambda _token: stage.analysis.identify.load(corrected))
    loader.start()
    assert loader.join(10.0)
    tracks = stage.show(0.1, (LEFT, 1)).tracks
    assert (tracks.horse_ids[0], tracks.colours[0]) == (rusty.horse.id, 2)


def test_two_horses_can_be_exchanged_at_once(stage: Stage) -> None:
    bella, rusty = known(look(1)), known(look(2))
    stage.analysis.identify.load(snapshot(bella, rusty))
    first, second = stage.show(4.0, (LEFT, 1), (RIGHT, 2)).tracks.track_ids
    owners = {first: (rusty.horse.id, "ann"), second: (bella.horse.id, "ann")}
    stage.analysis.identify.load(snapshot(bella, rusty, owners=owners))
    result = stage.show(0.2, (LEFT, 1), (RIGHT, 2))
    assert result.tracks.horse_ids == (rusty.horse.id, bella.horse.id)


def test_without_a_model_only_people_name_horses() -> None:
    stage, bella = Stage(embedder=False), known(look(1))
    stage.analysis.identify.load(snapshot(bella))
    result = stage.show(8.0, (LEFT, 1))
    assert result.tracks.horse_ids == (None,)
    assert not [event for event in stage.events if not isinstance(event, CropTaken)]
    owners = {result.tracks.track_ids[0]: (bella.horse.id, "ann")}
    stage.analysis.identify.load(snapshot(bella, owners=owners))
    assert stage.show(0.1, (LEFT, 1)).tracks.horse_ids == (bella.horse.id,)


def test_numbering_goes_on_after_a_restart(stage: Stage) -> None:
    stage.analysis.identify.load(snapshot(next_numbers={CAMERA: 42}))
    assert stage.show(0.5, (LEFT, 1)).tracks.numbers.tolist() == [42]


@pytest.mark.parametrize(
    ("settings", "farm", "calibrated", "expected"),
    [
        (TrackingSettings(), None, None, 0.75),
        (TrackingSettings(), None, 0.6, 0.6),
        (TrackingSettings(similarity_threshold=0.8), None, 0.6, 0.8),
        (TrackingSettings(similarity_threshold=0.8), 0.5, 0.6, 0.5),
    ],
)
def test_who_sets_the_threshold(
    settings: TrackingSettings, farm: float | None, calibrated: float | None, expected: float
) -> None:
    analysis = AnalysisSettings(motion_gate=False)
    stage = Stage(settings=EngineSettings(analysis=analysis, tracking=settings))
    stage.barn.threshold = calibrated
    stage.analysis.identify.load(snapshot(similarity_threshold=farm))
    stage.show(0.1, (LEFT, 1))
    assert stage.analysis.identify.threshold == expected


def test_more_horses_than_expected_are_a_notice(stage: Stage) -> None:
    two = (known(look(1)), known(look(2)))
    stage.analysis.identify.load(snapshot(*two, expected_residents=1))
    assert [notice.key for notice in stage.fan_out.notices()] == [TOO_MANY]
    stage.analysis.identify.load(snapshot(two[0], expected_residents=1))
    assert stage.fan_out.notices() == ()


def test_the_best_picture_is_a_small_jpeg_made_elsewhere(stage: Stage) -> None:
    stage.analysis.identify.load(snapshot())
    stage.show(3.0, (LEFT, 3))
    assert not [event for event in stage.events if isinstance(event, CropTaken)]
    worker = Worker("crops", stage.analysis.identify.crops.run)
    worker.start()
    wait_until(lambda: any(isinstance(event, CropTaken) for event in stage.events))
    stage.analysis.identify.crops.stop()
    assert worker.join(5.0)
    (crop,) = [event for event in stage.events if isinstance(event, CropTaken)]
    image = cv2.imdecode(np.frombuffer(crop.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (200, 200, 3)
    assert len(crop.jpeg) <= 50_000
    # The horse is known since: the picture is told again with its name.
    stage.show(4.0, (LEFT, 3))
    (found,) = [event for event in stage.events if isinstance(event, HorseFound)]
    assert [event.horse_id for event in stage.events if isinstance(event, CropTaken)][-1] == (
        found.horse_id
    )


def test_events_come_in_the_order_the_store_needs(stage: Stage) -> None:
    stage.analysis.identify.load(snapshot())
    stage.show(6.0, (LEFT, 3))
    kinds = [type(event) for event in stage.events]
    assert kinds.index(HorseFound) < kinds.index(SpanDecided)


def test_quality_falls_with_blur_cover_and_distance() -> None:
    tracks = frame_result(CAMERA, horses=2, skeleton=None).tracks
    tracks = type(tracks)(
        np.array([LEFT, RIGHT], np.float32), tracks.velocities_px_s, np.full(2, 0.9, np.float32),
        tracks.confidences, tracks.class_ids, tracks.states, tracks.numbers, tracks.colours,
        tracks.track_ids, tracks.horse_ids,
    )  # fmt: skip

    def quality(picture: np.ndarray, boxes: Any = (LEFT, RIGHT)) -> list[float]:
        moved = type(tracks)(
            np.array(boxes, np.float32), tracks.velocities_px_s, tracks.scores,
            tracks.confidences, tracks.class_ids, tracks.states, tracks.numbers, tracks.colours,
            tracks.track_ids, tracks.horse_ids,
        )  # fmt: skip
        stamp = FrameStamp(CAMERA, 0, AT, 0.0, None)
        frame = AnalysisFrame(stamp, ArrayPicture(picture), picture, 1.0)
        return crop_qualities(frame, moved, 0).tolist()

    sharp = quality(TEXTURE.copy())
    assert min(sharp) > 0.8
    coarse = cv2.resize(TEXTURE[::24, ::24], (640, 360), interpolation=cv2.INTER_CUBIC)
    assert max(quality(cv2.GaussianBlur(coarse, (0, 0), 9.0))) < 0.6 * min(sharp)
    assert quality(np.full_like(TEXTURE, 90)) == [0.0, 0.0]
    covered = quality(TEXTURE.copy(), (LEFT, (60.0, 60.0, 260.0, 300.0)))
    assert max(covered) < min(sharp)
    far = quality(TEXTURE.copy(), (LEFT, (400.0, 60.0, 424.0, 84.0)))
    assert far[1] < 0.5 * far[0]

"""Every picture of a stretch of recording, looked at: boxes by track, and a pose of every horse.

The detector looks at about 12 pictures a second, and at all of slower recordings; boxes between
two looks lie on a line between them, which at that rate is within a pixel or two of a galloping
horse. The pose model looks at every picture: strides need every one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import ModelUnavailable
from engine.domain.frames import FrameStamp, Picture
from engine.domain.geometry import FloatArray
from engine.domain.ids import StreamId
from engine.domain.poses import PoseBatch
from engine.domain.tracks import TrackBatch
from engine.models.model_set import ModelSet
from engine.models.motion_detector import MotionDetector
from engine.pipeline.barn_prior import with_barn_prior
from engine.pipeline.selection import fitted
from engine.settings import EngineSettings
from engine.tracking.interpolation import Keyframe, between
from engine.tracking.tracker import Tracker

DETECT_FPS = 12.5


@dataclass(frozen=True, slots=True)
class RecordedPicture:
    """One picture and how it is stamped: the mono time is seconds on the stretch's own clock."""

    stamp: FrameStamp
    picture: Picture


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one picture shows, N rows by the lane's own track numbers. ``poses`` has a row per row,
    of score 0 for what is no horse; None without a pose model. detected: bool (N,), found by the
    detector in this picture and not put in between two."""

    stamp: FrameStamp
    width_px: int
    height_px: int
    numbers: NDArray[np.int64]
    class_ids: NDArray[np.int16]
    boxes_xyxy_px: FloatArray
    scores: FloatArray
    confidences: FloatArray
    detected: NDArray[np.bool_]
    poses: PoseBatch | None


class Watcher:
    """Looks at the pictures of one stretch, in order. Used by the thread that owns ``models``."""

    def __init__(
        self, models: ModelSet, settings: EngineSettings, stream_id: StreamId,
        confidence: float | None, fps: float,
    ) -> None:  # fmt: skip
        if isinstance(models.detector, MotionDetector):
            raise ModelUnavailable(
                "There is no detector model to analyse recordings with.",
                "Run `barnhand models list` to see which models can be had.",
            )
        self._models = models
        self._settings = settings
        self._tracker = Tracker(stream_id, settings.tracking)
        self._confidence = settings.detection.confidence if confidence is None else confidence
        self._stride = max(math.floor(fps / DETECT_FPS + 0.2), 1)
        self._waiting: list[RecordedPicture] = []
        self._last: tuple[RecordedPicture, TrackBatch] | None = None
        self._count = 0

    @property
    def latest_boxes_px(self) -> FloatArray:
        """Boxes xyxy of the latest look, float32 (N, 4), for what wants to know where animals and
        people are while pictures are still to come."""
        return np.zeros((0, 4), np.float32) if self._last is None else self._last[1].boxes_xyxy_px

    def watch(
        self, pictures: Iterable[RecordedPicture], each: Callable[[int], None]
    ) -> list[Sighting]:
        """Everything seen, by picture; ``each`` hears the number of pictures after every one."""
        seen: list[Sighting] = []
        for one in pictures:
            if self._count % self._stride == 0:
                seen += self._look(one)
            else:
                self._waiting.append(one)
            self._count += 1
            each(self._count)
        if self._waiting:
            # The last pictures have no look after them: look at the very last.
            seen += self._look(self._waiting.pop())
        return seen

    def _look(self, one: RecordedPicture) -> list[Sighting]:
        tracks = self._tracker.update(self._detect(one), one.stamp, self._confidence)
        seen = [self._between(waiting, (one, tracks)) for waiting in self._waiting]
        self._waiting.clear()
        self._last = (one, tracks)
        whole = np.ones(len(tracks), np.bool_)
        return [*seen, self._sighting(one, tracks, tracks.boxes_xyxy_px, whole)]

    def _detect(self, one: RecordedPicture) -> DetectionBatch:
        picture, detector = one.picture, self._models.detector
        size, scale = fitted(picture.width_px, picture.height_px, detector.input_size_px)
        lowest = min(self._confidence, self._settings.tracking.weak_confidence)
        found = detector.detect([picture.scaled_bgr(*size)], [scale], lowest)[0]
        if self._models.verified:
            return found
        return with_barn_prior(found, picture.height_px, self._settings.detection)

    def _between(self, one: RecordedPicture, after: tuple[RecordedPicture, TrackBatch]) -> Sighting:
        before = self._last
        if before is None:
            return self._sighting(one, *_rows(after[1], np.zeros(0, np.int64)))
        times = (before[0].stamp.captured_mono_s, after[0].stamp.captured_mono_s)
        mid = between(
            Keyframe(times[0], before[1].numbers, before[1].boxes_xyxy_px),
            Keyframe(times[1], after[1].numbers, after[1].boxes_xyxy_px),
            one.stamp.captured_mono_s,
        )
        order = {int(number): row for row, number in enumerate(after[1].numbers)}
        rows = np.array([order[int(number)] for number in mid.ids], np.int64)
        tracks, _, detected = _rows(after[1], rows)
        return self._sighting(one, tracks, mid.boxes_xyxy_px, detected)

    def _sighting(
        self, one: RecordedPicture, tracks: TrackBatch, boxes: FloatArray,
        detected: NDArray[np.bool_],
    ) -> Sighting:  # fmt: skip
        return Sighting(
            stamp=one.stamp,
            width_px=one.picture.width_px,
            height_px=one.picture.height_px,
            numbers=tracks.numbers,
            class_ids=tracks.class_ids,
            boxes_xyxy_px=boxes,
            scores=tracks.scores,
            confidences=tracks.confidences,
            detected=detected,
            poses=self._pose(one.picture, boxes, tracks.class_ids == SubjectClass.HORSE),
        )

    def _pose(
        self, picture: Picture, boxes: FloatArray, horses: NDArray[np.bool_]
    ) -> PoseBatch | None:
        estimator = self._models.pose
        if estimator is None or not self._settings.pose.enabled:
            return None
        skeleton = estimator.skeleton
        points = np.zeros((len(boxes), len(skeleton.landmarks), 2), np.float32)
        scores = np.zeros((len(boxes), len(skeleton.landmarks)), np.float32)
        if horses.any():
            found = estimator.estimate([(picture, boxes[horses])])[0]
            points[horses], scores[horses] = found.keypoints_px, found.scores
        return PoseBatch(points, scores, skeleton)


def _rows(
    tracks: TrackBatch, rows: NDArray[np.int64]
) -> tuple[TrackBatch, FloatArray, NDArray[np.bool_]]:
    """Some rows of a batch, their boxes, and that no detector found them."""
    picked = TrackBatch(
        tracks.boxes_xyxy_px[rows], tracks.velocities_px_s[rows], tracks.scores[rows],
        tracks.confidences[rows], tracks.class_ids[rows], tracks.states[rows],
        tracks.numbers[rows], tracks.colours[rows],
        tuple(tracks.track_ids[row] for row in rows), tuple(tracks.horse_ids[row] for row in rows),
    )  # fmt: skip
    return picked, picked.boxes_xyxy_px, np.zeros(len(rows), np.bool_)

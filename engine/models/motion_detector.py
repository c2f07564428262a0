"""Boxes of whatever moves: the fallback that keeps the wall alive without a detector model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.frames import Image
from engine.domain.ids import ModelId
from engine.domain.results import Degradation

INPUT_PX = 320
"""Longest picture side that is compared with the background: motion needs no detail."""
STREAMS_MAX = 256
"""Backgrounds kept; the one unused for longest is forgotten first."""
LEARNING_PICTURES = 3
"""First pictures of a stream, which only teach the background."""
LEARNING_RATE = 0.005
"""Share of a later picture that enters the background: at 10 pictures a second, what has stopped
fades after about 20 s."""
SCENE_CHANGE_SHARE = 0.6
"""A larger moving share of the picture is a light or camera change, not an animal."""


@dataclass
class _Background:
    """One stream's background model (Zivkovic 2004, mixture of Gaussians) and its age."""

    size: tuple[int, ...]
    seen: int = 0
    model: Any = field(
        default_factory=lambda: cv2.createBackgroundSubtractorMOG2(
            history=200, varThreshold=24, detectShadows=False
        )
    )


class MotionDetector:
    """Meets the port Detector; every box is a SubjectClass.MOTION.

    The score is the share of the box that moves. An animal that stands or lies still fades into
    the background: this is a fallback and says so by its class.

    ``detect_streams`` keeps one background a stream. ``detect``, the port's method, knows no
    streams and takes the position in the call for one, which suits a single camera only.
    """

    def __init__(self, minimum_box_px: float = 24.0) -> None:
        self._minimum_box_px = minimum_box_px
        self._backgrounds: OrderedDict[Hashable, _Background] = OrderedDict()

    @property
    def model_id(self) -> ModelId:
        """Always ``motion@1``."""
        return ModelId("motion@1")

    @property
    def input_size_px(self) -> tuple[int, int]:
        """Largest (width, height) a picture is scaled to fit."""
        return INPUT_PX, INPUT_PX

    @property
    def degradation(self) -> Degradation:
        """Never more than what the model set says: no detector."""
        return Degradation.NONE

    def detect(
        self, pictures_bgr: Sequence[Image], scales: Sequence[float], min_score: float
    ) -> list[DetectionBatch]:
        """See the port Detector."""
        return self.detect_streams(pictures_bgr, scales, range(len(pictures_bgr)), min_score)

    def detect_streams(
        self,
        pictures_bgr: Sequence[Image],
        scales: Sequence[float],
        stream_ids: Sequence[Hashable],
        min_score: float,
    ) -> list[DetectionBatch]:
        """Moving regions of each picture against the background of its stream."""
        return [
            self._detect_one(self._background(stream_id, picture), picture, scale, min_score)
            for picture, scale, stream_id in zip(pictures_bgr, scales, stream_ids, strict=True)
        ]

    def forget(self, stream_id: Hashable) -> None:
        """A camera's view moves: its background is learned anew."""
        self._backgrounds.pop(stream_id, None)

    def _background(self, stream_id: Hashable, picture: Image) -> _Background:
        background = self._backgrounds.pop(stream_id, None)
        if background is None or background.size != picture.shape[:2]:
            background = _Background(picture.shape[:2])
        self._backgrounds[stream_id] = background
        while len(self._backgrounds) > STREAMS_MAX:
            self._backgrounds.popitem(last=False)
        return background

    def _detect_one(
        self, background: _Background, picture: Image, scale: float, min_score: float
    ) -> DetectionBatch:
        learning = background.seen < LEARNING_PICTURES
        background.seen += 1
        rate = -1.0 if learning else LEARNING_RATE
        moving = background.model.apply(cv2.blur(picture, (3, 3)), learningRate=rate)
        if learning:
            return DetectionBatch.empty()
        moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        if np.count_nonzero(moving) > SCENE_CHANGE_SHARE * moving.size:
            background.seen = 0
            return DetectionBatch.empty()
        joined = cv2.dilate(moving, np.ones((9, 9), np.uint8))
        _, labels, regions, _ = cv2.connectedComponentsWithStats(joined)
        return self._regions(moving, labels, regions[1:], scale, min_score)

    def _regions(
        self, moving: Any, labels: Any, regions: Any, scale: float, min_score: float
    ) -> DetectionBatch:
        boxes: list[tuple[float, float, float, float]] = []
        scores: list[float] = []
        for index, (x, y, width, height, _) in enumerate(regions.tolist(), start=1):
            inside = labels[y : y + height, x : x + width] == index
            ys, xs = np.nonzero(inside & (moving[y : y + height, x : x + width] > 0))
            if not len(xs):
                continue
            left, top, right, bottom = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
            area = float((right - left) * (bottom - top))
            score = len(xs) / area
            if score >= min_score and area >= (self._minimum_box_px * scale) ** 2:
                boxes.append((x + left, y + top, x + right, y + bottom))
                scores.append(score)
        order = np.argsort(-np.array(scores, np.float32), kind="stable")
        return DetectionBatch(
            (np.array(boxes, np.float32).reshape(-1, 4) / np.float32(scale))[order],
            np.array(scores, np.float32)[order],
            np.full((len(scores),), SubjectClass.MOTION, np.int16),
        )

    def close(self) -> None:
        """Forget every background."""
        self._backgrounds.clear()

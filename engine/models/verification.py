"""A second opinion on animals that a detector found: is the animal in this box a horse?

Small detectors see where animals are better than which ones: at a threshold low enough to find
nearly every horse they also call cows, sheep and dogs horses. A verifier is a small network that
looks at one box at a time; its answer and the detector's score make the final score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import ModelInvalid
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.ids import ModelId
from engine.domain.results import Degradation
from engine.models.batch_runner import BatchRunner
from engine.models.manifest import Layout, ModelEntry, Verification
from engine.models.sessions import Device, Session
from engine.models.yolo_decoding import ODDS_LIMIT

GREY = 114
"""Level around a crop, as around a detector's picture."""
CERTAIN_LOGIT = 8.0
"""Opinions are cut here: one network's certainty must not overrule everything."""
_LEAST = 1e-4


def logit(probability: FloatArray) -> FloatArray:
    """Log odds, float32; probabilities are cut at 1e-4 from 0 and 1."""
    cut = np.clip(probability.astype(np.float64), _LEAST, 1.0 - _LEAST)
    return np.log(cut / (1.0 - cut)).astype(np.float32)


def probability(log_odds: FloatArray) -> FloatArray:
    """The inverse of ``logit``, float32."""
    return (1.0 / (1.0 + np.exp(-log_odds.astype(np.float64)))).astype(np.float32)


def combined(
    scores: FloatArray, odds: FloatArray, opinions: FloatArray, how: Verification
) -> FloatArray:
    """Final scores (N,) in 0..1: the logistic regression of ``how`` on the log odds of the
    detector's ``scores``, on its ``odds`` of a horse against rivals, and on the verifier's
    ``opinions`` (log odds, cut at CERTAIN_LOGIT; of ``certain`` horses they do not count)."""
    cut = np.clip(opinions, -CERTAIN_LOGIT, CERTAIN_LOGIT)
    cut = np.where(certain(scores, odds, how), np.float32(CERTAIN_LOGIT), cut)
    mixed = (
        how.detector_weight * logit(scores)
        + how.odds_weight * odds
        + how.verifier_weight * cut
        + how.bias
    )
    return probability(mixed.astype(np.float32))


def certain(scores: FloatArray, odds: FloatArray, how: Verification) -> NDArray[np.bool_]:
    """Which animals (N,) are horses beyond doubt for the detector: a score of at least
    ``how.certain_from`` and odds at their limit. A second opinion would cost time and could only
    be wrong."""
    sure: NDArray[np.bool_] = (scores >= how.certain_from) & (odds >= ODDS_LIMIT)
    return sure


def candidates_from(how: Verification, min_score: float) -> float:
    """The lowest detector score that can still end at ``min_score``, and at least
    ``how.candidates_from``: boxes below need no second opinion."""
    wanted = float(logit(np.array([min_score], np.float32))[0])
    most = how.bias + how.verifier_weight * CERTAIN_LOGIT + how.odds_weight * ODDS_LIMIT
    needed = (wanted - most) / how.detector_weight
    return max(how.candidates_from, float(probability(np.array([needed], np.float32))[0]))


def species_crops(picture_bgr: Image, boxes_xyxy_px: FloatArray, side_px: int, padding: float
) -> Image:  # fmt: skip
    """Crops (N, side, side, 3) BGR: the box enlarged by ``padding``, unsqueezed and centred; what
    is outside of it or of the picture is grey."""
    height, width = picture_bgr.shape[:2]
    crops = np.full((len(boxes_xyxy_px), side_px, side_px, 3), GREY, np.uint8)
    for crop, box in zip(crops, boxes_xyxy_px, strict=True):
        _draw(picture_bgr, height, width, box, padding, crop)
    return crops


def _draw(
    picture_bgr: Image, height: int, width: int, box: FloatArray, padding: float, crop: Image
) -> None:
    side = len(crop)
    x1, y1, x2, y2 = (float(v) for v in box)
    half = np.maximum(np.array([x2 - x1, y2 - y1]), 1.0) * (padding / 2.0)
    centre = np.array([x1 + x2, y1 + y2]) / 2.0
    scale = side / (2.0 * float(half.max()))
    low = np.maximum(np.round(centre - half), 0).astype(int)
    high = np.minimum(np.round(centre + half), (width, height)).astype(int)
    if (high <= low).any():
        return
    part = picture_bgr[low[1] : high[1], low[0] : high[0]]
    shown = np.maximum(np.round((high - low) * scale).astype(int), 1)
    place = np.round(side / 2.0 + (low - centre) * scale).astype(int)
    place = np.clip(place, 0, side - 1)
    shown = np.minimum(shown, side - place)
    method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    crop[place[1] : place[1] + shown[1], place[0] : place[0] + shown[0]] = cv2.resize(
        part, (int(shown[0]), int(shown[1])), interpolation=method
    )


class SpeciesVerifier:
    """A classifier of crops by its manifest entry; used by the thread of its detector.

    The file answers (B, C) class logits; the entry's class table says which one is the horse.
    ModelInvalid when the file is not such a classifier.
    """

    def __init__(
        self,
        entry: ModelEntry,
        open_on: Callable[[Device], Session],
        device: Device = "auto",
        batch_limit: int = 16,
    ) -> None:
        if entry.layout is not Layout.SPECIES:
            raise ModelInvalid(f"{entry.name} is a {entry.layout} model and no verifier.")
        horses = [int(index) for index, name in entry.classes.items() if name == "horse"]
        if len(horses) != 1:
            raise ModelInvalid(f"The entry {entry.name} must name exactly one class horse.")
        self._entry = entry
        self._horse = horses[0]
        self._runner = BatchRunner(open_on, device, batch_limit)
        try:
            side = entry.input.width_px
            answer = self._runner.run(np.full((1, side, side, 3), GREY, np.uint8))[0]
            if answer.ndim != 2 or len(answer) != 1 or answer.shape[1] <= max(self._horse, 1):
                raise ModelInvalid(
                    f"{entry.name} answers with {' x '.join(map(str, answer.shape))} and not with "
                    "one row of classes for each crop."
                )
        except BaseException:
            self._runner.close()
            raise

    @property
    def model_id(self) -> ModelId:
        """``name@version`` of the manifest entry."""
        return self._entry.id

    @property
    def degradation(self) -> Degradation:
        """What had to be given up since the start."""
        return self._runner.degradation

    def opinions(
        self, pictures_bgr: Sequence[Image], boxes_xyxy_px: Sequence[FloatArray]
    ) -> list[FloatArray]:
        """For each picture the log odds (N,) that its boxes (N, 4), in its pixels, hold a horse.
        The crops of all pictures run as one batch where the device gains by it."""
        side, padding = self._entry.input.width_px, self._entry.padding
        crops = [
            species_crops(picture, boxes, side, padding)
            for picture, boxes in zip(pictures_bgr, boxes_xyxy_px, strict=True)
        ]
        counts = np.cumsum([len(part) for part in crops])[:-1]
        every = np.concatenate(crops) if crops else np.empty((0, side, side, 3), np.uint8)
        if not len(every):
            return [np.zeros((0,), np.float32) for _ in pictures_bgr]
        return list(np.split(self._log_odds(self._runner.run(every)[0]), counts))

    def _log_odds(self, logits: FloatArray) -> FloatArray:
        """Log odds of the horse against all other classes of a softmax."""
        others = np.delete(logits, self._horse, axis=1).astype(np.float64)
        peak = others.max(axis=1)
        rest = peak + np.log(np.exp(others - peak[:, None]).sum(axis=1))
        odds: FloatArray = (logits[:, self._horse] - rest).astype(np.float32)
        return odds

    def close(self) -> None:
        """Close the session."""
        self._runner.close()

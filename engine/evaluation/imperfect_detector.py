"""A detector's typical faults put upon perfect boxes: what a tracker has to live with.

Faults are correlated in time, as real ones are: a box drifts, a horse is missed for several
pictures in a row, a hidden part pulls the box's edge in, a shadow is taken for a horse a few times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray


@dataclass(frozen=True, slots=True)
class Faults:
    """How bad a detector is.

    jitter, drift: standard deviations of a box's edges, new in each picture and slowly wandering,
    in box heights. miss_rate: bursts of misses begun per second and object. miss_s: mean length of
    a burst. ghost_rate: false boxes begun per second. ghost_s: mean life of one. half_rate: share
    of boxes joined by a second box on a part of the same object. drift_s: time constant of drift.
    """

    jitter: float
    drift: float
    miss_rate: float
    miss_s: float
    ghost_rate: float
    ghost_s: float = 0.2
    half_rate: float = 0.01
    drift_s: float = 0.4


MILD = Faults(jitter=0.015, drift=0.02, miss_rate=0.03, miss_s=0.2, ghost_rate=0.05)
ROUGH = Faults(jitter=0.04, drift=0.05, miss_rate=0.2, miss_s=0.4, ghost_rate=0.4, half_rate=0.04)
LEVELS = {"mild": MILD, "rough": ROUGH}

NOTHING = -1
HIDDEN_FROM, CLEAR_FROM = 0.15, 0.5
"""Visible shares below which an object is never found, and from which it is always found."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Truth of one picture, N objects: ids int64 (N,); boxes_xyxy_px and shown_xyxy_px (the part
    that can be seen) float32 (N, 4); visible float32 (N,), share of the object seen, 0..1."""

    ids: NDArray[np.int64]
    boxes_xyxy_px: FloatArray
    shown_xyxy_px: FloatArray
    visible: FloatArray


class ImperfectDetector:
    """Boxes and scores of one camera, picture by picture; the same for the same seed.

    ``sources``: of each detection of the last look the object it shows, int64 (M,); -1 for none.
    """

    def __init__(self, faults: Faults, width_px: int, height_px: int, seed: int) -> None:
        self._faults = faults
        self._size = np.array([width_px, height_px], np.float64)
        self._chance = np.random.default_rng(seed)
        self._drift: dict[int, NDArray[np.float64]] = {}
        self._missing_s: dict[int, float] = {}
        self._ghosts: list[tuple[NDArray[np.float64], float]] = []
        self.sources: NDArray[np.int64] = np.zeros(0, np.int64)

    def look(self, sighting: Sighting, dt_s: float) -> tuple[FloatArray, FloatArray]:
        """Detections ``dt_s`` after the last look: boxes float32 (M, 4) and scores (M,)."""
        boxes: list[NDArray[np.float64]] = []
        scores: list[float] = []
        sources: list[int] = []
        for index, number in enumerate(sighting.ids.tolist()):
            share = float(sighting.visible[index])
            if self._missed(number, share, dt_s):
                continue
            box = self._blurred(number, sighting.shown_xyxy_px[index].astype(np.float64), dt_s)
            boxes.append(box)
            scores.append(self._score(0.35 + 0.6 * min(share / CLEAR_FROM, 1.0)))
            if self._chance.random() < self._faults.half_rate:
                boxes.append(self._half(box))
                scores.append(self._score(0.35))
            sources += [number] * (len(boxes) - len(sources))
        self._age_ghosts(dt_s, sighting)
        for box, _ in self._ghosts:
            boxes.append(box + self._chance.normal(0, self._faults.jitter * (box[3] - box[1]), 4))
            scores.append(self._score(0.4))
            sources.append(NOTHING)
        limits = np.tile(self._size, 2)
        found = np.clip(np.array(boxes).reshape(-1, 4), 0, limits).astype(np.float32)
        whole = (found[:, 2] - found[:, 0] > 4) & (found[:, 3] - found[:, 1] > 4)
        self.sources = np.array(sources, np.int64)[whole]
        return found[whole], np.array(scores, np.float32)[whole]

    def _missed(self, number: int, share: float, dt_s: float) -> bool:
        left_s = self._missing_s.get(number, 0.0) - dt_s
        if left_s <= 0 and self._chance.random() < self._faults.miss_rate * dt_s:
            left_s = self._chance.exponential(self._faults.miss_s)
        self._missing_s[number] = left_s
        chance = (share - HIDDEN_FROM) / (CLEAR_FROM - HIDDEN_FROM)
        return left_s > 0 or self._chance.random() >= chance

    def _blurred(self, number: int, box: NDArray[np.float64], dt_s: float) -> NDArray[np.float64]:
        keep = np.exp(-dt_s / self._faults.drift_s)
        fresh = self._chance.normal(0, 1, 4)
        old = self._drift.get(number)
        drift = fresh if old is None else keep * old + np.sqrt(1 - keep**2) * fresh
        self._drift[number] = drift
        height = box[3] - box[1]
        noise = drift * self._faults.drift + self._chance.normal(0, self._faults.jitter, 4)
        blurred: NDArray[np.float64] = box + noise * height
        return blurred

    def _half(self, box: NDArray[np.float64]) -> NDArray[np.float64]:
        share = self._chance.uniform(0.4, 0.6)
        half = box.copy()
        middle = box[0] + share * (box[2] - box[0])
        half[2 if self._chance.random() < 0.5 else 0] = middle
        return half

    def _age_ghosts(self, dt_s: float, sighting: Sighting) -> None:
        self._ghosts = [(box, left - dt_s) for box, left in self._ghosts if left > dt_s]
        if self._chance.random() < self._faults.ghost_rate * dt_s and len(sighting.ids):
            like = sighting.boxes_xyxy_px[self._chance.integers(len(sighting.ids))]
            size = (like[2:] - like[:2]) * self._chance.uniform(0.6, 1.2)
            corner = self._chance.uniform(0, np.maximum(self._size - size, 1))
            life = self._chance.exponential(self._faults.ghost_s) + dt_s
            self._ghosts.append((np.concatenate([corner, corner + size]), life))

    def _score(self, mean: float) -> float:
        return float(np.clip(self._chance.normal(mean, 0.07), 0.02, 0.99))

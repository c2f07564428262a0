"""A pose model's typical faults put upon perfect landmarks: what behaviour analysis must live with.

Faults are correlated in time, as real ones are: a landmark wanders about its place, drops out for a
while, sits somewhere else with full confidence, the legs of the two sides are taken for each other.
Lying horses, which such models have seen less often, are posed worse than standing ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.skeletons import EQUINE26, Skeleton

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PoseFaults:
    """How bad a pose model is.

    jitter, drift: standard deviation of a visible landmark, new in each picture and slowly
    wandering, as a share of the root of the box's area (OKS sigmas of careful labellers are 0.025
    to 0.107). hidden: times as much for a landmark that cannot be seen. drop_rate: drop-outs begun
    per second and landmark (score under 0.3), drop_s their mean length. wrong_rate: begun per
    second and landmark, it sits elsewhere in the box with full score for drop_s. swap_rate: left
    and right legs exchanged, begun per second and horse. lying: times as much of all for a horse
    that lies; blind_rate: whole poses lost, begun per second and horse, for blind_s.
    """

    jitter: float
    drift: float
    hidden: float
    drop_rate: float
    drop_s: float
    wrong_rate: float
    swap_rate: float
    lying: float
    blind_rate: float
    blind_s: float = 1.5
    drift_s: float = 0.5


MILD = PoseFaults(0.008, 0.012, 3.0, 0.02, 0.4, 0.004, 0.02, 1.5, 0.005)
ROUGH = PoseFaults(0.015, 0.025, 4.0, 0.1, 0.6, 0.02, 0.1, 2.0, 0.03)
POSE_LEVELS = {"mild": MILD, "rough": ROUGH}


@dataclass(slots=True)
class _Memory:
    drift: Floats
    drop_s: Floats
    wrong_s: Floats
    wrong_at: Floats
    swap_s: float = 0.0
    blind_s: float = 0.0


class ImperfectPoses:
    """Landmarks and scores of one camera's horses, picture by picture; the same for the same seed.
    Landmarks are those of EQUINE26."""

    skeleton: Skeleton = EQUINE26

    def __init__(self, faults: PoseFaults, seed: int) -> None:
        self._faults = faults
        self._chance = np.random.default_rng([seed, 26])
        self._of: dict[int, _Memory] = {}
        self._legs = [
            (left, right)
            for left, right in EQUINE26.pairs
            if any(w in EQUINE26.landmarks[left] for w in ("carpus", "hock", "fetlock", "hoof"))
        ]

    def look(
        self,
        number: int,
        keypoints_px: FloatArray,
        visible: NDArray[np.bool_],
        box_xyxy_px: FloatArray,
        lying: bool,
        dt_s: float,
    ) -> tuple[FloatArray, FloatArray]:
        """Landmarks float32 (26, 2) and scores (26,) of horse ``number``, ``dt_s`` after its last
        picture."""
        faults, chance, count = self._faults, self._chance, len(visible)
        kept = self._of.get(number)
        if kept is None:
            kept = _Memory(
                chance.normal(0, 1, (count, 2)), np.zeros(count), np.zeros(count),
                np.zeros((count, 2)),
            )  # fmt: skip
            self._of[number] = kept
        size = float(np.sqrt(max(np.prod(box_xyxy_px[2:] - box_xyxy_px[:2]), 1.0)))
        worse = faults.lying if lying else 1.0
        keep = np.exp(-dt_s / faults.drift_s)
        fresh = chance.normal(0, 1, (count, 2))
        kept.drift = keep * kept.drift + np.sqrt(1 - keep**2) * fresh
        spread = size * worse * np.where(visible, 1.0, faults.hidden)[:, None]
        noise = kept.drift * faults.drift + chance.normal(0, faults.jitter, (count, 2))
        points = keypoints_px + noise * spread
        scores = np.where(
            visible, chance.normal(0.85, 0.08, count), chance.normal(0.4, 0.15, count)
        )
        self._drop(kept, dt_s, worse, box_xyxy_px)
        scores = np.where(kept.drop_s > 0, chance.uniform(0.02, 0.28, count), scores)
        wrong = (kept.wrong_s > 0)[:, None]
        corner, extent = box_xyxy_px[:2], box_xyxy_px[2:] - box_xyxy_px[:2]
        points = np.where(wrong, corner + kept.wrong_at * extent, points)
        if kept.swap_s > 0:
            for left, right in self._legs:
                points[[left, right]] = points[[right, left]]
                scores[[left, right]] = scores[[right, left]]
        if kept.blind_s > 0:
            scores = scores * 0.25
        return points.astype(np.float32), np.clip(scores, 0.01, 0.99).astype(np.float32)

    def _drop(self, kept: _Memory, dt_s: float, worse: float, box_xyxy_px: FloatArray) -> None:
        faults, chance, count = self._faults, self._chance, len(kept.drop_s)
        share = worse * dt_s
        for left_s, rate in ((kept.drop_s, faults.drop_rate), (kept.wrong_s, faults.wrong_rate)):
            left_s -= dt_s
            begun = (left_s <= 0) & (chance.random(count) < rate * share)
            left_s[begun] = chance.exponential(faults.drop_s, int(begun.sum())) + dt_s
        fresh = kept.wrong_s >= faults.drop_s
        kept.wrong_at[fresh] = chance.uniform(0, 1, (int(fresh.sum()), 2))
        kept.swap_s = self._lasting(kept.swap_s, faults.swap_rate, share, dt_s, 0.3)
        kept.blind_s = self._lasting(kept.blind_s, faults.blind_rate, share, dt_s, faults.blind_s)

    def _lasting(
        self, left_s: float, rate: float, share: float, dt_s: float, mean_s: float
    ) -> float:
        left_s -= dt_s
        if left_s <= 0 and self._chance.random() < rate * share:
            left_s = float(self._chance.exponential(mean_s)) + dt_s
        return left_s

"""What a pose model would tell about simulated horses: exact keypoints, or with modelled errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.domain.motion import PoseSeries
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import EQUINE26
from engine.simulation.farm import SimulatedFarm
from engine.simulation.truth import Sightings

LEAST_VISIBLE = 0.5
"""Share of the horse that shows in the picture, below which a series is cut."""

LEAST_S = 1.0
"""Shorter series are left out."""


@dataclass(frozen=True, slots=True)
class KeypointNoise:
    """Errors of a pose model. jitter: standard deviation from picture to picture, of each axis, as
    a share of the diagonal of the horse's box. drift: of errors that last about ``drift_s`` seconds
    (a model that sees the fetlock a little too high does so in the next picture too). hidden: both
    times this where the landmark is hidden. missed: share of landmarks scored too low to be used.
    """

    name: str
    jitter: float = 0.0
    drift: float = 0.0
    drift_s: float = 0.3
    hidden: float = 1.7
    missed: float = 0.0


EXACT = KeypointNoise("exact")
REALISTIC = KeypointNoise("noisy", jitter=0.006, drift=0.005, missed=0.02)
"""Both parts together have a median length of 1 % of the diagonal, which is what a model with
96 % of its points within 5 % of the labelled box's diagonal shows (heavier tails left aside)."""


@dataclass(frozen=True, slots=True)
class SimulatedSeries:
    """One horse in sight without a break: what is seen of it, and the truth of the same rows."""

    horse_id: int
    series: PoseSeries
    truth: Sightings


def simulated_series(
    farm: SimulatedFarm,
    camera: str,
    fps: float,
    start_s: float,
    end_s: float,
    noise: KeypointNoise = EXACT,
    seed: int = 0,
) -> Iterator[SimulatedSeries]:
    """Every unbroken stretch of every horse before a camera. ``scales_px_m`` are the camera's own
    at the horse's distance."""
    chance = np.random.default_rng(seed)
    times = np.arange(start_s, end_s, 1.0 / fps)
    seen = farm.sightings(camera, times)
    focal_px = farm.camera(camera).focal_px
    for horse_id in np.unique(seen.horse_ids).tolist():
        mine = seen.select((seen.horse_ids == horse_id) & (seen.visibility > LEAST_VISIBLE))
        edges = np.nonzero(np.diff(mine.time_index) > 1)[0] + 1
        for rows in np.split(np.arange(len(mine)), edges):
            if len(rows) >= max(LEAST_S * fps, 2):
                truth = mine.select(rows)
                yield SimulatedSeries(
                    int(horse_id), _series(truth, focal_px, fps, noise, chance), truth
                )


def _series(
    truth: Sightings, focal_px: float, fps: float, noise: KeypointNoise, chance: np.random.Generator
) -> PoseSeries:
    size = truth.full_boxes_xyxy_px[:, 2:] - truth.full_boxes_xyxy_px[:, :2]
    diagonal = np.hypot(size[:, 0], size[:, 1])[:, None, None]
    shape = truth.keypoints_px.shape
    error = noise.jitter * chance.normal(size=shape) + noise.drift * _slow(
        chance.normal(size=shape), fps, noise.drift_s
    )
    error = error * np.where(truth.visible, 1.0, noise.hidden)[..., None] * diagonal
    scores = np.where(truth.visible, 0.85, 0.55)
    scores = np.where(chance.random(scores.shape) < noise.missed, 0.1, scores)
    keypoints = (truth.keypoints_px + error).astype(np.float32)
    return PoseSeries(
        t_s=truth.t_s.copy(),
        poses=PoseBatch(keypoints, scores.astype(np.float32), EQUINE26),
        boxes_xyxy_px=truth.boxes_xyxy_px.copy(),
        scales_px_m=(focal_px / truth.distance_m).astype(np.float32),
        camera_px=np.zeros((len(truth), 2), np.float32),
    )


def _slow(
    white: np.ndarray[tuple[int, ...], np.dtype[np.float64]], fps: float, last_s: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Unit noise whose values last about ``last_s``: a first-order autoregression over time."""
    keep = float(np.exp(-1.0 / (fps * last_s)))
    result = white.copy()
    fresh = np.sqrt(1.0 - keep * keep)
    for row in range(1, len(white)):
        result[row] = keep * result[row - 1] + fresh * white[row]
    return result

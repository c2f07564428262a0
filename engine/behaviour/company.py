"""Is a person near a horse: distances between boxes in sizes of the horse, with hysteresis.

Two boxes that meet in the picture may be far apart on the ground. So the person must also stand at
about the horse's depth: feet and hooves near the same row of the picture (a rider's feet hang above
the hooves), and a person's height that fits beside that horse.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

NEAR_FROM, NEAR_UNTIL = 0.35, 0.7
"""Gap between the boxes as a share of the horse's size (root of its area): about half a metre, and
a metre. Within arm's reach; standing at the fence two metres off is not company."""
FEET_APART = 0.55
"""Rows between feet and hooves as a share of the taller of the two boxes."""
LEAST_TALL, MOST_TALL = 0.45, 2.8
"""Height of the person's box over the horse's: beside a tall horse, and beside one that lies."""
BEGINS_AFTER_S, ENDS_AFTER_S = 2.0, 5.0


def nearness(horses_xyxy_px: FloatArray, people_xyxy_px: FloatArray) -> NDArray[np.float32]:
    """For each of N horses the gap to the nearest person at its depth, in horse sizes, 0 where the
    boxes meet and infinity where nobody is: float32 (N,)."""
    if not len(horses_xyxy_px) or not len(people_xyxy_px):
        return np.full(len(horses_xyxy_px), np.inf, np.float32)
    horse, person = horses_xyxy_px[:, None, :], people_xyxy_px[None, :, :]
    apart = np.maximum(
        np.maximum(horse[..., :2] - person[..., 2:], person[..., :2] - horse[..., 2:]), 0
    )
    extent = np.maximum(horse[..., 2:] - horse[..., :2], 1.0)
    size = np.sqrt(extent[..., 0] * extent[..., 1])
    gap = np.hypot(apart[..., 0], apart[..., 1]) / size
    tall = np.maximum(person[..., 3] - person[..., 1], 1.0)
    ratio = tall / extent[..., 1]
    feet = np.abs(horse[..., 3] - person[..., 3]) / np.maximum(tall, extent[..., 1])
    fits = (feet <= FEET_APART) & (ratio >= LEAST_TALL) & (ratio <= MOST_TALL)
    nearest: NDArray[np.float32] = np.where(fits, gap, np.inf).min(axis=1).astype(np.float32)
    return nearest


class Company:
    """Whether somebody is near one horse, over time."""

    def __init__(self) -> None:
        self.near = False
        self.since_s = math.nan
        self._other_s = math.nan

    def update(self, t_s: float, gap: float) -> bool:
        """Take in one picture: the gap of ``nearness`` at a rising monotonic time."""
        holds = gap <= (NEAR_UNTIL if self.near else NEAR_FROM)
        if holds == self.near:
            self._other_s = math.nan
            return self.near
        if math.isnan(self._other_s):
            self._other_s = t_s
        if t_s - self._other_s >= (ENDS_AFTER_S if self.near else BEGINS_AFTER_S):
            self.near, self.since_s, self._other_s = holds, self._other_s, math.nan
        return self.near

"""How far the trunk goes in the picture, and whether the camera goes with it."""

from __future__ import annotations

import math

import numpy as np

from engine.motion.limb_paths import LimbPaths
from engine.motion.rhythm import Rhythm

_OVER_S = 0.5
_SPEED_SIDE = 0.5
"""Share of its length a horse must show for its way in the picture to tell its speed."""

_FOLLOWED_SHARE = 0.4
"""A trunk that moves in the picture at less than this share of what its hooves say is followed by
the camera (or stands on a treadmill)."""

_LEAST_MPS, _LEAST_FIT, _LEAST_LIMBS = 0.7, 0.5, 3
"""Slower than the slowest walk, hooves say nothing about the camera; nor do fewer limbs in rhythm:
a horse that paws moves one."""


def trunk_way_m(paths: LimbPaths) -> float:
    """How far the trunk moved from the first to the last quarter of a window, metres."""
    ends = max(len(paths) // 4, 1)
    way = np.median(paths.trunk_px[-ends:], axis=0) - np.median(paths.trunk_px[:ends], axis=0)
    return float(np.hypot(way[0], way[1])) / float(np.median(paths.scale_px_m))


def trunk_speed_mps(paths: LimbPaths) -> float:
    """Speed of the trunk in the picture. NaN where the camera's motion is not known, and for a
    horse that comes or goes."""
    if not paths.fixed.all():
        return math.nan
    later = np.searchsorted(paths.t_s, paths.t_s + _OVER_S)
    first = np.nonzero(later < len(paths))[0]
    if not len(first) or float(np.median(paths.side)) < _SPEED_SIDE:
        return math.nan
    last = later[first]
    way = paths.trunk_px[last] - paths.trunk_px[first]
    took = paths.t_s[last] - paths.t_s[first]
    return float(np.median(np.hypot(way[:, 0], way[:, 1]) / paths.scale_px_m[first] / took))


def camera_follows(paths: LimbPaths, rhythm: Rhythm, seen_mps: float) -> bool:
    """Whether the hooves tell the speed and not the trunk's way in the picture: the camera's motion
    is not known, or the picture shows a horse that runs on the spot."""
    if not paths.fixed.all() and math.isnan(seen_mps):
        return True
    if math.isnan(seen_mps) or float(np.median(paths.side)) < _SPEED_SIDE:
        return False
    sure = int((rhythm.fits >= _LEAST_FIT).sum()) >= _LEAST_LIMBS
    running = rhythm.ground_mps > _LEAST_MPS
    return sure and running and seen_mps < _FOLLOWED_SHARE * rhythm.ground_mps

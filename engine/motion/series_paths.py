"""Hoof paths of a whole series, with limbs that the pose model exchanged put back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.domain.motion import PoseSeries
from engine.domain.skeletons import LIMBS
from engine.motion.limb_paths import Bools, LimbPaths, limb_paths
from engine.motion.limb_sides import PAIRS, exchanged_sides
from engine.motion.rhythm import rhythm_of

_BLOCK_S, _AROUND_S = 1.0, 1.0
_LEAST_SIDE = 0.5
"""Share of its length a horse must show: of one that comes, limbs do not pass each other."""

_BETTER = 0.02
"""By so much the common rhythm must explain the hooves better after an exchange is undone."""


def limb_paths_of(series: PoseSeries) -> LimbPaths:
    """Hoof paths of a series, see ``limb_paths.limb_paths``. Limbs of a pair that were exchanged
    are put back wherever the hooves then keep a better rhythm."""
    paths = limb_paths(
        series.t_s,
        np.asarray(series.poses.keypoints_px, np.float64),
        np.asarray(series.poses.scores, np.float64),
        series.poses.skeleton,
        np.asarray(series.scales_px_m, np.float64),
        np.asarray(series.camera_px, np.float64),
    )
    wrong = exchanged_sides(paths)
    if not wrong.any():
        return paths
    return _put_back(paths, wrong & _confirmed(paths, wrong)[:, None])


def _confirmed(paths: LimbPaths, wrong: Bools) -> Bools:
    """Blocks of time in which undoing the exchanges helps, bool (T,)."""
    put = _put_back(paths, wrong)
    result = np.zeros(len(paths), np.bool_)
    for start_s in np.arange(paths.t_s[0], paths.t_s[-1] + 1e-6, _BLOCK_S).tolist():
        block = slice(*np.searchsorted(paths.t_s, (start_s, start_s + _BLOCK_S)).tolist())
        if not wrong[block].any() or np.median(paths.side[block]) < _LEAST_SIDE:
            continue
        ends = (start_s - _AROUND_S, start_s + _BLOCK_S + _AROUND_S)
        first, last = np.searchsorted(paths.t_s, ends).tolist()
        before, after = (rhythm_of(p.part(first, last)).fits.mean() for p in (paths, put))
        result[block] = after > before + _BETTER
    return result


def _put_back(paths: LimbPaths, wrong: Bools) -> LimbPaths:
    """The paths with the limbs of each pair (columns of ``wrong``) in each other's place."""
    order = np.tile(np.arange(len(LIMBS)), (len(paths), 1))
    for pair, (left, right) in enumerate(PAIRS):
        order[wrong[:, pair], left], order[wrong[:, pair], right] = right, left
    ahead, up, trust = (
        np.take_along_axis(column, order, axis=1)
        for column in (paths.ahead_m, paths.up_m, paths.trust)
    )
    return replace(paths, ahead_m=ahead, up_m=up, trust=trust)

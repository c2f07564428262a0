"""Left and right limbs that a pose model took for each other, put back by how they move.

Seen from the side the two limbs of a pair pass each other twice a stride, and a model may exchange
them there. A hoof cannot turn about between two pictures: of all ways to name the two hooves of a
pair over time, the one with the least changes of velocity is taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LABEL_COST = 0.01
"""Metres of unexplained movement in one picture that staying exchanged costs: what the model said
stands where movement does not say otherwise."""

_CHANGE_COST = 0.25
"""Metres that a change costs: more than a hoof's own start and stop makes between two pictures."""

_SLOWEST_S = 0.075
"""Pictures farther apart tell nothing: a trotting hoof turns about between two of them."""

_FAR_S = 0.35
"""Over longer gaps in sight velocity says nothing."""


def exchanged(t_s: Floats, one_m: Floats, other_m: Floats) -> Bools:
    """When the two limbs of a pair are exchanged, bool (T,).

    one_m, other_m: float64 (T, 2), hooves against the trunk, metres; NaN where not seen.
    """
    both = np.nonzero(np.isfinite(one_m[:, 0]) & np.isfinite(other_m[:, 0]))[0]
    result = np.zeros(len(t_s), np.bool_)
    if len(both) < 4 or np.median(np.diff(t_s)) > _SLOWEST_S:
        return result
    states = _course(t_s[both], one_m[both], other_m[both])
    if states.mean() > 0.5:
        states = ~states
    # Where only one of them is seen, the nearest picture with both decides.
    nearest = np.searchsorted(both, np.arange(len(t_s))).clip(0, len(both) - 1)
    before = np.maximum(nearest - 1, 0)
    closer = np.abs(both[before] - np.arange(len(t_s))) < np.abs(
        both[nearest] - np.arange(len(t_s))
    )
    result[:] = states[np.where(closer, before, nearest)]
    return result


def _course(t_s: Floats, one: Floats, other: Floats) -> Bools:
    """The cheapest course of straight (0) and exchanged (1) over pictures with both limbs.

    Dynamic programming over pairs of neighbouring states, because a change of velocity needs three
    pictures.
    """
    swing = _swing_costs(t_s, one, other)
    best = np.array([[0.0, _CHANGE_COST], [_CHANGE_COST, 0.0]])
    choice = np.zeros((len(t_s), 2, 2), np.int8)
    change = np.array([[0.0, _CHANGE_COST], [_CHANGE_COST, 0.0]])
    label = np.array([0.0, _LABEL_COST])
    for row in range(2, len(t_s)):
        total = best[:, :, None] + swing[row - 2] + change[None] + label[None, None]
        choice[row] = total.argmin(axis=0)
        best = total.min(axis=0)
    states = np.zeros(len(t_s), np.bool_)
    before, here = np.unravel_index(int(best.argmin()), (2, 2))
    for row in range(len(t_s) - 1, 1, -1):
        states[row] = bool(here)
        before, here = choice[row, before, here], before
    states[1], states[0] = bool(here), bool(before)
    return states


def _swing_costs(t_s: Floats, one: Floats, other: Floats) -> Floats:
    """Change of movement over three pictures for every naming of them, (T - 2, 2, 2, 2) metres."""
    named = np.stack([np.stack([one, other]), np.stack([other, one])])  # naming, limb, time, axis
    first, second = t_s[1:-1] - t_s[:-2], t_s[2:] - t_s[1:-1]
    expected = (second / np.maximum(first, 1e-6)).clip(0.0, 2.0)
    near = (first < _FAR_S) & (second < _FAR_S)
    costs = np.zeros((len(t_s) - 2, 2, 2, 2))
    for a in (0, 1):
        for b in (0, 1):
            for c in (0, 1):
                step = named[b][:, 1:-1] - named[a][:, :-2]
                turn = named[c][:, 2:] - named[b][:, 1:-1] - step * expected[None, :, None]
                costs[:, a, b, c] = np.hypot(turn[..., 0], turn[..., 1]).sum(axis=0) * near
    return costs

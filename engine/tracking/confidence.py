"""How sure a track is, 0..1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.tracking.assignment import SPEED_HEIGHTS_S
from engine.tracking.operands import operand

FULL_LENGTH_HITS = 20
"""Detections after which length no longer limits confidence (specification)."""

_FULL, _FASTEST = operand(FULL_LENGTH_HITS), operand(SPEED_HEIGHTS_S, np.float64)
_ONE, _THIRD, _QUARTER = operand(1.0), operand(1 / 3), operand(1 / 4)


def track_confidence(
    recent_scores: FloatArray,
    hits: FloatArray,
    appearance_agreement: FloatArray | None,
    speeds_heights_s: NDArray[np.floating[Any]],
) -> FloatArray:
    """Mean of detection score, length, agreement of appearance vectors and plausibility of speed.

    All (N,). ``appearance_agreement`` is the running cosine of new vectors with the track's mean,
    None without an appearance model. A speed above 12 m/s (scaled) takes plausibility to 0.
    """
    total: FloatArray = np.minimum(hits, _FULL)
    total /= _FULL
    total += recent_scores
    if np.count_nonzero(speeds_heights_s > _FASTEST):
        total += np.clip(2.0 - speeds_heights_s / SPEED_HEIGHTS_S, 0.0, 1.0)
    else:
        total += _ONE
    if appearance_agreement is not None:
        total += appearance_agreement
    total *= _THIRD if appearance_agreement is None else _QUARTER
    return total

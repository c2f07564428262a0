"""How sure a track is, 0..1."""

from __future__ import annotations

import numpy as np

from engine.domain.geometry import FloatArray
from engine.tracking.assignment import SPEED_HEIGHTS_S

FULL_LENGTH_HITS = 20
"""Detections after which length no longer limits confidence (specification)."""


def track_confidence(
    recent_scores: FloatArray,
    hits: FloatArray,
    appearance_agreement: FloatArray | None,
    speeds_heights_s: FloatArray,
) -> FloatArray:
    """Mean of detection score, length, agreement of appearance vectors and plausibility of speed.

    All (N,). ``appearance_agreement`` is the running cosine of new vectors with the track's mean,
    None without an appearance model. A speed above 12 m/s (scaled) takes plausibility to 0.
    """
    total = np.minimum(hits / FULL_LENGTH_HITS, 1.0) + recent_scores
    if np.count_nonzero(speeds_heights_s > SPEED_HEIGHTS_S):
        total += np.clip(2.0 - speeds_heights_s / SPEED_HEIGHTS_S, 0.0, 1.0)
    else:
        total += 1.0
    if appearance_agreement is not None:
        total += appearance_agreement
    confidence: FloatArray = total / np.float32(3 if appearance_agreement is None else 4)
    return confidence

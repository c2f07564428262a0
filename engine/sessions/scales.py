"""Where the metres of a session come from, and how far they may be off."""

from __future__ import annotations

import numpy as np

from engine.domain.geometry import FloatArray
from engine.domain.sessions import ScaleKind, SessionScale

GROUND_UNCERTAINTY = 0.03
"""Calibrated ground: typical misfit of four points told with a tape."""
BODY_UNCERTAINTY = 0.06
"""Body of stated height: speeds of seven simulated horses with exact landmarks, 9 m from the
camera, were 4.3 to 5.6 % too high (docs/manual/sessions.md)."""
USUAL_UNCERTAINTY = 0.15
"""Body of unknown height: riding horses measure 1.40 to 1.80 m, and 1.60 m is taken; with the
landmarks' own error. Ponies and foals are further off."""


def scale_of(
    scales_px_m: FloatArray, calibrated: bool, height_m: float | None, usual_m: float
) -> SessionScale:
    """The scale of a session. scales_px_m: (T,), pixels per metre as measured, NaN where not."""
    if not np.isfinite(scales_px_m).any():
        return SessionScale(ScaleKind.NONE)
    if calibrated:
        return SessionScale(ScaleKind.GROUND, GROUND_UNCERTAINTY, height_m)
    if height_m is not None:
        return SessionScale(ScaleKind.BODY, BODY_UNCERTAINTY, height_m)
    return SessionScale(ScaleKind.USUAL_BODY, USUAL_UNCERTAINTY, usual_m)

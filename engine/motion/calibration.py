"""Where the ground lies in a camera's picture: from points of known distances, or known heights.

Kept in ``Stream.extra["ground"]``; the dialog writes it, the pose chain reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import OperatorMistake
from engine.domain.motion import GroundCalibration

GROUND_KEY = "ground"
"""Key in ``Stream.extra``."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of one camera's ground.

    ``calibration`` maps the picture onto the ground where four points were given. ``rows_px_m``
    (base, slope): pixels per metre as shares of the picture's height, at a row y in 0..1 it is
    ``base + slope * y``; slope 0 where one height alone is known. ``error_m``: root mean square
    of the distances that the answer gives back against those that were told.
    """

    calibration: GroundCalibration | None
    rows_px_m: tuple[float, float] | None
    error_m: float


def read_ground(extra: Mapping[str, object]) -> Ground | None:
    """The calibration kept in ``Stream.extra``, None when there is none.

    Raises OperatorMistake for one that makes no sense (see ``ground_of``).
    """
    told = extra.get(GROUND_KEY)
    if told is None:
        return None
    if not isinstance(told, Mapping):
        raise OperatorMistake("The ground calibration is damaged.", "Calibrate the camera again.")
    return ground_of(told)


def ground_of(told: Mapping[str, object]) -> Ground:
    """A ground from what the person told."""
    raise OperatorMistake(f"There is no ground calibration of the kind {told.get('kind')!r}.")

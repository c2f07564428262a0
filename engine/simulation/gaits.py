"""Gaits as published phase tables, and the hoof paths that follow from them, for many instants.

A stride is one cycle of all limbs; its phase runs 0..1 from the landing of a reference limb. Limbs
come in the order of ``LIMBS``. Lengths are metres of a horse 1.60 m at the withers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LIMBS = ("left_front", "right_front", "left_hind", "right_hind")


class Gait(StrEnum):
    """What the legs do. A canter and a gallop have a leading front leg, the last to land."""

    STANDING = "standing"
    WALK = "walk"
    TROT = "trot"
    CANTER = "canter"
    CANTER_RIGHT = "canter_right"
    GALLOP = "gallop"
    GALLOP_RIGHT = "gallop_right"

    @property
    def label(self) -> str:
        """The gait's name without the lead: standing, walk, trot, canter or gallop."""
        return self.value.removesuffix("_right")

    @property
    def lead(self) -> str:
        """``left`` or ``right`` for canter and gallop, empty otherwise."""
        if self.label not in ("canter", "gallop"):
            return ""
        return "right" if self.value.endswith("_right") else "left"


@dataclass(frozen=True, slots=True)
class GaitTable:
    """One gait at its usual speed.

    ``contact_phase``: when each limb of ``LIMBS`` lands. ``duty``: share of the stride a limb
    stays down. ``lift_m``: how high a hoof swings. ``bounce_m``: half the vertical travel of the
    trunk, ``bounces`` times a stride, lowest at ``low_phase``. ``pitch_m``: half the rise of the
    forehand against the quarters, once a stride. ``neck_deg``: the neck above the horizontal.
    """

    speed_mps: float
    stride_hz: float
    duty: float
    contact_phase: tuple[float, float, float, float]
    lift_m: float
    bounce_m: float
    bounces: int
    low_phase: float
    pitch_m: float
    neck_deg: float

    @property
    def stride_m(self) -> float:
        """Ground covered in one stride."""
        return self.speed_mps / self.stride_hz


# Limb order and duty factors after Hildebrand (1965), "Symmetrical gaits of horses", Science 150,
# and (1977), "Analysis of asymmetrical gaits", J. Mammalogy 58; speeds and stride frequencies
# inside the ranges of Clayton, "The Dynamic Horse" (2004). Phases count from the left hind limb
# in walk and trot, from the trailing hind limb in canter and gallop.
_CANTER = GaitTable(4.90, 1.70, 0.31, (0.62, 0.31, 0.31, 0.0), 0.20, 0.055, 1, 0.40, 0.045, 42.0)
_GALLOP = GaitTable(8.20, 2.05, 0.24, (0.58, 0.46, 0.13, 0.0), 0.24, 0.060, 1, 0.38, 0.055, 34.0)


def _mirrored(table: GaitTable) -> GaitTable:
    lf, rf, lh, rh = table.contact_phase
    return GaitTable(
        table.speed_mps, table.stride_hz, table.duty, (rf, lf, rh, lh), table.lift_m,
        table.bounce_m, table.bounces, table.low_phase, table.pitch_m, table.neck_deg,
    )  # fmt: skip


GAITS = {
    Gait.WALK: GaitTable(1.35, 0.85, 0.62, (0.25, 0.75, 0.0, 0.5), 0.10, 0.014, 2, 0.12, 0.0, 36.0),
    Gait.TROT: GaitTable(3.20, 1.38, 0.40, (0.5, 0.0, 0.0, 0.5), 0.17, 0.034, 2, 0.20, 0.0, 46.0),
    Gait.CANTER: _CANTER,
    Gait.CANTER_RIGHT: _mirrored(_CANTER),
    Gait.GALLOP: _GALLOP,
    Gait.GALLOP_RIGHT: _mirrored(_GALLOP),
}
GAIT_LIST = tuple(Gait)
"""Gaits by code: columns of states hold indices into this tuple."""
GAIT_CODE = {gait: code for code, gait in enumerate(GAIT_LIST)}


def _column(values: list[float]) -> Floats:
    return np.array(values, np.float64)


_STILL = GaitTable(0.0, 1.0, 1.0, (0.0, 0.0, 0.0, 0.0), 0.0, 0.0, 2, 0.0, 0.0, 38.0)
_TABLES = [GAITS.get(gait, _STILL) for gait in GAIT_LIST]
CONTACT_PHASE = np.array([table.contact_phase for table in _TABLES])
"""float64 (gaits, 4), by gait code."""
DUTY = _column([table.duty for table in _TABLES])
"""float64 (gaits,), by gait code."""
_LIFT_M = _column([table.lift_m for table in _TABLES])
_BOUNCE_M = _column([table.bounce_m for table in _TABLES])
_BOUNCES = _column([float(table.bounces) for table in _TABLES])
_LOW_PHASE = _column([table.low_phase for table in _TABLES])
_PITCH_M = _column([table.pitch_m for table in _TABLES])
NECK_DEG = _column([table.neck_deg for table in _TABLES])
"""float64 (gaits,), by gait code."""

STANCE_PASTERN_RAD = np.radians(120.0)
"""Direction from hoof to fetlock of a standing horse: up and backwards."""


@dataclass(frozen=True, slots=True)
class LegCycle:
    """Hooves of N horses. ``dx_m``, ``y_m``: float64 (N, 4), ahead of the standing place and over
    the ground. ``pastern_rad``: float64 (N, 4), direction from hoof to fetlock in the leg's plane.
    ``contact``: bool (N, 4)."""

    dx_m: Floats
    y_m: Floats
    pastern_rad: Floats
    contact: Bools


def leg_cycle(
    gait: NDArray[np.int64], phase: Floats, amplitude: Floats, stride_m: Floats
) -> LegCycle:
    """Hoof paths. gait: codes (N,). phase, amplitude 0..1, stride_m at full amplitude: (N,).

    During stance a hoof moves backwards under the trunk by exactly the ground covered, so that it
    stands still in the world.
    """
    duty = DUTY[gait][:, None]
    since = (phase[:, None] - CONTACT_PHASE[gait]) % 1.0
    contact = since < duty
    reach = (stride_m * amplitude)[:, None] * duty
    stance = np.minimum(since / duty, 1.0)
    swing = np.clip((since - duty) / np.maximum(1.0 - duty, 1e-6), 0.0, 1.0)
    eased = swing * swing * (3.0 - 2.0 * swing)
    arch = np.sin(np.pi * swing)
    wide = amplitude[:, None]
    return LegCycle(
        dx_m=np.where(contact, reach * (0.5 - stance), reach * (eased - 0.5)),
        y_m=np.where(contact, 0.0, _LIFT_M[gait][:, None] * wide * arch),
        pastern_rad=STANCE_PASTERN_RAD
        + wide * np.where(contact, 0.16 - 0.42 * stance, -0.26 + 0.42 * eased - 0.55 * arch),
        contact=contact,
    )


def trunk_lift(gait: NDArray[np.int64], phase: Floats, amplitude: Floats) -> tuple[Floats, Floats]:
    """Rise of the forehand and of the quarters over standing, metres, each (N,)."""
    swing = np.cos(2 * np.pi * _BOUNCES[gait] * (phase - _LOW_PHASE[gait]))
    both = -_BOUNCE_M[gait] * amplitude * swing
    pitch = _PITCH_M[gait] * amplitude * np.sin(2 * np.pi * (phase - 0.78))
    return both + pitch, both - pitch

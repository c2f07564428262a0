"""How simulated legs move: phase tables, hoof paths and the joints that follow from them.

Body frame: metres, x forward from the middle of the trunk, y up from the ground; the horse stands
1.60 m at the withers. Phases are fractions of a stride.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

LIMBS = ("left_front", "right_front", "left_hind", "right_hind")


class Gait(StrEnum):
    """What the legs do."""

    STANDING = "standing"
    WALK = "walk"
    TROT = "trot"
    CANTER = "canter"


@dataclass(frozen=True, slots=True)
class GaitTable:
    """One gait. ``contact_phase`` is when each limb of ``LIMBS`` lands; ``duty`` the share of the
    stride it stays down; ``lift_m`` how high a hoof swings; ``bounce_m`` the trunk's rise, twice a
    stride (once in canter)."""

    speed_mps: float
    stride_hz: float
    duty: float
    contact_phase: tuple[float, float, float, float]
    lift_m: float
    bounce_m: float
    bounces: int
    neck_deg: float


# Limb order and duty factors after Hildebrand (1965), "Symmetrical gaits of horses", Science 150;
# speeds and stride frequencies inside the ranges of Clayton, "The Dynamic Horse" (2004).
GAITS = {
    Gait.WALK: GaitTable(1.30, 0.90, 0.62, (0.25, 0.75, 0.0, 0.5), 0.10, 0.012, 2, 38.0),
    Gait.TROT: GaitTable(3.10, 1.38, 0.40, (0.5, 0.0, 0.0, 0.5), 0.17, 0.035, 2, 46.0),
    Gait.CANTER: GaitTable(4.90, 1.70, 0.30, (0.60, 0.30, 0.30, 0.0), 0.20, 0.060, 1, 42.0),
}

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Leg:
    """Joints of one leg from the top down, body frame, and whether its hoof is on the ground."""

    root: Point
    top: Point
    middle: Point
    fetlock: Point
    hoof: Point
    contact: bool


@dataclass(frozen=True, slots=True)
class _LegPlan:
    root: Point
    top: Point
    rest_x: float
    top_follows: float
    upper_m: float
    lower_m: float
    bend: float


# top: elbow or stifle; middle: carpus (bends forward) or hock (bends backward).
_FRONT = _LegPlan((0.50, 1.10), (0.43, 0.94), 0.44, 0.50, 0.44, 0.375, 1.0)
_HIND = _LegPlan((-0.54, 1.22), (-0.36, 1.00), -0.57, 0.42, 0.49, 0.46, -1.0)


def leg_at(limb: int, gait: Gait, phase: float, amplitude: float) -> Leg:
    """The leg ``LIMBS[limb]`` at a stride phase; ``amplitude`` 0..1 fades from standing."""
    plan = _FRONT if limb < 2 else _HIND
    hoof_dx, hoof_y, tilt, contact = 0.0, 0.0, -0.075, True
    if gait is not Gait.STANDING:
        hoof_dx, hoof_y, tilt, contact = _hoof_path(GAITS[gait], limb, phase, amplitude)
    top = (plan.top[0] + plan.top_follows * hoof_dx, plan.top[1] + 0.25 * hoof_y)
    hoof = (plan.rest_x + hoof_dx, hoof_y)
    fetlock = (hoof[0] + tilt, hoof[1] + math.sqrt(0.15**2 - tilt**2))
    middle, fetlock_reached = _two_bones(top, fetlock, plan)
    shift = (fetlock_reached[0] - fetlock[0], fetlock_reached[1] - fetlock[1])
    hoof = (hoof[0] + shift[0], max(hoof[1] + shift[1], 0.0))
    root = (plan.root[0] + 0.25 * plan.top_follows * hoof_dx, plan.root[1])
    return Leg(root, top, middle, fetlock_reached, hoof, contact)


def _hoof_path(
    table: GaitTable, limb: int, phase: float, amplitude: float
) -> tuple[float, float, float, bool]:
    """Hoof offset x, height, pastern tilt (fetlock before the hoof, metres), on the ground."""
    reach_m = table.speed_mps * table.duty / table.stride_hz * amplitude
    since = (phase - table.contact_phase[limb]) % 1.0
    if since < table.duty:
        progress = since / table.duty
        return reach_m * (0.5 - progress), 0.0, -0.09 + 0.11 * progress * amplitude, True
    progress = (since - table.duty) / (1.0 - table.duty)
    eased = progress * progress * (3.0 - 2.0 * progress)
    lift = table.lift_m * amplitude * math.sin(math.pi * progress)
    tucked = 0.10 * amplitude * math.sin(math.pi * progress)
    return reach_m * (eased - 0.5), lift, 0.02 - 0.11 * eased + tucked, amplitude < 0.05


def _two_bones(top: Point, end: Point, plan: _LegPlan) -> tuple[Point, Point]:
    """The joint between two bones from ``top`` towards ``end``, and the end actually reached."""
    dx, dy = end[0] - top[0], end[1] - top[1]
    distance = math.hypot(dx, dy)
    longest = (plan.upper_m + plan.lower_m) * 0.999
    if distance > longest:
        end = (top[0] + dx * longest / distance, top[1] + dy * longest / distance)
        dx, dy, distance = end[0] - top[0], end[1] - top[1], longest
    along = (plan.upper_m**2 - plan.lower_m**2 + distance**2) / (2.0 * distance)
    across = math.sqrt(max(plan.upper_m**2 - along**2, 0.0)) * plan.bend
    ux, uy = dx / distance, dy / distance
    return (top[0] + ux * along - uy * across, top[1] + uy * along + ux * across), end

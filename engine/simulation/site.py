"""The simulated farm's plan: places, the ways between them, and where the cameras hang.

Site frame: x east, y north, z up, metres; the barn's west door is at the origin's aisle end. One
aisle with five stalls on each side runs east into a yard; the paddock lies north of the yard, the
arena east of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.simulation.cameras import SimulatedCamera
from engine.simulation.gaits import Bools, Floats
from engine.simulation.itineraries import Spot


@dataclass(frozen=True, slots=True)
class Place:
    """A named rectangle of ground."""

    name: str
    west_m: float
    south_m: float
    east_m: float
    north_m: float

    def holds(self, x_m: Floats, y_m: Floats) -> Bools:
        """Which ground positions lie in it."""
        return np.asarray(
            (x_m >= self.west_m)
            & (x_m < self.east_m)
            & (y_m >= self.south_m)
            & (y_m < self.north_m)
        )

    @property
    def middle(self) -> Spot:
        """Its centre."""
        return (self.west_m + self.east_m) / 2, (self.south_m + self.north_m) / 2


STALL_COUNT = 10
_STALL_WIDE_M, _STALL_STEP_M, _STALL_DEEP_M = 4.2, 4.4, 4.2
AISLE_HALF_M = 2.0
AISLE_END_M = 24.0


def _stall(number: int) -> Place:
    """Stalls 1, 3, 5 ... lie north of the aisle, 2, 4, 6 ... south, counted from the west."""
    west = 2.0 + _STALL_STEP_M * ((number - 1) // 2)
    if number % 2:
        south, north = AISLE_HALF_M, AISLE_HALF_M + _STALL_DEEP_M
    else:
        south, north = -AISLE_HALF_M - _STALL_DEEP_M, -AISLE_HALF_M
    return Place(f"stall {number}", west, south, west + _STALL_WIDE_M, north)


STALLS = tuple(_stall(number) for number in range(1, STALL_COUNT + 1))
AISLE = Place("aisle", 0.0, -AISLE_HALF_M, AISLE_END_M, AISLE_HALF_M)
YARD = Place("yard", AISLE_END_M, -9.0, 36.0, 10.0)
PADDOCK = Place("paddock", 28.0, 10.0, 60.0, 32.0)
ARENA = Place("arena", 36.0, -11.0, 66.0, 8.0)
PLACES = (*STALLS, AISLE, YARD, PADDOCK, ARENA)
PLACE_NAMES = (*(place.name for place in PLACES), "away")
"""Places by code: columns hold indices into this tuple; the last is off the site."""

PADDOCK_GATE: Spot = (31.0, 10.0)
ARENA_GATE: Spot = (36.0, 0.0)
SITE_EXIT: Spot = (27.0, -14.0)
"""Where visitors come from and hacks go to."""
KEEP_RIGHT_M = 0.95


def place_codes(x_m: Floats, y_m: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The place of every ground position, as index into ``PLACE_NAMES``."""
    codes = np.full(np.shape(x_m), len(PLACES), np.int64)
    for code, place in enumerate(PLACES):
        codes[place.holds(x_m, y_m)] = code
    return codes


def way_out(stall: Place) -> list[Spot]:
    """From a stall along the right side of the aisle into the yard."""
    door = stall.middle[0]
    return [(door, -KEEP_RIGHT_M), (AISLE_END_M + 1.5, -KEEP_RIGHT_M)]


def way_home(stall: Place) -> list[Spot]:
    """From the yard along the other side of the aisle into a stall."""
    door = stall.middle[0]
    return [(AISLE_END_M + 1.0, KEEP_RIGHT_M), (door, KEEP_RIGHT_M), stall.middle]


_ALL = {
    camera.name: camera
    for camera in (
        SimulatedCamera("stall", "Stall 1", 1.9, 0.3, 2.75, 58.0, 23.0, 760.0,
                        ("stall 1",), True, True),
        SimulatedCamera("aisle", "Aisle", 0.5, -0.2, 2.5, 0.0, 10.0, 800.0,
                        ("aisle", "yard"), True),
        SimulatedCamera("paddock", "Paddock south", 45.0, 6.6, 3.2, 90.0, 9.0, 820.0,
                        ("paddock",), False),
        SimulatedCamera("arena", "Arena", 51.0, -14.2, 2.6, 90.0, 7.0, 740.0,
                        ("arena",), True),
        SimulatedCamera("stall2", "Stall 3", 10.7, 0.3, 2.75, 122.0, 23.0, 760.0,
                        ("stall 3",), True, True),
        SimulatedCamera("paddock2", "Paddock east", 63.5, 20.0, 3.2, 180.0, 8.0, 780.0,
                        ("paddock",), False),
        SimulatedCamera("yard", "Yard", 25.0, -8.0, 3.4, 64.0, 11.0, 560.0,
                        ("yard", "paddock"), False),
    )
}  # fmt: skip
CAMERAS: dict[str, SimulatedCamera] = _ALL
"""Every camera of the site by name. The two paddock cameras and the yard's see the same ground."""

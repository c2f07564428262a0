"""Ready-made farms for tests, tours and evaluation; the same for the same seed.

=========================  =====================================================================
``occlusion_and_reentry``  a lively farm: cameras changed, crossings, leaving and coming back
``resting_night``          a night in the stalls: dozing, eating, lying
``trot_in_hand``           one horse trotted up and down, with known asymmetry
``gaits_in_the_arena``     one horse through every gait on both hands
``day``                    a whole day, with or without things to be alarmed about
=========================  =====================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from engine.domain.errors import OperatorMistake
from engine.simulation.days import EventKind, Planned, day
from engine.simulation.farm import SimulatedFarm
from engine.simulation.gaits import Gait
from engine.simulation.itineraries import Itinerary
from engine.simulation.lighting import Daylight
from engine.simulation.looks import Asymmetry, herd
from engine.simulation.people import Lead, make_person
from engine.simulation.programmes import rounds
from engine.simulation.staff import handlers, passers
from engine.simulation.timelines import Activity

HORSES_AT_MOST = 14

__all__ = [
    "HORSES_AT_MOST", "PROGRAMMES", "EventKind", "Planned", "day", "gaits_in_the_arena",
    "occlusion_and_reentry", "resting_night", "shared_farm", "trot_in_hand",
]  # fmt: skip


def occlusion_and_reentry(
    seed: int, horses: int = 10, minutes: float = 10.0, people: bool = True
) -> SimulatedFarm:
    """A lively farm: horses walk from camera to camera, pass each other, leave and come back
    after seconds and minutes; some are led, people pass. Repeats after ``minutes``."""
    everyone = herd(seed, horses, guests=1)
    timelines = rounds(everyone, seed, minutes * 60.0)
    staff = [*handlers(timelines, 0.4, seed), *passers(seed, minutes * 60.0)] if people else []
    return SimulatedFarm(everyone, timelines, staff)


def resting_night(seed: int, horses: int = 10, compress: float = 12.0) -> SimulatedFarm:
    """Like ``day``, but time 0 is ten in the evening: the first ``7.5 h / compress`` are night."""
    farm = day(seed, (), horses, compress)
    head_s = 22.0 * 3600.0 / compress
    for timeline in farm.timelines:
        timeline.head_start_s = head_s
    noon_s = farm.daylight.noon_s - head_s
    daylight = Daylight(False, noon_s, farm.daylight.day_s)
    return SimulatedFarm(farm.horses, farm.timelines, farm.people, (), daylight)


def trot_in_hand(
    seed: int,
    asymmetry_mm: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
    spread_mm: tuple[float, float] = (5.0, 2.0),
    minutes: float = 5.0,
) -> SimulatedFarm:
    """One horse trotted up and down before the arena camera, led by a person.

    asymmetry_mm: HDmin, HDmax, PDmin, PDmax, right minus left (see ``looks.Asymmetry``).
    spread_mm: standard deviation from stride to stride of head and pelvis. Strides measured from
    the drawn landmarks are in ``truth_between(...).strides.asymmetry_mm``.
    """
    asymmetry = Asymmetry(*asymmetry_mm, *spread_mm)
    horse = herd(seed, 1, asymmetry=asymmetry)[0]
    way = Itinerary((40.0, -5.0), 0.0, horse.pace, horse.build.size)
    way.place = "arena"
    while way.clock_s < minutes * 60.0:
        way.go([(62.0, -5.0)], Gait.TROT)
        way.turn(math.pi)
        way.go([(40.0, -5.0)], Gait.TROT)
        way.turn(0.0)
    person = replace(make_person(1, seed), leads=(Lead(0, 0.0, way.clock_s),))
    return SimulatedFarm([horse], [way.timeline()], [person])


def gaits_in_the_arena(seed: int) -> SimulatedFarm:
    """One horse through walk, trot, canter and gallop on both hands; repeats."""
    horse = herd(seed, 1)[0]
    way = Itinerary((40.0, -0.9), -math.pi / 2, horse.pace, horse.build.size)
    way.place = "arena"
    for left_handed in (True, False):
        canter = Gait.CANTER if left_handed else Gait.CANTER_RIGHT
        gallop = Gait.GALLOP if left_handed else Gait.GALLOP_RIGHT
        lap = [(40.0, -7.0), (62.0, -7.0), (62.0, 5.0), (40.0, 5.0)]
        laps = (lap if left_handed else lap[::-1]) * 4
        stages = ((Gait.WALK, 0.2), (Gait.TROT, 0.25), (canter, 0.3), (gallop, 0.15),
                  (Gait.WALK, 0.1))  # fmt: skip
        way.ride([*laps, (40.0, -0.9)], stages, corner_m=3.5)
        way.stay(Activity.STANDING, 6.0)
    way.turn(-math.pi / 2)
    return SimulatedFarm([horse], [way.timeline()])


def _eventful_day(seed: int, horses: int) -> SimulatedFarm:
    return day(seed, (EventKind.CAST, EventKind.ROLLING, EventKind.FOALING), horses)


PROGRAMMES: dict[str, Callable[[int, int], SimulatedFarm]] = {
    "rounds": occlusion_and_reentry,
    "day": lambda seed, horses: day(seed, (), horses),
    "events": _eventful_day,
    "night": resting_night,
    "realday": lambda seed, horses: day(seed, (), horses, compress=1.0),
}
"""Programmes of ``simulated://barn`` addresses: (seed, horses) -> farm."""


@lru_cache(maxsize=8)
def shared_farm(programme: str, seed: int, horses: int) -> SimulatedFarm:
    """The farm that all cameras of a programme, seed and number of horses look at.

    Raises OperatorMistake.
    """
    if programme not in PROGRAMMES:
        raise OperatorMistake(
            f"There is no simulated programme {programme!r}.",
            f"There are {', '.join(PROGRAMMES)}.",
        )
    if not 1 <= horses <= HORSES_AT_MOST:
        raise OperatorMistake(f"A simulated barn holds 1 to {HORSES_AT_MOST} horses.")
    return PROGRAMMES[programme](seed, horses)

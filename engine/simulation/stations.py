"""Where simulated horses spend time, what they do there, and how they get from one to the other."""

from __future__ import annotations

import math
import random
from enum import StrEnum

from engine.simulation.gaits import Gait
from engine.simulation.itineraries import Itinerary, Spot
from engine.simulation.site import AISLE_END_M, KEEP_RIGHT_M, SITE_EXIT, Place, way_home, way_out
from engine.simulation.timelines import Activity

PADDOCK_ROWS = 8
ARENA_TRACKS = 3
_ROW_SOUTH_M, _ROW_STEP_M = 12.2, 2.5
_PADDOCK_WEST_M, _PADDOCK_EAST_M = 36.5, 56.5
_INTO_PADDOCK_M, _OUT_OF_PADDOCK_M = 30.0, 32.5


class Kind(StrEnum):
    """The kinds of places where time is spent; AWAY is a hack outside or the vet's."""

    STALL = "stall"
    PADDOCK = "paddock"
    ARENA = "arena"
    AWAY = "away"


def paddock_row_m(row: int) -> float:
    """Each grazing horse keeps to a row of its own, so that horses pass without touching."""
    return _ROW_SOUTH_M + _ROW_STEP_M * row


def start_at(
    kind: Kind, slot: int, stall: Place, chance: random.Random, pace: float, size: float
) -> Itinerary:
    """An itinerary that begins at a station, ``slot`` being its row or track."""
    if kind is Kind.STALL:
        begun = Itinerary(stall.middle, chance.choice((-1.2, 0.4, 2.0, 3.0)), pace, size)
    elif kind is Kind.PADDOCK:
        spot = (chance.uniform(40.0, 52.0), paddock_row_m(slot))
        begun = Itinerary(spot, chance.choice((0.0, math.pi)), pace, size)
    elif kind is Kind.ARENA:
        begun = Itinerary(_track_start(slot), -math.pi / 2, pace, size)
    else:
        begun = Itinerary(SITE_EXIT, math.pi / 2, pace, size)
    begun.place = kind.value
    return begun


def travel(way: Itinerary, start: Kind, end: Kind, slot: int, stall: Place) -> None:
    """Walk from one station to another; the transit's bouts belong to no station."""
    way.place = ""
    points: list[Spot] = []
    if start is Kind.STALL:
        points += way_out(stall)
    elif start is Kind.PADDOCK:
        points += [(_OUT_OF_PADDOCK_M, way.spot[1]), (_OUT_OF_PADDOCK_M, 4.0)]
    elif start is Kind.ARENA:
        points += [(35.0, KEEP_RIGHT_M)]
    else:
        points += [(26.5, -9.0), (26.5, -3.0)]
    if end is Kind.STALL:
        points += way_home(stall)
    elif end is Kind.PADDOCK:
        row = paddock_row_m(slot)
        points += [(_INTO_PADDOCK_M, 3.0), (_INTO_PADDOCK_M, row), (_PADDOCK_WEST_M, row)]
    elif end is Kind.ARENA:
        points += [(34.0, -KEEP_RIGHT_M), (37.5, -KEEP_RIGHT_M), _track_start(slot)]
    else:
        points += [(AISLE_END_M + 4.0, -4.0), SITE_EXIT]
    way.go(points)
    way.place = end.value


def pass_time(
    way: Itinerary, kind: Kind, until_s: float, slot: int, stall: Place, chance: random.Random
) -> None:
    """Do what is done at a station until a time, or a little longer."""
    if kind is Kind.AWAY:
        way.stay(Activity.AWAY, until_s - way.clock_s, blend_s=0.0)
    while way.clock_s < until_s - 0.5:
        left_s = until_s - way.clock_s
        if kind is Kind.STALL:
            potter(way, stall.middle, chance, min(left_s, chance.uniform(12.0, 40.0)))
        elif kind is Kind.PADDOCK:
            graze(way, slot, chance, left_s)
        else:
            exercise(way, slot, chance, left_s)


def potter(way: Itinerary, middle: Spot, chance: random.Random, about_s: float) -> None:
    """Stand, eat, look and take a few steps in a stall."""
    activity = chance.choice(
        (Activity.STANDING, Activity.GRAZING, Activity.GRAZING, Activity.ALERT, Activity.DOZING)
    )
    way.stay(activity, about_s)
    if about_s < 8.0:
        return
    spot = (middle[0] + chance.uniform(-0.5, 0.5), middle[1] + chance.uniform(-0.5, 0.5))
    if math.dist(spot, way.spot) > 0.35:
        way.go([spot])
    if chance.random() < 0.4:
        way.turn(way.yaw + chance.choice((-1.0, 1.0)) * chance.uniform(0.6, 2.2))


def graze(way: Itinerary, row: int, chance: random.Random, left_s: float) -> None:
    """Graze, then go somewhere else on the row, seldom faster than a walk."""
    y = paddock_row_m(row)
    activity = chance.choice(
        (Activity.GRAZING, Activity.GRAZING, Activity.GRAZING, Activity.STANDING, Activity.ALERT)
    )
    way.stay(activity, min(chance.uniform(6.0, 30.0), left_s))
    if left_s < 20.0:
        return
    x = chance.uniform(_PADDOCK_WEST_M, _PADDOCK_EAST_M)
    if abs(x - way.spot[0]) < 1.5:
        return
    gait = chance.choices((Gait.WALK, Gait.TROT, Gait.CANTER), (8, 2, 1))[0]
    way.go([(x, y)], gait if abs(x - way.spot[0]) > 8.0 else Gait.WALK)


def exercise(way: Itinerary, track: int, chance: random.Random, left_s: float) -> None:
    """A lap or two in several gaits on a track of its own, ending at its start."""
    left_handed = track % 2 == 0
    laps = 2 if left_s > 60.0 else 1
    if left_s < 42.0:
        way.stay(Activity.STANDING, left_s)
        return
    canter = Gait.CANTER if left_handed else Gait.CANTER_RIGHT
    stages = chance.choice(
        (
            ((Gait.WALK, 0.4), (Gait.TROT, 0.6)),
            ((Gait.WALK, 0.2), (Gait.TROT, 0.4), (canter, 0.3), (Gait.WALK, 0.1)),
            ((Gait.TROT, 0.5), (canter, 0.4), (Gait.TROT, 0.1)),
            ((Gait.WALK, 1.0),),
        )
    )
    way.ride(_laps(track, laps, left_handed), stages, corner_m=3.0)
    way.stay(Activity.STANDING, chance.uniform(1.5, 5.0))


def _track_start(track: int) -> Spot:
    return 39.0 + 2.0 * track, -0.9


def _laps(track: int, laps: int, left_handed: bool) -> list[Spot]:
    inset = 2.0 * track
    west, east, south, north = 39.0 + inset, 63.0 - inset, -9.0 + inset, 5.6 - inset
    lap = [(west, south), (east, south), (east, north), (west, north)]
    if not left_handed:
        lap.reverse()
    return [*(lap * laps), _track_start(track)]

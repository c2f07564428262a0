"""People for a planned herd: handlers for horses on their way, passers-by, and grooms."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from engine.simulation.itineraries import Itinerary, Spot
from engine.simulation.looks import SimulatedHorse
from engine.simulation.people import Lead, SimulatedPerson, make_person
from engine.simulation.timelines import Activity, Timeline

_WALKS: tuple[tuple[Spot, ...], ...] = (
    ((27.0, -12.0), (25.5, 0.1), (3.0, 0.1), (25.5, 0.1), (27.0, -12.0)),
    ((27.0, -12.0), (28.5, 4.0), (35.0, -1.2), (27.0, -12.0)),
    ((27.0, -12.0), (30.8, 8.0), (34.5, 11.0), (46.0, 11.0), (34.5, 11.0), (30.8, 8.0),
     (27.0, -12.0)),
    ((27.0, -12.0), (34.5, -2.0), (37.6, -3.0), (37.6, 4.0), (37.6, -3.0), (27.0, -12.0)),
)  # fmt: skip
"""Rounds of passers-by; they begin and end outside."""


def handlers(
    timelines: Sequence[Timeline], share: float, seed: int, pool: int = 3, first_id: int = 1
) -> list[SimulatedPerson]:
    """People who lead horses on a share of their ways between stations."""
    chance = random.Random(seed * 577 + 3)
    ways = sorted(
        (start, end, horse)
        for horse, timeline in enumerate(timelines)
        for start, end in _ways(timeline)
    )
    busy_until = [0.0] * pool
    leads: list[list[Lead]] = [[] for _ in range(pool)]
    for start, end, horse in ways:
        free = [k for k in range(pool) if busy_until[k] < start - 2.0]
        if free and chance.random() < share:
            leads[free[0]].append(Lead(horse, start, end))
            busy_until[free[0]] = end
    return [
        replace(make_person(first_id + k, seed), leads=tuple(mine))
        for k, mine in enumerate(leads)
        if mine
    ]


def _ways(timeline: Timeline) -> list[tuple[float, float]]:
    """Stretches on the way from one station to another."""
    found: list[tuple[float, float]] = []
    for bout in timeline.bouts:
        if bout.place:
            continue
        end = bout.start_s + bout.duration_s
        if found and abs(found[-1][1] - bout.start_s) < 1e-6:
            found[-1] = (found[-1][0], end)
        else:
            found.append((bout.start_s, end))
    return found


def passers(seed: int, cycle_s: float, count: int = 2, first_id: int = 11) -> list[SimulatedPerson]:
    """People who walk through the aisle, the yard and the paddock's edge now and then."""
    people = []
    for number in range(count):
        chance = random.Random(seed * 883 + number)
        way = Itinerary(_WALKS[0][0], math.pi / 2, pace=1.02)
        while way.clock_s < cycle_s - 160.0:
            way.stay(Activity.AWAY, chance.uniform(10.0, 60.0), blend_s=0.0)
            for spot in chance.choice(_WALKS)[1:]:
                way.go([spot])
                if chance.random() < 0.5:
                    way.stay(Activity.STANDING, chance.uniform(3.0, 9.0))
        way.stay(Activity.AWAY, cycle_s - way.clock_s, blend_s=0.0)
        people.append(replace(make_person(first_id + number, seed), timeline=way.timeline()))
    return people


def visitor(
    horse: SimulatedHorse, spot: Spot, yaw: float, start_s: float, end_s: float, cycle_s: float,
    number: int, seed: int,
) -> SimulatedPerson:  # fmt: skip
    """Someone who stands by a horse from one time to another."""
    way = Itinerary(spot, yaw)
    way.stay(Activity.AWAY, start_s, blend_s=0.0)
    way.stay(Activity.STANDING, end_s - start_s)
    way.stay(Activity.AWAY, cycle_s - end_s, blend_s=0.0)
    return replace(make_person(number, seed), timeline=way.timeline(), with_horse=horse.id)

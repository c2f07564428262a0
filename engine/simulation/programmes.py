"""Who does what when on the simulated farm: schedules for a whole herd without collisions."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import numpy as np

from engine.simulation.gaits import Gait
from engine.simulation.itineraries import Itinerary, Spot
from engine.simulation.looks import SimulatedHorse
from engine.simulation.site import STALLS, Place
from engine.simulation.stations import (
    ARENA_TRACKS,
    PADDOCK_ROWS,
    Kind,
    pass_time,
    start_at,
    travel,
)
from engine.simulation.timelines import Activity, Timeline

_APART_M = 1.55
"""Horses on their ways keep this distance, middle to middle."""
_LOOK_S = 0.5


@dataclass(slots=True)
class Traffic:
    """What is already planned: other horses' timelines, and who has which row or track when."""

    timelines: list[Timeline] = field(default_factory=list)
    taken: list[tuple[Kind, int, float, float]] = field(default_factory=list)

    def free_slot(
        self, kind: Kind, from_s: float, to_s: float, chance: random.Random
    ) -> int | None:
        """A row or track nobody has in that time; 0 where places need none."""
        count = {Kind.PADDOCK: PADDOCK_ROWS, Kind.ARENA: ARENA_TRACKS}.get(kind)
        if count is None:
            return 0
        free = [
            slot
            for slot in range(count)
            if not any(k is kind and s == slot and a < to_s and from_s < b
                       for k, s, a, b in self.taken)
        ]  # fmt: skip
        return chance.choice(free) if free else None

    def clear(self, way: Itinerary, from_s: float) -> bool:
        """True if the end of an itinerary, from a time on, stays clear of everybody."""
        times = np.arange(from_s, way.clock_s, _LOOK_S)
        if not len(times) or not self.timelines:
            return True
        mine = way.timeline().at(np.minimum(times, way.clock_s - 1e-3))
        for other in self.timelines:
            theirs = other.at(times)
            if (np.hypot(mine.x_m - theirs.x_m, mine.y_m - theirs.y_m) < _APART_M).any():
                return False
        return True


@dataclass(frozen=True, slots=True)
class Leg:
    """One station of a horse's round and how long it stays, seconds."""

    kind: Kind
    stay_s: float


def rounds(
    horses: tuple[SimulatedHorse, ...], seed: int, cycle_s: float, mean_stay_s: float = 75.0
) -> list[Timeline]:
    """A lively farm: every horse goes round stall, paddock and arena; repeats after ``cycle_s``."""
    chance = random.Random(seed * 4099 + 5)
    traffic = Traffic()
    for index, horse in enumerate(horses):
        first = _first_station(index, horse)
        legs = [Leg(first, mean_stay_s * chance.uniform(0.2, 1.2))]
        planned_s = 0.0
        while planned_s < cycle_s:
            others = [kind for kind in (Kind.STALL, Kind.PADDOCK, Kind.ARENA)
                      if kind is not legs[-1].kind]  # fmt: skip
            if horse.guest or index >= len(STALLS):
                others = [k for k in others if k is not Kind.STALL] or [Kind.AWAY]
            kind = chance.choice(others)
            stay_s = mean_stay_s * chance.uniform(0.5, 1.5)
            if kind is Kind.STALL and index in (0, 2):
                stay_s *= 1.8
            legs.append(Leg(kind, stay_s))
            planned_s += stay_s + 30.0
        traffic.timelines.append(
            round_trip(horse, legs, cycle_s, STALLS[index % len(STALLS)], traffic, chance)
        )
    return traffic.timelines


def _first_station(index: int, horse: SimulatedHorse) -> Kind:
    if horse.guest:
        return Kind.AWAY
    if index in (0, 2):
        return Kind.STALL
    return (Kind.PADDOCK, Kind.ARENA, Kind.PADDOCK, Kind.STALL)[index % 4]


def round_trip(
    horse: SimulatedHorse,
    legs: list[Leg],
    cycle_s: float,
    stall: Place,
    traffic: Traffic,
    chance: random.Random,
) -> Timeline:
    """Visit stations in turn and be back where it began, in time for the next cycle."""
    home = legs[0].kind
    slot = traffic.free_slot(home, 0.0, legs[0].stay_s + 60.0, chance)
    if slot is None:
        home, slot = (Kind.AWAY if horse.guest else Kind.STALL), 0
    home_slot = slot
    traffic.taken.append((home, home_slot, cycle_s - 200.0, cycle_s + 1e9))
    way = start_at(home, slot, stall, chance, horse.pace, horse.build.size)
    spot, yaw = way.spot, way.yaw
    pass_time(way, home, legs[0].stay_s, slot, stall, chance)
    traffic.taken.append((home, slot, 0.0, way.clock_s + 30.0))
    at, at_slot = home, slot
    for leg in legs[1:]:
        if way.clock_s + leg.stay_s > cycle_s - 170.0:
            break
        moved = _move(way, at, leg, stall, traffic, chance)
        if moved is None:
            pass_time(way, at, way.clock_s + 20.0, at_slot, stall, chance)
            traffic.taken.append((at, at_slot, way.clock_s - 20.0, way.clock_s + 30.0))
            continue
        way, at, at_slot = moved[0], leg.kind, moved[1]
    return _come_home(
        way, at, at_slot, (home, home_slot), (spot, yaw), cycle_s, stall, traffic, chance
    )


def _move(
    way: Itinerary, at: Kind, leg: Leg, stall: Place, traffic: Traffic, chance: random.Random
) -> tuple[Itinerary, int] | None:
    """Go to the next station and stay, leaving a little later where somebody is in the way."""
    began_s = way.clock_s
    slot = traffic.free_slot(leg.kind, began_s, began_s + leg.stay_s + 120.0, chance)
    if slot is None:
        return None
    for delay in range(12):
        trial = way.copy()
        trial.stay(Activity.STANDING, 0.1 + 4.0 * delay)
        left_s = trial.clock_s
        travel(trial, at, leg.kind, slot, stall)
        arrived_s = trial.clock_s
        if traffic.clear(trial, left_s):
            pass_time(trial, leg.kind, arrived_s + leg.stay_s, slot, stall, chance)
            if traffic.clear(trial, arrived_s):
                traffic.taken.append((leg.kind, slot, began_s, trial.clock_s + 40.0))
                return trial, slot
    return None


def _come_home(
    way: Itinerary,
    at: Kind,
    at_slot: int,
    home: tuple[Kind, int],
    start: tuple[Spot, float],
    cycle_s: float,
    stall: Place,
    traffic: Traffic,
    chance: random.Random,
) -> Timeline:
    kind, slot = home
    if at is not kind or at_slot != slot:
        pass_time(way, at, cycle_s - 150.0, at_slot, stall, chance)
        left_s = way.clock_s
        for delay in range(16):
            trial = way.copy()
            trial.stay(Activity.STANDING, 0.1 + 3.0 * delay)
            travel(trial, at, kind, slot, stall)
            if traffic.clear(trial, left_s):
                break
        way = trial
    pass_time(way, kind, cycle_s - 34.0, slot, stall, chance)
    spot, yaw = start
    if kind is not Kind.AWAY and math.dist(way.spot, spot) > 0.05:
        way.go([spot])
    if kind is not Kind.AWAY:
        way.turn(yaw)
    way.wait_until(cycle_s, Activity.AWAY if kind is Kind.AWAY else Activity.STANDING)
    return way.timeline()


@dataclass(frozen=True, slots=True)
class Lane:
    """A stretch to go up and down on."""

    start: Spot
    end: Spot
    gaits: tuple[Gait, ...]
    still_s: float


def _scene_lanes(camera: str, count: int) -> list[Lane]:
    """One lane a horse, the farthest first, all within the camera's view."""
    walk, lively = (Gait.WALK,), (Gait.WALK, Gait.WALK, Gait.TROT)
    fast = (Gait.WALK, Gait.TROT, Gait.TROT, Gait.CANTER)

    def spread(near: float, far: float) -> list[float]:
        return [far + (near - far) * (k + 0.5) / count for k in range(count)]

    if camera in ("stall", "stall2"):
        x, y = STALLS[0 if camera == "stall" else 2].middle
        return [Lane((x - 0.45, y + d), (x + 0.45, y + d), walk, 14.0) for d in spread(-0.5, 0.5)]
    if camera == "aisle":
        return [Lane((6.6, d), (14.0, d), walk, 4.0) for d in spread(-1.7, 1.7)]
    if camera == "arena":
        return [
            Lane((51.0 - 0.62 * (y + 14.2), y), (51.0 + 0.62 * (y + 14.2), y), fast, 2.0)
            for y in spread(-7.5, 0.5)
        ]
    if camera == "paddock2":
        return [
            Lane((x, 20.0 - 0.4 * (63.5 - x)), (x, 20.0 + 0.4 * (63.5 - x)), lively, 7.0)
            for x in spread(55.5, 46.0)
        ]
    if camera == "yard":
        return [Lane((27.5 + k * 0.4, y), (33.0 + k * 0.3, y), walk, 5.0)
                for k, y in enumerate(spread(-1.0, 7.0))]  # fmt: skip
    rows = spread(14.0, 23.0)
    return [
        Lane((45.0 - 0.42 * (y - 6.6), y), (45.0 + 0.42 * (y - 6.6), y), lively, 7.0) for y in rows
    ]


SCENE_HORSES = {
    "stall": 1, "aisle": 2, "paddock": 4, "arena": 3, "stall2": 1, "paddock2": 3, "yard": 2,
}  # fmt: skip


def scene(camera: str, horses: tuple[SimulatedHorse, ...], seed: int) -> list[Timeline]:
    """Horses that stay in one camera's view, going up and down and standing at the ends."""
    chance = random.Random(seed * 1009 + sorted(SCENE_HORSES).index(camera))
    lanes = _scene_lanes(camera, len(horses))
    return [_up_and_down(horse, lane, chance) for horse, lane in zip(horses, lanes, strict=True)]


def _up_and_down(horse: SimulatedHorse, lane: Lane, chance: random.Random) -> Timeline:
    (x1, y1), (x2, y2) = lane.start, lane.end
    low, high = chance.uniform(0.0, 0.3), chance.uniform(0.7, 1.0)
    near = (x1 + (x2 - x1) * low, y1 + (y2 - y1) * low)
    far = (x1 + (x2 - x1) * high, y1 + (y2 - y1) * high)
    yaw = math.atan2(y2 - y1, x2 - x1)
    way = Itinerary(near, yaw, horse.pace, horse.build.size)
    way.place = "scene"
    for index in range(4):
        way.go([far if index % 2 == 0 else near], chance.choice(lane.gaits))
        for activity in chance.sample((Activity.STANDING, Activity.GRAZING, Activity.ALERT), 2):
            way.stay(activity, max(lane.still_s * chance.uniform(0.5, 1.5), 1.5))
        way.turn(yaw if index % 2 else yaw + math.pi)
    return way.timeline(head_start_s=chance.uniform(0.0, way.clock_s))

"""Whole days and nights of the simulated farm, with or without things to be alarmed about."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.simulation.farm import SimulatedFarm
from engine.simulation.itineraries import Itinerary
from engine.simulation.lighting import Daylight
from engine.simulation.looks import SimulatedHorse, herd
from engine.simulation.people import SimulatedPerson
from engine.simulation.programmes import Traffic
from engine.simulation.site import STALLS, Place
from engine.simulation.staff import handlers, visitor
from engine.simulation.stations import (
    ARENA_TRACKS,
    PADDOCK_ROWS,
    Kind,
    exercise,
    graze,
    travel,
)
from engine.simulation.timelines import Activity, Timeline
from engine.simulation.truth import TrueEvent


class EventKind(StrEnum):
    """What an alert may be about.

    CAST: on its side by the wall, kicking, unable to get up. ROLLING: down and rolling again and
    again, pawing, looking at its flank. RESTLESS: never still for long. LONG_RECUMBENCY: down for
    hours. NO_RECUMBENCY: never lies down all night. FOALING: up and down, sweating-like turns,
    lateral spells. MISSING: does not come home. PERSON: somebody in a stall at night. LOOSE: out of
    its stall, up and down the aisle.
    """

    CAST = "cast"
    ROLLING = "rolling"
    RESTLESS = "restless"
    LONG_RECUMBENCY = "long_recumbency"
    NO_RECUMBENCY = "no_recumbency"
    FOALING = "foaling"
    MISSING = "missing"
    PERSON = "person"
    LOOSE = "loose"


@dataclass(frozen=True, slots=True)
class Planned:
    """An event for a horse (index in the herd) from an hour of the day on, lasting hours."""

    kind: EventKind
    horse: int
    hour: float
    hours: float


USUAL_HOURS = {
    EventKind.CAST: 0.4, EventKind.ROLLING: 0.7, EventKind.RESTLESS: 1.5,
    EventKind.LONG_RECUMBENCY: 3.5, EventKind.NO_RECUMBENCY: 6.0, EventKind.FOALING: 1.2,
    EventKind.MISSING: 3.0, EventKind.PERSON: 0.25, EventKind.LOOSE: 0.5,
}  # fmt: skip
_USUAL_START = {EventKind.MISSING: 16.2, EventKind.NO_RECUMBENCY: 0.0}
FILMED_STALLS = (0, 2)
"""Herd indices of the horses whose stalls have a camera."""


@dataclass(slots=True)
class _Clock:
    """Hours of the day against site seconds; ``compress`` shortens everything but movement."""

    compress: float

    def s(self, hour: float) -> float:
        """Site seconds of an hour."""
        return hour * 3600.0 / self.compress

    def stay_s(self, minutes: float) -> float:
        """How long minutes of the day last here, never under 5 s."""
        return max(minutes * 60.0 / self.compress, 5.0)


def plan_events(events: Sequence[EventKind | str | Planned], seed: int) -> tuple[Planned, ...]:
    """Give events without a plan a filmed horse and a time at night, by seed."""
    chance = random.Random(seed * 271 + 9)
    planned: list[Planned] = []
    for index, event in enumerate(events):
        if isinstance(event, Planned):
            planned.append(event)
            continue
        kind = EventKind(event)
        horse = FILMED_STALLS[index % len(FILMED_STALLS)]
        hour = _USUAL_START.get(kind, 1.0 + 2.0 * (index // 2) + chance.uniform(0.0, 0.5))
        planned.append(Planned(kind, horse, hour, USUAL_HOURS[kind]))
    return tuple(planned)


def day(
    seed: int,
    events: Sequence[EventKind | str | Planned] = (),
    horses: int = 10,
    compress: float = 24.0,
) -> SimulatedFarm:
    """A day from midnight to midnight; repeats.

    Horses rest in their stalls at night, are fed, go out to the paddock, some to the arena, and
    come home. Time 0 is midnight. ``compress`` 24 makes the day one hour long: stays are shorter,
    movement is not. ``events`` are kinds (placed by seed) or exact plans; the farm's ``events``
    tell what happened when.
    """
    everyone = herd(seed, horses)
    clock = _Clock(compress)
    planned = plan_events(events, seed)
    traffic = Traffic()
    happened: list[TrueEvent] = []
    people: list[SimulatedPerson] = []
    for index, horse in enumerate(everyone):
        mine = [event for event in planned if event.horse == index]
        made = _Horse(index, horse, clock, seed, mine, traffic)
        traffic.timelines.append(made.timeline())
        happened += made.happened
    timelines = traffic.timelines
    cycle_s = clock.s(24.0)
    for number, event in enumerate(planned):
        if event.kind is EventKind.PERSON:
            person, truth = _intruder(everyone, event, clock, seed, number)
            people.append(person)
            happened.append(truth)
    people += handlers(timelines, 0.7, seed, pool=4)
    daylight = Daylight(steady=False, noon_s=cycle_s / 2, day_s=cycle_s)
    return SimulatedFarm(everyone, timelines, people, happened, daylight)


def _intruder(
    horses: tuple[SimulatedHorse, ...], event: Planned, clock: _Clock, seed: int, number: int
) -> tuple[SimulatedPerson, TrueEvent]:
    start, end = clock.s(event.hour), clock.s(event.hour) + clock.stay_s(60 * event.hours)
    x, y = STALLS[event.horse].middle
    person = visitor(
        horses[event.horse], (x + 0.2, y - 1.35), math.pi / 2, start, end, clock.s(24.0),
        90 + number, seed,
    )  # fmt: skip
    return person, TrueEvent(horses[event.horse].id, event.kind.value, start, end)


class _Horse:
    """One horse's day."""

    def __init__(
        self,
        index: int,
        horse: SimulatedHorse,
        clock: _Clock,
        seed: int,
        events: list[Planned],
        traffic: Traffic,
    ) -> None:
        self._index, self._horse, self._clock, self._traffic = index, horse, clock, traffic
        self._chance = random.Random(seed * 6007 + index)
        self._stall: Place = STALLS[index % len(STALLS)]
        self._events = sorted(events, key=lambda event: event.hour)
        self._way = Itinerary(self._stall.middle, 0.4, horse.pace, horse.build.size)
        self._way.place = Kind.STALL.value
        self.happened: list[TrueEvent] = []

    def timeline(self) -> Timeline:
        """The day from midnight to midnight."""
        clock = self._clock
        self._rest_until(5.8)
        self._feed_until(7.6 + 0.05 * self._index)
        if self._index < PADDOCK_ROWS:
            self._out(15.4 + 0.08 * self._index)
        else:
            self._train(9.0)
        missing = next((e for e in self._events if e.kind is EventKind.MISSING), None)
        if missing:
            self._go_missing(missing)
        self._feed_until(19.0)
        self._rest_until(23.9)
        way, home = self._way, self._stall.middle
        if math.dist(way.spot, home) > 0.05:
            way.go([home])
        way.turn(0.4)
        way.wait_until(clock.s(24.0))
        return way.timeline()

    def _travel(self, start: Kind, end: Kind, slot: int = 0) -> None:
        """Set out when the way is clear of the horses planned before."""
        for delay in range(40):
            trial = self._way.copy()
            trial.stay(Activity.STANDING, 0.1 + 3.0 * delay)
            left_s = trial.clock_s
            travel(trial, start, end, slot, self._stall)
            if self._traffic.clear(trial, left_s):
                break
        self._way = trial

    def _train(self, until_hour: float) -> None:
        track = self._index % ARENA_TRACKS
        self._travel(Kind.STALL, Kind.ARENA, track)
        until = self._clock.s(until_hour)
        while self._way.clock_s < until - 1.0:
            exercise(self._way, track, self._chance, until - self._way.clock_s)
        self._travel(Kind.ARENA, Kind.STALL)

    def _out(self, until_hour: float) -> None:
        row = self._index
        self._travel(Kind.STALL, Kind.PADDOCK, row)
        way, until = self._way, self._clock.s(until_hour)
        while way.clock_s < until:
            slow = self._clock.stay_s(self._chance.uniform(3.0, 14.0))
            way.stay(self._chance.choice((Activity.GRAZING,) * 4 + (Activity.DOZING,)), slow)
            graze(way, row, self._chance, 40.0)
        self._travel(Kind.PADDOCK, Kind.STALL)

    def _go_missing(self, event: Planned) -> None:
        start = self._way.clock_s
        self._travel(Kind.STALL, Kind.AWAY)
        self._way.stay(Activity.AWAY, self._clock.stay_s(60 * event.hours), blend_s=0.0)
        self._note(event.kind, start, self._way.clock_s)
        self._travel(Kind.AWAY, Kind.STALL)

    def _feed_until(self, hour: float) -> None:
        while self._way.clock_s < self._clock.s(hour):
            minutes = self._chance.uniform(6.0, 20.0)
            kind = self._chance.choice(
                (Activity.GRAZING,) * 4 + (Activity.STANDING, Activity.ALERT)
            )
            self._way.stay(kind, min(self._clock.stay_s(minutes), self._left_s(hour)))
            self._step_about()

    def _left_s(self, hour: float) -> float:
        return max(self._clock.s(hour) - self._way.clock_s, 0.2)

    def _rest_until(self, hour: float) -> None:
        """Doze, eat, lie down now and then; events in this time come when they are due."""
        chance, way, clock = self._chance, self._way, self._clock
        lies_left = 0 if self._never_lies() else 2
        while way.clock_s < clock.s(hour):
            due = next(
                (e for e in self._events
                 if e.hour < hour and clock.s(e.hour) <= way.clock_s and e.kind in _NIGHTLY), None
            )  # fmt: skip
            if due:
                self._events.remove(due)
                began = way.clock_s
                _NIGHTLY[due.kind](self, clock.stay_s(60.0 * due.hours))
                self._note(due.kind, began, way.clock_s)
                continue
            left_s = self._left_s(hour)
            if lies_left and left_s > clock.stay_s(70.0) and chance.random() < 0.4:
                self._lie_down()
                lies_left -= 1
                continue
            kind, low, high = chance.choice(
                ((Activity.DOZING, 15.0, 45.0), (Activity.DOZING, 15.0, 45.0),
                 (Activity.GRAZING, 10.0, 35.0), (Activity.STANDING, 3.0, 10.0))
            )  # fmt: skip
            way.stay(kind, min(clock.stay_s(chance.uniform(low, high)), left_s))
            self._step_about()

    def _never_lies(self) -> bool:
        never = [e for e in self._events if e.kind is EventKind.NO_RECUMBENCY]
        for event in never:
            self._events.remove(event)
            start = self._clock.s(event.hour)
            self._note(event.kind, start, start + self._clock.s(event.hours))
        return bool(never)

    def _lie_down(self) -> None:
        chance, clock = self._chance, self._clock
        side = chance.choice((-1.0, 1.0))
        spells = [(Activity.STERNAL, clock.stay_s(chance.uniform(10.0, 25.0)))]
        if chance.random() < 0.7:
            spells.append((Activity.LATERAL, clock.stay_s(chance.uniform(4.0, 12.0))))
            spells.append((Activity.STERNAL, clock.stay_s(chance.uniform(3.0, 10.0))))
        self._to_middle()
        self._way.lie(side, spells)

    def _step_about(self) -> None:
        x, y = self._stall.middle
        spot = (x + self._chance.uniform(-0.45, 0.45), y + self._chance.uniform(-0.45, 0.45))
        if math.dist(spot, self._way.spot) > 0.4 and self._chance.random() < 0.6:
            self._way.go([spot])

    def _to_middle(self) -> None:
        if math.dist(self._way.spot, self._stall.middle) > 0.3:
            self._way.go([self._stall.middle])

    def _note(self, kind: EventKind, start_s: float, end_s: float) -> None:
        self.happened.append(TrueEvent(self._horse.id, kind.value, start_s, end_s))

    def cast(self, lasting_s: float) -> None:
        """Down on its right side, feet against the north wall, kicking in spells."""
        x = self._stall.middle[0]
        self._way.go([(x - 0.1, self._stall.north_m - 1.15)])
        self._way.turn(0.0)
        spells: list[tuple[Activity, float]] = [(Activity.LATERAL, 6.0)]
        while sum(seconds for _, seconds in spells) < lasting_s - 15.0:
            spells.append((Activity.STRUGGLING, self._chance.uniform(4.0, 12.0)))
            spells.append((Activity.LATERAL, self._chance.uniform(6.0, 25.0)))
        self._way.lie(-1.0, spells)
        self._to_middle()

    def roll_again(self, lasting_s: float) -> None:
        """Paw, look at the flank, go down, roll, get up, again."""
        end = self._way.clock_s + lasting_s
        while self._way.clock_s < end:
            chance = self._chance
            self._way.stay(Activity.PAWING, chance.uniform(5.0, 12.0))
            self._way.stay(Activity.FLANK_WATCHING, chance.uniform(4.0, 10.0))
            self._to_middle()
            down_s, rolling_s = chance.uniform(3.0, 15.0), 5.6 * chance.randint(1, 3)
            spells = (
                (Activity.STERNAL, down_s), (Activity.LATERAL, 3.0), (Activity.ROLLING, rolling_s)
            )  # fmt: skip
            self._way.lie(chance.choice((-1.0, 1.0)), spells)
            self._way.stay(Activity.STANDING, chance.uniform(4.0, 15.0))

    def pace(self, lasting_s: float) -> None:
        """Turn, walk to and fro, look up, paw; nothing for long."""
        end = self._way.clock_s + lasting_s
        x, y = self._stall.middle
        while self._way.clock_s < end:
            for sign in (1.0, -1.0):
                self._way.go([(x + 0.7 * sign, y + self._chance.uniform(-0.5, 0.5))])
                self._way.stay(
                    self._chance.choice((Activity.ALERT, Activity.STANDING, Activity.PAWING)),
                    self._chance.uniform(1.5, 5.0),
                )

    def lie_long(self, lasting_s: float) -> None:
        """Down on the chest for hours."""
        self._to_middle()
        shares = ((Activity.STERNAL, 0.7), (Activity.LATERAL, 0.2), (Activity.STERNAL, 0.1))
        self._way.lie(1.0, tuple((activity, lasting_s * share) for activity, share in shares))

    def wander(self, lasting_s: float) -> None:
        """Out of the stall at night, up and down the aisle, home again."""
        way, door = self._way, self._stall.middle[0]
        end = way.clock_s + lasting_s
        way.go([(door, 0.0)])
        while way.clock_s < end:
            way.go([(self._chance.uniform(3.0, 22.0), self._chance.uniform(-0.6, 0.6))])
            way.stay(self._chance.choice((Activity.STANDING, Activity.ALERT, Activity.GRAZING)),
                     self._chance.uniform(3.0, 12.0))  # fmt: skip
        way.go([(door, 0.0), self._stall.middle])

    def foal_signs(self, lasting_s: float) -> None:
        """Restless, tail up, up and down with short spells flat on the side."""
        end = self._way.clock_s + lasting_s
        while self._way.clock_s < end:
            self.pace(min(25.0, lasting_s / 6))
            self._way.stay(Activity.FLANK_WATCHING, self._chance.uniform(3.0, 8.0))
            self._to_middle()
            self._way.lie(1.0, ((Activity.STERNAL, self._chance.uniform(5.0, 20.0)),
                                (Activity.LATERAL, self._chance.uniform(8.0, 25.0))))  # fmt: skip


_NIGHTLY: dict[EventKind, Callable[[_Horse, float], None]] = {
    EventKind.CAST: _Horse.cast,
    EventKind.ROLLING: _Horse.roll_again,
    EventKind.RESTLESS: _Horse.pace,
    EventKind.LONG_RECUMBENCY: _Horse.lie_long,
    EventKind.FOALING: _Horse.foal_signs,
    EventKind.LOOSE: _Horse.wander,
}

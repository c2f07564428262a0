"""People on the simulated farm: where they walk, whom they lead, and what they look like."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.simulation.gaits import Floats
from engine.simulation.looks import Colour
from engine.simulation.meshes import Mesh, Skin
from engine.simulation.timelines import ACTIVITY_CODE, Activity, Timeline

_LEAD_AHEAD_M, _LEAD_LEFT_M = 0.85, 0.80
"""Where a handler walks: left of the horse's head."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A person has a horse (its index in the herd) in hand between two times of its schedule."""

    horse: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class SimulatedPerson:
    """Someone who follows a timeline of their own, or leads horses; at other times away.

    height_m; jacket, trousers, hair: colours. with_horse: id of the horse a person without a leash
    stands by, 0 for none.
    """

    id: int
    height_m: float
    jacket: Colour
    trousers: Colour
    hair: Colour
    timeline: Timeline | None = None
    leads: tuple[Lead, ...] = ()
    with_horse: int = 0


def make_person(number: int, seed: int) -> SimulatedPerson:
    """Someone without a plan; the same for the same number and seed."""
    chance = random.Random(seed * 31 + number)
    jackets: tuple[Colour, ...] = ((150, 70, 30), (40, 40, 150), (60, 110, 60), (90, 90, 96))
    hairs: tuple[Colour, ...] = ((20, 28, 40), (60, 120, 160), (40, 60, 90))
    return SimulatedPerson(
        number, chance.uniform(1.60, 1.88), jackets[number % len(jackets)],
        chance.choice(((70, 50, 40), (40, 40, 44), (90, 110, 130))), chance.choice(hairs),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PeopleRows:
    """People at instants, all (N,): person index, time index, time, place, yaw, steps, amplitude
    0..1 of the gait, and the id of the horse they are with, 0 for none."""

    person: NDArray[np.int64]
    time_index: NDArray[np.int64]
    t_s: Floats
    x_m: Floats
    y_m: Floats
    yaw: Floats
    strides: Floats
    amplitude: Floats
    with_horse: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.person)


def people_rows(
    people: tuple[SimulatedPerson, ...],
    horses: tuple[Timeline, ...],
    horse_ids: tuple[int, ...],
    times_s: Floats,
) -> PeopleRows:
    """Everyone who is on the farm at each time, rows by time."""
    columns: list[tuple[NDArray[np.float64], ...]] = []
    for index, person in enumerate(people):
        columns += _own_way(index, person, times_s)
        for lead in person.leads:
            columns += _leading(index, lead, horses[lead.horse], horse_ids[lead.horse], times_s)
    table = (
        [np.concatenate(c) for c in zip(*columns, strict=True)] if columns else [np.zeros(0)] * 8
    )
    person_column, time_index, x, y, yaw, strides, amplitude, with_horse = table
    order = np.lexsort((person_column, time_index))
    return PeopleRows(
        person_column[order].astype(np.int64), time_index[order].astype(np.int64),
        np.asarray(times_s)[time_index[order].astype(np.int64)], x[order], y[order], yaw[order],
        strides[order], amplitude[order], with_horse[order].astype(np.int64),
    )  # fmt: skip


def _own_way(
    index: int, person: SimulatedPerson, times_s: Floats
) -> list[tuple[NDArray[np.float64], ...]]:
    if person.timeline is None:
        return []
    states = person.timeline.at(times_s)
    here = np.nonzero(states.activity != ACTIVITY_CODE[Activity.AWAY])[0]
    count = len(here)
    return [(
        np.full(count, float(index)), here.astype(float), states.x_m[here], states.y_m[here],
        states.yaw[here], states.strides[here] * 1.1, states.amplitude[here],
        np.full(count, float(person.with_horse)),
    )]  # fmt: skip


def _leading(
    index: int, lead: Lead, timeline: Timeline, horse_id: int, times_s: Floats
) -> list[tuple[NDArray[np.float64], ...]]:
    into = (times_s + timeline.head_start_s) % timeline.cycle_s
    here = np.nonzero((into >= lead.start_s) & (into < lead.end_s))[0]
    states = timeline.at(times_s[here])
    ahead, left = _LEAD_AHEAD_M, _LEAD_LEFT_M
    cos, sin = np.cos(states.yaw), np.sin(states.yaw)
    count = len(here)
    return [(
        np.full(count, float(index)), here.astype(float),
        states.x_m + ahead * cos - left * sin, states.y_m + ahead * sin + left * cos,
        states.yaw, states.strides * 1.25, states.amplitude, np.full(count, float(horse_id)),
    )]  # fmt: skip


_PARTS = (("left_leg", 4), ("right_leg", 4), ("torso", 4), ("left_arm", 3), ("right_arm", 3),
          ("head", 3))  # fmt: skip
PERSON_RINGS = sum(count for _, count in _PARTS)


def _first(name: str) -> int:
    at = 0
    for part, count in _PARTS:
        if part == name:
            return at
        at += count
    raise KeyError(name)


PERSON_LINKS = np.array([
    (_first(name) + k, _first(name) + k + 1) for name, count in _PARTS for k in range(count - 1)
])  # fmt: skip
"""Rings that are joined, int64 (L, 2)."""


@lru_cache(maxsize=1)
def person_mesh() -> Mesh:
    """The skin of a person."""
    around = {"torso": 12, "head": 12}
    skins = [
        Skin(name, _first(name), _first(name) + count, 2, around.get(name, 8))
        for name, count in _PARTS
    ]
    return Mesh(skins)


@lru_cache(maxsize=32)
def person_colours(person: SimulatedPerson) -> Floats:
    """Colours of the faces of ``person_mesh``, float64 (M, 3) BGR."""
    mesh = person_mesh()
    names = np.array([skin.name for skin in mesh.skins])[mesh.table.part]
    colours = np.empty((len(names), 3))
    colours[:] = person.jacket
    legs = np.isin(names, ("left_leg", "right_leg"))
    colours[legs] = person.trousers
    colours[legs & (mesh.table.along > 0.72)] = (26, 28, 34)
    head = names == "head"
    colours[head] = (128, 156, 206)
    behind = np.abs((mesh.table.around + np.pi) % (2 * np.pi) - np.pi) > 1.4
    colours[head & ((mesh.table.along > 0.74) | (behind & (mesh.table.along > 0.35)))] = person.hair
    hands = np.isin(names, ("left_arm", "right_arm")) & (mesh.table.along > 0.85)
    colours[hands] = (128, 156, 206)
    return colours


@dataclass(frozen=True, slots=True)
class PeopleBodies:
    """Rings of N people in the site frame: centres, up, wide, each float64 (N, PERSON_RINGS, 3)."""

    centres: Floats
    up: Floats
    wide: Floats


def people_bodies(people: tuple[SimulatedPerson, ...], rows: PeopleRows) -> PeopleBodies:
    """Bodies of walking and standing people; x forward, y left, z up, then placed."""
    count = len(rows)
    centres = np.zeros((count, PERSON_RINGS, 3))
    up, wide = np.zeros_like(centres), np.zeros_like(centres)
    swing = 2 * np.pi * rows.strides
    level = rows.amplitude

    def ring(
        at: int, x: Floats | float, y: float, z: Floats | float, deep: float, broad: float
    ) -> None:
        centres[:, at, 0], centres[:, at, 1], centres[:, at, 2] = x, y, z
        up[:, at, 0], wide[:, at, 1] = deep, broad

    for name, side, offset in (("left_leg", 1.0, 0.0), ("right_leg", -1.0, np.pi)):
        reach = 0.36 * level * np.sin(swing + offset)
        lift = 0.10 * level * np.clip(np.cos(swing + offset), 0.0, 1.0)
        first, z = _first(name), 0.10 * side
        ring(first, 0.0, z, 0.92, 0.10, 0.10)
        ring(first + 1, 0.5 * reach + 0.05 * level, z, 0.50 + lift, 0.075, 0.075)
        ring(first + 2, reach, z, 0.09 + lift, 0.05, 0.05)
        ring(first + 3, reach + 0.13, z, 0.04 + lift, 0.045, 0.05)
    first = _first("torso")
    for k, (z, deep, broad) in enumerate(
        ((0.86, 0.12, 0.16), (1.05, 0.12, 0.15), (1.28, 0.13, 0.19), (1.44, 0.10, 0.17))
    ):
        ring(first + k, 0.0, 0.0, z, deep, broad)
    for name, side, offset in (("left_arm", 1.0, np.pi), ("right_arm", -1.0, 0.0)):
        reach = 0.24 * level * np.sin(swing + offset)
        first = _first(name)
        ring(first, 0.0, 0.20 * side, 1.42, 0.055, 0.055)
        ring(first + 1, 0.4 * reach, 0.24 * side, 1.14, 0.045, 0.045)
        ring(first + 2, reach + 0.06, 0.23 * side, 0.90, 0.04, 0.035)
    first = _first("head")
    for k, (x, z, deep, broad) in enumerate(
        ((0.0, 1.48, 0.055, 0.055), (0.02, 1.63, 0.10, 0.08), (0.0, 1.75, 0.07, 0.06))
    ):
        ring(first + k, x, 0.0, z, deep, broad)
    size = np.array([person.height_m for person in people])[rows.person][:, None] / 1.80
    cos, sin = np.cos(rows.yaw)[:, None], np.sin(rows.yaw)[:, None]

    def turned(array: Floats) -> Floats:
        x, y, z = array[..., 0] * size, array[..., 1] * size, array[..., 2] * size
        return np.stack([x * cos - y * sin, x * sin + y * cos, z], axis=-1)

    placed = turned(centres)
    placed[..., 0] += rows.x_m[:, None]
    placed[..., 1] += rows.y_m[:, None]
    return PeopleBodies(placed, turned(up), turned(wide))

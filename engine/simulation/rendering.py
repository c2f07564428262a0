"""A whole picture of one camera: background, shadows, then everything by distance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from engine.domain.frames import Image
from engine.simulation.anatomy import Bodies
from engine.simulation.cameras import SimulatedCamera
from engine.simulation.coats import skin_colours
from engine.simulation.drawing import Figure, draw_figure, shade_ground
from engine.simulation.farm import SimulatedFarm
from engine.simulation.lighting import expose, exposure
from engine.simulation.looks import SimulatedHorse
from engine.simulation.meshes import horse_mesh
from engine.simulation.observation import LINKS, crowd_of
from engine.simulation.people import (
    PERSON_LINKS,
    people_bodies,
    person_colours,
    person_mesh,
)
from engine.simulation.scenery import background, bars_seen, draw_bar

_FINE_FROM_PX = 190.0
"""Horses taller than this at the withers are drawn with the fine mesh."""
_EYE_M = 0.021
Draw = tuple[float, Callable[[Image], None]]
"""Distance along the camera's axis, and what to draw there."""


def render(farm: SimulatedFarm, camera: SimulatedCamera, t_s: float, shadows: bool = True) -> Image:
    """The picture of a camera at a time without its noise, uint8 (h, w, 3) BGR, a new array."""
    picture = background(camera).copy()
    seen = exposure(camera, farm.daylight, t_s)
    light = seen.light
    draws: list[Draw] = []
    for distance_m, figure, links in (
        *_horse_figures(farm, camera, t_s), *_person_figures(farm, camera, t_s)
    ):  # fmt: skip
        if shadows:
            radii = np.linalg.norm(figure.wide, axis=1)
            shade_ground(picture, camera, figure.centres, radii, links, light)
        draws.append((distance_m, partial(draw_figure, camera=camera, figure=figure, light=light)))
    tone = light.ambient + 0.6 * light.direct
    draws += [(bar.distance_m, partial(draw_bar, bar=bar, tone=tone)) for bar in bars_seen(camera)]
    for _, draw in sorted(draws, key=lambda entry: -entry[0]):
        draw(picture)
    return expose(picture, seen)


def _distances(camera: SimulatedCamera, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
    spots = np.stack([x_m, y_m, np.full(len(x_m), 0.9)], axis=-1)
    return np.asarray(camera.to_camera(spots))[:, 2]


def _horse_figures(
    farm: SimulatedFarm, camera: SimulatedCamera, t_s: float
) -> Iterator[tuple[float, Figure, np.ndarray]]:
    rows = farm.in_view(camera, farm.rows_at(np.array([t_s])))
    if not len(rows):
        return
    made, _ = farm.bodies_of(rows)
    distances = _distances(camera, rows.states.x_m, rows.states.y_m)
    for row, distance_m in enumerate(distances.tolist()):
        horse = farm.horses[rows.horse[row]]
        yield distance_m, _horse_figure(horse, made, row, camera, distance_m), LINKS


def _horse_figure(
    horse: SimulatedHorse, made: Bodies, row: int, camera: SimulatedCamera, distance_m: float
) -> Figure:
    fine = camera.focal_px * horse.build.withers_m / max(distance_m, 0.5) > _FINE_FROM_PX
    marks = made.landmarks[row]
    # The head turns with the neck: outward at an eye is away from the other eye.
    outward = marks[1] - marks[2]
    outward = outward / max(float(np.linalg.norm(outward)), 1e-6)
    size = horse.build.size
    dots = [(marks[1], outward, _EYE_M * size), (marks[2], -outward, _EYE_M * size)]
    nostril = marks[0] * 0.96 + marks[5] * 0.04
    dots += [
        (nostril + outward * sign * 0.045 * size, outward * sign, 0.012 * size)
        for sign in (1.0, -1.0)
    ]
    return Figure(
        horse_mesh(fine), skin_colours(horse.look, fine), made.centres[row], made.up[row],
        made.wide[row], tuple(dots), smooth_m=0.011 if fine else 0.019,
    )  # fmt: skip


def _person_figures(
    farm: SimulatedFarm, camera: SimulatedCamera, t_s: float
) -> Iterator[tuple[float, Figure, np.ndarray]]:
    if not farm.people:
        return
    rows = crowd_of(camera, farm, np.array([t_s])).rows
    if not len(rows):
        return
    made = people_bodies(farm.people, rows)
    distances = _distances(camera, rows.x_m, rows.y_m)
    for row, distance_m in enumerate(distances.tolist()):
        person = farm.people[rows.person[row]]
        figure = Figure(
            person_mesh(), person_colours(person), made.centres[row], made.up[row],
            made.wide[row], (), 0.05,
        )  # fmt: skip
        yield distance_m, figure, PERSON_LINKS

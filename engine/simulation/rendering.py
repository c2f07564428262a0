"""A whole picture of one camera: background, shadows, then everything by distance."""

from __future__ import annotations

import cv2
import numpy as np

from engine.domain.frames import Image
from engine.simulation.anatomy import Bodies
from engine.simulation.cameras import SimulatedCamera
from engine.simulation.coats import skin_colours
from engine.simulation.drawing import Figure, Light, draw_figure, shade_ground
from engine.simulation.farm import SimulatedFarm
from engine.simulation.looks import SimulatedHorse
from engine.simulation.meshes import horse_mesh
from engine.simulation.observation import LINKS
from engine.simulation.scenery import background, bars_by_distance, draw_bar

_FINE_FROM_PX = 110.0
"""Horses taller than this at the withers are drawn with the fine mesh."""
_EYE_M = 0.021
_DAY = Light(np.array([-0.33, -0.48, 0.81]), 0.62, 0.52, (1.0, 1.0, 1.0), 0.42)
_INDOORS = Light(np.array([0.1, -0.25, 0.96]), 0.70, 0.36, (0.96, 0.99, 1.0), 0.30)


def render(farm: SimulatedFarm, camera: SimulatedCamera, t_s: float, shadows: bool = True) -> Image:
    """The picture of a camera at a time without its noise, uint8 (h, w, 3) BGR, a new array."""
    picture = background(camera).copy()
    light = _INDOORS if camera.indoors else _DAY
    rows = farm.in_view(camera, farm.rows_at(np.array([t_s])))
    bars = bars_by_distance(camera)
    if len(rows):
        made, _ = farm.bodies_of(rows)
        spots = np.stack([rows.states.x_m, rows.states.y_m, np.full(len(rows), 0.9)], axis=-1)
        distance = np.asarray(camera.to_camera(spots))[:, 2]
        for row in range(len(rows) if shadows else 0):
            radii = np.linalg.norm(made.wide[row], axis=1)
            shade_ground(picture, camera, made.centres[row], radii, LINKS, light)
        for row in np.argsort(-distance):
            while bars and bars[0][0] > distance[row]:
                draw_bar(picture, camera, bars.pop(0)[1], light.ambient + 0.6 * light.direct)
            horse = farm.horses[rows.horse[row]]
            figure = _horse_figure(horse, made, int(row), camera, float(distance[row]))
            draw_figure(picture, camera, figure, light)
    for _, bar in bars:
        draw_bar(picture, camera, bar, light.ambient + 0.6 * light.direct)
    return np.asarray(cv2.convertScaleAbs(picture, alpha=1.0), np.uint8)


def _horse_figure(
    horse: SimulatedHorse, made: Bodies, row: int, camera: SimulatedCamera, distance_m: float
) -> Figure:
    fine = camera.focal_px * horse.build.withers_m / max(distance_m, 0.5) > _FINE_FROM_PX
    marks, left = made.landmarks[row], made.left[row]
    # The head turns with the neck: outward at an eye is away from the other eye.
    outward = marks[1] - marks[2]
    outward = outward / max(float(np.linalg.norm(outward)), 1e-6)
    dots = [(marks[1], outward, _EYE_M * horse.build.size)]
    dots.append((marks[2], -outward, _EYE_M * horse.build.size))
    nostril = marks[0] * 0.96 + marks[5] * 0.04
    for sign in (1.0, -1.0):
        spot = nostril + outward * sign * 0.045 * horse.build.size
        dots.append((spot, outward * sign + 0.2 * left * sign, 0.012))
    return Figure(
        horse_mesh(fine), skin_colours(horse.look, fine), made.centres[row], made.up[row],
        made.wide[row], tuple(dots),
    )  # fmt: skip

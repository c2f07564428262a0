"""The simulated cameras: where they look from, what the place looks like, and its light."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import Image
from engine.simulation.gaits import Gait

WIDTH_PX = 960
HEIGHT_PX = 540
FOCAL_PX = 800.0
FPS = 25.0


@dataclass(frozen=True, slots=True)
class Post:
    """Something upright in front of the horses: x range in pixels, and its distance in metres."""

    left_px: int
    right_px: int
    distance_m: float


@dataclass(frozen=True, slots=True)
class SimulatedCamera:
    """A fixed camera at ``height_m`` that looks level; its horizon is at ``horizon_px``.

    ``lanes_m``: distance of each horse's lane. ``margin_m``: how far inside the picture's
    edge a horse's trunk stays; below about 1.2 the horse leaves the picture and comes back.
    """

    name: str
    height_m: float
    horizon_px: float
    lanes_m: tuple[float, ...]
    margin_m: float
    gaits: tuple[Gait, ...]
    still_s: float
    posts: tuple[Post, ...]
    indoors: bool

    def project(self, points_m: NDArray[np.floating]) -> NDArray[np.float32]:
        """Pixels of camera-frame points (x right, y up from the ground, z away), ``(..., 2)``."""
        z = np.maximum(points_m[..., 2], 0.5)
        x = WIDTH_PX / 2 + FOCAL_PX * points_m[..., 0] / z
        y = self.horizon_px + FOCAL_PX * (self.height_m - points_m[..., 1]) / z
        return np.stack([x, y], axis=-1).astype(np.float32)

    def visible_half_m(self, distance_m: float) -> float:
        """Half the width of the view at a distance."""
        return distance_m * WIDTH_PX / (2 * FOCAL_PX)

    def light(self, t_s: float) -> float:
        """Brightness of the place at a time: lamps dimmed for a while indoors, clouds outside."""
        if self.indoors:
            into = t_s % 60.0
            dimmed = min(max(min(into - 38.0, 52.0 - into) / 1.5, 0.0), 1.0)
            return 1.0 + 0.02 * math.sin(2 * math.pi * t_s / 17.0) - 0.42 * dimmed
        return 0.96 + 0.10 * math.sin(2 * math.pi * t_s / 45.0) + 0.04 * math.sin(t_s / 2.3)


CAMERAS = {
    camera.name: camera
    for camera in (
        SimulatedCamera("stall", 1.75, 200.0, (4.9,), 1.6, (Gait.WALK,), 9.0,
                        (Post(150, 172, 3.4), Post(812, 834, 3.4)), True),
        SimulatedCamera("aisle", 2.0, 176.0, (8.2, 6.6), 0.6, (Gait.WALK,), 4.0,
                        (Post(286, 322, 5.0), Post(668, 704, 5.0)), True),
        SimulatedCamera("paddock", 2.6, 170.0, (15.5, 13.0, 10.8, 8.8), 1.5,
                        (Gait.WALK, Gait.WALK, Gait.TROT), 7.0, (Post(470, 496, 6.5),), False),
        SimulatedCamera("arena", 2.4, 160.0, (13.0, 11.0, 9.2), 0.4,
                        (Gait.WALK, Gait.TROT, Gait.TROT, Gait.CANTER), 2.0, (), True),
    )
}  # fmt: skip

Canvas = NDArray[np.float32]


@lru_cache(maxsize=8)
def background(name: str) -> Image:
    """The empty place, uint8 ``(540, 960, 3)`` BGR, read-only; the same in every run."""
    canvas = _PAINTERS[name](CAMERAS[name], np.random.default_rng(len(name)))
    picture = np.clip(canvas, 0, 255).astype(np.uint8)
    picture.setflags(write=False)
    return picture


@lru_cache(maxsize=8)
def posts_layer(name: str) -> tuple[tuple[Post, Image], ...]:
    """Each post with its pixels, uint8 ``(540, width, 3)``."""
    chance = np.random.default_rng(7)
    layers = []
    for post in CAMERAS[name].posts:
        width = post.right_px - post.left_px
        grain = _grain(chance, (HEIGHT_PX, width), (40, 2), 14.0)
        round_light = np.sin(np.linspace(0.15, 2.6, width, dtype=np.float32))
        colour = np.array([58, 84, 112], np.float32) * (0.45 + 0.6 * round_light)[None, :, None]
        pixels = np.clip(np.broadcast_to(colour, (HEIGHT_PX, width, 3)) + grain, 0, 255)
        layers.append((post, pixels.astype(np.uint8)))
    return tuple(layers)


def _grain(
    chance: np.random.Generator, size: tuple[int, int], cell: tuple[int, int], strength: float
) -> Canvas:
    """Smooth random texture, float32 ``(h, w, 1)``; ``cell`` is its grain in pixels (y, x)."""
    rows, columns = max(size[0] // cell[0], 2), max(size[1] // cell[1], 2)
    coarse = chance.normal(0.0, strength, (rows, columns)).astype(np.float32)
    fine = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, np.float32)[:, :, None]


def _flat(colour: tuple[int, int, int]) -> Canvas:
    return np.full((HEIGHT_PX, WIDTH_PX, 3), colour, np.float32)


def _floor(
    canvas: Canvas,
    camera: SimulatedCamera,
    chance: np.random.Generator,
    far_m: float,
    near_colour: tuple[int, int, int],
    far_colour: tuple[int, int, int],
) -> int:
    """Paint the ground from ``far_m`` on; returns its first row."""
    top = int(camera.horizon_px + FOCAL_PX * camera.height_m / far_m)
    rows = HEIGHT_PX - top
    share = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    ground = np.array(far_colour, np.float32) * (1 - share) + np.array(near_colour) * share
    texture = _grain(chance, (rows, WIDTH_PX), (3, 5), 7.0) * (0.4 + 0.9 * share)
    patches = _grain(chance, (rows, WIDTH_PX), (30, 90), 6.0)
    canvas[top:] = ground + texture + patches
    return top


def _boards(
    canvas: Canvas,
    chance: np.random.Generator,
    bottom: int,
    colour: tuple[int, int, int],
    step: int,
) -> None:
    """A wall of upright boards down to row ``bottom``."""
    tint = np.array(colour, np.float32)
    for left in range(0, WIDTH_PX, step):
        shade = chance.uniform(0.86, 1.08)
        canvas[:bottom, left : left + step] = tint * shade
        canvas[:bottom, left : left + 2] = tint * 0.55
    canvas[:bottom] += _grain(chance, (bottom, WIDTH_PX), (45, 3), 6.0)
    canvas[:bottom] *= np.linspace(0.62, 1.0, bottom, dtype=np.float32)[:, None, None]


def _rails(
    canvas: Canvas, camera: SimulatedCamera, distance_m: float, colour: tuple[int, int, int]
) -> None:
    """A post-and-rail fence across the view."""
    scale = FOCAL_PX / distance_m
    ground = camera.horizon_px + camera.height_m * scale
    for height_m in (0.5, 0.95, 1.4):
        y = int(ground - height_m * scale)
        cv2.rectangle(canvas, (0, y), (WIDTH_PX, y + max(int(0.11 * scale), 2)), colour, -1)
    for x in range(30, WIDTH_PX, int(2.4 * scale)):
        top, bottom = int(ground - 1.55 * scale), int(ground)
        cv2.rectangle(canvas, (x, top), (x + max(int(0.14 * scale), 3), bottom), colour, -1)


def _paint_stall(camera: SimulatedCamera, chance: np.random.Generator) -> Canvas:
    canvas = _flat((70, 84, 96))
    bottom = _floor(canvas, camera, chance, 6.2, (92, 150, 182), (70, 116, 142))
    _boards(canvas, chance, bottom, (62, 98, 132), 58)
    for _ in range(900):  # straw
        x, y = int(chance.integers(0, WIDTH_PX)), int(chance.integers(bottom, HEIGHT_PX))
        dx, dy = int(chance.integers(-16, 17)), int(chance.integers(-4, 5))
        tone = float(chance.uniform(0.8, 1.35))
        cv2.line(canvas, (x, y), (x + dx, y + dy), (82 * tone, 140 * tone, 172 * tone), 1)
    cv2.rectangle(canvas, (60, 96), (210, 206), (196, 206, 204), -1)
    cv2.rectangle(canvas, (60, 96), (210, 206), (44, 62, 80), 6)
    cv2.line(canvas, (135, 96), (135, 206), (44, 62, 80), 4)
    return canvas


def _paint_aisle(camera: SimulatedCamera, chance: np.random.Generator) -> Canvas:
    canvas = _flat((84, 92, 98))
    bottom = _floor(canvas, camera, chance, 9.6, (134, 138, 140), (104, 108, 112))
    _boards(canvas, chance, bottom, (58, 86, 112), 40)
    for left in range(40, WIDTH_PX - 120, 230):  # stall doors with bars
        cv2.rectangle(canvas, (left, 120), (left + 150, bottom), (40, 58, 76), -1)
        cv2.rectangle(canvas, (left + 6, 232), (left + 144, bottom - 6), (66, 100, 130), -1)
        for bar in range(left + 12, left + 144, 12):
            cv2.line(canvas, (bar, 124), (bar, 228), (120, 126, 130), 2)
    return canvas


def _paint_paddock(camera: SimulatedCamera, chance: np.random.Generator) -> Canvas:
    share = np.linspace(0, 1, HEIGHT_PX, dtype=np.float32)[:, None, None]
    canvas = _flat((226, 190, 150)) * (1 - share) + _flat((236, 228, 216)) * share
    canvas += _grain(chance, (HEIGHT_PX, WIDTH_PX), (60, 160), 8.0)
    for x in range(-40, WIDTH_PX + 40, 34):  # a line of trees
        y = int(172 - chance.uniform(0, 46))
        tone = float(chance.uniform(0.75, 1.15))
        cv2.circle(
            canvas, (x, y), int(chance.uniform(34, 58)), (52 * tone, 84 * tone, 66 * tone), -1
        )
    canvas[150:230] = cv2.GaussianBlur(canvas[150:230], (0, 0), 2.0)
    _floor(canvas, camera, chance, 34.0, (58, 128, 104), (84, 150, 132))
    _rails(canvas, camera, 20.0, (205, 212, 214))
    return canvas


def _paint_arena(camera: SimulatedCamera, chance: np.random.Generator) -> Canvas:
    canvas = _flat((96, 104, 108))
    bottom = _floor(canvas, camera, chance, 17.0, (124, 158, 180), (104, 134, 152))
    _boards(canvas, chance, bottom, (150, 156, 158), 80)
    top = bottom - int(1.3 * FOCAL_PX / 17.0)
    canvas[top:bottom] = np.array([46, 74, 98]) + _grain(
        chance, (bottom - top, WIDTH_PX), (8, 30), 5.0
    )
    for left in range(30, WIDTH_PX, 190):
        cv2.rectangle(canvas, (left, 40), (left + 120, 110), (228, 226, 218), -1)
    return canvas


_PAINTERS: dict[str, Callable[[SimulatedCamera, np.random.Generator], Canvas]] = {
    "stall": _paint_stall,
    "aisle": _paint_aisle,
    "paddock": _paint_paddock,
    "arena": _paint_arena,
}

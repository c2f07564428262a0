"""One simulated camera: pictures and ground truth as pure functions of time."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from engine.domain.errors import OperatorMistake
from engine.domain.frames import Image
from engine.simulation.cameras import FPS, HEIGHT_PX, WIDTH_PX, SimulatedCamera
from engine.simulation.farm import SimulatedFarm
from engine.simulation.lighting import exposure
from engine.simulation.looks import SimulatedHorse, herd
from engine.simulation.programmes import SCENE_HORSES, scene
from engine.simulation.rendering import render
from engine.simulation.scenarios import HORSES_AT_MOST
from engine.simulation.site import CAMERAS
from engine.simulation.truth import BarnTruth


class SimulatedBarn:
    """One camera's view of a farm.

    Without a ``farm`` the horses are this camera's own: they stay in its view, ``horses`` of them
    (None takes the camera's usual number). With a farm, the camera shows whoever of its herd is
    there. Raises OperatorMistake for an unknown camera or an impossible number of horses.
    """

    def __init__(
        self,
        camera: str,
        seed: int = 0,
        horses: int | None = None,
        farm: SimulatedFarm | None = None,
        size_px: tuple[int, int] = (WIDTH_PX, HEIGHT_PX),
    ) -> None:
        self.camera: SimulatedCamera = _camera(camera).sized(*size_px)
        self.seed = seed
        self.farm = farm or _scene_farm(self.camera.name, seed, horses)

    def picture_at(self, t_s: float) -> Image:
        """The camera's picture at a time, uint8 ``(h, w, 3)`` BGR, a new array."""
        picture = render(self.farm, self.camera, t_s)
        index = round(t_s * FPS)
        dy, dx = index * 29 % 61, index * 37 % 59
        height, width = self.camera.height_px, self.camera.width_px
        seen = exposure(self.camera, self.farm.daylight, t_s)
        noise = _noise(width, height, round(seen.noise * 8), seen.infrared)
        return np.asarray(cv2.add(picture, noise[dy : dy + height, dx : dx + width]), np.uint8)

    def truth_at(self, t_s: float) -> BarnTruth:
        """Everything there is to know about the picture at a time."""
        return self.farm.truth_at(self.camera, t_s)


def _scene_farm(camera: str, seed: int, horses: int | None) -> SimulatedFarm:
    count = SCENE_HORSES[camera] if horses is None else horses
    _check_count(count)
    everyone = _scene_herd(camera, seed, count)
    return SimulatedFarm(everyone, scene(camera, everyone, seed))


def _scene_herd(camera: str, seed: int, count: int) -> tuple[SimulatedHorse, ...]:
    """Each camera's own horses out of one herd, so that usual scenes share no horse."""
    names = list(SCENE_HORSES)
    first = sum(SCENE_HORSES[name] for name in names[: names.index(camera)])
    everyone = herd(seed, max(sum(SCENE_HORSES.values()), first + count))
    return everyone[first : first + count]


def _check_count(count: int) -> None:
    if not 0 <= count <= HORSES_AT_MOST:
        raise OperatorMistake(f"A simulated camera holds 0 to {HORSES_AT_MOST} horses.")


def _camera(name: str) -> SimulatedCamera:
    if name not in CAMERAS:
        raise OperatorMistake(
            f"There is no simulated camera {name!r}.", f"There are {', '.join(CAMERAS)}."
        )
    return CAMERAS[name]


@lru_cache(maxsize=16)
def _noise(width_px: int, height_px: int, strength: int, grey: bool) -> Image:
    """The sensor's noise, larger than the picture; pictures take it from shifting corners."""
    chance = np.random.default_rng(11)
    size = (height_px + 64, width_px + 64, 1 if grey else 3)
    noise = chance.integers(0, strength + 1, size, np.uint8)
    return np.ascontiguousarray(np.broadcast_to(noise, (*size[:2], 3)))

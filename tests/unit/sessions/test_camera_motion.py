"""The camera's own movement, from pictures whose movement is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.domain.frames import Image
from engine.sessions.camera_motion import CameraMotion

NOBODY = np.zeros((0, 4), np.float32)
SIZE = (640, 360)


class Still:
    """A picture of an array (Picture)."""

    def __init__(self, bgr: Image) -> None:
        self._bgr = bgr
        self.height_px, self.width_px = bgr.shape[:2]

    def scaled_bgr(self, width_px: int, height_px: int) -> Image:
        return np.asarray(
            cv2.resize(self._bgr, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8
        )

    def scaled_bgra(self, width_px: int, height_px: int) -> Image:
        raise NotImplementedError

    def warped_bgr(
        self, matrix: NDArray[np.float64], width_px: int, height_px: int, fill: int = 0
    ) -> Image:
        raise NotImplementedError


@pytest.fixture(scope="module")
def scene() -> Image:
    """A wide scene with structure at all sizes."""
    chance = np.random.default_rng(4)
    whole = np.zeros((500, 2000, 3), np.float32)
    for size in (8, 24, 80):
        rough = chance.uniform(0, 90, (500 // size + 2, 2000 // size + 2, 3)).astype(np.float32)
        whole += cv2.resize(rough, (2000, 500), interpolation=cv2.INTER_CUBIC)
    return np.clip(whole, 0, 255).astype(np.uint8)


def view(scene: Image, x: float, y: float, horse_x: float | None = None) -> Still:
    matrix = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
    picture = np.asarray(cv2.warpAffine(scene, matrix, SIZE), np.uint8)
    if horse_x is not None:
        left = int(horse_x)
        stripes = np.arange(200) % 16 < 8
        picture[100:300, left : left + 260] = np.where(stripes[:, None, None], 30, 220)
    return Still(picture)


def followed(scene: Image, places: list[tuple[float, float]]) -> CameraMotion:
    motion = CameraMotion()
    for x, y in places:
        motion.follow(view(scene, x, y), NOBODY)
    return motion


def test_a_pan_is_followed(scene: Image) -> None:
    places = [(10.0 + 7.0 * n, 30.0 + 1.5 * n) for n in range(40)]
    found = followed(scene, places).camera_px()
    assert found is not None and found.shape == (40, 2)
    # What stands still moves against the camera.
    assert found[-1] == pytest.approx((-7.0 * 39, -1.5 * 39), rel=0.03)


def test_a_camera_that_stands_is_still_and_one_that_shakes_too(scene: Image) -> None:
    assert followed(scene, [(50.0, 30.0)] * 20).camera_px() is None
    shaken = [(50.0 + 2.0 * np.sin(n), 30.0 + np.cos(n)) for n in range(30)]
    assert followed(scene, shaken).camera_px() is None


def test_a_horse_that_runs_through_is_not_the_camera(scene: Image) -> None:
    motion = CameraMotion()
    for n in range(25):
        left = 12.0 * n
        box = np.array([[left - 12, 100, left + 248, 300]], np.float32)
        motion.follow(view(scene, 50.0, 30.0, left), box)
    assert motion.camera_px() is None


def test_a_camera_that_keeps_up_with_the_horse_moves(scene: Image) -> None:
    motion = CameraMotion()
    box = np.array([[180, 100, 440, 300]], np.float32)
    for n in range(30):
        motion.follow(view(scene, 20.0 + 9.0 * n, 30.0, 180.0), box)
    found = motion.camera_px()
    assert found is not None and found[-1, 0] == pytest.approx(-9.0 * 29, rel=0.05)


def test_what_cannot_be_told_is_not(scene: Image) -> None:
    blank = Still(np.full((360, 640, 3), 90, np.uint8))
    motion = CameraMotion()
    for n in range(10):
        motion.follow(view(scene, 10.0 * n, 30.0) if n % 2 else blank, NOBODY)
    found = motion.camera_px()
    assert found is not None and np.isnan(found[1:]).all()

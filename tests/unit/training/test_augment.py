"""Augmentation keeps labels on the animal and exchanges sides when it mirrors."""

from __future__ import annotations

import numpy as np

from engine.domain.geometry import crop_affine
from engine.domain.skeletons import EQUINE26
from engine.training.augment import (
    PoseVariation,
    mirrored,
    occluded,
    place,
    placement,
    recoloured,
    vary,
)


def _picture(seed: int = 0, side: int = 96) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def _landmarks(side: int = 96) -> np.ndarray:
    rng = np.random.default_rng(1)
    marks = np.ones((26, 3), np.float32)
    marks[:, :2] = rng.uniform(20, side - 20, (26, 2))
    return marks


def test_mirroring_exchanges_left_and_right() -> None:
    picture, marks = _picture(), _landmarks()
    left, right = EQUINE26.landmarks.index("left_stifle"), EQUINE26.landmarks.index("right_stifle")
    marks[left] = (10.0, 30.0, 1.0)
    marks[right] = (50.0, 40.0, 0.0)

    turned_picture, turned = mirrored(picture, marks)

    assert turned[right].tolist() == [95.0 - 10.0, 30.0, 1.0]
    assert turned[left].tolist() == [95.0 - 50.0, 40.0, 0.0]
    assert np.array_equal(turned_picture[:, 0], picture[:, -1])


def test_landmarks_without_sides_stay_themselves_when_mirrored() -> None:
    picture, marks = _picture(), _landmarks()
    poll = EQUINE26.landmarks.index("poll")

    _, turned = mirrored(picture, marks)

    assert turned[poll, 0] == 95.0 - marks[poll, 0]
    assert turned[poll, 1] == marks[poll, 1]


def test_mirroring_twice_changes_nothing() -> None:
    picture, marks = _picture(), _landmarks()
    again_picture, again = mirrored(*mirrored(picture, marks))
    assert np.array_equal(again_picture, picture)
    assert np.allclose(again, marks)


def test_a_plain_placement_is_the_crop_the_engine_makes() -> None:
    box = np.array([10, 30, 70, 60], np.float32)
    expected = crop_affine(box, 192, 192, 1.25)
    assert np.allclose(placement(box, 192, 1.25, 1.0, 0.0, (0.0, 0.0)), expected)


def test_landmarks_move_with_the_picture() -> None:
    picture = np.zeros((96, 96, 3), np.uint8)
    marks = np.zeros((26, 3), np.float32)
    marks[0] = (40.0, 60.0, 1.0)
    picture[60, 40] = 255
    box = np.array([8, 8, 88, 88], np.float32)

    matrix = placement(box, 192, 1.25, 1.2, 25.0, (0.05, -0.03))
    placed, moved = place(picture, marks, matrix, 192)

    y, x = np.unravel_index(placed[:, :, 0].argmax(), (192, 192))
    assert abs(x - moved[0, 0]) <= 1.5 and abs(y - moved[0, 1]) <= 1.5


def test_landmarks_that_leave_the_picture_are_not_asked_for() -> None:
    marks = _landmarks()
    marks[3] = (94.0, 94.0, 1.0)
    box = np.array([20, 20, 60, 60], np.float32)
    _, moved = place(_picture(), marks, placement(box, 64, 1.0, 1.0, 0.0, (0.0, 0.0)), 64)
    assert moved[3, 2] == 0.0


def test_variants_are_decided_by_the_seed() -> None:
    box = np.array([10, 10, 80, 80], np.float32)

    def variant(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        other = (_picture(5), _landmarks())
        return vary(_picture(), _landmarks(), box, other, _picture(7), 64, rng, PoseVariation())

    assert np.array_equal(variant(3)[0], variant(3)[0])
    assert not np.array_equal(variant(3)[0], variant(4)[0])
    assert variant(3)[0].shape == (64, 64, 3) and variant(3)[0].dtype == np.uint8


def test_occlusion_covers_only_part_of_the_picture() -> None:
    picture = np.zeros((96, 96, 3), np.uint8)
    other = np.full((96, 96, 3), 255, np.uint8)
    covered = occluded(picture, other, np.random.default_rng(0))
    share = (covered > 0).any(axis=2).mean()
    assert 0.0 < share < 0.6
    assert not picture.any()


def test_grey_pictures_have_one_level_a_pixel() -> None:
    how = PoseVariation(colour=0, grey=1, dark=0, blur=0, noise=0)
    grey = recoloured(_picture(), np.random.default_rng(0), how)
    assert (grey[..., 0] == grey[..., 1]).all() and (grey[..., 1] == grey[..., 2]).all()

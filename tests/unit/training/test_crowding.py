"""Crowded horses: another one before or behind, another background, labels untouched."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from engine.domain.skeletons import EQUINE26
from engine.training.crowding import crowded, horse_mask, on_background, without_rider
from engine.training.pseudo_labels import LEAST_LANDMARKS, WEIGHT, joined, pseudo_labelled

SIDE = 288
_SPOTS = {
    "nose": (60, 120), "poll": (80, 80), "withers": (120, 100), "hip": (200, 100),
    "tail_base": (215, 110), "left_elbow": (115, 160), "right_elbow": (125, 160),
    "left_stifle": (185, 160), "right_stifle": (195, 160), "left_carpus": (110, 200),
    "right_carpus": (130, 200), "left_hock": (200, 200), "right_hock": (215, 200),
    "left_front_hoof": (110, 245), "right_front_hoof": (130, 245), "left_hind_hoof": (195, 245),
    "right_hind_hoof": (215, 245),
}  # fmt: skip


def _marks() -> np.ndarray:
    marks = np.zeros((26, 3), np.float32)
    for name, (x, y) in _SPOTS.items():
        marks[EQUINE26.landmarks.index(name)] = (x, y, 1.0)
    return marks


def _plain(value: int) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def test_the_mask_holds_the_trunk_and_not_the_sky() -> None:
    mask = horse_mask(_marks(), SIDE, SIDE)
    assert mask is not None
    assert mask[130, 160] == 255 and mask[20, 160] == 0
    assert horse_mask(np.zeros((26, 3), np.float32), SIDE, SIDE) is None


def test_crowding_changes_pixels_where_the_other_horse_was_put() -> None:
    rng = np.random.default_rng(4)
    for _ in range(8):
        picture, other = crowded(_plain(50), _marks(), _plain(200), _marks(), rng)
        assert other is not None
        assert picture.max() > 150, "the other horse is seen"
        assert (picture == 50).mean() > 0.3, "it does not cover everything"


def test_a_horse_behind_never_covers_the_one_in_front() -> None:
    mine = horse_mask(_marks(), SIDE, SIDE)
    assert mine is not None
    core = cv2.erode(mine, np.ones((15, 15), np.uint8)) > 0
    whole = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        picture, _ = crowded(_plain(50), _marks(), _plain(200), _marks(), rng)
        whole += int(picture[core].max() < 80)
    assert 2 <= whole <= 10, "about half of them stand behind"


def test_an_unknown_outline_leaves_the_picture_alone() -> None:
    rng = np.random.default_rng(1)
    empty = np.zeros((26, 3), np.float32)
    picture, other = crowded(_plain(50), _marks(), _plain(200), empty, rng)
    assert other is None and (picture == 50).all()
    assert (on_background(_plain(50), empty, _plain(9), rng) == 50).all()


def test_the_background_is_exchanged_and_the_horse_kept() -> None:
    picture = on_background(_plain(50), _marks(), _plain(200), np.random.default_rng(1))
    assert abs(int(picture[130, 160, 0]) - 50) < 8
    assert abs(int(picture[10, 10, 0]) - 200) < 8


def _teacher_that_sees_the_spot(noise: float) -> Callable[[np.ndarray], np.ndarray]:
    """Puts every landmark on the brightest pixel, off by ``noise`` cells: answers of the variants
    agree exactly when they were carried back to the crop rightly."""
    rng = np.random.default_rng(0)

    def predict(pictures: np.ndarray) -> np.ndarray:
        maps = np.full((len(pictures), 26, 48, 48), 1e-6, np.float32)
        for row, picture in enumerate(pictures):
            bright = cv2.GaussianBlur(picture[:, :, 0], (5, 5), 0)
            y, x = np.unravel_index(int(bright.argmax()), bright.shape)
            jitter = rng.normal(0, noise, 2)
            for landmark in range(26):
                cell = np.clip(np.array([y, x]) / 4 + jitter, 2, 45).astype(int)
                maps[row, landmark, cell[0], cell[1]] = 0.9
        return maps

    return predict


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_rider_is_covered_and_the_horse_below_kept(mirrored: bool) -> None:
    marks = _marks()
    if mirrored:
        marks[:, 0] = SIDE - 1 - marks[:, 0]
    covered = without_rider(_plain(90), marks, _plain(200), np.random.default_rng(0))
    seat = SIDE - 1 - 160 if mirrored else 160
    assert (covered[60, seat] == 200).all()
    assert (covered[108:] == 90).all()
    assert (covered[60, SIDE - 1 - 80 if mirrored else 80] == 90).all()  # the neck


def test_horses_from_the_front_and_unknown_backs_keep_their_riders() -> None:
    marks = _marks()
    marks[EQUINE26.landmarks.index("hip"), 2] = 0.0
    kept = without_rider(_plain(90), marks, _plain(200), np.random.default_rng(0))
    assert (kept == 90).all()
    marks = _marks()
    marks[EQUINE26.landmarks.index("hip"), :2] = (122.0, 95.0)
    kept = without_rider(_plain(90), marks, _plain(200), np.random.default_rng(0))
    assert (kept == 90).all()


@pytest.mark.parametrize(("noise", "kept"), [(0.0, 1), (14.0, 0)])
def test_pictures_are_kept_only_where_the_answers_agree(noise: float, kept: int) -> None:
    picture = _plain(0)
    cv2.circle(picture, (150, 140), 6, (255, 255, 255), -1)
    box = np.array([50, 60, 240, 250], np.float32)
    found = pseudo_labelled(
        _teacher_that_sees_the_spot(noise), "some", iter([("a.png", picture, box)]), 192
    )
    assert len(found) == kept
    if kept:
        assert (found.landmarks[0, :, 2] > 0).sum() >= LEAST_LANDMARKS
        assert found.landmarks[0, :, 2].max() == np.float32(WEIGHT)
        assert len(joined([found, found])) == 2

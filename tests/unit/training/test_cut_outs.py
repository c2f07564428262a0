"""Horses laid before each other: boxes are those of what is left to be seen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.domain.detections import SubjectClass
from engine.training.cut_outs import CutOut, drawn, extent, read_cut_outs, with_horses
from engine.training.detector_data import Sample
from engine.training.pose_data import is_held_out

HORSE, PERSON = int(SubjectClass.HORSE), int(SubjectClass.PERSON)


def _empty(boxes: tuple[tuple[int, ...], ...] = (), classes: tuple[int, ...] = ()) -> Sample:
    return Sample(
        np.full((240, 320, 3), 60, np.uint8),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(classes, np.int16),
        np.zeros((0, 4), np.float32),
    )


def _horse(level: int) -> CutOut:
    return CutOut(np.full((80, 120, 3), level, np.uint8), np.full((80, 120), 255, np.uint8))


@pytest.mark.parametrize("seed", range(12))
def test_the_last_horse_is_whole_and_those_behind_it_are_cut(seed: int) -> None:
    horses = [_horse(40), _horse(200)]
    scene = with_horses(_empty(), horses, np.random.default_rng(seed))
    told = len(scene.boxes) + len(scene.ignored)
    assert 1 <= told <= 2 and (scene.class_ids == HORSE).all()
    for x1, y1, x2, y2 in scene.boxes:
        assert 0 <= x1 < x2 <= 320 and 0 <= y1 < y2 <= 240
        assert (scene.picture[int(y1) : int(y2), int(x1) : int(x2)] != 60).any()


def test_a_covered_person_is_neither_asked_for_nor_refused() -> None:
    far, covered = (300, 0, 318, 20), (100, 100, 130, 130)
    sample = _empty((far, covered), (PERSON, PERSON))
    for seed in range(40):
        scene = with_horses(sample, [_horse(200)], np.random.default_rng(seed))
        hidden = [tuple(int(v) for v in box) for box in scene.ignored]
        persons = [tuple(int(v) for v in b) for b in scene.boxes[scene.class_ids == PERSON]]
        assert sorted([*hidden, *persons]) == sorted([far, covered])
        if covered in hidden:
            return
    pytest.fail("no horse covered the person in 40 scenes")


def test_the_picture_given_is_left_as_it_was() -> None:
    sample = _empty()
    with_horses(sample, [_horse(200)], np.random.default_rng(1))
    assert (sample.picture == 60).all()


def test_cut_outs_come_from_masks_and_not_from_held_out_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "stable"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    names = [f"h{n}.png" for n in range(40)]
    kept = [n for n in names if not is_held_out(f"stable/{n}")]
    assert 0 < len(kept) < len(names)
    mask = np.zeros((60, 90), np.uint8)
    mask[10:50, 20:80] = 255
    for name in names:
        cv2.imwrite(str(folder / "images" / name), np.full((120, 180, 3), 90, np.uint8))
        cv2.imwrite(str(folder / "masks" / name), mask)
    found = read_cut_outs(tmp_path)
    assert len(found) == len(kept)
    assert found[0].picture.shape == (80, 120, 3) and found[0].mask.shape == (80, 120)
    assert 1 <= len(drawn(found, np.random.default_rng(1))) <= 3


def test_an_empty_mask_has_no_extent() -> None:
    assert extent(np.zeros((5, 5), np.uint8)) == (0, 0, 0, 0)

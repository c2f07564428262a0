"""Close-ups of labelled pictures: what stays in the window and what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.domain.detections import SubjectClass
from engine.training.close_ups import LEAST_FILLED, LEAST_SHOWN, close_up
from engine.training.detector_data import LabelledPicture

HORSE, PERSON = int(SubjectClass.HORSE), int(SubjectClass.PERSON)


def _labelled(boxes: Sequence[Sequence[float]], kinds: Sequence[int]) -> LabelledPicture:
    return LabelledPicture(
        Path("none"), np.array(boxes, np.float32).reshape(-1, 4), np.array(kinds, np.int16),
        np.array([(0, 0, 30, 30)], np.float32), "looks", "one", len(boxes),
    )  # fmt: skip


def _numbered(height: int, width: int) -> np.ndarray:
    """A picture whose pixels say where they are: x in the first channel, y in the second."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.uint8)


def test_labels_follow_the_window() -> None:
    picture, horse = _numbered(200, 250), np.array((60, 40, 190, 160), np.float32)
    labelled, seen = _labelled([horse], [HORSE]), 0
    for seed in range(60):
        answer = close_up(picture, labelled, np.random.default_rng(seed))
        if answer is None:
            continue
        seen += 1
        window, known = answer
        left, top = (int(v) for v in window[0, 0, :2])
        height, width = window.shape[:2]
        np.testing.assert_array_equal(window, picture[top : top + height, left : left + width])
        wanted = np.clip(horse - [left, top, left, top], 0, [width, height, width, height])
        np.testing.assert_allclose(known.boxes_xyxy_px, [wanted], atol=1e-4)
        area = float(np.prod(wanted[2:] - wanted[:2]))
        shown, fills = area / (130 * 120), area / (width * height)
        assert shown >= LEAST_SHOWN or fills >= LEAST_FILLED
        assert known.class_ids.tolist() == [HORSE] and known.annotated == 0
    assert seen > 40


def test_what_is_cut_too_far_is_neither_there_nor_not() -> None:
    """Another horse of which a corner is seen."""
    labelled = _labelled([(20, 40, 180, 160), (150, 30, 240, 100)], [HORSE, HORSE])
    kinds = set()
    for seed in range(80):
        answer = close_up(_numbered(200, 250), labelled, np.random.default_rng(seed))
        if answer is not None:
            known = answer[1]
            doubtful = len(known.ignored_xyxy_px) - (answer[0][0, 0, :2] < 30).all()
            kinds.add((len(known.boxes_xyxy_px), int(doubtful)))
            sides = known.ignored_xyxy_px[:, 2:] - known.ignored_xyxy_px[:, :2]
            assert (sides > 0).all()
    assert {(1, 0), (1, 1), (2, 0)} <= kinds


def test_small_animals_and_people_have_none() -> None:
    rng = np.random.default_rng(0)
    picture = _numbered(200, 250)
    assert close_up(picture, _labelled([(10, 10, 60, 60)], [HORSE]), rng) is None
    assert close_up(picture, _labelled([(10, 10, 160, 160)], [PERSON]), rng) is None
    assert close_up(picture, _labelled([], []), rng) is None

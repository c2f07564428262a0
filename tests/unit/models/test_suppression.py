"""Non-maximum suppression against a plain definition of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.geometry import iou_matrix
from engine.models.suppression import CANDIDATES_MAX, suppress


def greedy(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, iou: float) -> list[int]:
    """The definition: best first; drop what overlaps a kept box of its class by more than iou."""
    overlaps = iou_matrix(boxes, boxes)
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        if all(classes[row] != classes[k] or overlaps[row, k] <= iou for k in kept):
            kept.append(row)
    return kept


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.sampled_from([0.3, 0.5, 0.7]))
def test_it_is_the_greedy_definition(seed: int, count: int, iou: float) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corners, corners + random.uniform(10, 50, (count, 2))], axis=1)
    boxes = boxes.astype(np.float32)
    scores = random.permutation(np.linspace(0.1, 0.9, count)).astype(np.float32)
    classes = random.integers(0, 3, count).astype(np.int16)
    rows = suppress(boxes, scores, classes, iou, 300)
    assert rows.tolist() == greedy(boxes, scores, classes, iou)


def test_a_rider_is_not_suppressed_by_the_horse_below() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], np.float32)
    rows = suppress(boxes, np.array([0.9, 0.8], np.float32), np.array([0, 1], np.int16), 0.5, 300)
    assert rows.tolist() == [0, 1]


def test_the_number_kept_is_bounded_and_the_best_stay() -> None:
    count = CANDIDATES_MAX + 200
    left = np.arange(count, dtype=np.float32)[:, None] * 20
    boxes = np.concatenate([left, left * 0, left + 10, left * 0 + 10], axis=1)
    scores = np.linspace(0.1, 0.9, count).astype(np.float32)
    rows = suppress(boxes, scores, np.zeros((count,), np.int16), 0.5, 50)
    assert rows.tolist() == list(range(count - 1, count - 51, -1))

"""PCK, recall and threshold arithmetic on cases small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.training.accuracy import (
    bootstrap_interval,
    landmark_errors,
    match_boxes,
    recall_at,
    threshold_at_false_pictures,
)


def _labels() -> np.ndarray:
    # One animal whose labelled box is 30 x 40: diagonal 50. The third point is not labelled.
    return np.array([[[0, 0, 1], [30, 40, 1], [500, 500, 0]]], np.float32)


def test_errors_are_relative_to_the_diagonal_of_the_labelled_points() -> None:
    found = np.array([[[3, 4], [30, 37], [0, 0]]], np.float32)
    errors = landmark_errors(found, _labels())
    assert errors.relative[0, :2] == pytest.approx([0.1, 0.06])
    assert np.isnan(errors.relative[0, 2])
    assert errors.points == 2


def test_pck_counts_labelled_points_nearer_than_the_share() -> None:
    found = np.array([[[3, 4], [30, 37], [0, 0]]], np.float32)
    errors = landmark_errors(found, _labels())
    assert errors.pck(0.05) == 0.0
    assert errors.pck(0.07) == 0.5
    assert errors.pck(0.11) == 1.0


def test_pck_by_landmark_is_unknown_where_nothing_is_labelled() -> None:
    found = np.array([[[3, 4], [30, 37], [0, 0]]], np.float32)
    by_landmark = landmark_errors(found, _labels()).pck_by_landmark(0.07)
    assert by_landmark[0] == 0.0 and by_landmark[1] == 1.0 and np.isnan(by_landmark[2])


def test_a_label_is_found_once() -> None:
    labels = np.array([[0, 0, 10, 10]], np.float32)
    boxes = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    matches = match_boxes(boxes, np.array([0.9, 0.8, 0.7], np.float32), labels)
    assert matches.matched.tolist() == [True, False, False]
    assert matches.labels == 1


def test_recall_counts_every_label_of_every_picture() -> None:
    labels = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    boxes = np.array([[0, 0, 10, 10]], np.float32)
    found = match_boxes(boxes, np.array([0.6], np.float32), labels)
    nothing = match_boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), labels)
    assert recall_at([found, nothing], 0.5) == 0.25
    assert recall_at([found, nothing], 0.7) == 0.0


@pytest.mark.parametrize(("count", "allowed"), [(200, 2), (50, 0)])
def test_the_threshold_lets_at_most_one_in_a_hundred_negatives_alarm(
    count: int, allowed: int
) -> None:
    scores = np.random.default_rng(0).uniform(0, 1, count).astype(np.float32)
    threshold = threshold_at_false_pictures(scores)
    assert (scores >= threshold).sum() == allowed


def test_the_interval_holds_the_mean_and_draws_whole_horses() -> None:
    values = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    low, high = bootstrap_interval(values, ("a", "a", "a", "b", "b", "b"))
    assert (low, high) == (0.0, 1.0)
    alone = bootstrap_interval(values, ("a",) * 6)
    assert alone == (0.5, 0.5)

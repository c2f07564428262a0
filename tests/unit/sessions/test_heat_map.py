"""Where a horse was, as a grid."""

from __future__ import annotations

import numpy as np
import pytest

from engine.domain.sessions import HeatMapUnit
from engine.sessions.heat_map import CELL_M, MOST_CELLS, heat_map


def test_seconds_are_kept_and_lie_where_the_horse_was() -> None:
    places = np.array([[0.1, 0.1], [0.1, 0.1], [0.9, 0.6]])
    made = heat_map(places, np.array([1.0, 2.0, 4.0]), HeatMapUnit.SHARES)
    assert made is not None and made.bounds == (0.0, 0.0, 1.0, 1.0)
    rows, columns = made.seconds.shape
    assert made.seconds[int(0.1 * rows), int(0.1 * columns)] == 3.0
    assert made.seconds[int(0.6 * rows), int(0.9 * columns)] == 4.0
    assert made.seconds.sum() == pytest.approx(7.0)


def test_the_ground_has_cells_of_half_a_metre_on_whole_ones() -> None:
    places = np.array([[-1.2, 3.1], [4.9, 8.0]])
    made = heat_map(places, np.ones(2), HeatMapUnit.METRES)
    assert made is not None
    x0, y0, x1, y1 = made.bounds
    assert (x0, y0) == (-1.5, 3.0) and x1 >= 4.9 and y1 >= 8.0
    assert (x1 - x0) / made.seconds.shape[1] == pytest.approx(CELL_M)
    assert made.seconds.sum() == 2.0


def test_a_wide_ground_has_larger_cells_and_places_at_the_horizon_are_left_out() -> None:
    places = np.array([[0.0, 0.0], [150.0, 20.0], [5000.0, 3.0], [np.nan, 1.0]])
    made = heat_map(places, np.ones(4), HeatMapUnit.METRES)
    assert made is not None and max(made.seconds.shape) <= MOST_CELLS + 1
    assert made.seconds.sum() == 2.0


def test_no_place_is_no_map() -> None:
    assert heat_map(np.full((3, 2), np.nan), np.ones(3), HeatMapUnit.METRES) is None

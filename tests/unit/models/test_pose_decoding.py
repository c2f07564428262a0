"""SimCC and heat-map decoding on outputs whose landmarks are known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.models.pose_decoding import decode_heatmaps, decode_simcc


def gaussian_maps(centres: np.ndarray, height: int, width: int, sigma: float) -> np.ndarray:
    """Heat maps (N, K, h, w) with peak 1 at ``centres`` (N, K, 2), in cells."""
    y, x = np.mgrid[0:height, 0:width]
    dx = x - centres[..., 0, None, None]
    dy = y - centres[..., 1, None, None]
    return np.exp(-(dx**2 + dy**2) / (2 * sigma**2)).astype(np.float32)


def test_simcc_is_the_bin_over_the_split_ratio_and_the_lower_peak() -> None:
    x = np.zeros((2, 3, 512), np.float32)
    y = np.zeros((2, 3, 384), np.float32)
    x[1, 2, 301], y[1, 2, 77] = 0.9, 0.6
    x[0, 0, 511], y[0, 0, 383] = 1.7, 1.2
    x[0, 1, 10], y[0, 1, 10] = 0.5, -0.1
    y[0, 1] -= 0.2
    keypoints, scores = decode_simcc(x, y)
    assert keypoints[1, 2].tolist() == [150.5, 38.5]
    assert scores[1, 2] == np.float32(0.6)
    assert keypoints[0, 0].tolist() == [255.5, 191.5]
    assert scores[0, 0] == 1.0
    assert scores[0, 1] == 0.0
    assert keypoints.dtype == scores.dtype == np.float32


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0])
def test_the_peak_of_a_gaussian_is_found_below_a_cell(sigma: float) -> None:
    centres = np.random.default_rng(1).uniform(4, 43, (5, 7, 2))
    keypoints, scores = decode_heatmaps(gaussian_maps(centres, 48, 48, sigma), 192, 192)
    # A smoothed sampled Gaussian stays one: what is left is rounding, a hundredth of a cell.
    np.testing.assert_allclose(keypoints / 4.0, centres, atol=0.02)
    assert (scores > 0.7).all()


def test_both_axes_have_their_own_scale() -> None:
    keypoints, _ = decode_heatmaps(gaussian_maps(np.array([[[10.0, 20.0]]]), 64, 32, 1.5), 128, 192)
    np.testing.assert_allclose(keypoints, [[[40.0, 60.0]]], atol=0.05)


def test_a_stretched_and_turned_peak_is_found_too() -> None:
    y, x = np.mgrid[0:48, 0:48]
    u, v = (x - 20.3) + (y - 25.7), (x - 20.3) - (y - 25.7)
    ridge = np.exp(-(u**2) / 20 - (v**2) / 6).astype(np.float32)
    keypoints, _ = decode_heatmaps(ridge[None, None], 48, 48)
    np.testing.assert_allclose(keypoints[0, 0], [20.3, 25.7], atol=0.05)


@pytest.mark.parametrize("cell", [(0, 0), (47, 47), (0, 30), (30, 47)])
def test_a_peak_on_the_border_stays_inside(cell: tuple[int, int]) -> None:
    maps = np.zeros((1, 1, 48, 48), np.float32)
    maps[0, 0, cell[1], cell[0]] = 0.8
    keypoints, scores = decode_heatmaps(maps, 192, 192)
    assert (keypoints >= 0).all()
    assert (keypoints <= 188).all()
    np.testing.assert_allclose(keypoints[0, 0] / 4, cell, atol=0.51)
    assert scores[0, 0] == np.float32(0.8)


def test_flat_and_negative_maps_give_no_score_and_no_nonsense() -> None:
    keypoints, scores = decode_heatmaps(np.full((1, 2, 8, 8), -0.5, np.float32), 32, 32)
    assert np.isfinite(keypoints).all()
    assert scores.tolist() == [[0.0, 0.0]]

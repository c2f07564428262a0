"""Pixels to network input."""

from __future__ import annotations

import numpy as np
import pytest

from engine.models.manifest import InputSpec
from engine.models.normalisation import Normaliser


@pytest.mark.parametrize("colour", ["bgr", "rgb"])
def test_it_is_value_minus_mean_over_std_in_the_models_channel_order(colour: str) -> None:
    spec = InputSpec.model_validate(
        {
            "width_px": 8,
            "height_px": 4,
            "colour": colour,
            "mean": (10.0, 20.0, 30.0),
            "std": (2.0, 4.0, 8.0),
        }
    )
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 3), np.uint8)
    order = [0, 1, 2] if colour == "bgr" else [2, 1, 0]
    expected = (pictures[..., order].astype(np.float64) - (10, 20, 30)) / (2, 4, 8)
    tensor = Normaliser(spec)(pictures)
    assert tensor.dtype == np.float32
    assert tensor.shape == (3, 3, 4, 8)
    np.testing.assert_allclose(tensor, expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-5)

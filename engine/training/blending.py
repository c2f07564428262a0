"""Weights between a start and its fine-tuning (Wortsman et al. 2022, WiSE-FT).

They keep what the start knew and the small new data does not show.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def between(
    start: Mapping[str, Tensor], tuned: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """The state ``share`` (0..1) of the way from ``start`` to ``tuned``, both of one network
    without normalisations (folded). Entries that are no floating point numbers stay the start's."""
    return {
        name: torch.lerp(value, tuned[name], share) if value.is_floating_point() else value
        for name, value in start.items()
    }

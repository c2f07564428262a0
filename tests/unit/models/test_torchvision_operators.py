"""The substitute for torchvision's suppression operator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.domain.geometry import iou_matrix
from engine.models.torchvision_operators import ensure_torchvision, non_maximum_suppression


@pytest.mark.parametrize("seed", range(8))
def test_it_keeps_what_the_definition_keeps(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 60, (40, 2))
    boxes = np.concatenate([corners, corners + random.uniform(10, 50, (40, 2))], axis=1)
    boxes = boxes.astype(np.float32)
    scores = random.permutation(np.linspace(0.1, 0.9, 40)).astype(np.float32)
    overlaps = iou_matrix(boxes, boxes)
    kept: list[int] = []
    for row in np.argsort(-scores).tolist():
        if all(overlaps[row, other] <= 0.5 for other in kept):
            kept.append(row)
    found = non_maximum_suppression(torch.from_numpy(boxes), torch.from_numpy(scores), 0.5)
    assert found.tolist() == kept
    assert found.dtype == torch.int64


def test_nothing_in_nothing_out() -> None:
    found = non_maximum_suppression(torch.zeros((0, 4)), torch.zeros((0,)), 0.5)
    assert found.shape == (0,)
    assert found.dtype == torch.int64


def test_torchvision_can_be_imported_and_suppresses() -> None:
    used = ensure_torchvision()
    assert used == ensure_torchvision()
    from torchvision.ops import nms

    boxes = torch.tensor([[0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]], dtype=torch.float32)
    assert nms(boxes, torch.tensor([0.5, 0.9, 0.3]), 0.5).tolist() == [1, 2]

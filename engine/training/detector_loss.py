"""Assignment of labels to grid cells and the detector's loss, as YOLOX does it (SimOTA)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from engine.training.detector_net import STRIDES_PX

CENTRE_RADIUS = 2.5
"""Cells within this many strides of a label's centre may answer for it (YOLOX)."""

BOX_WEIGHT = 5.0
WRONG_HORSE_WEIGHT = 2.0
"""Beyond YOLOX: cells that answer for nothing are also taught that they show no horse. Class logits
are otherwise trained at answering cells only, and stray cells on cows go on saying horse."""
_LARGEST_LOG = 8.0


def cell_grid(height_px: int, width_px: int) -> tuple[Tensor, Tensor]:
    """Cell corners (A, 2) in pixels and strides (A,) of an input of that size."""
    corners, strides = [], []
    for stride in STRIDES_PX:
        rows, columns = torch.meshgrid(
            torch.arange(height_px // stride), torch.arange(width_px // stride), indexing="ij"
        )
        cells = torch.stack([columns.flatten(), rows.flatten()], dim=1).float() * stride
        corners.append(cells)
        strides.append(torch.full((len(cells),), float(stride)))
    return torch.cat(corners), torch.cat(strides)


def decoded(rows: Tensor, corners: Tensor, strides: Tensor) -> Tensor:
    """Boxes (..., A, 4) as corners in pixels of raw rows (..., A, 5 + C)."""
    centre = rows[..., :2] * strides[:, None] + corners
    half = rows[..., 2:4].clamp(max=_LARGEST_LOG).exp() * strides[:, None] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of boxes (N, 4) and (M, 4) as (N, M)."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = (high - low).clamp(min=0).prod(dim=2)
    areas = (a[:, 2:] - a[:, :2]).prod(dim=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(dim=1)
    return overlap / (areas - overlap).clamp(min=1e-6)


def assign(
    rows: Tensor, boxes: Tensor, labels: Tensor, class_ids: Tensor, centres: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cells (F,) that answer, the label of each (F,) and their IoU (F,), for one picture.

    rows: (A, 5 + C) logits. boxes: (A, 4) decoded. labels: (N, 4), class_ids: (N,) long.
    A label gets as many cells as the sum of its ten best IoUs, those of least cost; a cell wanted
    by two labels goes to the cheaper.
    """
    nothing = torch.zeros(0, dtype=torch.long)
    if not len(labels):
        return nothing, nothing, torch.zeros(0)
    x, y = centres[:, 0][:, None], centres[:, 1][:, None]
    inside = (x > labels[:, 0]) & (x < labels[:, 2]) & (y > labels[:, 1]) & (y < labels[:, 3])
    middle = (labels[:, :2] + labels[:, 2:]) / 2
    reach = CENTRE_RADIUS * strides[:, None]
    near = ((x - middle[:, 0]).abs() < reach) & ((y - middle[:, 1]).abs() < reach)
    candidates = (inside | near).any(dim=1).nonzero()[:, 0]
    if not len(candidates):
        return nothing, nothing, torch.zeros(0)
    iou = pairwise_iou(boxes[candidates], labels)
    probabilities = (rows[candidates, 5:].sigmoid() * rows[candidates, 4:5].sigmoid()).sqrt()
    wanted = functional.one_hot(class_ids, rows.shape[1] - 5).float()
    class_cost = functional.binary_cross_entropy(
        probabilities[:, None].expand(-1, len(labels), -1).clamp(1e-6, 1 - 1e-6),
        wanted[None].expand(len(candidates), -1, -1),
        reduction="none",
    ).sum(dim=2)
    elsewhere = ~(inside & near)[candidates]
    cost = class_cost - 3.0 * (iou + 1e-8).log() + 1e5 * elsewhere
    chosen = torch.zeros_like(cost, dtype=torch.bool)
    counts = iou.topk(min(10, len(candidates)), dim=0).values.sum(dim=0).int().clamp(min=1)
    for label, count in enumerate(counts.tolist()):
        chosen[cost[:, label].topk(min(count, len(candidates)), largest=False).indices, label] = (
            True
        )
    contested = chosen.sum(dim=1) > 1
    if contested.any():
        cheapest = cost[contested].argmin(dim=1)
        chosen[contested] = functional.one_hot(cheapest, len(labels)).bool()
    cells, matched = chosen.nonzero(as_tuple=True)
    return candidates[cells], matched, iou[cells, matched]


def detector_loss(
    rows: Tensor, labels: list[Tensor], class_ids: list[Tensor], ignored: list[Tensor],
    size_px: tuple[int, int],
) -> Tensor:  # fmt: skip
    """Loss of a batch of logits (B, A, 5 + C) for pictures of (height, width) ``size_px``.

    ignored: (M, 4) a picture; a cell centred in one of them says nothing about objectness.
    """
    corners, strides = cell_grid(*size_px)
    corners, strides = corners.to(rows.device), strides.to(rows.device)
    centres = corners + strides[:, None] / 2
    boxes = decoded(rows, corners, strides)
    total, answering = rows.new_zeros(()), 0
    for index in range(len(rows)):
        with torch.no_grad():
            cells, matched, iou = assign(
                rows[index], boxes[index], labels[index], class_ids[index], centres, strides
            )
        target = torch.zeros_like(rows[index, :, 4])
        target[cells] = 1.0
        weight = 1.0 - _within(centres, ignored[index]).float()
        weight[cells] = 1.0
        objectness = functional.binary_cross_entropy_with_logits(
            rows[index, :, 4], target, weight, reduction="sum"
        )
        wrong = _wrong_horses(rows[index], (1.0 - target) * weight)
        total = total + objectness + WRONG_HORSE_WEIGHT * wrong
        if len(cells):
            answering += len(cells)
            total = total + BOX_WEIGHT * _box_loss(boxes[index, cells], labels[index][matched])
            hot = functional.one_hot(class_ids[index][matched], rows.shape[2] - 5).float()
            total = total + functional.binary_cross_entropy_with_logits(
                rows[index, cells, 5:], hot * iou[:, None], reduction="sum"
            )
    return total / max(answering, 1)


def _wrong_horses(rows: Tensor, weight: Tensor) -> Tensor:
    """Sum over cells of -log(1 - objectness x horse), weighted (A,)."""
    score = rows[:, 4].sigmoid() * rows[:, 5].sigmoid()
    return -(torch.log1p(-score.clamp(max=1.0 - 1e-4)) * weight).sum()


def _within(points: Tensor, boxes: Tensor) -> Tensor:
    """Which points (A, 2) lie in any of the boxes (M, 4)."""
    low = (points[:, None] > boxes[None, :, :2]).all(dim=2)
    high = (points[:, None] < boxes[None, :, 2:]).all(dim=2)
    return (low & high).any(dim=1)


def _box_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Sum of 1 - IoU squared (YOLOX) over matched boxes."""
    low = torch.maximum(found[:, :2], wanted[:, :2])
    high = torch.minimum(found[:, 2:], wanted[:, 2:])
    overlap = (high - low).clamp(min=0).prod(dim=1)
    areas = (found[:, 2:] - found[:, :2]).prod(dim=1) + (wanted[:, 2:] - wanted[:, :2]).prod(dim=1)
    iou = overlap / (areas - overlap).clamp(min=1e-6)
    return (1.0 - iou**2).sum()

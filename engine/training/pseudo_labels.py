"""Landmarks for pictures without labels, kept only where a trained network agrees with itself.

The network answers for several variants of each picture (mirrored, smaller, larger, turned); a
landmark counts when its answers lie together and peak high, a picture when enough of its landmarks
count. What is kept trains the next network at a low weight; it is never measured against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray
from engine.domain.skeletons import EQUINE26
from engine.models.pose_decoding import decode_heatmaps
from engine.training.augment import mirrored, place, placement
from engine.training.pose_data import Picture, PoseInstance, PoseSet, cut_instance, stacked
from engine.training.pose_net import PoseNet

VARIANTS: tuple[tuple[bool, float, float], ...] = (
    (False, 1.0, 0.0),
    (True, 1.0, 0.0),
    (False, 0.85, -8.0),
    (True, 0.85, 8.0),
    (False, 1.12, 6.0),
    (True, 1.12, -6.0),
)
"""(mirrored, scale, angle in degrees) of the answers that must agree."""

AGREEMENT = 0.03
"""Largest spread (root mean square) of the answers, as a share of the box's diagonal."""

LEAST_PEAK = 0.35
LEAST_LANDMARKS = 14
WEIGHT = 0.5
"""What a landmark of a network counts beside one of a person."""


def masked_pictures(folder: Path) -> Iterator[tuple[str, Picture, FloatArray]]:
    """(name, RGB picture, box of its mask (4,)) of a folder with ``images/`` and ``masks/``."""
    for path in sorted((folder / "images").iterdir()):
        masks = sorted((folder / "masks").glob(f"{path.stem}.*"))
        picture = cv2.imread(str(path))
        if picture is None or not masks:
            continue
        mask = cv2.imread(str(masks[0]), cv2.IMREAD_GRAYSCALE)
        if mask is None or not (mask > 0).any():
            continue
        rows = np.flatnonzero((mask > 0).any(axis=1))
        columns = np.flatnonzero((mask > 0).any(axis=0))
        sx, sy = picture.shape[1] / mask.shape[1], picture.shape[0] / mask.shape[0]
        box = np.array(
            [columns[0] * sx, rows[0] * sy, (columns[-1] + 1) * sx, (rows[-1] + 1) * sy], np.float32
        )
        yield path.name, np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), box


def load_teacher(checkpoint: Path) -> PoseNet:
    """The averaged network of a checkpoint of ``barnhand train pose``; OperatorMistake if it is
    of something else."""
    network = PoseNet(len(EQUINE26.landmarks)).eval()
    try:
        stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
        network.load_state_dict(stored["averaged"])
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise OperatorMistake(f"{checkpoint} is no pose checkpoint: {error}") from error
    return network


def pseudo_labelled(
    predict: Callable[[Picture], FloatArray],
    source: str,
    pictures: Iterator[tuple[str, Picture, FloatArray]],
    size_px: int,
) -> PoseSet:
    """The pictures whose landmarks the teacher is sure of, as a set of their own.

    ``predict`` gives the teacher's heat maps (N, K, h, w), peaks in 0..1, of network inputs uint8
    (N, size, size, 3).
    """
    rows = []
    for name, picture, box in pictures:
        blank = np.zeros((len(EQUINE26.landmarks), 3), np.float32)
        crop, _, placed = cut_instance(picture, PoseInstance(source, name, blank, box))
        found = _agreed(predict, crop, placed, size_px)
        if (found[:, 2] > 0).sum() >= LEAST_LANDMARKS:
            rows.append((crop, found, placed, f"{source}/{name}", source))
    return stacked(rows)


def _agreed(
    predict: Callable[[Picture], FloatArray], crop: Picture, box: FloatArray, size_px: int
) -> FloatArray:
    """Median of the answers in crop pixels with ``WEIGHT`` where they agree, else 0; (K, 3)."""
    blank = np.zeros((len(EQUINE26.landmarks), 3), np.float32)
    inputs, back = [], []
    for flip, scale, angle in VARIANTS:
        matrix = placement(box, size_px, 1.25, scale, angle, (0.0, 0.0))
        picture, _ = place(crop, blank, matrix, size_px)
        inputs.append(mirrored(picture, blank)[0] if flip else picture)
        back.append(cv2.invertAffineTransform(matrix))
    points, peaks = decode_heatmaps(predict(np.stack(inputs)), size_px, size_px)
    answers, heights = [], []
    for row, (flip, _, _) in enumerate(VARIANTS):
        xy, peak = points[row], peaks[row]
        if flip:
            xy = xy[list(EQUINE26.flip_order)].copy()
            xy[:, 0] = size_px - 1 - xy[:, 0]
            peak = peak[list(EQUINE26.flip_order)]
        answers.append(xy @ back[row][:, :2].T + back[row][:, 2])
        heights.append(peak)
    spread = np.stack(answers)
    middle = np.median(spread, axis=0)
    diagonal = float(np.hypot(box[2] - box[0], box[3] - box[1]))
    error = np.sqrt(((spread - middle) ** 2).sum(axis=2).mean(axis=0)) / max(diagonal, 1.0)
    sure = (error < AGREEMENT) & (np.mean(heights, axis=0) > LEAST_PEAK)
    return np.concatenate([middle, np.where(sure, WEIGHT, 0.0)[:, None]], axis=1).astype(np.float32)


def joined(sets: Sequence[PoseSet]) -> PoseSet:
    """Several sets as one; crops are copied into memory."""
    full = [part for part in sets if len(part)]
    return PoseSet(
        np.concatenate([np.asarray(part.crops) for part in full]),
        np.concatenate([part.landmarks for part in full]),
        np.concatenate([part.boxes_xyxy_px for part in full]),
        tuple(group for part in full for group in part.groups),
        tuple(source for part in full for source in part.sources),
    )

"""Keypoints in four bytes a landmark: 12-bit x, 12-bit y, 8-bit score.

x and y are relative to the stored (whole-pixel) box, from half a box before it to half a box
behind it; points further out are moved to that edge. A coordinate is exact to half a step, which is
``box side / 4095`` pixels (0.25 px for a horse a thousand pixels wide); a score to 1/510. A
landmark with score 0 is absent. The 32 bits are big-endian, x in the highest, score in the lowest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray

BYTES_PER_LANDMARK = 4
STEPS = 4095
_BEFORE = 0.5
_SPAN = 2.0

PackedKeypoints = NDArray[np.uint8]


def pack(
    keypoints_px: FloatArray, scores: FloatArray, boxes_xyxy_px: NDArray[np.int16]
) -> PackedKeypoints:
    """Keypoints float32 (N, K, 2) and scores (N, K) of stored boxes int16 (N, 4), packed.

    Returns uint8 (N, 4 K). Points that are not finite become absent.
    """
    count, landmarks = scores.shape
    origin, size = _frames(boxes_xyxy_px)
    steps = keypoints_px - origin[:, None, :]
    steps *= np.float32(STEPS / _SPAN) / size[:, None, :]
    steps += np.float32(STEPS * _BEFORE / _SPAN)
    usable = np.isfinite(steps[..., 0]) & np.isfinite(steps[..., 1]) & (scores > 0.0)
    level = np.rint(np.clip(scores, 0.0, 1.0) * np.float32(255.0))
    if not usable.all():
        steps[~usable] = 0.0
        level[~usable] = 0.0
    np.rint(steps, out=steps)
    np.clip(steps, 0.0, STEPS, out=steps)
    # A landmark that is there stays there: its score never rounds to "absent".
    level[usable & (level < 1.0)] = 1.0
    whole = steps.astype(np.uint32)
    words = (whole[..., 0] << 20) | (whole[..., 1] << 8) | level.astype(np.uint32)
    words[~usable] = 0
    packed: PackedKeypoints = words.astype(">u4").view(np.uint8)
    return packed.reshape(count, landmarks * BYTES_PER_LANDMARK)


def unpack(
    packed: PackedKeypoints, boxes_xyxy_px: NDArray[np.int16]
) -> tuple[FloatArray, FloatArray]:
    """Keypoints float32 (N, K, 2) in picture pixels and scores (N, K) of packed rows (N, 4 K).

    Absent landmarks have score 0 and lie on the box's corner. Raises Bug for a row length that is
    not whole landmarks.
    """
    if packed.ndim != 2 or packed.shape[1] % BYTES_PER_LANDMARK:
        raise Bug(f"packed keypoints of shape {packed.shape} hold no whole landmarks")
    words = np.ascontiguousarray(packed).view(">u4").astype(np.uint32)
    origin, size = _frames(boxes_xyxy_px)
    steps = np.stack([words >> 20, (words >> 8) & 0xFFF], axis=2).astype(np.float32)
    relative = steps * np.float32(_SPAN / STEPS) - np.float32(_BEFORE)
    present = (words & 0xFF) > 0
    relative[~present] = 0.0
    keypoints = relative * size[:, None, :] + origin[:, None, :]
    scores = (words & 0xFF).astype(np.float32) / np.float32(255.0)
    return keypoints.astype(np.float32), scores


def _frames(boxes_xyxy_px: NDArray[np.int16]) -> tuple[FloatArray, FloatArray]:
    """Corner and size of boxes in pixels, float32 (N, 2) each; sizes are at least 1."""
    boxes = boxes_xyxy_px.astype(np.float32)
    size: FloatArray = np.maximum(boxes[:, 2:4] - boxes[:, 0:2], np.float32(1.0))
    return boxes[:, 0:2], size

"""From network outputs to keypoints in crop pixels: SimCC and heat maps, many crops at once.

Crop pixels count from the centre of the top left pixel, as in MMPose's non-UDP convention: a
landmark at crop pixel x has its SimCC peak in bin x * split, and its heat-map peak at x / stride,
where stride is the crop's side over the map's.
"""

from __future__ import annotations

import numpy as np

from engine.domain.geometry import FloatArray

SPLIT_RATIO = 2.0
"""SimCC bins a crop pixel of RTMPose (Jiang et al. 2023)."""
_SMOOTHING = np.array([0.25, 0.5, 0.25], np.float32)


def decode_simcc(
    x_logits: FloatArray, y_logits: FloatArray, split_ratio: float = SPLIT_RATIO
) -> tuple[FloatArray, FloatArray]:
    """Keypoints (N, K, 2) in crop pixels and scores (N, K) of (N, K, W) and (N, K, H) outputs.

    The score is the lower of the two peak values, cut to 0..1: RTMPose is trained against
    Gaussian labels of peak 1, so its raw peaks are near 1 where it is sure; this is MMPose's own
    score, and thresholds published for it hold.
    """
    x, y = x_logits.argmax(axis=2), y_logits.argmax(axis=2)
    peaks = np.minimum(
        np.take_along_axis(x_logits, x[..., None], axis=2),
        np.take_along_axis(y_logits, y[..., None], axis=2),
    )[..., 0]
    keypoints = np.stack([x, y], axis=2).astype(np.float32) / np.float32(split_ratio)
    return keypoints, np.clip(peaks, 0.0, 1.0).astype(np.float32)


def decode_heatmaps(
    maps: FloatArray, crop_width_px: int, crop_height_px: int
) -> tuple[FloatArray, FloatArray]:
    """Keypoints (N, K, 2) in crop pixels and scores (N, K) of maps (N, K, h, w).

    The peak is refined below a cell as in DARK (Zhang et al. 2020): one Newton step on the
    logarithm of the smoothed map, which is exact for a Gaussian. The smoothing is a 1-2-1 kernel
    on the 5x5 patch round the peak instead of a blur of the whole map. The score is the peak value
    cut to 0..1.
    """
    count, landmarks, height, width = maps.shape
    flat = maps.reshape(count * landmarks, height * width)
    places = flat.argmax(axis=1)
    scores = flat[np.arange(len(flat)), places].reshape(count, landmarks)
    y, x = places // width, places % width
    shift_x, shift_y = _newton_steps(_patches(maps.reshape(-1, height, width), y, x))
    # A peak in the outermost cell has no neighbour beyond: it stays where it is on that axis.
    shift_x[(x == 0) | (x == width - 1)] = 0.0
    shift_y[(y == 0) | (y == height - 1)] = 0.0
    keypoints = np.stack(
        [(x + shift_x) * (crop_width_px / width), (y + shift_y) * (crop_height_px / height)],
        axis=1,
    )
    return (
        keypoints.reshape(count, landmarks, 2).astype(np.float32),
        np.clip(scores, 0.0, 1.0).astype(np.float32),
    )


def _patches(maps: FloatArray, y: np.ndarray, x: np.ndarray) -> FloatArray:
    """The 5x5 neighbourhoods of one place a map, (M, 5, 5); beyond the border it repeats."""
    _, height, width = maps.shape
    around = np.arange(-2, 3)
    rows = np.clip(y[:, None] + around, 0, height - 1)
    columns = np.clip(x[:, None] + around, 0, width - 1)
    index = np.arange(len(maps))[:, None, None]
    patches: FloatArray = maps[index, rows[:, :, None], columns[:, None, :]]
    return patches


def _newton_steps(patches: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Offsets (M,) in x and y, at most one cell, of the maximum of each patch's logarithm."""
    s = _SMOOTHING
    rows = s[0] * patches[:, 0:3] + s[1] * patches[:, 1:4] + s[2] * patches[:, 2:5]
    smooth = s[0] * rows[:, :, 0:3] + s[1] * rows[:, :, 1:4] + s[2] * rows[:, :, 2:5]
    log = np.log(np.maximum(smooth, 1e-10))
    dx, dy = (log[:, 1, 2] - log[:, 1, 0]) / 2, (log[:, 2, 1] - log[:, 0, 1]) / 2
    dxx = log[:, 1, 2] - 2 * log[:, 1, 1] + log[:, 1, 0]
    dyy = log[:, 2, 1] - 2 * log[:, 1, 1] + log[:, 0, 1]
    dxy = (log[:, 2, 2] - log[:, 2, 0] - log[:, 0, 2] + log[:, 0, 0]) / 4
    determinant = dxx * dyy - dxy * dxy
    peaked = (determinant > 1e-9) & (dxx < 0)
    safe = np.where(peaked, determinant, 1.0)
    shift_x = np.where(peaked, -(dyy * dx - dxy * dy) / safe, 0.0)
    shift_y = np.where(peaked, -(dxx * dy - dxy * dx) / safe, 0.0)
    return np.clip(shift_x, -1.0, 1.0), np.clip(shift_y, -1.0, 1.0)

"""Where the horses of one camera are and how fast they go: scale, ground and speed from the memory.

Everything goes through a track's path of the last moments: the place of its trunk in the picture
without the camera's own movement (or on the calibrated ground), and what its size told of the
scale. Straight lines through it (``ground_speed``) give both speed and present scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.domain.geometry import FloatArray
from engine.motion.calibration import Ground
from engine.motion.ground_speed import Slopes, slopes, speeds_of
from engine.motion.horse_rows import HorseRows
from engine.motion.scale import RESTING_UNITS_S, Sizes, follow_scale
from engine.motion.track_memory import PATH, TrackMemory

DROP_S = 0.2
"""Time constant of how far the ground lies below the trunk: hooves leave it."""
_SPARE = 8
"""Places of the path that its window does not need."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """scales_px_m, speeds_mps: float32 (n,). velocities_mps, ground_m: float32 (n, 2)."""

    scales_px_m: FloatArray
    speeds_mps: FloatArray
    velocities_mps: FloatArray
    ground_m: FloatArray


def whereabouts(
    memory: TrackMemory, horses: HorseRows, sizes: Sizes, middle: FloatArray, ground: Ground | None
) -> Whereabouts:
    """Bring the paths up to date with trunks at ``middle`` (n, 2) px, and read them."""
    ground_m = _walk(memory, horses, sizes, middle, ground)
    slots = horses.slots
    line = slopes(
        memory.path_s[slots], memory.path[slots], memory.path_scale[slots],
        horses.now_s, horses.settings.speed_window_s,
    )  # fmt: skip
    scale = _scale(memory, horses, sizes, line, ground)
    velocity = _velocity(horses, middle, scale, line, ground)
    known = line.known if horses.camera_px is not None else np.zeros(len(horses), np.bool_)
    velocity = np.where(known[:, None], velocity, np.nan).astype(np.float32)
    flat = ground is not None and ground.calibration is not None
    error = line.error if flat else line.error / scale
    return Whereabouts(
        scale, speeds_of(velocity, error.astype(np.float32)), velocity[:, :2], ground_m
    )


def _walk(
    memory: TrackMemory, horses: HorseRows, sizes: Sizes, middle: FloatArray, ground: Ground | None
) -> FloatArray:
    """Add where the horses are to their paths; returns metres on the ground (n, 2)."""
    slots = horses.slots
    ground_m = np.full((len(horses), 2), np.nan, np.float32)
    if horses.camera_px is None or not np.isfinite(horses.camera_px).all():
        memory.path_s[slots] = np.nan
        memory.path[slots] = np.nan
        return ground_m
    place = (middle - horses.camera_px).astype(np.float64)
    scale = _own_scale(horses, sizes)
    if ground is not None:
        feet = _feet(memory, horses, sizes, middle)
        scale = np.log(ground.scales_px_m(feet, horses.width_px, horses.height_px))
        if ground.calibration is not None:
            ground_m = ground.place_m(feet)
            place = ground_m.astype(np.float64)
    least_s = horses.settings.speed_window_s / (PATH - _SPARE)
    due = ~(horses.now_s - memory.path_s[slots, -1] < least_s) & horses.placed
    rows = slots[due]
    _push(memory.path_s, rows, np.full(len(rows), horses.now_s))
    _push(memory.path, rows, place[due])
    _push(memory.path_scale, rows, scale[due])
    return ground_m


def _push(column: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    held = column[rows]
    held[:, :-1] = held[:, 1:]
    held[:, -1] = values
    column[rows] = held


def _feet(memory: TrackMemory, horses: HorseRows, sizes: Sizes, middle: FloatArray) -> FloatArray:
    """The ground under each trunk, float32 (n, 2) in shares of the picture."""
    slots = horses.slots
    before = memory.drop[slots]
    drop = (sizes.foot_px - middle[:, 1]) / sizes.height_px
    drop = np.where(horses.cut & ~sizes.foot_seen & np.isfinite(before), before, drop)
    follow = 1.0 - np.exp(-horses.elapsed_s / DROP_S)
    drop = np.where(np.isfinite(before), before + (drop - before) * follow, drop)
    memory.drop[slots] = drop
    below = middle[:, 1] + drop * sizes.height_px
    feet = np.stack([middle[:, 0] / horses.width_px, below / horses.height_px], axis=1)
    return feet.astype(np.float32)


def _own_scale(horses: HorseRows, sizes: Sizes) -> FloatArray:
    """Logarithm of pixels per metre by each body; NaN where only a cut-off box tells its size."""
    own = np.log(np.maximum(sizes.height_px / horses.heights_m, 1e-3))
    return np.where(horses.cut & ~sizes.by_landmarks, np.nan, own).astype(np.float32)


def _scale(
    memory: TrackMemory, horses: HorseRows, sizes: Sizes, line: Slopes, ground: Ground | None
) -> FloatArray:
    """Pixels per metre (n,): the ground's where calibrated, else the smoothed body's."""
    slots = horses.slots
    own = _own_scale(horses, sizes)
    if ground is not None:
        told = memory.path_scale[slots, -1]
        return np.exp(np.where(np.isfinite(told), told, own)).astype(np.float32)
    told = np.where(np.isfinite(line.scale_now), line.scale_now, own)
    speed = np.hypot(line.rate[:, 0], line.rate[:, 1])
    resting = line.known & (speed < RESTING_UNITS_S * memory.unit_px[slots])
    memory.scale[slots] = follow_scale(memory.scale[slots], told, horses.elapsed_s, resting)
    return np.asarray(np.exp(memory.scale[slots]), np.float32)


def _velocity(
    horses: HorseRows, middle: FloatArray, scale: FloatArray, line: Slopes, ground: Ground | None
) -> FloatArray:
    """Metres a second float (n, 3): right, down, and away from the camera.

    A horse at (u, v) pixels from the middle of the picture and with scale s is at (u, v, f) / s in
    the camera's frame; f, the focal length, is a setting. On a calibrated ground the first two are
    the ground's axes and the third is 0.
    """
    if ground is not None and ground.calibration is not None:
        flat = np.concatenate([line.rate, np.zeros((len(horses), 1))], axis=1)
        return flat.astype(np.float32)
    focal_px = horses.settings.focal_widths * horses.width_px
    off = middle - np.array([horses.width_px / 2, horses.height_px / 2], np.float32)
    across = line.rate - off * line.scale_rate[:, None]
    away = np.full((len(horses), 1), -focal_px) * line.scale_rate[:, None]
    return np.asarray(np.concatenate([across, away], axis=1) / scale[:, None], np.float32)

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
from engine.motion.ground_speed import Slopes, doubts, rates_of, slopes, speeds_of
from engine.motion.horse_rows import HorseRows
from engine.motion.learned_ground import LearnedGround
from engine.motion.scale import RESTING_UNITS_S, Sizes, follow_scale
from engine.motion.track_memory import PATH, TrackMemory

DROP_S = 0.2
"""Time constant of how far the ground lies below the trunk: hooves leave it."""
LONG_DROP_S = 2.0
"""The same of a ground that is not calibrated, from which distance is told."""
DEPTH_WINDOWS = 2.0
"""Movement along the line of sight is a few pixels: it is measured over longer windows."""
SURE_DOUBT = 0.2
"""Where the usual window leaves less doubt than this, it is used."""
_SPARE = 8
"""Places of the path that its window does not need."""


@dataclass(slots=True)
class Land:
    """The ground of one camera: as somebody ``told``, and as its horses teach it."""

    told: Ground | None
    learned: LearnedGround


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """scales_px_m, speeds_mps: float32 (n,). velocities_mps, ground_m: float32 (n, 2)."""

    scales_px_m: FloatArray
    speeds_mps: FloatArray
    velocities_mps: FloatArray
    ground_m: FloatArray


def whereabouts(
    memory: TrackMemory, horses: HorseRows, sizes: Sizes, middle: FloatArray, land: Land
) -> Whereabouts:
    """Bring the paths up to date with trunks at ``middle`` (n, 2) px, and read them."""
    ground = land.told
    ground_m = _walk(memory, horses, sizes, middle, land)
    slots = horses.slots
    line = slopes(
        memory.path_s[slots], memory.path[slots], memory.path_scale[slots],
        horses.now_s, horses.settings.speed_window_s,
    )  # fmt: skip
    scale = _scale(memory, horses, sizes, line, land)
    depth_rate = _depth_rate(memory, horses, line, land)
    velocity = _velocity(horses, middle, scale, line, depth_rate, ground)
    known = line.known if horses.camera_px is not None else np.zeros(len(horses), np.bool_)
    velocity = np.where(known[:, None], velocity, np.nan).astype(np.float32)
    flat = ground is not None and ground.calibration is not None
    error = line.error if flat else line.error / scale
    return Whereabouts(
        scale, speeds_of(velocity, error.astype(np.float32)), velocity[:, :2], ground_m
    )


def _walk(
    memory: TrackMemory, horses: HorseRows, sizes: Sizes, middle: FloatArray, land: Land
) -> FloatArray:
    """Add where the horses are to their paths; returns metres on the ground (n, 2)."""
    slots = horses.slots
    ground_m = np.full((len(horses), 2), np.nan, np.float32)
    if horses.camera_px is None or not np.isfinite(horses.camera_px).all():
        memory.path_s[slots] = np.nan
        memory.path[slots] = np.nan
        return ground_m
    ground = land.told
    place = (middle - horses.camera_px).astype(np.float64)
    scale = depth = _own_scale(horses, sizes)
    if ground is None:
        depth = _learn(memory, horses, sizes, middle, land.learned)
    else:
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
    _push(memory.path_depth, rows, depth[due])
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
    follow = 1.0 - np.exp(-horses.since_s / DROP_S)
    drop = np.where(np.isfinite(before), before + (drop - before) * follow, drop)
    memory.drop[slots] = drop
    below = middle[:, 1] + drop * sizes.height_px
    feet = np.stack([middle[:, 0] / horses.width_px, below / horses.height_px], axis=1)
    return feet.astype(np.float32)


def _learn(
    memory: TrackMemory, horses: HorseRows, sizes: Sizes, middle: FloatArray, learned: LearnedGround
) -> FloatArray:
    """Teach the camera's ground what these horses show; returns the logarithm of the scale (n,)
    that it tells of each in turn, NaN where it does not.

    The foot is put below the trunk's middle by the track's usual drop, not where the hooves are:
    those step.
    """
    slots = horses.slots
    good = sizes.upright & ~horses.cut
    learned.add(
        sizes.foot_px[good] / horses.height_px,
        (sizes.height_px / horses.heights_m)[good] / horses.height_px,
    )
    before = memory.drop[slots]
    drop = (sizes.foot_px - middle[:, 1]) / sizes.height_px
    follow = 1.0 - np.exp(-horses.since_s / LONG_DROP_S)
    drop = np.where(np.isfinite(before), before + (drop - before) * follow, drop)
    memory.drop[slots] = np.where(good, drop, before)
    feet = learned.feet_below(
        middle[:, 1] / horses.height_px, memory.drop[slots] * horses.heights_m
    )
    return np.log(learned.scales_at(feet) * horses.height_px)


def _depth_rate(memory: TrackMemory, horses: HorseRows, line: Slopes, land: Land) -> FloatArray:
    """Change of the scale's logarithm a second (n,): by the learned ground where that is known,
    shrunk by its error, else by the horse's size."""
    slots, window_s = horses.slots, horses.settings.speed_window_s
    path_s, depth = memory.path_s[slots], memory.path_depth[slots]
    rates = line.scale_rate
    if land.told is not None or land.learned.line is None:
        return rates.astype(np.float32)
    for length_s, most_doubt in ((DEPTH_WINDOWS * window_s, np.inf), (window_s, SURE_DOUBT)):
        rate, error = rates_of(path_s, depth, horses.now_s, length_s)
        doubt = doubts(rate, error)
        told = np.isfinite(rate) & (doubt <= most_doubt)
        rates = np.where(told, rate * np.maximum(1.0 - doubt, 0.0), rates)
    return rates.astype(np.float32)


def _own_scale(horses: HorseRows, sizes: Sizes) -> FloatArray:
    """Logarithm of pixels per metre by each body; NaN where only a cut-off box tells its size."""
    own = np.log(np.maximum(sizes.height_px / horses.heights_m, 1e-3))
    return np.where(horses.cut & ~sizes.by_landmarks, np.nan, own).astype(np.float32)


def _scale(
    memory: TrackMemory, horses: HorseRows, sizes: Sizes, line: Slopes, land: Land
) -> FloatArray:
    """Pixels per metre (n,): the ground's where calibrated, else the smoothed body's; of horses
    that do not stand, what the learned ground tells."""
    slots = horses.slots
    own = _own_scale(horses, sizes)
    if land.told is not None:
        told = memory.path_scale[slots, -1]
        return np.exp(np.where(np.isfinite(told), told, own)).astype(np.float32)
    told = np.where(np.isfinite(line.scale_now), line.scale_now, own)
    there = land.learned.scales_at(sizes.foot_px / horses.height_px) * horses.height_px
    low = np.isfinite(there) & ~sizes.upright & ~horses.cut
    told = np.where(low, np.log(np.where(low, there, 1.0)), told)
    speed = np.hypot(line.rate[:, 0], line.rate[:, 1])
    resting = line.known & (speed < RESTING_UNITS_S * memory.unit_px[slots])
    memory.scale[slots] = follow_scale(memory.scale[slots], told, horses.since_s, resting)
    return np.asarray(np.exp(memory.scale[slots]), np.float32)


def _velocity(
    horses: HorseRows,
    middle: FloatArray,
    scale: FloatArray,
    line: Slopes,
    depth_rate: FloatArray,
    ground: Ground | None,
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
    across = line.rate - off * depth_rate[:, None]
    away = np.full((len(horses), 1), -focal_px) * depth_rate[:, None]
    return np.asarray(np.concatenate([across, away], axis=1) / scale[:, None], np.float32)

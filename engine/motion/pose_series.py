"""One track's recorded poses, corrected and smoothed without lag, for gait and strides.

What comes after is known here, so errors are told from both sides: a landmark that jumps away and
comes back was wrong, legs that change places for a moment were taken for each other. The low-pass
filter runs forwards and backwards (Butterworth, 2nd order each way), which moves nothing in time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from engine.domain.geometry import FloatArray
from engine.domain.motion import PoseSeries
from engine.domain.poses import PoseBatch
from engine.motion.body_frame import body_units, follow_shape, locate
from engine.motion.body_plan import BodyPlan, body_plan
from engine.motion.limb_swaps import exchanged
from engine.motion.scale import sizes_of
from engine.settings import MotionSettings

LEG_CUTOFF_HZ = (9.0, 12.0)
BODY_CUTOFF_HZ = (4.0, 7.0)
"""Cut-offs of legs, and of head and trunk: the lowest that does no harm, and the usual one. Motion
capture of trotting horses is filtered at 10 to 20 Hz; head and pelvis move at twice the stride
frequency, up to 3 Hz in trot."""
NYQUIST_SHARE = 0.8
"""Cut-offs stay below this share of half the picture rate; if that is too low, nothing is
filtered."""
FILL_S = 0.3
"""Longer gaps stay as the model gave them."""
SPIKE_UNITS = 0.06
"""A landmark this far from the middle of its neighbours in time, body units, may be a spike,"""
SPIKE_SHARE = 0.5
"""if the neighbours are nearer to each other than this share of it."""
LEG_TURN_S2 = 40.0
BODY_TURN_S2 = 8.0
"""Legs, and head and trunk, turn about with at most this acceleration, body units per s2: a
galloping hoof goes from 8 m/s backwards to 10 m/s forwards in about 0.2 s."""
UNIT_M = 2.1
"""A body unit in metres: the mean side of the box of a horse 1.60 m tall, seen from the side."""

Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]


def smooth_series(
    series: PoseSeries, settings: MotionSettings | None = None, height_m: float | None = None
) -> PoseSeries:
    """The same instants with corrected, zero-lag landmarks.

    Scores of landmarks that were put in are those of their neighbours in time; of gaps longer than
    ``FILL_S`` they stay low. Scales are filled where they are NaN (from the body's size and
    ``height_m`` at the withers, default the settings') and smoothed over a second.
    """
    rules = settings or MotionSettings()
    count = len(series)
    if count < 2:
        return series
    plan = body_plan(series.poses.skeleton)
    least = rules.limits_of(plan.skeleton.name).confidence
    points = series.poses.keypoints_px.astype(np.float32)
    scores = series.poses.scores.copy()
    finite: Bools = np.asarray(np.isfinite(points).all(axis=2))
    points = np.where(finite[..., None], points, 0.0).astype(np.float32)
    middle, units = _trunk(series, points, finite & (scores >= least), plan)
    if rules.correct:
        points, scores = _legs_kept(series.t_s, points, scores, middle, units, least, plan)
    believed = finite & (scores >= least)
    if rules.correct:
        body = (points - middle[:, None]) / units[:, None, None]
        believed &= ~_spikes(series.t_s, body, believed, _legs(plan))
    points, scores = _filled(series.t_s, points, scores, believed)
    points = _filtered(series.t_s, points, plan)
    return PoseSeries(
        t_s=series.t_s,
        poses=PoseBatch(points, scores, plan.skeleton),
        boxes_xyxy_px=series.boxes_xyxy_px,
        scales_px_m=_scales(
            series, points, scores >= least, plan, height_m or rules.withers_height_m
        ),
        camera_px=series.camera_px,
    )


def _trunk(
    series: PoseSeries, points: FloatArray, believed: Bools, plan: BodyPlan
) -> tuple[FloatArray, FloatArray]:
    """The trunk's middle (T, 2) px and the body unit (T,) px at each instant."""
    count = len(series)
    middle, units = np.zeros((count, 2), np.float32), np.zeros(count, np.float32)
    shape = np.full((1, points.shape[1], 2), np.nan, np.float32)
    unit = np.full(1, np.nan, np.float32)
    boxes = series.boxes_xyxy_px
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    place = centres[0]
    for at in range(count):
        elapsed = np.full(1, series.t_s[at] - series.t_s[max(at - 1, 0)], np.float32)
        unit = body_units(unit, boxes[at : at + 1], elapsed)
        by_box = (place + centres[at] - centres[max(at - 1, 0)])[None]
        seen = believed[at : at + 1]
        found, told = locate(points[at : at + 1], seen, shape, unit, plan.trunk, by_box)
        body = (points[at : at + 1] - found[:, None]) / unit[:, None, None]
        follow_shape(shape, body, seen & told[:, None], elapsed)
        place = found[0]
        middle[at], units[at] = place, unit[0]
    return middle, units


def _legs_kept(
    t_s: Doubles, points: FloatArray, scores: FloatArray, middle: FloatArray, units: FloatArray,
    least: float, plan: BodyPlan,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Left and right legs put back where their hooves could not have gone (``limb_swaps``)."""
    points, scores = points.copy(), scores.copy()
    body_m = (points - middle[:, None]) / units[:, None, None] * UNIT_M
    for left, right in plan.ends:
        hooves = [
            np.where(scores[:, [leg[-1]]] >= least, body_m[:, leg[-1]], np.nan).astype(np.float64)
            for leg in (left, right)
        ]
        wrong = exchanged(t_s, *hooves)
        if wrong.any():
            rows = np.nonzero(wrong)[0][:, None]
            for values in (points, scores):
                values[rows, left], values[rows, right] = values[rows, right], values[rows, left]
    return points, scores


def _legs(plan: BodyPlan) -> Bools:
    """Landmarks of legs, bool (K,)."""
    legs = np.zeros(len(plan.trunk), np.bool_)
    for pair in plan.ends:
        legs[np.concatenate(pair)] = True
    return legs


def _spikes(t_s: Doubles, body: FloatArray, believed: Bools, legs: Bools) -> Bools:
    """Landmarks (T, K) that leave for one to three pictures and come back, faster than a horse can
    turn them about."""
    found = np.zeros_like(believed)
    turning = np.where(legs, LEG_TURN_S2, BODY_TURN_S2)
    for reach in (1, 2):
        if len(body) <= 2 * reach:
            break
        before, here, after = body[: -2 * reach], body[reach:-reach], body[2 * reach :]
        seen = believed[: -2 * reach] & believed[reach:-reach] & believed[2 * reach :]
        off = here - (before + after) / 2
        across = after - before
        away = np.hypot(off[..., 0], off[..., 1])
        apart = np.hypot(across[..., 0], across[..., 1])
        half_s = (t_s[2 * reach :] - t_s[: -2 * reach])[:, None] / 2
        least = SPIKE_UNITS + turning * half_s * half_s / 2
        found[reach:-reach] |= seen & (away > least) & (apart < SPIKE_SHARE * away)
    return found


def _filled(
    t_s: Doubles, points: FloatArray, scores: FloatArray, believed: Bools
) -> tuple[FloatArray, FloatArray]:
    """Gaps of at most ``FILL_S`` closed by straight lines, with the scores of their ends."""
    points, scores = points.copy(), scores.copy()
    for landmark in np.nonzero(~believed.all(axis=0))[0]:
        known = np.nonzero(believed[:, landmark])[0]
        missing = np.nonzero(~believed[:, landmark])[0]
        if len(known) < 2:
            continue
        after = np.searchsorted(known, missing)
        inside = (after > 0) & (after < len(known))
        missing, after = missing[inside], after[inside]
        first, last = known[after - 1], known[after]
        short = t_s[last] - t_s[first] <= FILL_S
        missing, first, last = missing[short], first[short], last[short]
        for axis in (0, 1):
            points[missing, landmark, axis] = np.interp(
                t_s[missing], t_s[known], points[known, landmark, axis]
            )
        scores[missing, landmark] = np.minimum(scores[first, landmark], scores[last, landmark])
    return points, scores


def _filtered(t_s: Doubles, points: FloatArray, plan: BodyPlan) -> FloatArray:
    """Zero-lag low-pass of landmarks (T, K, 2); uneven instants are evened out for the filter."""
    count = len(t_s)
    steps = np.diff(t_s)
    step = float(np.median(steps))
    if step <= 0 or count < 12:
        return points
    even = bool((np.abs(steps - step) < 0.05 * step).all())
    grid = t_s if even else np.linspace(t_s[0], t_s[-1], round((t_s[-1] - t_s[0]) / step) + 1)
    flat = points.reshape(count, -1).astype(np.float64)
    on_grid = flat if even else _interpolated(grid, t_s, flat)
    legs = _legs(plan)
    out = on_grid.copy()
    for mask, (lowest_hz, usual_hz) in ((legs, LEG_CUTOFF_HZ), (~legs, BODY_CUTOFF_HZ)):
        columns = np.repeat(mask, 2)
        cutoff_hz = min(usual_hz, NYQUIST_SHARE * 0.5 / step)
        if cutoff_hz >= lowest_hz and len(grid) > 12:
            sos = butter(2, cutoff_hz, fs=1.0 / step, output="sos")
            out[:, columns] = sosfiltfilt(sos, on_grid[:, columns], axis=0)
    back = out if even else _interpolated(t_s, grid, out)
    return np.asarray(back.reshape(points.shape), np.float32)


def _interpolated(at_s: Doubles, t_s: Doubles, columns: Doubles) -> Doubles:
    return np.stack([np.interp(at_s, t_s, column) for column in columns.T], axis=1)


def _scales(
    series: PoseSeries, points: FloatArray, believed: Bools, plan: BodyPlan, height_m: float
) -> FloatArray:
    """Scales (T,): those told, else by the body; medians over a second around each instant."""
    sizes = sizes_of(points, believed, series.boxes_xyxy_px, plan)
    told = series.scales_px_m
    logs = np.log(np.where(told > 0, told, np.maximum(sizes.height_px / height_m, 1e-3)))
    first = np.searchsorted(series.t_s, series.t_s - 0.5)
    last = np.searchsorted(series.t_s, series.t_s + 0.5, side="right")
    middle = [
        float(np.median(logs[a:b])) for a, b in zip(first.tolist(), last.tolist(), strict=True)
    ]
    return np.asarray(np.exp(middle), np.float32)

"""When each hoof lands and lifts off, between the pictures.

A hoof bears on the ground while it is slow against the ground and low. Against the trunk that is
the same as moving backwards at the speed of the body, so one rule serves fixed cameras, where the
trunk's speed is seen, and cameras that follow the horse, where the bearing hooves tell it.
The rough intervals come from hysteresis on the smoothed speed; their ends are then timed by fitting
the kink in the hoof's own path, which uses all neighbouring pictures and not the nearest one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.motion.limb_paths import Bools, Floats, LimbPaths

DOWN_SHARE, UP_SHARE = 0.4, 0.6
"""A hoof is down from below 0.4 of the body's speed over the ground and up again from above 0.6:
half the body's speed on the average, between which a swinging hoof (two to three times that speed)
and a bearing one (none) differ most."""

LEAST_STANCE, LEAST_SWING = 0.10, 0.15
"""Shares of a stride; shorter ones are noise. Gallop at racing speed bears 0.18, a slow walk swings
0.28 (Clayton, "The Dynamic Horse", 2004)."""

_SMOOTH = 0.08
_LONGEST_GAP = 0.15
_EDGE_REACH = 0.25
_LEAST_EDGE = 3
_LEAST_KINK = 0.5
_TRIAL_REACH = 0.6
_TRIALS = 41


@dataclass(frozen=True, slots=True)
class LimbContacts:
    """Contacts of one limb, by rising time, K rows. on_s, off_s: float64 (K,), landing and
    lift-off; NaN where the series begins or ends during the contact. sure: float64 (K,), 0..1."""

    on_s: Floats
    off_s: Floats
    sure: Floats

    def __len__(self) -> int:
        return len(self.on_s)


_NO_CONTACTS = LimbContacts(np.zeros(0), np.zeros(0), np.zeros(0))


def footfalls(
    paths: LimbPaths, stride_hz: float, speed_mps: float = math.nan
) -> tuple[LimbContacts, ...]:
    """Contacts of the four limbs over a stretch of steady gait.

    stride_hz: of the stretch (``rhythm.Rhythm``). speed_mps: over the ground; needed where the
    camera's motion is not known, the bearing hooves give it (``Rhythm.ground_mps``).
    """
    if len(paths) < 2 * _LEAST_EDGE or not stride_hz > 0:
        return (_NO_CONTACTS,) * 4
    body = _body_speed(paths, stride_hz, speed_mps)
    return tuple(_limb(paths, limb, body, 1.0 / stride_hz) for limb in range(4))


def _body_speed(paths: LimbPaths, stride_hz: float, speed_mps: float) -> Floats:
    """Speed of the trunk over the ground along where it looks, as the picture shows it, (T,)."""
    if not paths.fixed.all():
        return np.full(len(paths), speed_mps)
    forward_m = paths.trunk_px[:, 0] * paths.facing / paths.scale_px_m
    return np.asarray(_slopes(paths.t_s, forward_m, 0.5 / stride_hz), np.float64)


def _slopes(t_s: Floats, values: Floats, half_s: float) -> Floats:
    """Slope of a line through what lies within ``half_s`` of each instant, by running sums."""
    first = np.searchsorted(t_s, t_s - half_s - 1e-9)
    last = np.searchsorted(t_s, t_s + half_s + 1e-9, side="right")
    known = np.isfinite(values)
    t = np.where(known, t_s - t_s[0], 0.0)
    v = np.where(known, values, 0.0)

    def total(column: Floats) -> Floats:
        sums = np.concatenate([[0.0], np.cumsum(column)])
        return np.asarray(sums[last] - sums[first], np.float64)

    n, st, sv, stt, stv = (total(c) for c in (known * 1.0, t, v, t * t, t * v))
    spread = n * stt - st * st
    usable = (n >= 2) & (spread > 1e-12)
    return np.where(usable, (n * stv - st * sv) / np.where(usable, spread, 1.0), np.nan)


def _limb(paths: LimbPaths, limb: int, body: Floats, stride_s: float) -> LimbContacts:
    ahead, up = paths.ahead_m[:, limb], paths.up_m[:, limb]
    if np.isfinite(ahead).sum() < 2 * _LEAST_EDGE:
        return _NO_CONTACTS
    step_s = float(np.median(np.diff(paths.t_s)))
    slope = _slopes(
        paths.t_s, _bridged(paths.t_s, ahead, stride_s), max(_SMOOTH * stride_s, step_s)
    )
    share = (slope + body) / np.maximum(np.abs(body), 0.1)
    down = _hysteresis(share)
    down = _without_short(paths.t_s, down, LEAST_SWING * stride_s, False)
    down = _without_short(paths.t_s, down, LEAST_STANCE * stride_s, True)
    on, off, sure = [], [], []
    for first, last in _runs(down):
        if not _is_low(up, down, first, last):
            continue
        on.append(_edge(paths, ahead, body, first, stride_s, landing=True))
        off.append(_edge(paths, ahead, body, last, stride_s, landing=False))
        sure.append(float(paths.trust[first:last, limb].mean()))
    return LimbContacts(np.array(on), np.array(off), np.array(sure))


def _bridged(t_s: Floats, values: Floats, stride_s: float) -> Floats:
    """Short gaps filled linearly, long ones left open."""
    known = np.isfinite(values)
    if known.all():
        return values
    filled = np.interp(t_s, t_s[known], values[known])
    times = t_s[known]
    after = np.clip(np.searchsorted(times, t_s), 1, len(times) - 1)
    wide = times[after] - times[after - 1] > _LONGEST_GAP * stride_s
    outside = (t_s < times[0]) | (t_s > times[-1])
    return np.where(~known & (wide | outside), np.nan, filled)


def _hysteresis(share: Floats) -> Bools:
    """Down below ``DOWN_SHARE``, up above ``UP_SHARE``, as before in between or unknown."""
    change = np.where(share < DOWN_SHARE, 1, np.where(share > UP_SHARE, 0, -1))
    change = np.where(np.isfinite(share), change, 0)
    told = np.nonzero(change >= 0)[0]
    if not len(told):
        return np.zeros(len(share), np.bool_)
    latest = np.searchsorted(told, np.arange(len(share)), side="right") - 1
    return np.asarray(change[told[np.maximum(latest, 0)]] == 1)


def _runs(down: Bools) -> list[tuple[int, int]]:
    """First and last (excluded) index of every stretch of True."""
    edges = np.diff(np.concatenate([[0], down.astype(np.int8), [0]]))
    return list(
        zip(np.nonzero(edges == 1)[0].tolist(), np.nonzero(edges == -1)[0].tolist(), strict=True)
    )


def _without_short(t_s: Floats, down: Bools, least_s: float, value: bool) -> Bools:
    """Stretches of ``value`` shorter than ``least_s`` turned over, those at the ends kept."""
    result = down.copy()
    for first, last in _runs(down == value):
        inside = first > 0 and last < len(down)
        if inside and t_s[last] - t_s[first] < least_s:
            result[first:last] = not value
    return result


def _is_low(up: Floats, down: Bools, first: int, last: int) -> bool:
    """The hoof is lower during the contact than while it swings before and after."""
    reach = last - first
    around = np.r_[max(first - reach, 0) : first, last : min(last + reach, len(up))]
    swinging = up[around][~down[around]]
    swinging = swinging[np.isfinite(swinging)]
    bearing = up[first:last][np.isfinite(up[first:last])]
    if not len(swinging) or not len(bearing):
        return True
    return float(np.median(bearing)) < float(np.max(swinging))


def _edge(
    paths: LimbPaths, ahead: Floats, body: Floats, at: int, stride_s: float, landing: bool
) -> float:
    """The instant of a landing or lift-off, from the kink in the hoof's path over the ground.

    Before a landing (after a lift-off) the path is a parabola, after it a straight line that moves
    with the ground: the instant with the least squares of the rest wins. NaN at the series' ends.
    """
    if at <= 0 or at >= len(paths):
        return math.nan
    t_s = paths.t_s
    rough = (t_s[at - 1] + t_s[at]) / 2
    reach = _EDGE_REACH * stride_s
    step = float(t_s[at] - t_s[at - 1])
    reach = max(reach, (_LEAST_EDGE + 0.5) * step)
    first, last = np.searchsorted(t_s, (rough - reach, rough + reach))
    window = slice(int(first), int(last))
    known = np.isfinite(ahead[window]) & np.isfinite(body[window])
    if known.sum() < 2 * _LEAST_EDGE:
        return float(rough)
    times = t_s[window][known] - rough
    speed = float(np.median(body[window][known]))
    way = ahead[window][known] + speed * times
    least = _LEAST_KINK * abs(speed)
    return float(
        rough + _kink(times, way, _TRIAL_REACH * reach, landing, bool(paths.fixed.all()), least)
    )


def _kink(
    times: Floats, way: Floats, reach: float, landing: bool, still: bool, least_mps: float
) -> float:
    """Offset of the kink from 0 within ``reach``. ``still``: the bearing hoof does not move.
    least_mps: a swinging hoof is at least this fast at the kink, or any bend would be one."""
    trials = np.linspace(-reach, reach, _TRIALS)
    sign = -1.0 if landing else 1.0
    tau = np.maximum(sign * (times - trials[:, None]), 0.0)
    columns = [np.ones_like(tau), tau * tau]
    if not still:
        columns.append(np.broadcast_to(times, tau.shape))
    free = _rest(np.stack([sign * tau, *columns], axis=-1), np.broadcast_to(way, tau.shape))
    held = _rest(np.stack(columns, axis=-1), way - least_mps * sign * tau)
    left = np.where(free[1] >= least_mps, free[0], held[0])
    best = int(left.argmin())
    if 0 < best < _TRIALS - 1:
        before, here, after = left[best - 1 : best + 2]
        bend = before - 2 * here + after
        if bend > 0:
            return float(trials[best] + 0.5 * (trials[1] - trials[0]) * (before - after) / bend)
    return float(trials[best])


def _rest(design: Floats, way: Floats) -> tuple[Floats, Floats]:
    """Squares left over by each trial's least squares (R,), and its first coefficient (R,)."""
    gram = np.einsum("rti,rtj->rij", design, design) + 1e-9 * np.eye(design.shape[-1])
    right = np.einsum("rti,rt->ri", design, way)
    found = np.linalg.solve(gram, right[..., None])[..., 0]
    return (way * way).sum(axis=1) - (found * right).sum(axis=1), found[:, 0]

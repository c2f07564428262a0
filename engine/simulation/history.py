"""What happened on the simulated farm between two times: bouts, footfalls and strides, exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from engine.domain.skeletons import EQUINE26
from engine.simulation.gaits import CONTACT_PHASE, DUTY, GAIT_CODE, Floats, Gait
from engine.simulation.observation import ACTIONS, POSTURES
from engine.simulation.site import PLACE_NAMES, place_codes
from engine.simulation.timelines import Timeline
from engine.simulation.truth import Footfalls, IntervalTruth, Strides, TrueBout

if TYPE_CHECKING:
    from engine.simulation.farm import SimulatedFarm

_LEFT_HIND = 2
_POLL, _HIP = EQUINE26.landmarks.index("poll"), EQUINE26.landmarks.index("hip")
_SAMPLES = 160
"""Instants a stride at which the vertical paths of poll and croup are read for asymmetry; the
extremes lie between samples, which costs less than 0.02 mm of a 70 mm movement."""


def truth_between(farm: SimulatedFarm, start_s: float, end_s: float) -> IntervalTruth:
    """Everything that happened in an interval of site time."""
    falls: list[tuple[Floats, ...]] = []
    strides: list[dict[str, Floats]] = []
    for index, timeline in enumerate(farm.timelines):
        horse_id = farm.horses[index].id
        for number, shift_s in _bouts_between(timeline, start_s, end_s):
            if timeline.moving[number]:
                falls += _footfalls(timeline, number, shift_s, horse_id)
                made = _strides(timeline, number, shift_s)
                if len(made["start_s"]):
                    made["asymmetry_mm"] = _asymmetry(farm, index, number, made)
                    made["horse_ids"] = np.full(len(made["start_s"]), float(horse_id))
                    strides.append(made)
    events = tuple(e for e in farm.events if e.start_s < end_s and e.end_s > start_s)
    bouts = bouts_between(farm, start_s, end_s)
    return IntervalTruth(
        start_s, end_s, bouts, _footfall_table(falls, start_s, end_s),
        _stride_table(strides, start_s, end_s), events,
    )  # fmt: skip


def bouts_between(farm: SimulatedFarm, start_s: float, end_s: float) -> tuple[TrueBout, ...]:
    """What every horse did in an interval of site time, by start; cut to the interval."""
    bouts = [
        _true_bout(timeline, number, shift_s, farm.horses[index].id, start_s, end_s)
        for index, timeline in enumerate(farm.timelines)
        for number, shift_s in _bouts_between(timeline, start_s, end_s)
    ]
    return tuple(sorted(bouts, key=lambda bout: (bout.start_s, bout.horse_id)))


def _bouts_between(timeline: Timeline, start_s: float, end_s: float) -> Iterator[tuple[int, float]]:
    """Bouts that touch the interval, and what to add to their times for site time."""
    cycle_s, head_s = timeline.cycle_s, timeline.head_start_s
    for cycle in range(
        math.floor((start_s + head_s) / cycle_s), math.floor((end_s + head_s) / cycle_s) + 1
    ):
        shift_s = cycle * cycle_s - head_s
        began = timeline.start_s + shift_s
        touches = (began < end_s) & (began + timeline.duration_s > start_s)
        for number in np.nonzero(touches)[0].tolist():
            yield number, shift_s


def _true_bout(
    timeline: Timeline, number: int, shift_s: float, horse_id: int, start_s: float, end_s: float
) -> TrueBout:
    bout = timeline.bouts[number]
    began = bout.start_s + shift_s
    at = timeline.within(np.array([number]), np.zeros(1))
    return TrueBout(
        horse_id=horse_id,
        start_s=max(began, start_s),
        end_s=min(began + bout.duration_s, end_s),
        activity=bout.activity.value,
        action=str(ACTIONS[timeline.activity[number], timeline.gait[number]]),
        posture=str(POSTURES[timeline.activity[number]]),
        gait=bout.gait.label,
        lead=bout.gait.lead,
        place=PLACE_NAMES[int(place_codes(at.x_m, at.y_m)[0])],
    )


def _last_stride(timeline: Timeline, number: int) -> float:
    ended = timeline.within(np.array([number]), timeline.duration_s[[number]])
    return float(ended.strides[0])


def _footfalls(
    timeline: Timeline, number: int, shift_s: float, horse_id: int
) -> list[tuple[Floats, ...]]:
    gait = int(timeline.gait[number])
    first, last = float(timeline.strides[number]), _last_stride(timeline, number)
    found: list[tuple[Floats, ...]] = []
    for limb in range(4):
        phase = float(CONTACT_PHASE[gait, limb])
        on = _landings(first, last, phase)
        off = on + DUTY[gait]
        on_s = timeline.time_of_strides(number, on) + shift_s
        off_s = timeline.time_of_strides(number, np.minimum(off, last)) + shift_s
        off_s = np.where(off > last, np.nan, off_s)
        count = np.ones(len(on))
        found.append((count * horse_id, count * limb, on_s, off_s, count * gait))
    return found


def _landings(first: float, last: float, phase: float) -> Floats:
    """Stride counts from first to last at which a limb of that contact phase lands."""
    whole = np.arange(math.ceil(first - phase - 1e-9), math.floor(last - phase) + 1)
    return np.asarray(whole.astype(np.float64) + phase)


def _strides(timeline: Timeline, number: int, shift_s: float) -> dict[str, Floats]:
    gait = int(timeline.gait[number])
    phase = float(CONTACT_PHASE[gait, _LEFT_HIND])
    first, last = float(timeline.strides[number]), _last_stride(timeline, number)
    edges = _landings(first, last, phase)
    began = edges[:-1] if len(edges) > 1 else edges[:0]
    into = timeline.time_of_strides(number, edges) if len(edges) else edges
    start, end = into[: len(began)], into[1:] if len(began) else into[:0]
    landing = began[:, None] + (CONTACT_PHASE[gait] - phase) % 1.0
    on_s = _times(timeline, number, landing, last)
    off_s = _times(timeline, number, landing + DUTY[gait], last)
    length = np.maximum(end - start, 1e-9)
    here = timeline.within(np.full(len(began), number), start - timeline.start_s[number])
    there = timeline.within(np.full(len(began), number), end - timeline.start_s[number])
    steady_from = timeline.start_s[number] + timeline.ramp_in_s[number]
    bout_end = timeline.start_s[number] + timeline.duration_s[number]
    blend_s = timeline.start_s[number] + timeline.blend_s[number]
    covered = _path_m(timeline, number, start, end)
    return {
        "start_s": start + shift_s,
        "end_s": end + shift_s,
        "gait": np.full(len(began), float(gait)),
        "stride_hz": 1.0 / length,
        "speed_mps": covered / length,
        "stride_m": covered,
        "duty": np.clip((off_s - on_s) / length[:, None], 0.0, 1.0),
        "phases": ((on_s - start[:, None]) / length[:, None]) % 1.0,
        "steady": (start >= max(steady_from, blend_s) - 1e-9)
        & (off_s.max(axis=1, initial=0.0) <= bout_end - timeline.ramp_out_s[number] + 1e-9),
        "straight": np.abs(there.yaw - here.yaw) < math.radians(1.0),
        "strides": began,
    }


def _times(timeline: Timeline, number: int, strides: Floats, last: float) -> Floats:
    """When stride counts (K, 4) are reached; counts past the end of the bout go on at its pace."""
    inside = np.minimum(strides, last)
    times = timeline.time_of_strides(number, inside.reshape(-1)).reshape(strides.shape)
    return np.asarray(times + (strides - inside) / timeline.stride_hz[number])


def _path_m(timeline: Timeline, number: int, start_s: Floats, end_s: Floats) -> Floats:
    began = timeline.start_s[number]
    many = np.full(len(start_s), number)
    return timeline.odometer(many, end_s - began) - timeline.odometer(many, start_s - began)


def _asymmetry(farm: SimulatedFarm, horse: int, number: int, made: dict[str, Floats]) -> Floats:
    """hd_min, hd_max, pd_min, pd_max (K, 4) in millimetres; NaN outside steady trot."""
    count = len(made["start_s"])
    result = np.full((count, 4), np.nan)
    if made["gait"][0] != GAIT_CODE[Gait.TROT]:
        return result
    share = np.arange(0.0, 1.16, 1.0 / _SAMPLES)
    length = made["end_s"] - made["start_s"]
    steady = np.nonzero(made["steady"])[0]
    if not len(steady):
        return result
    times = made["start_s"][steady, None] + share * length[steady, None]
    marks = farm.landmarks_m(horse, times.reshape(-1))[:, [_POLL, _HIP], 2]
    heights = 1000.0 * marks.reshape(len(steady), len(share), 2)

    def lowest(low: float, high: float) -> Floats:
        return np.asarray(heights[:, (share >= low) & (share < high)].min(axis=1))

    def highest(low: float, high: float) -> Floats:
        return np.asarray(heights[:, (share >= low) & (share < high)].max(axis=1))

    # The right front and left hind legs land together when the stride begins.
    low = lowest(0.0, 0.45) - lowest(0.5, 0.95)
    high = highest(0.25, 0.65) - highest(0.75, 1.15)
    result[steady] = np.stack([low[:, 0], high[:, 0], -low[:, 1], -high[:, 1]], axis=1)
    return result


def _footfall_table(falls: list[tuple[Floats, ...]], start_s: float, end_s: float) -> Footfalls:
    columns = [np.concatenate(c) for c in zip(*falls, strict=True)] if falls else [np.zeros(0)] * 5
    horses, limbs, on_s, off_s, gaits = columns
    order = np.argsort(on_s, kind="stable")
    order = order[(on_s[order] >= start_s) & (on_s[order] < end_s)]
    return Footfalls(
        horses[order].astype(np.int64), limbs[order].astype(np.int64), on_s[order], off_s[order],
        _labels(gaits[order]),
    )  # fmt: skip


def _stride_table(strides: list[dict[str, Floats]], start_s: float, end_s: float) -> Strides:
    def column(name: str, *shape: int) -> Floats:
        parts = [made[name] for made in strides]
        return np.concatenate(parts) if parts else np.zeros((0, *shape))

    began, ended = column("start_s"), column("end_s")
    order = np.argsort(began, kind="stable")
    order = order[(began[order] >= start_s) & (ended[order] <= end_s)]
    gaits = column("gait")[order]
    leads = np.array([gait.lead for gait in Gait])[gaits.astype(np.int64)]
    return Strides(
        horse_ids=column("horse_ids")[order].astype(np.int64),
        start_s=began[order],
        end_s=ended[order],
        gaits=_labels(gaits),
        leads=leads,
        stride_hz=column("stride_hz")[order],
        speed_mps=column("speed_mps")[order],
        stride_m=column("stride_m")[order],
        duty=column("duty", 4)[order],
        phases=column("phases", 4)[order],
        steady=column("steady")[order].astype(np.bool_),
        straight=column("straight")[order].astype(np.bool_),
        asymmetry_mm=column("asymmetry_mm", 4)[order],
    )


def _labels(gaits: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    return np.array([gait.label for gait in Gait])[gaits.astype(np.int64)]

"""Errors of footfalls, strides and gaits in the simulated barn, against its truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Gait, Stride
from engine.evaluation.simulated_poses import KeypointNoise, SimulatedSeries, simulated_series
from engine.motion.asymmetry import FIGURES, summarise
from engine.motion.footfalls import LimbContacts, footfalls
from engine.motion.gait import GaitSegment, LiveGait, analyse
from engine.motion.limb_paths import Floats
from engine.motion.series_paths import limb_paths_of
from engine.motion.strides import StrideClock, strides_of
from engine.simulation.farm import SimulatedFarm
from engine.simulation.scenarios import gaits_in_the_arena, trot_in_hand
from engine.simulation.truth import Footfalls, Strides

CAMERA = "arena"
_ZERO_AT = datetime(2026, 1, 1, tzinfo=UTC)
_CLOCK = StrideClock(TrackId(UUID(int=1)), StreamId(UUID(int=2)), _ZERO_AT)
_NEAR = 0.25
"""A landing or stride belongs to the true one nearer than this share of a stride."""


def stride_figures(
    fps: float, minutes: float, seed: int, noise: KeypointNoise,
    asymmetry_mm: tuple[float, float, float, float],
) -> dict[str, object]:  # fmt: skip
    """One horse trotting past the camera to and fro, with known asymmetry."""
    farm = trot_in_hand(seed, asymmetry_mm)
    end_s = minutes * 60.0
    truth = farm.truth_between(0.0, end_s)
    landings: list[float] = []
    lifts: list[float] = []
    expected = 0
    strides: list[Stride] = []
    for one in simulated_series(farm, CAMERA, fps, 0.0, end_s, noise, seed):
        segments = analyse(one.series)
        strides += strides_of(one.series, segments, _CLOCK)
        for segment in segments:
            if segment.gait is Gait.TROT:
                found, on, off = _footfall_errors(one, segment, truth.footfalls)
                expected += found
                landings += on
                lifts += off
    return {
        "footfalls": {
            "expected": expected,
            "found": len(landings),
            "landing_frames": _spread(np.array(landings) * fps),
            "lift_off_frames": _spread(np.array(lifts) * fps),
        },
        **_stride_errors(strides, truth.strides, fps),
        "asymmetry": _asymmetry_errors(strides, truth.strides),
    }


def _footfall_errors(
    one: SimulatedSeries, segment: GaitSegment, truth: Footfalls
) -> tuple[int, list[float], list[float]]:
    """Landings that should be found, and errors of landings and lift-offs in seconds."""
    paths = limb_paths_of(one.series)
    contacts = footfalls(paths, segment.stride_hz, segment.speed_mps)
    margin = 0.35 / segment.stride_hz
    mine = truth.horse_ids == one.horse_id
    inside = (truth.on_s > segment.start_s + margin) & (truth.off_s < segment.end_s - margin)
    on: list[float] = []
    off: list[float] = []
    rows = np.nonzero(mine & inside)[0]
    for row in rows.tolist():
        contact: LimbContacts = contacts[int(truth.limbs[row])]
        error = _nearest(contact.on_s, float(truth.on_s[row]))
        if abs(error) * segment.stride_hz < _NEAR:
            on.append(error)
        error = _nearest(contact.off_s, float(truth.off_s[row]))
        if abs(error) * segment.stride_hz < _NEAR:
            off.append(error)
    return len(rows), on, off


def _nearest(values: Floats, wanted: float) -> float:
    known = values[np.isfinite(values)] - wanted
    return float(known[np.abs(known).argmin()]) if len(known) else np.inf


def _spread(errors: Floats) -> dict[str, float]:
    known = errors[np.isfinite(errors)]
    if not len(known):
        return {}
    size = np.abs(known)
    return {
        "mean": round(float(known.mean()), 3),
        "median_abs": round(float(np.median(size)), 3),
        "p95_abs": round(float(np.percentile(size, 95)), 3),
    }


def _matched(strides: Sequence[Stride], truth: Strides) -> list[tuple[Stride, int]]:
    """Measured strides beside the steady true one that begins with them."""
    rows = np.nonzero(truth.steady)[0]
    if not len(rows):
        return []
    result = []
    for stride in strides:
        began = (stride.start_at - _ZERO_AT).total_seconds()
        off = np.abs(truth.start_s[rows] - began)
        row = int(rows[off.argmin()])
        if off.min() * truth.stride_hz[row] < _NEAR and stride.gait.label == truth.gaits[row]:
            result.append((stride, row))
    return result


def _stride_errors(strides: Sequence[Stride], truth: Strides, fps: float) -> dict[str, object]:
    errors: dict[str, list[float]] = defaultdict(list)
    pairs = _matched(strides, truth)
    for stride, row in pairs:
        true_s = truth.end_s[row] - truth.start_s[row]
        took_s = (stride.end_at - stride.start_at).total_seconds()
        errors["stride_duration_frames"].append((took_s - true_s) * fps)
        errors["stride_hz"].append(stride.stride_hz - truth.stride_hz[row])
        errors["duty"] += (np.array(stride.duty) - truth.duty[row]).tolist()
        phases = np.array(stride.phases) - truth.phases[row]
        errors["phase"] += ((phases + 0.5) % 1.0 - 0.5).tolist()
        errors["speed_mps"].append(stride.speed_mps - truth.speed_mps[row])
        errors["stride_m"].append(stride.length_m - truth.stride_m[row])
    return {
        "strides": {"measured": len(strides), "compared": len(pairs)},
        **{name: _spread(np.array(values)) for name, values in errors.items()},
    }


def _asymmetry_errors(strides: Sequence[Stride], truth: Strides) -> dict[str, object]:
    """Means over all good strides beside the truth's, and what single strides are off by."""
    pairs = [(s, row) for s, row in _matched(strides, truth) if np.isfinite(_figures(s)).all()]
    found = summarise(strides)
    if found.refusal or not pairs:
        return {"strides": found.strides, "refusal": found.refusal}
    rows = [row for _, row in pairs]
    each = np.array([_figures(stride) for stride, _ in pairs]) - truth.asymmetry_mm[rows]
    true_mean = np.nanmean(truth.asymmetry_mm[rows], axis=0)
    result: dict[str, object] = {"strides": found.strides}
    for column, name in enumerate(FIGURES):
        mean = float(getattr(found.mean, name))
        result[name] = {
            "measured": round(mean, 2),
            "true": round(float(true_mean[column]), 2),
            "error": round(mean - float(true_mean[column]), 2),
            "stride_to_stride_sd": round(float(getattr(found.spread, name)), 2),
            "single_stride_error_sd": round(float(each[:, column].std()), 2),
        }
    return result


def _figures(stride: Stride) -> list[float]:
    return [float(getattr(stride.asymmetry, name)) for name in FIGURES]


# --- gaits -------------------------------------------------------------------------------------


def gait_figures(fps: float, minutes: float, seed: int, noise: KeypointNoise) -> dict[str, object]:
    """One horse through every gait on both hands: shares of time with the right gait and lead, of
    the final analysis and of the live one, and the errors of its strides."""
    farm = gaits_in_the_arena(seed)
    end_s = minutes * 60.0
    final, live = _Shares(), _Shares()
    strides: list[Stride] = []
    for one in simulated_series(farm, CAMERA, fps, 0.0, end_s, noise, seed):
        segments = analyse(one.series)
        strides += strides_of(one.series, segments, _CLOCK)
        _count_final(final, one, segments)
        _count_live(live, one)
    return {
        "final": final.report(fps),
        "live": live.report(fps),
        **_stride_errors(strides, _truth(farm, end_s), fps),
    }


def _truth(farm: SimulatedFarm, end_s: float) -> Strides:
    return farm.truth_between(0.0, end_s).strides


class _Shares:
    """Instants by true and told gait, and leads."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._leads = [0, 0]

    def count(self, true: str, told: str, true_lead: str, told_lead: str) -> None:
        """One more instant."""
        self._told[true][told] += 1
        if true_lead and told == true:
            self._leads[told_lead == true_lead] += 1

    def report(self, fps: float) -> dict[str, object]:
        """Share of all time with the right gait, of each gait, of leads, and the confusion."""
        total = sum(sum(row.values()) for row in self._told.values())
        right = sum(row.get(true, 0) for true, row in self._told.items())
        leads = sum(self._leads)
        return {
            "seconds": round(total / fps, 1),
            "right": round(right / max(total, 1), 4),
            "right_by_gait": {
                true: round(row.get(true, 0) / sum(row.values()), 4)
                for true, row in self._told.items()
            },
            "lead_right": round(self._leads[1] / leads, 4) if leads else None,
            "confusion_s": {
                true: {told: round(n / fps, 1) for told, n in row.items()}
                for true, row in self._told.items()
            },
        }


def _count_final(shares: _Shares, one: SimulatedSeries, segments: Sequence[GaitSegment]) -> None:
    for segment in segments:
        inside = (one.truth.t_s >= segment.start_s) & (one.truth.t_s < segment.end_s)
        for row in np.nonzero(inside)[0].tolist():
            true, lead = str(one.truth.gaits[row]), str(one.truth.leads[row])
            shares.count(true, segment.gait.label, lead, segment.lead.label)


def _count_live(shares: _Shares, one: SimulatedSeries) -> None:
    """The live form knows only what has been: it trails by half its window."""
    series = one.series
    live = LiveGait(series.poses.skeleton)
    for row in range(len(series)):
        told = live.update(
            float(series.t_s[row]), series.poses.keypoints_px[row], series.poses.scores[row],
            float(series.scales_px_m[row]),
        )  # fmt: skip
        true, lead = str(one.truth.gaits[row]), str(one.truth.leads[row])
        shares.count(true, told.gait.label, lead, told.lead.label)

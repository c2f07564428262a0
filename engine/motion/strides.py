"""Strides of a series: timing, length and evenness of each, from footfall to footfall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import numpy as np

from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Asymmetry, Gait, PoseSeries, Stride, StrideId
from engine.motion.asymmetry import vertical_differences
from engine.motion.footfalls import LimbContacts, footfalls
from engine.motion.gait import GaitSegment
from engine.motion.gait_patterns import LF, LH, RF, RH, between
from engine.motion.limb_paths import LEAST_SCORE, Floats, LimbPaths, missing_roles
from engine.motion.series_paths import limb_paths_of
from engine.motion.symmetry import symmetry

MOVING = (Gait.WALK, Gait.TROT, Gait.CANTER, Gait.GALLOP)
LEAST_QUALITY = 0.15
"""Strides below are told apart wrongly more often than not and are left out."""

_REFERENCES = (LH, RH, LF, RF)
_DURATION = (0.65, 1.5)
_AROUND_S = 0.4
_STRAIGHT_DEG = 8.0
_STRAIGHT_SIDE = 0.12
_LANDING_OFF, _GOOD_SIDE, _GOOD_CONFIDENCE = 0.2, 0.6, 0.6
"""Quality falls to a third when a landing is a fifth of a stride from its place in the gait, and in
proportion below these values of side view and gait confidence."""


@dataclass(frozen=True, slots=True)
class StrideClock:
    """Where a series lies in time: its second 0 as a UTC instant, and whose it is."""

    track_id: TrackId
    stream_id: StreamId
    zero_at: datetime


@dataclass(frozen=True, slots=True)
class _Vertical:
    """Paths of head and pelvis upwards, millimetres, (T,); NaN where not seen."""

    head_mm: Floats
    pelvis_mm: Floats


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What the strides of one segment are measured from; ``paths`` reach a little beyond it."""

    series: PoseSeries
    paths: LimbPaths
    segment: GaitSegment
    contacts: Sequence[LimbContacts]
    vertical: _Vertical
    speeds_mps: Floats | None


def strides_of(
    series: PoseSeries,
    segments: Sequence[GaitSegment],
    clock: StrideClock,
    provisional: bool = True,
    speeds_mps: Floats | None = None,
) -> list[Stride]:
    """The strides of every moving segment (``gait.analyse``), by rising start.

    A stride runs from one landing of the left hind hoof to the next; where that hoof is not seen,
    of the first of right hind, left front, right front that is. speeds_mps: float64 (T,) over the
    ground where it is known better than from the picture (a ground calibration).
    """
    if missing_roles(series.poses.skeleton) or len(series) < 2:
        return []
    paths = limb_paths_of(series)
    vertical = _vertical(series, paths)
    result: list[Stride] = []
    for segment in segments:
        if segment.gait not in MOVING or not segment.stride_hz > 0:
            continue
        first = int(np.searchsorted(paths.t_s, segment.start_s - _AROUND_S))
        last = int(np.searchsorted(paths.t_s, segment.end_s + _AROUND_S, side="right"))
        part = paths.part(first, last)
        if segment.follows:
            part = replace(part, fixed=np.zeros(len(part), np.bool_))
        contacts = footfalls(part, segment.stride_hz, segment.speed_mps)
        stretch = _Stretch(series, part, segment, contacts, vertical, speeds_mps)
        for start_s, end_s, limb in _spans(contacts, segment):
            stride = _stride(stretch, (start_s, end_s), limb, clock, provisional)
            if stride.quality >= LEAST_QUALITY:
                result.append(stride)
    return result


def _vertical(series: PoseSeries, paths: LimbPaths) -> _Vertical:
    """Camera motion has been taken off where it is known; else head and pelvis are measured as they
    are, because whatever else is in the picture moves with the camera as they do."""
    index = series.poses.skeleton.index_by_role
    lift = np.nan_to_num(np.asarray(series.camera_px[:, 1], np.float64))

    def path(*roles: str) -> Floats:
        for role in roles:
            if role in index:
                y = np.asarray(series.poses.keypoints_px[:, index[role], 1], np.float64)
                seen = series.poses.scores[:, index[role]] >= LEAST_SCORE
                return np.where(seen, -(y - lift) * 1000.0 / paths.scale_px_m, np.nan)
        return np.full(len(series), np.nan)

    return _Vertical(path("poll", "nose"), path("croup", "tail_root"))


def _spans(
    contacts: Sequence[LimbContacts], segment: GaitSegment
) -> list[tuple[float, float, int]]:
    """Start, end and reference limb of every stride of a segment."""
    usual = 1.0 / segment.stride_hz
    best: list[tuple[float, float, int]] = []
    for limb in _REFERENCES:
        on = contacts[limb].on_s
        on = on[np.isfinite(on)]
        spans = [
            (float(a), float(b), limb)
            for a, b in pairwise(on)
            if _DURATION[0] * usual <= b - a <= _DURATION[1] * usual
            and a >= segment.start_s - _AROUND_S
            and b <= segment.end_s + _AROUND_S
        ]
        # A later limb must find clearly more to take the reference from the left hind.
        if len(spans) > 1.5 * len(best):
            best = spans
    return best


def _stride(
    stretch: _Stretch, span: tuple[float, float], reference: int, clock: StrideClock,
    provisional: bool,
) -> Stride:  # fmt: skip
    segment, (start_s, end_s) = stretch.segment, span
    length_s = end_s - start_s
    landings, duty, sure = _limb_columns(stretch.contacts, start_s, length_s)
    phases = (landings - start_s) / length_s % 1.0
    phases[reference] = 0.0
    speed = _speed(stretch, span)
    asymmetry, relative = _asymmetry(stretch, landings, span)
    return Stride(
        id=StrideId(uuid4()),
        track_id=clock.track_id,
        stream_id=clock.stream_id,
        start_at=clock.zero_at + timedelta(seconds=start_s),
        end_at=clock.zero_at + timedelta(seconds=end_s),
        gait=segment.gait,
        lead=segment.lead,
        stride_hz=1.0 / length_s,
        length_m=speed * length_s,
        speed_mps=speed,
        duty=_four(duty),
        phases=_four(phases),
        dissociation=(
            between(float(phases[RH]), float(phases[LF])),
            between(float(phases[LH]), float(phases[RF])),
        ),
        symmetry=symmetry(segment.gait, _four(duty), _four(phases), relative),
        asymmetry=asymmetry,
        straight=_straight(stretch.paths, span),
        quality=_quality(stretch, span, landings, sure),
        provisional=provisional,
    )


def _four(values: Floats) -> tuple[float, float, float, float]:
    return float(values[0]), float(values[1]), float(values[2]), float(values[3])


def _limb_columns(
    contacts: Sequence[LimbContacts], start_s: float, length_s: float
) -> tuple[Floats, Floats, Floats]:
    """Landing within the stride, duty factor and sureness of each limb, (4,); NaN where unseen."""
    landings, duty, sure = np.full(4, np.nan), np.full(4, np.nan), np.zeros(4)
    for limb, contact in enumerate(contacts):
        near = contact.on_s - start_s
        inside = np.nonzero((near >= -0.1 * length_s) & (near < 0.9 * length_s))[0]
        if len(inside):
            row = inside[0]
            landings[limb] = contact.on_s[row]
            duty[limb] = (contact.off_s[row] - contact.on_s[row]) / length_s
            sure[limb] = contact.sure[row]
    return landings, duty, sure


def _speed(stretch: _Stretch, span: tuple[float, float]) -> float:
    """Over the ground: as given, else the trunk's way in the picture, else what the hooves say."""
    if stretch.speeds_mps is not None:
        t_s = stretch.series.t_s
        inside = stretch.speeds_mps[(t_s >= span[0]) & (t_s <= span[1])]
        inside = inside[np.isfinite(inside)]
        if len(inside):
            return float(inside.mean())
    paths = stretch.paths
    if not paths.fixed.all():
        return stretch.segment.speed_mps
    way = _at(paths, span[1]) - _at(paths, span[0])
    scale = float(np.interp(sum(span) / 2, paths.t_s, paths.scale_px_m))
    return float(np.hypot(way[0], way[1]) / scale / (span[1] - span[0]))


def _at(paths: LimbPaths, when_s: float) -> Floats:
    """Middle of the trunk at an instant, by a line through a fifth of a second around it."""
    near = np.abs(paths.t_s - when_s) <= 0.11
    if near.sum() < 3:
        x, y = (np.interp(when_s, paths.t_s, paths.trunk_px[:, axis]) for axis in (0, 1))
        return np.array([x, y])
    found = np.polyfit(paths.t_s[near] - when_s, paths.trunk_px[near], 1)
    return np.asarray(found[1], np.float64)


def _straight(paths: LimbPaths, span: tuple[float, float]) -> bool:
    """Seen from a fixed camera the trunk's way bends less than ``_STRAIGHT_DEG`` in a stride; from
    any camera the horse does not turn its side away."""
    inside = (paths.t_s >= span[0]) & (paths.t_s <= span[1])
    if inside.sum() < 4:
        return False
    third = max(int(inside.sum()) // 3, 1)
    side, facing = paths.side[inside], paths.facing[inside]
    if abs(np.median(side[-third:]) - np.median(side[:third])) > _STRAIGHT_SIDE:
        return False
    if facing.min() != facing.max():
        return False
    if not paths.fixed.all():
        return True
    way = paths.trunk_px[inside]
    times = paths.t_s[inside]
    half = len(times) // 2
    first = np.polyfit(times[: half + 1], way[: half + 1, 0], 1)[0]
    second = np.polyfit(times[half:], way[half:, 0], 1)[0]
    return bool(abs(second - first) <= math.radians(_STRAIGHT_DEG) * max(abs(first + second), 1e-6))


def _asymmetry(
    stretch: _Stretch, landings: Floats, span: tuple[float, float]
) -> tuple[Asymmetry, list[float]]:
    """HDmin to PDmax of a stride of trot, and the same over the range of the movement."""
    known = stretch.series.poses.skeleton.sides_known
    if stretch.segment.gait is not Gait.TROT or not known:
        return Asymmetry(), []
    length_s = span[1] - span[0]
    fore = _landing_of(landings[RF], landings[LF], landings[LH], length_s)
    hind = _landing_of(landings[RH], landings[LH], landings[LF], length_s)
    figures: list[float] = []
    relative: list[float] = []
    for path, landing in ((stretch.vertical.head_mm, fore), (stretch.vertical.pelvis_mm, hind)):
        found = vertical_differences(stretch.series.t_s, path, landing, length_s)
        figures += [found.minima_mm, found.maxima_mm]
        relative += [found.minima_mm / found.range_mm, found.maxima_mm / found.range_mm]
    return Asymmetry(*figures), relative


def _landing_of(right: float, left: float, diagonal: float, length_s: float) -> float:
    """Landing of the right limb of a pair in trot: half a stride from the left one's, and together
    with its diagonal partner; the mean of what is known."""
    told = [v for v in (right, left - length_s / 2, diagonal) if math.isfinite(v)]
    if not told:
        return math.nan
    base = told[0]
    return base + float(np.mean([between((v - base) / length_s, 0.0) for v in told])) * length_s


def _quality(stretch: _Stretch, span: tuple[float, float], landings: Floats, sure: Floats) -> float:
    """0..1: hooves well seen, landings where the gait has them, the horse seen from the side."""
    seen = np.isfinite(landings)
    if seen.sum() < 2:
        return 0.0
    paths, segment = stretch.paths, stretch.segment
    inside = (paths.t_s >= span[0]) & (paths.t_s <= span[1])
    side = float(np.median(paths.side[inside]))
    first = int(np.argmax(seen))
    usual = np.array(segment.phases) - segment.phases[first]
    found = (landings - landings[first]) / (span[1] - span[0])
    off = [abs(between(float(a), float(b))) for a, b in zip(found, usual, strict=True)]
    worst = max((v for v in off if math.isfinite(v)), default=0.0)
    return float(
        min(1.0, sure[seen].mean() + 0.2)
        * (0.5 + 0.125 * seen.sum())
        * math.exp(-((worst / _LANDING_OFF) ** 2))
        * min(1.0, side / _GOOD_SIDE)
        * min(1.0, segment.confidence / _GOOD_CONFIDENCE)
    )

"""The gait of a horse: live from a few seconds of poses, and final over a whole series.

Both use the same steps: hoof paths against the trunk (``limb_paths``), their common rhythm
(``rhythm``), and the gait whose footfall order fits best (``gait_patterns``).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.domain.motion import Gait, Lead, PoseSeries
from engine.domain.skeletons import Skeleton
from engine.motion.gait_patterns import (
    RULES,
    GaitRules,
    Pattern,
    patterns,
    posteriors,
    relative_to_hind,
)
from engine.motion.limb_paths import Floats, LimbPaths, limb_paths, limb_paths_of, missing_roles
from engine.motion.rhythm import LEAST_TIMES, Rhythm, rhythm_of

_UNKNOWN4 = (math.nan, math.nan, math.nan, math.nan)
Four = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class GaitOptions:
    """How gaits are found. Seconds and metres.

    window_s: poses looked at together; every_s: how often the live form decides anew. hold_s: how
    long another gait must last before the label changes. standing_s: stillness that is standing.
    still_sway_m: hooves that travel less than this back and forth, and still_mps: a trunk slower
    than this, stand still. least_confidence: below, the gait is unknown.
    """

    window_s: float = 3.0
    every_s: float = 0.3
    hold_s: float = 0.6
    standing_s: float = 1.0
    still_sway_m: float = 0.12
    still_mps: float = 0.25
    least_confidence: float = 0.25
    rules: GaitRules = RULES


@dataclass(frozen=True, slots=True)
class GaitEstimate:
    """What the legs do around one instant.

    confidence: 0..1. stride_hz, stride_m, speed_mps, duty: NaN where not known; ``speed_mps`` is
    what was given, else what the hooves say. phases: landing of each limb of ``LIMBS`` as a share
    of the stride after the left hind limb. fit: 0..1, how much of the hooves' movement the rhythm
    explains. strides: how many the window holds. symmetry: 0..1 or NaN. shares: probability of each
    gait. evidence: in words, what decided.
    """

    t_s: float
    gait: Gait
    lead: Lead = Lead.NONE
    confidence: float = 0.0
    stride_hz: float = math.nan
    stride_m: float = math.nan
    speed_mps: float = math.nan
    duty: float = math.nan
    phases: Four = _UNKNOWN4
    fit: float = 0.0
    strides: float = 0.0
    symmetry: float = math.nan
    shares: tuple[tuple[Gait, float], ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GaitSegment:
    """One stretch of one gait in a series. Times are the series' seconds; numbers as in
    ``GaitEstimate``, medians over the stretch."""

    start_s: float
    end_s: float
    gait: Gait
    lead: Lead
    confidence: float
    stride_hz: float
    speed_mps: float
    duty: float
    phases: Four
    evidence: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


def estimate(
    paths: LimbPaths, skeleton: Skeleton, speed_mps: float = math.nan,
    options: GaitOptions | None = None,
) -> GaitEstimate:  # fmt: skip
    """The gait in one window of hoof paths. ``speed_mps``: over the ground, NaN if not known."""
    options = options or GaitOptions()
    t_s = float(paths.t_s[-1]) if len(paths) else math.nan
    if len(paths) < LEAST_TIMES:
        return GaitEstimate(t_s, Gait.UNKNOWN, speed_mps=speed_mps, evidence=("too few poses",))
    if _stands(paths, speed_mps, options):
        return _standing(paths, t_s)
    rhythm = rhythm_of(paths)
    speed = speed_mps if math.isfinite(speed_mps) else _speed(paths, rhythm)
    if not math.isfinite(rhythm.stride_hz):
        return GaitEstimate(t_s, Gait.UNKNOWN, speed_mps=speed, evidence=("no rhythm",))
    known = np.where(rhythm.fits >= _LEAST_FIT, rhythm.phases, np.nan)
    found = patterns(known, rhythm.duty, speed, rhythm.stride_hz, options.rules)
    return _decided(t_s, rhythm, known, found, speed, skeleton, options)


_LEAST_FIT = 0.35
"""A limb whose movement the common rhythm explains less than this is not used."""

_FULL_STRIDES = 2.0
"""Strides in the window from which their number no longer lowers the confidence."""


def _speed(paths: LimbPaths, rhythm: Rhythm) -> float:
    """Over the ground, m/s: the trunk's way in the picture of a fixed camera; where the camera
    follows the horse, what the bearing hooves say. NaN for a horse that comes or goes."""
    if not paths.fixed.all():
        return rhythm.ground_mps
    later = np.searchsorted(paths.t_s, paths.t_s + _SPEED_OVER_S)
    first = np.nonzero(later < len(paths))[0]
    if not len(first) or float(np.median(paths.side)) < _SPEED_SIDE:
        return math.nan
    last = later[first]
    way = paths.trunk_px[last] - paths.trunk_px[first]
    took = paths.t_s[last] - paths.t_s[first]
    return float(np.median(np.hypot(way[:, 0], way[:, 1]) / paths.scale_px_m[first] / took))


_SPEED_OVER_S = 0.5
_SPEED_SIDE = 0.5
"""Share of its length a horse must show for its way in the picture to tell its speed."""


def _stands(paths: LimbPaths, speed_mps: float, options: GaitOptions) -> bool:
    """The last ``standing_s`` are still: trunk and at least three hooves stay where they are."""
    first = int(np.searchsorted(paths.t_s, paths.t_s[-1] - options.standing_s - 1e-6))
    if paths.t_s[-1] - paths.t_s[first] < 0.8 * options.standing_s:
        return False
    if math.isfinite(speed_mps) and speed_mps > 2 * options.still_mps:
        return False
    lately = paths.part(first, len(paths))
    still = seen = 0
    for limb in range(4):
        column = lately.ahead_m[:, limb][np.isfinite(lately.ahead_m[:, limb])]
        if len(column) < 3:
            continue
        seen += 1
        low, high = np.percentile(column, (10, 90))
        still += int(high - low < options.still_sway_m)
    if seen < 2 or still < min(seen, 3):
        return False
    if not lately.fixed.all():
        return True
    ends = max(len(lately) // 4, 1)
    moved = np.median(lately.trunk_px[-ends:], axis=0) - np.median(lately.trunk_px[:ends], axis=0)
    metres = float(np.hypot(*moved)) / float(np.median(lately.scale_px_m))
    return not metres > options.still_mps * (lately.t_s[-1] - lately.t_s[0])


def _standing(paths: LimbPaths, t_s: float) -> GaitEstimate:
    trust = paths.trust[paths.trust > 0]
    sure = float(trust.mean()) if len(trust) else 0.0
    shares = ((Gait.STANDING, 1.0),)
    return GaitEstimate(
        t_s, Gait.STANDING, confidence=sure, speed_mps=0.0, shares=shares,
        evidence=("hooves and trunk still",),
    )  # fmt: skip


def _decided(
    t_s: float, rhythm: Rhythm, known: Floats, found: list[Pattern], speed: float,
    skeleton: Skeleton, options: GaitOptions,
) -> GaitEstimate:  # fmt: skip
    used = np.isfinite(known)
    fit = float(rhythm.fits[used].mean()) if used.any() else 0.0
    relative = relative_to_hind(known)
    numbers = GaitEstimate(
        t_s=t_s,
        gait=Gait.UNKNOWN,
        stride_hz=rhythm.stride_hz,
        stride_m=speed / rhythm.stride_hz,
        speed_mps=speed,
        duty=rhythm.duty,
        phases=(float(relative[0]), float(relative[1]), float(relative[2]), float(relative[3])),
        fit=fit,
        strides=rhythm.strides,
    )
    if not found:
        return replace(numbers, evidence=(f"{int(used.sum())} limbs in rhythm, too few",))
    best = found[0]
    shares = posteriors(found)
    phase_fit = math.exp(-best.misfit / 16.0)
    enough = min(1.0, rhythm.strides / _FULL_STRIDES) * (0.7 + 0.3 * used.sum() / 4)
    sure = shares[best.gait] * phase_fit * min(1.0, fit / 0.8) * enough * min(1, rhythm.trust + 0.2)
    gait = best.gait if sure >= options.least_confidence else Gait.UNKNOWN
    return replace(
        numbers,
        gait=gait,
        lead=_lead(best.lead, skeleton) if gait is not Gait.UNKNOWN else Lead.NONE,
        confidence=float(sure),
        shares=tuple(sorted(shares.items(), key=lambda item: -item[1])),
        evidence=_words(best, rhythm, relative, speed, int(used.sum())),
    )


def _lead(lead: Lead, skeleton: Skeleton) -> Lead:
    """The lead as far as the skeleton knows its sides."""
    if skeleton.sides_known or lead is Lead.NONE:
        return lead
    return Lead.ONE if lead is Lead.LEFT else Lead.OTHER


def _words(
    best: Pattern, rhythm: Rhythm, relative: Floats, speed: float, limbs: int
) -> tuple[str, ...]:
    order = " ".join("-" if math.isnan(v) else f"{v:.2f}" for v in relative)
    words = [
        f"landings {order}",
        f"phase misfit {best.misfit:.1f} over {best.terms} rules, {limbs} limbs",
        f"{rhythm.strides:.1f} strides at {rhythm.stride_hz:.2f} Hz",
    ]
    if math.isfinite(rhythm.duty):
        words.append(f"duty {rhythm.duty:.2f}")
    if math.isfinite(speed):
        words.append(f"{speed:.1f} m/s")
    if best.note:
        words.append(best.note)
    return tuple(words)


class Hysteresis:
    """Keeps a gait until another has been seen for ``hold_s``; standing is held by its own second
    of stillness and is shown at once."""

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._shown: GaitEstimate | None = None
        self._wish: Gait | None = None
        self._since_s = 0.0

    def shown(self, now: GaitEstimate) -> GaitEstimate:
        """What to show, given the newest estimate."""
        shown = self._shown
        if shown is None or now.gait in (shown.gait, Gait.STANDING) or shown.gait is Gait.UNKNOWN:
            self._wish, self._shown = None, now
            return now
        if self._wish is not now.gait:
            self._wish, self._since_s = now.gait, now.t_s
        if now.t_s - self._since_s >= self._hold_s:
            self._wish, self._shown = None, now
            return now
        return replace(now, gait=shown.gait, lead=shown.lead, confidence=0.5 * shown.confidence)


class LiveGait:
    """The provisional gait of one track, from the poses of its last seconds.

    ``update`` takes one pose a picture; it decides anew every ``every_s`` and returns the latest
    decision otherwise. Raises nothing: a skeleton without hooves gives UNKNOWN with the missing
    roles as evidence.
    """

    def __init__(self, skeleton: Skeleton, options: GaitOptions | None = None) -> None:
        self._skeleton = skeleton
        self._options = options or GaitOptions()
        self._missing = missing_roles(skeleton)
        self._poses: deque[tuple[float, Floats, Floats, float, tuple[float, float]]] = deque()
        self._hysteresis = Hysteresis(self._options.hold_s)
        self._decided_s = -math.inf
        words = tuple(f"no {role}" for role in self._missing)
        self._latest = GaitEstimate(math.nan, Gait.UNKNOWN, evidence=words)

    def update(
        self,
        t_s: float,
        keypoints_px: np.ndarray[tuple[int, ...], np.dtype[np.floating]],
        scores: np.ndarray[tuple[int, ...], np.dtype[np.floating]],
        scale_px_m: float = math.nan,
        speed_mps: float = math.nan,
        camera_px: tuple[float, float] = (0.0, 0.0),
    ) -> GaitEstimate:
        """One more pose: keypoints (K, 2) and scores (K,) of the track at a rising time.

        scale_px_m: picture pixels per metre at the horse; speed_mps: over the ground; NaN where not
        known. camera_px: as in ``PoseSeries``; NaN while the camera itself moves.
        """
        if self._missing:
            return self._latest
        row = (t_s, np.asarray(keypoints_px, np.float64), np.asarray(scores, np.float64))
        self._poses.append((*row, scale_px_m, camera_px))
        while self._poses[0][0] < t_s - self._options.window_s:
            self._poses.popleft()
        if t_s - self._decided_s >= self._options.every_s - 1e-6:
            self._decided_s = t_s
            self._latest = self._hysteresis.shown(self._estimate(speed_mps))
        return self._latest

    def _estimate(self, speed_mps: float) -> GaitEstimate:
        times, marks, scores, scales, cameras = zip(*self._poses, strict=True)
        paths = limb_paths(
            np.array(times), np.stack(marks), np.stack(scores), self._skeleton,
            np.array(scales, np.float64), np.array(cameras, np.float64),
        )  # fmt: skip
        return estimate(paths, self._skeleton, speed_mps, self._options)


_HOP_S = 0.2


def analyse(
    series: PoseSeries, speeds_mps: Floats | None = None, options: GaitOptions | None = None
) -> list[GaitSegment]:
    """The gaits of a whole series at its full rate, one after the other without gaps.

    speeds_mps: float64 (T,) over the ground, if known better than from the trunk's way in the
    picture (a ground calibration).
    """
    options = options or GaitOptions()
    if missing_roles(series.poses.skeleton) or len(series) < LEAST_TIMES:
        return []
    paths = limb_paths_of(series)
    return _segments(_windows(paths, series.poses.skeleton, speeds_mps, options), paths)


def _windows(
    paths: LimbPaths, skeleton: Skeleton, speeds_mps: Floats | None, options: GaitOptions
) -> list[GaitEstimate]:
    """Estimates around instants a hop apart."""
    half = options.window_s / 2
    centres = np.arange(paths.t_s[0], paths.t_s[-1] + _HOP_S / 2, _HOP_S)
    result = []
    for centre in centres.tolist():
        first = int(np.searchsorted(paths.t_s, centre - half))
        last = int(np.searchsorted(paths.t_s, centre + half, side="right"))
        speed = math.nan
        if speeds_mps is not None and last > first:
            speed = float(np.nanmedian(speeds_mps[first:last]))
        made = estimate(paths.part(first, last), skeleton, speed, options)
        result.append(replace(made, t_s=centre))
    return result


def _segments(windows: Sequence[GaitEstimate], paths: LimbPaths) -> list[GaitSegment]:
    """Neighbouring windows of the same gait and lead as one."""
    result: list[GaitSegment] = []
    group: list[GaitEstimate] = []
    for index, window in enumerate(windows):
        group.append(window)
        following = windows[index + 1] if index + 1 < len(windows) else None
        if following is not None and (following.gait, following.lead) == (window.gait, window.lead):
            continue
        start = result[-1].end_s if result else float(paths.t_s[0])
        end = float(paths.t_s[-1]) if following is None else (window.t_s + following.t_s) / 2
        result.append(_segment(group, start, end))
        group = []
    return result


def _segment(group: Sequence[GaitEstimate], start_s: float, end_s: float) -> GaitSegment:
    best = max(group, key=lambda window: window.confidence)

    def middle(values: list[float]) -> float:
        known = [v for v in values if math.isfinite(v)]
        return float(np.median(known)) if known else math.nan

    return GaitSegment(
        start_s, end_s, best.gait, best.lead, middle([w.confidence for w in group]),
        middle([w.stride_hz for w in group]), middle([w.speed_mps for w in group]),
        middle([w.duty for w in group]), best.phases, best.evidence,
    )  # fmt: skip

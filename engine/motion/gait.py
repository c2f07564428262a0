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
from engine.motion.gait_course import smoothed
from engine.motion.gait_estimate import Four, GaitEstimate, GaitOptions, estimate
from engine.motion.limb_paths import Floats, LimbPaths, limb_paths, missing_roles
from engine.motion.rhythm import LEAST_TIMES
from engine.motion.series_paths import limb_paths_of

__all__ = [
    "GaitEstimate", "GaitOptions", "GaitSegment", "Hysteresis", "LiveGait", "analyse", "estimate",
]  # fmt: skip


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
    follows: bool = False

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


class Hysteresis:
    """Keeps a gait until it has not been seen for ``hold_s``; standing is held by its own second of
    stillness and is shown at once."""

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._shown: GaitEstimate | None = None
        self._seen_s = 0.0

    def shown(self, now: GaitEstimate) -> GaitEstimate:
        """What to show, given the newest estimate."""
        shown = self._shown
        if (
            shown is None
            or now.gait in (shown.gait, Gait.STANDING)
            or shown.gait is Gait.UNKNOWN
            or now.t_s - self._seen_s >= self._hold_s
        ):
            self._shown, self._seen_s = now, now.t_s
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
        self._longest_s = max(self._options.windows_s)
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
        while self._poses[0][0] < t_s - self._longest_s:
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
        return estimate(paths, self._skeleton, speed_mps, self._options, thorough=False)


_HOP_S = 0.2
_LONGER_S = 4.5
"""The final form also looks this far, for walks of less than a stride a second."""


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
    options = replace(options, windows_s=(*options.windows_s, _LONGER_S))
    paths = limb_paths_of(series)
    windows = _windows(paths, series.poses.skeleton, speeds_mps, options)
    return _segments(smoothed(windows, options.change_cost), paths)


def _windows(
    paths: LimbPaths, skeleton: Skeleton, speeds_mps: Floats | None, options: GaitOptions
) -> list[GaitEstimate]:
    """Estimates around instants a hop apart."""
    centres = np.arange(paths.t_s[0], paths.t_s[-1] + _HOP_S / 2, _HOP_S)
    result = []
    for centre in centres.tolist():
        speed = math.nan
        if speeds_mps is not None:
            near = speeds_mps[np.abs(paths.t_s - centre) <= options.standing_s / 2]
            near = near[np.isfinite(near)]
            speed = float(np.median(near)) if len(near) else math.nan
        result.append(estimate(paths, skeleton, speed, options, centre))
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
        sum(w.follows for w in group) * 2 > len(group),
    )  # fmt: skip

"""Provisional strides of one track while it moves, from its last seconds of poses.

At ten pictures a second a landing is known to a few hundredths of a second at best; the recording
is measured again at the camera's own frame rate and replaces these.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from datetime import timedelta

import numpy as np

from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.ids import TrackId
from engine.domain.motion import Asymmetry, PoseSeries, Stride
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import Skeleton
from engine.motion.gait import analyse
from engine.motion.limb_paths import missing_roles
from engine.motion.strides import StrideClock, strides_of

WINDOW_S, EVERY_S = 6.0, 2.0
"""Poses looked at together, and how often. Three strides of a walk and more."""
SETTLED_S = 0.6
"""A stride that ended later may still change with the next pictures."""
LEAST_POSES = 12
ASYMMETRY_FPS = 20.0
"""With fewer pictures a second the lowest and highest points of head and pelvis fall between them,
and no asymmetry is told."""
_GAP_S = 1.0


class LiveStrides:
    """Keeps a track's last poses and tells each stride once, when it has settled."""

    def __init__(self, skeleton: Skeleton, track_id: TrackId) -> None:
        self._skeleton, self._track_id = skeleton, track_id
        self._able = not missing_roles(skeleton)
        self._kept: deque[tuple[FrameStamp, FloatArray, FloatArray, FloatArray, float]] = deque()
        self._looked_s = -math.inf
        self._told_s = -math.inf

    def update(
        self,
        stamp: FrameStamp,
        keypoints_px: FloatArray,
        scores: FloatArray,
        box_xyxy_px: FloatArray,
        scale_px_m: float,
        moving: bool,
    ) -> list[Stride]:
        """One more pose (K, 2) with scores (K,) of a fixed camera; ``moving``: the live gait is
        one, else nothing is measured. Returns strides not told before, by rising start."""
        now_s = stamp.captured_mono_s
        if not self._able:
            return []
        if self._kept and now_s - self._kept[-1][0].captured_mono_s > _GAP_S:
            self._kept.clear()
        self._kept.append((stamp, keypoints_px, scores, box_xyxy_px, scale_px_m))
        while now_s - self._kept[0][0].captured_mono_s > WINDOW_S:
            self._kept.popleft()
        due = moving and now_s - self._looked_s >= EVERY_S and len(self._kept) >= LEAST_POSES
        if not due:
            return []
        self._looked_s = now_s
        return self._measured(now_s)

    def _measured(self, now_s: float) -> list[Stride]:
        stamps, points, scores, boxes, scales = zip(*self._kept, strict=True)
        count = len(stamps)
        series = PoseSeries(
            np.array([stamp.captured_mono_s for stamp in stamps], np.float64),
            PoseBatch(np.stack(points), np.stack(scores), self._skeleton),
            np.stack(boxes).astype(np.float32),
            np.array(scales, np.float32),
            np.zeros((count, 2), np.float32),
        )
        zero_at = stamps[-1].captured_at - timedelta(seconds=now_s)
        clock = StrideClock(self._track_id, stamps[-1].stream_id, zero_at)
        rate = (count - 1) / max(float(series.t_s[-1] - series.t_s[0]), 1e-3)
        fresh = [
            stride if rate >= ASYMMETRY_FPS else replace(stride, asymmetry=Asymmetry())
            for stride in strides_of(series, analyse(series), clock)
            if (stride.start_at - zero_at).total_seconds() >= self._told_s
            and (stride.end_at - zero_at).total_seconds() <= now_s - SETTLED_S
        ]
        if fresh:
            # A little slack: the same landing is found a few hundredths later with more pictures.
            ended_s = (fresh[-1].end_at - zero_at).total_seconds()
            self._told_s = ended_s - 0.25 / max(fresh[-1].stride_hz, 0.5)
        return fresh

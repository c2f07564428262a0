"""A camera that another node watches: its pictures are for the wall here, and for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.domain.frames import AnalysisFrame, WallFrame
from engine.domain.results import FrameResult
from engine.domain.streams import StreamHealth, StreamState, StreamStatusChanged

FAR_S = 0.2
"""A result whose picture is further from every picture here belongs to none of them."""
NOBODY = "nobody yet"
"""Stands for the node while no node has the camera."""


class Onlooker:
    """What a capture for the wall alone tells: nothing. The node that holds the camera does."""

    def on_analysis_frame(self, frame: AnalysisFrame) -> None:
        """Nothing is analysed here."""

    def on_status(self, change: StreamStatusChanged) -> None:
        """Kept in the capture's own health."""


def watched(health: StreamHealth, node: str) -> StreamHealth:
    """A camera's health here, saying who watches it."""
    idle = health.state is StreamState.INACTIVE
    reason = f"Watched by {node}." if idle else health.reason
    return replace(health, watched_by=node, reason=reason)


def nearest(frames: Sequence[WallFrame], result: FrameResult) -> WallFrame | None:
    """The picture that was taken when the result's was; None when all are too far from it."""

    def distance_s(frame: WallFrame) -> float:
        return abs(frame.stamp.captured_mono_s - result.stamp.captured_mono_s)

    found = min(frames, key=distance_s, default=None)
    return None if found is None or distance_s(found) > FAR_S else found

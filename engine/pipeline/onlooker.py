"""A camera that another node watches: its pictures are for the wall here, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

from engine.domain.frames import AnalysisFrame
from engine.domain.streams import StreamHealth, StreamState, StreamStatusChanged

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

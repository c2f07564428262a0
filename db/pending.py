"""What waits to be written, and the batch that is made of it."""

from __future__ import annotations

import time
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime

from db.batches import WriteBatch, build_batch
from db.motion_rows import MetricThinner, motion_rows
from engine.domain.identity import IdentityEvent
from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import MotionEvent
from engine.domain.ports import TrackSummary
from engine.domain.results import FrameResult
from engine.domain.streams import StreamStatusChanged

INTERVAL_S = 0.25
"""So long rows are gathered."""
FULL_FRAMES = 1024
"""So many results are a batch of their own."""


@dataclass(frozen=True, slots=True)
class MotionTold:
    """What the engine told of motion at once."""

    events: tuple[MotionEvent, ...]


@dataclass(frozen=True, slots=True)
class Beats:
    """When cameras were known to give pictures."""

    at: dict[StreamId, datetime]


Told = FrameResult | TrackSummary | IdentityEvent | MotionTold | StreamStatusChanged | Beats


class Pending:
    """Gathers what is told until it is due. Used by one thread."""

    def __init__(self) -> None:
        self.results: list[FrameResult] = []
        self._lost: list[FrameResult] = []
        self._summaries: list[TrackSummary] = []
        self._events: list[IdentityEvent] = []
        self._motion: list[MotionEvent] = []
        self._states: list[StreamStatusChanged] = []
        self._beats: dict[StreamId, datetime] = {}
        self._thinner = MetricThinner()
        self._due_mono_s: float | None = None

    def add(self, item: Told) -> None:
        """Take one in."""
        if isinstance(item, FrameResult):
            self.results.append(item)
        elif isinstance(item, TrackSummary):
            self._summaries.append(item)
        elif isinstance(item, MotionTold):
            self._motion += item.events
        elif isinstance(item, StreamStatusChanged):
            self._beats.pop(item.stream_id, None)
            self._states.append(item)
        elif isinstance(item, Beats):
            self._beats.update(item.at)
        else:
            self._events.append(item)
        if self._due_mono_s is None:
            self._due_mono_s = time.monotonic() + INTERVAL_S

    def add_rescued(self, item: Told) -> None:
        """Take in what a full mailbox dropped: of a result only its tracks are stored."""
        if isinstance(item, FrameResult):
            self._lost.append(item)
        else:
            self.add(item)

    @property
    def wait_s(self) -> float:
        """How long until what waits is due."""
        if self._due_mono_s is None:
            return INTERVAL_S
        return max(self._due_mono_s - time.monotonic(), 0.0)

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        late = self._due_mono_s is not None and time.monotonic() >= self._due_mono_s
        return late or len(self.results) >= FULL_FRAMES

    def take(self, known_tracks: Container[TrackId]) -> WriteBatch:
        """Everything that waits as a batch."""
        results, self.results = self.results, []
        summaries, self._summaries = self._summaries, []
        events, self._events = self._events, []
        lost, self._lost = self._lost, []
        motion, self._motion = self._motion, []
        states, self._states = self._states, []
        beats, self._beats = self._beats, {}
        self._due_mono_s = None
        rows = motion_rows(motion, states, beats)
        return build_batch(results, summaries, known_tracks, events, lost, rows, self._thinner)

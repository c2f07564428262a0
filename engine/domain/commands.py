"""What a front (console, API process) may ask of the running engine over the live-state bus."""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.ids import StreamId


@dataclass(frozen=True, slots=True)
class StreamsChanged:
    """The stored streams changed: read them again and start or stop what differs."""


@dataclass(frozen=True, slots=True)
class StartStream:
    """Start capture and analysis of a stored stream."""

    stream_id: StreamId


@dataclass(frozen=True, slots=True)
class StopStream:
    """Stop capture and analysis of a stream."""

    stream_id: StreamId


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Answer with a JPEG of the newest picture under the reply key ``reply_to``."""

    stream_id: StreamId
    reply_to: str
    overlays: bool = False


EngineCommand = StreamsChanged | StartStream | StopStream | TakeSnapshot

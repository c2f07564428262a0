"""What a front (console, API process) may ask of the running engine over the live-state bus."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class SteerCamera:
    """Ask the camera control for something on behalf of a remote person.

    ``act`` is one of the acts of ``barnhand_desktop.ptz_requests``, ``values`` its plain JSON
    arguments. ``holder_key`` and ``holder_name`` are the person. The answer, a JSON object, goes
    under the reply key ``reply_to``; an engine that does not steer the camera answers with an
    empty one.
    """

    stream_id: StreamId
    act: str
    holder_key: str
    holder_name: str
    values: Mapping[str, object]
    reply_to: str


@dataclass(frozen=True, slots=True)
class PlansChanged:
    """Stored tours or scan plans changed: read them again."""


@dataclass(frozen=True, slots=True)
class ModelsChanged:
    """Which cameras use which registered models changed: read it again."""


EngineCommand = (
    StreamsChanged
    | StartStream
    | StopStream
    | TakeSnapshot
    | SteerCamera
    | PlansChanged
    | ModelsChanged
)

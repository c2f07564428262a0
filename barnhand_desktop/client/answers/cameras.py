"""Streams, their state and control, and the machines that run them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from .base import Answer


class StreamStatus(Answer):
    """How a stream is doing, as the engine last said; rates are per second. ``recording``: on,
    motion, waiting, off or stopped; null where nothing records. ``watched_by`` is the node that
    holds the camera; null where none does, and in lists."""

    state: str
    reason: str = ""
    fps: float | None = None
    analysed_fps: float | None = None
    latency_ms: float | None = None
    bitrate_bps: float | None = None
    width_px: int | None = None
    height_px: int | None = None
    decoded: int | None = None
    analysed: int | None = None
    dropped: int | None = None
    corrupt: int | None = None
    reconnects: int | None = None
    last_frame_age_s: float | None = None
    retry_in_s: float | None = None
    recording: str | None = None
    watched_by: str | None = None


class Stream(Answer):
    """A stream. Its credentials are never told, only whether there are any."""

    id: UUID
    name: str
    kind: str
    address: str
    has_credentials: bool
    enabled: bool
    analysis_fps: float | None
    confidence: float | None
    loop: bool
    realtime: bool
    record: str | None
    version: int
    status: StreamStatus | None = None


class StreamChanged(Answer):
    """A stream after a change; ``engine_notified`` is false while the engine is out of reach (it
    reads the change when it comes back). ``push_url`` is where a camera that pushes sends to;
    ``push_key`` is its stream key, told once, when it was made."""

    id: UUID
    name: str
    kind: str
    address: str
    has_credentials: bool
    enabled: bool
    analysis_fps: float | None
    confidence: float | None
    loop: bool
    realtime: bool
    record: str | None
    version: int
    status: StreamStatus | None = None
    engine_notified: bool
    push_url: str | None = None
    push_key: str | None = None


class CommandAccepted(Answer):
    """The engine was asked; ``stream:status`` events tell what came of it."""

    stream_id: UUID
    command: str


class PlaylistLink(Answer):
    """Where a player finds a stream's playlist without further log-in, until ``expires_at``."""

    url: str
    expires_at: datetime


class Holder(Answer):
    """Who steers."""

    name: str
    priority: str


class Capabilities(Answer):
    """What a camera was found to do."""

    move: bool
    zoom: bool
    diagonals: bool
    presets: int
    snapshot: bool
    absolute: bool


class Preset(Answer):
    """A stored view."""

    number: int
    name: str
    set_at: datetime | None
    has_thumbnail: bool


class ScanView(Answer):
    """What a scan saw at one preset."""

    preset: int
    horses: int
    recorded: bool
    at: datetime
    fault: str


class Scan(Answer):
    """How far a scan is; ``done`` of ``total`` never runs backwards."""

    scan_id: UUID
    phase: str
    done: int
    total: int
    message: str
    views: tuple[ScanView, ...]


class Movement(Answer):
    """Shares of full speed: pan right, tilt up, zoom in are positive. The camera stops by itself
    one second after the last of these requests."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0


class Ptz(Answer):
    """A camera's control. ``fault`` says why the camera does not answer; credentials and addresses
    are never told."""

    holder: Holder | None
    moving: Movement | None
    preset: int | None
    activity: str
    message: str
    fault: str
    suspended: bool
    capabilities: Capabilities | None
    presets: tuple[Preset, ...]
    scan: Scan | None


class Schedule(Answer):
    """When something runs by itself, in the barn's local time; weekday 0 is Monday. ``every_min``
    0: once at ``start``, or without pause for a tour."""

    weekdays: tuple[int, ...]
    start: str
    end: str
    every_min: int = 0


class TourStep(Answer):
    """Go to a preset and stay."""

    preset: int
    dwell_s: float


class Tour(Answer):
    """A stored tour."""

    id: UUID
    name: str
    steps: tuple[TourStep, ...]
    schedule: Schedule | None


class Node(Answer):
    """An engine process. ``alive``: it was heard of within a lease's life. ``capacity``: cameras
    it takes at most; 0 without a limit. ``cameras`` are those the caller sees of the ones it
    holds."""

    node_id: UUID
    name: str
    version: str
    capacity: int
    started_at: datetime
    last_seen_at: datetime
    alive: bool
    cameras: tuple[UUID, ...]


class Lease(Answer):
    """Who watches a camera. ``node_id`` is null while nobody does (``name`` was the last).
    ``generation`` grows with every change of holder."""

    stream_id: UUID
    node_id: UUID | None
    name: str
    generation: int
    since: datetime
    expires_at: datetime


class Nodes(Answer):
    """All nodes and leases at one instant of the server's clock, which all times here are of."""

    at: datetime
    nodes: tuple[Node, ...]
    leases: tuple[Lease, ...]

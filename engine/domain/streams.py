"""Cameras and other sources of pictures: what they are and how they are doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from engine.domain.ids import StreamId


class SourceKind(StrEnum):
    """How a stream's pictures are fetched.

    RTMP_PUSH: the camera sends them to a port of this machine. WEB_VIDEO: a page of YouTube, Twitch
    or another site that yt-dlp knows.
    """

    RTSP = "rtsp"
    RTMP = "rtmp"
    RTMP_PUSH = "rtmp_push"
    WEB_VIDEO = "web_video"
    HTTP = "http"
    FILE = "file"
    FOLDER = "folder"
    USB = "usb"
    SIMULATED = "simulated"


class StreamState(StrEnum):
    """INACTIVE: not started. CONNECTING: being opened or re-opened. ACTIVE: pictures arrive.
    OFFLINE: no picture for 5 s, retried with back-off. ENDED: a file played to its end.
    ERROR: the address or file is wrong; not retried until changed."""

    INACTIVE = "inactive"
    CONNECTING = "connecting"
    ACTIVE = "active"
    OFFLINE = "offline"
    ENDED = "ended"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Stream:
    """One configured source.

    ``address`` is a URL, path, device or ``simulated:NAME`` without credentials; ``username`` and
    ``password`` are kept apart, stored encrypted and never shown (``repr`` hides them).
    ``analysis_fps`` None takes the engine's default. ``loop``: files start again at their end.
    ``realtime``: files are played at their own speed instead of as fast as possible.
    ``version`` grows with every stored change (optimistic locking).
    """

    id: StreamId
    name: str
    kind: SourceKind
    address: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    enabled: bool = True
    analysis_fps: float | None = None
    confidence: float | None = None
    loop: bool = True
    realtime: bool = True
    version: int = 1
    extra: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """How a stream is doing now. Rates are per second over the last few seconds.

    ``dropped`` counts pictures selected for analysis that a newer one replaced before they were
    analysed. ``corrupt`` counts packets or pictures the decoder refused. ``latency_ms`` is the
    median time from capture to result over the last results, None before the first.
    ``last_frame_age_s`` is None before the first picture. ``retry_in_s`` is set while a back-off
    runs. ``reason`` says in one sentence why the state is not ACTIVE. ``recording``: ``on``,
    ``motion`` (kept where something is seen), ``waiting`` (for a key picture), ``off``, or
    ``stopped`` (the disk is full or refuses); empty where nothing records. ``watched_by`` names the
    node that analyses and records the camera; empty where this one does.
    """

    stream_id: StreamId
    state: StreamState
    reason: str = ""
    width_px: int = 0
    height_px: int = 0
    decoded: int = 0
    analysed: int = 0
    dropped: int = 0
    corrupt: int = 0
    reconnects: int = 0
    fps: float = 0.0
    analysed_fps: float = 0.0
    bitrate_bps: float = 0.0
    latency_ms: float | None = None
    last_frame_age_s: float | None = None
    retry_in_s: float | None = None
    recording: str = ""
    watched_by: str = ""


@dataclass(frozen=True, slots=True)
class StreamStatusChanged:
    """A stream went from one state to another (event ``stream:status``)."""

    stream_id: StreamId
    state: StreamState
    reason: str
    at: datetime

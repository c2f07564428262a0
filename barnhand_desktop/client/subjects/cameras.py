"""Streams, live HLS, and the machines that run cameras."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, TypedDict, Unpack
from uuid import UUID

from ..answers import CommandAccepted, Nodes, PlaylistLink, Stream, StreamChanged, StreamStatus
from ..connection import given
from .base import Subject

State = Literal["inactive", "connecting", "active", "offline", "ended", "error", "unknown"]


class StreamOptions(TypedDict, total=False):
    """What can be left out of a stream. Rates are pictures a second, ``confidence`` is 0..1."""

    username: str
    password: str
    enabled: bool
    analysis_fps: float
    confidence: float
    loop: bool
    realtime: bool
    record: Literal["always", "motion", "off"]


class Streams(Subject):
    """Cameras and other sources::

    for stream in barn.streams.list(status="active"):
        Path(f"{stream.name}.jpg").write_bytes(barn.streams.snapshot(stream.id))
    """

    def list(
        self, farm_id: UUID | None = None, status: State | None = None, limit: int = 100
    ) -> Iterator[Stream]:
        """The streams that the caller sees; ``limit`` a page."""
        query = {"farm_id": farm_id, "status": status, "limit": limit}
        return self._api.pages(Stream, "/streams", query)

    def get(self, stream_id: UUID) -> Stream:
        """One stream."""
        return self._api.get(Stream, f"/streams/{stream_id}")

    def add(
        self,
        name: str,
        address: str,
        farm_id: UUID | None = None,
        **options: Unpack[StreamOptions],
    ) -> StreamChanged:
        """Add a camera; the engine takes it up at once."""
        body = given(name=name, address=address, farm_id=farm_id, **options)
        return self._api.send(StreamChanged, "POST", "/streams", body)

    def change(
        self,
        stream_id: UUID,
        name: str,
        address: str,
        version: int,
        **options: Unpack[StreamOptions],
    ) -> StreamChanged:
        """Replace a stream's settings. ``version`` is the one that was read; credentials that are
        left out stay, everything else goes back to its default."""
        body = given(name=name, address=address, version=version, **options)
        return self._api.send(StreamChanged, "PUT", f"/streams/{stream_id}", body)

    def remove(self, stream_id: UUID) -> None:
        """Remove a stream; what was recorded stays."""
        self._api.do("DELETE", f"/streams/{stream_id}")

    def start(self, stream_id: UUID) -> CommandAccepted:
        """Ask the engine to start it."""
        return self._api.send(CommandAccepted, "POST", f"/streams/{stream_id}/start")

    def stop(self, stream_id: UUID) -> CommandAccepted:
        """Ask the engine to stop it."""
        return self._api.send(CommandAccepted, "POST", f"/streams/{stream_id}/stop")

    def status(self, stream_id: UUID) -> StreamStatus:
        """How it is doing."""
        return self._api.get(StreamStatus, f"/streams/{stream_id}/status")

    def snapshot(self, stream_id: UUID, overlays: bool = False) -> bytes:
        """The latest picture as JPEG, with boxes and skeletons if asked for."""
        return self._api.content(f"/streams/{stream_id}/snapshot", {"overlays": overlays})


class Hls(Subject):
    """Live and recorded video for players: ``open_player(barn.hls.link(stream.id).url)``."""

    def link(self, stream_id: UUID) -> PlaylistLink:
        """A signed address that a player opens without logging in."""
        return self._api.get(PlaylistLink, f"/streams/{stream_id}/hls/link")

    def playlist(
        self,
        stream_id: UUID,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
    ) -> str:
        """The playlist itself: live, or of a stretch of time."""
        query = {"start_time": start_time, "end_time": end_time}
        return self._api.text(f"/streams/{stream_id}/hls/playlist.m3u8", query)


class Machines(Subject):
    """Which machine runs which camera: ``barn.nodes.list().leases``."""

    def list(self) -> Nodes:
        """All nodes and leases at one instant of the server's clock."""
        return self._api.get(Nodes, "/nodes")

"""This process among those that share the cameras of one server: its name, place and leases."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from psycopg_pool import ConnectionPool

from barnhand_desktop import __version__
from barnhand_desktop.camera_leases import CameraKeeper
from barnhand_desktop.installation import Installation
from barnhand_desktop.node_place import NodePlace
from db.leases import CameraNews, PostgresCameraLeases
from db.live.commands import CommandSender
from db.live.follower import LiveFollower
from db.pool import open_pool
from db.repositories.streams import PostgresStreamRepository
from engine.domain.commands import StartStream, StopStream
from engine.domain.ids import StreamId
from engine.domain.nodes import NodeCard, NodeId
from engine.domain.streams import Stream
from engine.facade import Engine

_ANSWER_WITHIN_S = 2.0


@dataclass(frozen=True)
class CameraNode:
    """The keeper of the cameras with what it needs. ``pool`` is its own, so that renewing leases
    never waits for the repositories' work. ``follower`` brings a console what other nodes see."""

    keeper: CameraKeeper
    pool: ConnectionPool
    place: NodePlace
    commands: CommandSender
    engine: Engine
    follower: LiveFollower | None

    def start(self) -> None:
        """Keep the leases up, and follow the others' cameras."""
        self.keeper.start()
        if self.follower is not None:
            self.follower.start()

    def stop(self, deadline_s: float) -> tuple[str, ...]:
        """End the threads; ``leave`` follows when the engine has stopped."""
        survivors = () if self.follower is None else self.follower.stop(min(deadline_s, 2.0))
        return survivors + self.keeper.stop(deadline_s)

    def set_streams(self, streams: Sequence[Stream]) -> None:
        """See ``CameraKeeper``."""
        self.keeper.set_streams(streams)

    def start_camera(self, stream_id: StreamId) -> None:
        """Start a camera, here or on the node that holds it."""
        if stream_id in self.engine.elsewhere():
            self.commands.send(StartStream(stream_id))
        else:
            self.engine.start_stream(stream_id)

    def stop_camera(self, stream_id: StreamId) -> None:
        """Stop a camera, here or on the node that holds it."""
        if stream_id in self.engine.elsewhere():
            self.commands.send(StopStream(stream_id))
        else:
            self.engine.stop_stream(stream_id)

    def leave(self) -> None:
        """Give the cameras back, once nothing here watches them any more."""
        self.keeper.leave()
        self.pool.close()
        self.commands.close()
        self.place.release()


def camera_node(
    installation: Installation,
    addresses: tuple[str, str],
    engine: Engine,
    streams: PostgresStreamRepository,
    console: bool,
) -> CameraNode:
    """A node that is not started yet; ``addresses`` of the database and the live-state server."""
    dsn, live_url = addresses
    settings, place = installation.settings.node, NodePlace(installation.folders.data)
    pool = open_pool(dsn, 2, wait_s=_ANSWER_WITHIN_S, name="barnhand leases")
    card = NodeCard(
        NodeId(uuid4()),
        place.take(),
        settings.name or f"{socket.gethostname()}:{'console' if console else os.getpid()}",
        __version__,
        settings.cameras_at_most,
    )
    keeper = CameraKeeper(
        card,
        PostgresCameraLeases(pool),
        CameraNews(dsn),
        engine,
        streams.list,
        streams.unreadable,
    )
    follower = LiveFollower(live_url, engine.looked_on, engine.follow) if console else None
    return CameraNode(keeper, pool, place, CommandSender(live_url), engine, follower)

"""Engine processes that share cameras: who they are, what each holds, and the port of leases.

A camera is analysed, recorded and steered by the one node that holds its lease. Every instant here
is the server's: workstations' clocks may differ and are never compared.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NewType, Protocol
from uuid import UUID

from engine.domain.ids import StreamId
from engine.domain.streams import SourceKind

NodeId = NewType("NodeId", UUID)
"""One process, from its start to its end."""

PlaceId = NewType("PlaceId", UUID)
"""One data folder, which one process uses at a time: it outlives its processes."""

LEASE_LIFE_S = 10.0
"""A node that does not renew for so long loses its cameras (specification: operations)."""
RENEW_EVERY_S = 2.0

ATTACHED_KINDS = frozenset({SourceKind.USB, SourceKind.RTMP_PUSH})
"""Cameras that are plugged into, or send to, one machine: no other can take them over."""


@dataclass(frozen=True, slots=True)
class NodeCard:
    """What a node says about itself. ``capacity``: cameras it takes at most, 0 without a limit."""

    id: NodeId
    place: PlaceId
    name: str
    version: str
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class EngineNode:
    """A node as the server knows it. ``alive``: it was heard of within a lease's life.
    ``cameras``: those whose live lease it has."""

    id: NodeId
    place: PlaceId
    name: str
    version: str
    capacity: int
    started_at: datetime
    last_seen_at: datetime
    alive: bool
    cameras: tuple[StreamId, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraLease:
    """Who may analyse, record and steer a camera.

    ``node_id`` None: it was given back. ``node_name`` and ``place`` are of the last holder.
    ``generation`` grows with every change of holder. ``live``: it had not ended when it was read.
    ``free``: anybody may claim it. ``asked_by``: a node that wants it handed over.
    """

    stream_id: StreamId
    node_id: NodeId | None
    node_name: str
    place: PlaceId
    generation: int
    since: datetime
    expires_at: datetime
    live: bool
    free: bool
    asked_by: NodeId | None = None


@dataclass(frozen=True, slots=True)
class LeaseTable:
    """All nodes and leases at one instant of the server's clock."""

    at: datetime
    nodes: tuple[EngineNode, ...] = ()
    leases: tuple[CameraLease, ...] = ()

    def holder(self, stream_id: StreamId) -> CameraLease | None:
        """The live lease of a camera."""
        return next((one for one in self.leases if one.stream_id == stream_id and one.live), None)


class CameraLeases(Protocol):
    """Leases in the shared server. Every method raises StoreUnavailable while it is away."""

    def register(self, card: NodeCard) -> None:
        """Join. Earlier processes of the same place are over: their cameras are free at once."""
        ...

    def renew(self, card: NodeCard) -> frozenset[StreamId]:
        """Say that the node lives and renew all its leases; the cameras it (still) holds. A lease
        that ended but that nobody took goes on. Registers a node that was forgotten."""
        ...

    def claim(
        self, node_id: NodeId, streams: Collection[StreamId], at_most: int
    ) -> frozenset[StreamId]:
        """Take up to ``at_most`` of these cameras, those that are free; which it became. Two
        nodes never get one camera."""
        ...

    def release(self, node_id: NodeId, streams: Collection[StreamId]) -> None:
        """Give cameras back; those of others are left alone. The others hear of it."""
        ...

    def leave(self, node_id: NodeId) -> None:
        """Give everything back and end."""
        ...

    def ask(self, node_id: NodeId, stream_id: StreamId) -> bool:
        """Ask the holder to hand a camera over; False when nobody holds it. The wish ends with
        the lease."""
        ...

    def hand_over(self, node_id: NodeId, stream_id: StreamId) -> bool:
        """Give a camera to the live node that asked for it; False when there is none (any more),
        and then it is kept."""
        ...

    def list(self) -> LeaseTable:
        """Nodes by name, leases by camera."""
        ...


def fair_share(cameras: int, nodes: int) -> int:
    """So many cameras a node takes at first."""
    return math.ceil(cameras / max(nodes, 1))


def claims(
    wanted: Mapping[StreamId, SourceKind],
    table: LeaseTable,
    card: NodeCard,
    *,
    rest: bool,
    others_too: bool = True,
) -> tuple[Sequence[StreamId], int]:
    """The cameras a node should try to claim, and how many of them at most.

    ``rest``: nobody took the free ones although they could have, so the fair share does not count.
    ``others_too`` False: leases of others that ended are left alone (this node was itself away
    and cannot tell who else was).
    """
    taken = {one.stream_id: one for one in table.leases}

    def may(stream_id: StreamId, kind: SourceKind) -> bool:
        lease = taken.get(stream_id)
        if lease is None:
            return True
        if kind in ATTACHED_KINDS and lease.place != card.place:
            return False
        return lease.free and (others_too or lease.node_id is None)

    free = [stream_id for stream_id, kind in wanted.items() if may(stream_id, kind)]
    mine = sum(one.live and one.node_id == card.id for one in table.leases)
    alive = {node.id for node in table.nodes if node.alive} | {card.id}
    most = len(free) if rest else fair_share(len(wanted), len(alive)) - mine
    if card.capacity:
        most = min(most, card.capacity - mine)
    return free, max(min(most, len(free)), 0)

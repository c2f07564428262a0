"""Leases of cameras in PostgreSQL (port CameraLeases), and the news of their changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.errors import translated
from db.pool import transaction
from db.queries import queries
from engine.domain.ids import StreamId
from engine.domain.nodes import (
    LEASE_LIFE_S,
    CameraLease,
    EngineNode,
    LeaseTable,
    NodeCard,
    NodeId,
)

CHANNEL = "barnhand_cameras"


class PostgresCameraLeases:
    """Leases of ``life_s`` seconds. For ``grace_s`` after the server's own start leases that ended
    meanwhile are nobody else's: their holders have not had the time to renew them."""

    def __init__(
        self, pool: ConnectionPool, life_s: float = LEASE_LIFE_S, grace_s: float | None = None
    ) -> None:
        self._pool = pool
        self._sql = queries("leases")
        self._times = {"life_s": life_s, "grace_s": life_s if grace_s is None else grace_s}

    def register(self, card: NodeCard) -> None:
        """See the port."""
        with transaction(self._pool, "joining the nodes") as connection:
            connection.execute(self._sql["renew"], self._card(card))
            connection.execute(self._sql["evict"], self._card(card))
            connection.execute(self._sql["prune"], {"node_id": card.id})

    def renew(self, card: NodeCard) -> frozenset[StreamId]:
        """See the port."""
        with transaction(self._pool, "renewing the leases of cameras") as connection:
            rows = connection.execute(self._sql["renew"], self._card(card)).fetchall()
        return frozenset(StreamId(row[0]) for row in rows)

    def claim(
        self, node_id: NodeId, streams: Collection[StreamId], at_most: int
    ) -> frozenset[StreamId]:
        """See the port."""
        if at_most <= 0 or not streams:
            return frozenset()
        given = {"node_id": node_id, "streams": list(streams), "at_most": at_most, **self._times}
        with transaction(self._pool, "claiming cameras") as connection:
            connection.execute(self._sql["one_at_a_time"])
            rows = connection.execute(self._sql["claim"], given).fetchall()
        return frozenset(StreamId(row[0]) for row in rows)

    def release(self, node_id: NodeId, streams: Collection[StreamId]) -> None:
        """See the port."""
        if not streams:
            return
        with transaction(self._pool, "giving cameras back") as connection:
            given = {"node_id": node_id, "streams": list(streams)}
            connection.execute(self._sql["release"], given)

    def leave(self, node_id: NodeId) -> None:
        """See the port."""
        with transaction(self._pool, "leaving the nodes") as connection:
            connection.execute(self._sql["leave"], {"node_id": node_id})

    def ask(self, node_id: NodeId, stream_id: StreamId) -> bool:
        """See the port."""
        given = {"node_id": node_id, "stream_id": stream_id}
        with transaction(self._pool, "asking for a camera") as connection:
            return connection.execute(self._sql["ask"], given).rowcount > 0

    def hand_over(self, node_id: NodeId, stream_id: StreamId) -> bool:
        """See the port."""
        given = {"node_id": node_id, "stream_id": stream_id, **self._times}
        with transaction(self._pool, "handing a camera over") as connection:
            return connection.execute(self._sql["hand_over"], given).rowcount > 0

    def list(self) -> LeaseTable:
        """See the port."""
        with transaction(self._pool, "listing the nodes") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            leases = [
                CameraLease(**row)
                for row in cursor.execute(self._sql["leases"], self._times).fetchall()
            ]
            nodes = cursor.execute(self._sql["nodes"], self._times).fetchall()
            now = connection.execute(self._sql["now"]).fetchone()
        assert now is not None
        held: defaultdict[UUID | None, list[StreamId]] = defaultdict(list)
        for lease in leases:
            if lease.live:
                held[lease.node_id].append(lease.stream_id)
        return LeaseTable(
            now[0],
            tuple(EngineNode(**row, cameras=tuple(held[row["id"]])) for row in nodes),
            tuple(leases),
        )

    def _card(self, card: NodeCard) -> dict[str, object]:
        return {
            "id": card.id,
            "place": card.place,
            "name": card.name,
            "version": card.version,
            "capacity": card.capacity,
            **self._times,
        }


class CameraNews:
    """A connection that hears of changed cameras and leases; of one thread."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.Connection | None = None

    def wait(self, timeout_s: float) -> frozenset[str]:
        """The tables that changed, ``streams`` and ``camera_leases``, as soon as one does; none at
        the end of the time. A first call after an outage says both. Raises StoreUnavailable."""
        with translated("listening for changes of cameras"):
            if self._connection is None or self._connection.closed:
                self._connection = self._connected()
                return frozenset({"streams", "camera_leases"})
            try:
                told = {
                    note.payload
                    for note in self._connection.notifies(timeout=timeout_s, stop_after=1)
                }
                if told:
                    told |= {note.payload for note in self._connection.notifies(timeout=0.0)}
            except psycopg.Error:
                self.close()
                raise
        return frozenset(told)

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection:
        connection = psycopg.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=3,
            application_name="barnhand camera news",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

"""Brings the stored registry to the engine, at start and after every change (port RegistryFeed)."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from psycopg.rows import dict_row

from db.errors import translated
from db.queries import queries
from db.repositories.horse_rows import horse_of
from db.track_colours import colour_of_hex
from engine.domain.camera_distances import stated_distances_m
from engine.domain.errors import BarnhandError
from engine.domain.geometry import FloatArray
from engine.domain.horses import Horse
from engine.domain.identity import Area, KnownHorse, RegistrySnapshot, no_vectors
from engine.domain.ids import FarmId, HorseId, ModelId, StreamId, TrackId
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

CHANNEL = "barnhand_identity"
FIRST_HORSES = 50
"""So many most recently seen horses are known before the rest is read."""
VECTORS_A_HORSE = 32
"""The newest approved vectors of a horse that are read; the gallery keeps the 16 most diverse."""
CHUNK = 200
POLL_S = 30.0
"""Changes that no notification told of are seen this late."""
GATHER_S = 0.1
"""Notifications that come so close together are answered once."""
_LISTEN_S = 0.5
_RETRY_FROM_S = 0.2
_RETRY_TO_S = 5.0

Handler = Callable[[RegistrySnapshot], None]


class PostgresRegistryFeed:
    """Listens on a connection and a thread of its own; used by one handler.

    ``model_id``: whose vectors are read, None without an appearance model. While the server is
    away it tries again with growing pauses, and reads everything when it is back.
    """

    def __init__(
        self,
        dsn: str,
        model_id: ModelId | None,
        farm_id: FarmId | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self._dsn = dsn
        self._reader = SnapshotReader(model_id, farm_id)
        self._poll_s = poll_s
        self._handler: Handler | None = None
        self._worker: Worker | None = None
        self._loaded = threading.Event()
        self._retry_s = _RETRY_FROM_S
        self._told: object = None
        self.connected = False
        self.snapshots = 0
        """Snapshots handed over so far."""

    def listen(self, handler: Handler) -> None:
        """See the port."""
        self._handler = handler
        self._worker = Worker("registry feed", self._run, restart_budget=1000)
        self._worker.start()

    def wait_loaded(self, deadline_s: float) -> bool:
        """Wait for the first complete registry; False when it did not come in time."""
        return self._loaded.wait(deadline_s)

    def close(self) -> None:
        """Stop listening."""
        if self._worker is not None:
            self._worker.ask_to_stop()
            if not self._worker.join(5.0):
                log.warning("the registry feed did not end in 5 s")

    # --- the feed's thread ----------------------------------------------------------------------

    def _run(self, token: StopToken) -> None:
        while not token.stopping:
            try:
                with translated("listening for changes of the registry"):
                    self._listen(token)
            except BarnhandError as error:
                if self.connected or self._retry_s == _RETRY_FROM_S:
                    log.warning("%s", error)
                self.connected = False
                token.wait(self._retry_s)
                self._retry_s = min(self._retry_s * 2.0, _RETRY_TO_S)
        self.connected = False

    def _listen(self, token: StopToken) -> None:
        with psycopg.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=3,
            application_name="barnhand registry feed",
            options="-c timezone=UTC",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        ) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self.connected = True
            self._hand_over(connection, asked=True)
            self._retry_s = _RETRY_FROM_S
            due_mono_s = time.monotonic() + self._poll_s
            while not token.stopping:
                told = any(True for _ in connection.notifies(timeout=_LISTEN_S, stop_after=1))
                if told:
                    for _ in connection.notifies(timeout=GATHER_S):
                        pass
                if told or time.monotonic() >= due_mono_s:
                    self._hand_over(connection, asked=told)
                    due_mono_s = time.monotonic() + self._poll_s

    def _hand_over(self, connection: psycopg.Connection, asked: bool) -> None:
        for snapshot in self._reader.read(connection):
            essence = _essence(snapshot)
            if not asked and essence == self._told:
                continue
            self._told = essence
            self.snapshots += 1
            if self._handler is not None:
                try:
                    self._handler(snapshot)
                except Exception:  # worker loop: a listener's bug must not end the feed
                    log.exception("a listener failed on a change of the registry")
            if snapshot.complete:
                self._loaded.set()


class SnapshotReader:
    """Reads snapshots over a connection. Vectors never change, so each is fetched once, and kept
    while it is one of its horse's."""

    def __init__(self, model_id: ModelId | None, farm_id: FarmId | None = None) -> None:
        self._model_id = model_id
        self._farm_id = farm_id
        self._sql = queries("identity_feed")
        self._vectors: dict[UUID, FloatArray] = {}

    def read(self, connection: psycopg.Connection) -> Iterable[RegistrySnapshot]:
        """The registry now. With many horses whose vectors are still unread first the most recent
        ones (``complete`` False), then all."""
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            horses = self._horses(connection)
            base = self._base(connection)
            known: dict[HorseId, FloatArray] = {}
            used: set[UUID] = set()
            first = [horse.id for horse in horses[:FIRST_HORSES]]
            known.update(self._vectors_of(connection, first, used))
            rest = [horse.id for horse in horses[FIRST_HORSES:]]
            if rest and not self._vectors_known(connection, rest):
                yield self._snapshot(connection, horses, base, known, complete=False)
            for start in range(0, len(rest), CHUNK):
                known.update(self._vectors_of(connection, rest[start : start + CHUNK], used))
            self._vectors = {one: self._vectors[one] for one in used}
            yield self._snapshot(connection, horses, base, known, complete=True)

    def _rows(self, connection: psycopg.Connection, name: str, **fields: object) -> list[Any]:
        given = {"farm_id": self._farm_id, **fields}
        return connection.execute(self._sql[name], given).fetchall()

    def _horses(self, connection: psycopg.Connection) -> list[Horse]:
        cursor = connection.cursor(row_factory=dict_row)
        rows = cursor.execute(self._sql["horses"], {"farm_id": self._farm_id}).fetchall()
        return [horse_of(row) for row in rows]

    def _base(self, connection: psycopg.Connection) -> dict[str, Any]:
        """Everything but the horses."""
        cameras = self._rows(connection, "cameras")
        farms = self._rows(connection, "farms")
        farm = farms[0] if len(farms) == 1 else (None, None, None)
        return {
            "merged": {
                HorseId(horse): HorseId(into) for horse, into in self._rows(connection, "merged")
            },
            "rejected": frozenset(
                (TrackId(track), HorseId(horse))
                for track, horse in self._rows(connection, "rejected")
            ),
            "owners": {
                TrackId(track): (HorseId(horse), by)
                for track, horse, by in self._rows(connection, "owners")
            },
            "areas": tuple(map(_area, self._rows(connection, "areas"))),
            "next_numbers": {StreamId(stream): number for stream, number, _ in cameras},
            "distances_m": _distances({stream: stated for stream, _, stated in cameras}),
            "expected_residents": farm[1],
            "similarity_threshold": farm[2],
        }

    def _snapshot(
        self,
        connection: psycopg.Connection,
        horses: Sequence[Horse],
        base: Mapping[str, Any],
        vectors: Mapping[HorseId, FloatArray],
        complete: bool,
    ) -> RegistrySnapshot:
        streams: dict[HorseId, dict[StreamId, datetime]] = {}
        for horse, stream, seen_at in self._rows(connection, "cameras_of_horses"):
            streams.setdefault(HorseId(horse), {})[StreamId(stream)] = seen_at
        for horse in horses:
            if horse.last_stream_id is not None and horse.last_seen_at is not None:
                streams.setdefault(horse.id, {})[horse.last_stream_id] = horse.last_seen_at
        return RegistrySnapshot(
            model_id=self._model_id,
            horses=tuple(
                KnownHorse(
                    horse,
                    colour_of_hex(horse.colour_hex),
                    vectors.get(horse.id, no_vectors()),
                    streams.get(horse.id, {}),
                )
                for horse in horses
            ),
            complete=complete,
            **base,
        )

    # --- vectors --------------------------------------------------------------------------------

    def _ids(
        self, connection: psycopg.Connection, horses: Sequence[HorseId]
    ) -> dict[HorseId, list[UUID]]:
        if self._model_id is None or not horses:
            return {}
        keys = self._rows(connection, "model_key", model=str(self._model_id))
        if not keys:
            return {}
        found: dict[HorseId, list[UUID]] = {}
        for horse, vector in self._rows(
            connection,
            "vector_ids",
            model_key=keys[0][0],
            horses=list(horses),
            limit=VECTORS_A_HORSE,
        ):
            found.setdefault(HorseId(horse), []).append(vector)
        return found

    def _vectors_known(self, connection: psycopg.Connection, horses: Sequence[HorseId]) -> bool:
        ids = self._ids(connection, horses)
        return all(one in self._vectors for many in ids.values() for one in many)

    def _vectors_of(
        self, connection: psycopg.Connection, horses: Sequence[HorseId], used: set[UUID]
    ) -> dict[HorseId, FloatArray]:
        """Vectors by horse; the ids of all of them go into ``used``."""
        ids = self._ids(connection, horses)
        used.update(one for many in ids.values() for one in many)
        missing = [one for many in ids.values() for one in many if one not in self._vectors]
        if missing:
            for one, sent in self._rows(connection, "vectors", ids=missing):
                self._vectors[one] = _vector(sent)
        return {
            horse: np.stack([self._vectors[one] for one in many]) for horse, many in ids.items()
        }


def _vector(sent: bytes) -> FloatArray:
    """pgvector's binary form: dimension and flags, 2 bytes each, then big-endian float32."""
    return np.frombuffer(sent, ">f4", offset=4).astype(np.float32)


def _area(row: Sequence[Any]) -> Area:
    name, kind, stream_id, region, expected = row
    corners = None
    if isinstance(region, list) and len(region) > 2:
        corners = np.array(region, np.float32).reshape(-1, 2)
    return Area(
        name,
        kind,
        None if stream_id is None else StreamId(stream_id),
        corners,
        None if expected is None else HorseId(expected),
    )


def _distances(stated: Mapping[UUID, Any]) -> dict[frozenset[StreamId], float]:
    """Distances by pair of cameras from what each camera's settings state about others."""
    found: dict[frozenset[StreamId], float] = {}
    for stream, others in stated.items():

        def wrong(other: object, stream: UUID = stream) -> None:
            log.warning("camera %s states an impossible distance: %s", stream, json.dumps(other))

        for other, metres in stated_distances_m(others, wrong).items():
            found[frozenset((StreamId(stream), other))] = metres
    return found


def _essence(snapshot: RegistrySnapshot) -> object:
    """What makes two snapshots differ for a listener; sightings alone do not."""
    return (
        snapshot.complete,
        tuple((k.horse.id, k.horse.version, k.horse.label, k.vectors.shape, k.horse.has_avatar)
              for k in sorted(snapshot.horses, key=lambda known: known.horse.id)),
        snapshot.merged, snapshot.rejected, snapshot.owners, snapshot.expected_residents,
        snapshot.similarity_threshold, snapshot.distances_m,
        tuple((a.name, a.stream_id, a.expected, None if a.region is None else a.region.tobytes())
              for a in snapshot.areas),
    )  # fmt: skip

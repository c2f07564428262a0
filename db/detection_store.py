"""One connection that writes batches: keys looked up, tracks first, detections and pose metrics by
binary COPY, identities and motion last.

Used by one thread. A batch is written in one transaction that also notes its id, so that writing
it again does nothing.
"""

from __future__ import annotations

import logging
import socket
from collections import OrderedDict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
import psycopg

from db.batches import TrackRow, WriteBatch
from db.copy_format import IntArray, copy_buffer, detection_rows, metric_rows
from db.errors import translated
from db.identity_store import IdentityStore
from db.motion_store import MotionStore
from db.queries import queries
from engine.domain.ids import StreamId, TrackId

log = logging.getLogger(__name__)

_KNOWN_TRACKS = 50_000
_CONNECT_LIMIT_S = 3
_TCP_LIMIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of a batch: rows in the database by it, and rows whose stream does not exist.

    ``repeated`` is True when the batch had been written before; then nothing was done.
    """

    rows: int
    refused: int
    repeated: bool = False


class DetectionStore:
    """Writes batches to the database at ``dsn``; connects on first use and after a failure."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._sql = queries("writer")
        self._connection: psycopg.Connection | None = None
        self._identity: IdentityStore | None = None
        self._motion: MotionStore | None = None
        self._streams: dict[StreamId, int] = {}
        self._models: dict[str, int] = {}
        self._skeletons: dict[str, int] = {}
        self._tracks: OrderedDict[TrackId, None] = OrderedDict()
        self._finished: list[UUID] = []

    @property
    def connected(self) -> bool:
        """True while a connection is open as far as known."""
        return self._connection is not None and not self._connection.closed

    @property
    def known_tracks(self) -> Container[TrackId]:
        """Tracks that have a row already."""
        return self._tracks

    def connect(self) -> None:
        """Open the connection unless it is open; StoreUnavailable when the server is away."""
        if self.connected:
            return
        self.close()
        with translated("connecting to write detections"):
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=_CONNECT_LIMIT_S,
                application_name="barnhand writer",
                options="-c timezone=UTC",
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
                tcp_user_timeout=_TCP_LIMIT_MS,
            )
        # What another server, or a restored one, knows is not what the last one knew.
        self._streams.clear()
        self._models.clear()
        self._skeletons.clear()
        self._tracks.clear()
        self._identity = IdentityStore(self._open_connection, self._model_keys)
        self._motion = MotionStore(self._open_connection)

    def write(self, batch: WriteBatch) -> WriteReport:
        """Write the batch unless it was written before.

        Raises StoreUnavailable when the server went away (the batch may or may not be in, writing
        it again decides), OperatorMistake or Bug when the server refuses its content.
        """
        self.connect()
        try:
            with translated("writing detections"):
                return self._write(batch)
        except BaseException:
            if self._connection is not None and self._connection.broken:
                self.close()
            raise

    def _write(self, batch: WriteBatch) -> WriteReport:
        connection = self._open_connection
        batch, refused = self._without_unknown_streams(batch)
        parts = self._copy_parts(batch)
        identity = self._identity if batch.identity else None
        feature_keys = {} if identity is None else identity.prepare(batch.identity)
        finished = tuple(self._finished)
        with connection.transaction():
            claimed = connection.execute(self._sql["claim_batch"], {"id": batch.id}).rowcount
            if not claimed:
                return WriteReport(0, 0, repeated=True)
            if finished:
                connection.execute(self._sql["forget_batches"], {"ids": list(finished)})
            if batch.identity or batch.tracks or batch.motion:
                connection.execute(self._sql["share"])
            if batch.tracks:
                connection.execute(self._sql["put_tracks"], self._track_columns(batch.tracks))
            if parts:
                self._copy("copy_detections", parts)
            if len(batch.metrics):
                self._copy("copy_metrics", [metric_rows(batch.metrics)])
            if identity is not None:
                identity.write(batch.identity, feature_keys)
            if batch.motion and self._motion is not None:
                self._motion.tell(batch.motion.bouts, batch.motion.strides)
                self._motion.note_states(batch.motion.states, batch.motion.beats, self._streams.get)
        # The commit is known: the id has done its work and goes with the next batch.
        del self._finished[: len(finished)]
        self._finished.append(batch.id)
        self._remember(batch.tracks)
        return WriteReport(batch.row_count, refused)

    def _copy(self, statement: str, parts: Sequence[bytes]) -> None:
        with (
            self._open_connection.cursor() as cursor,
            cursor.copy(self._sql[statement]) as copy,
        ):
            copy.write(copy_buffer(parts))

    @property
    def _open_connection(self) -> psycopg.Connection:
        if self._connection is None:
            raise psycopg.InterfaceError("there is no connection")
        return self._connection

    def _without_unknown_streams(self, batch: WriteBatch) -> tuple[WriteBatch, int]:
        wanted = {*batch.streams, *(track.stream_id for track in batch.tracks)}
        wanted |= batch.motion.stream_ids
        missing = [stream for stream in wanted if stream not in self._streams]
        if missing:
            rows = self._open_connection.execute(self._sql["stream_keys"], {"ids": missing})
            self._streams.update((StreamId(id_), key) for id_, key in rows)
        unknown = {stream for stream in missing if stream not in self._streams}
        if not unknown:
            return batch, 0
        log.warning("detections of streams that are not stored: %s", sorted(map(str, unknown)))
        known = np.array([stream not in unknown for stream in batch.streams], bool)
        groups = []
        for group in batch.groups:
            keep = known[group.rows["stream"]]
            groups.append(replace(group, rows=group.rows[keep], packed=group.packed[keep]))
        kept = replace(
            batch,
            groups=tuple(groups),
            metrics=batch.metrics[known[batch.metrics["stream"]]],
            tracks=tuple(t for t in batch.tracks if t.stream_id not in unknown),
        )
        return kept, batch.row_count - kept.row_count

    def _copy_parts(self, batch: WriteBatch) -> list[bytes]:
        groups = [group for group in batch.groups if len(group.rows)]
        if not groups:
            return []
        stream_keys = _positions([self._streams.get(stream, 0) for stream in batch.streams])
        model_keys = _positions(self._model_keys(batch.models))
        skeleton_keys = _positions(self._skeleton_keys(batch.skeletons))
        return [detection_rows(g, stream_keys, model_keys, skeleton_keys) for g in groups]

    def _model_keys(self, names: Sequence[str]) -> list[int]:
        def add(missing: list[str]) -> None:
            self._open_connection.execute(self._sql["add_models"], {"names": missing})

        return self._keys(names, self._models, "model_keys", add)

    def _skeleton_keys(self, skeletons: Sequence[tuple[str, tuple[str, ...]]]) -> list[int]:
        landmarks = dict(skeletons)

        def add(missing: list[str]) -> None:
            for name in missing:
                self._open_connection.execute(
                    self._sql["add_skeleton"], {"name": name, "landmarks": list(landmarks[name])}
                )

        return self._keys(list(landmarks), self._skeletons, "skeleton_keys", add)

    def _keys(
        self,
        names: Sequence[str],
        cache: dict[str, int],
        query: str,
        add: Callable[[list[str]], None],
    ) -> list[int]:
        """Keys of names from the cache, the table, or after adding them to it."""
        for attempt in range(2):
            missing = [name for name in names if name not in cache]
            if not missing:
                break
            rows = self._open_connection.execute(self._sql[query], {"names": missing})
            cache.update((name, key) for name, key in rows)
            missing = [name for name in missing if name not in cache]
            if missing and attempt == 0:
                add(missing)
        return [cache[name] for name in names]

    def _track_columns(self, tracks: Sequence[TrackRow]) -> Mapping[str, object]:
        return {
            "ids": [track.track_id for track in tracks],
            "stream_keys": [self._streams[track.stream_id] for track in tracks],
            "numbers": [track.number for track in tracks],
            "class_ids": [track.class_id for track in tracks],
            "started": [track.started_at for track in tracks],
            "ended": [track.ended_at for track in tracks],
            "detections": [track.detections for track in tracks],
            "confidences": [track.confidence for track in tracks],
        }

    def _remember(self, tracks: Sequence[TrackRow]) -> None:
        for track in tracks:
            self._tracks[track.track_id] = None
            self._tracks.move_to_end(track.track_id)
        while len(self._tracks) > _KNOWN_TRACKS:
            self._tracks.popitem(last=False)

    @property
    def session(self) -> psycopg.Connection:
        """The open connection, for maintenance on the same thread."""
        self.connect()
        return self._open_connection

    @contextmanager
    def transaction(self, doing: str) -> Iterator[psycopg.Connection]:
        """A transaction on the connection, for upkeep on the same thread; errors translated."""
        self.connect()
        with translated(doing), self._open_connection.transaction():
            yield self._open_connection

    def hang_up(self) -> None:
        """Break a call that does not return (a frozen server), from any thread."""
        connection = self._connection
        if connection is None or connection.closed:
            return
        try:
            descriptor = connection.fileno()
            with socket.socket(fileno=socket.dup(descriptor)) as line:
                line.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg.Error) as error:
            log.info("the database line was gone already: %s", error)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        self._identity = self._motion = None
        if connection is not None:
            connection.close()


def _positions(keys: Sequence[int]) -> IntArray:
    """Keys by position, with 0 last for position -1."""
    return np.array([*keys, 0], np.int64)

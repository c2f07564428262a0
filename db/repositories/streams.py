"""Stored streams (port StreamRepository)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from db.credentials import CredentialBox
from db.pool import transaction
from db.queries import queries
from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import Bug, Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, StreamId
from engine.domain.streams import SourceKind, Stream

log = logging.getLogger(__name__)


class PostgresStreamRepository:
    """Streams in the table of that name; ``key`` encrypts their credentials."""

    def __init__(self, pool: ConnectionPool, key: bytes) -> None:
        self._pool = pool
        self._box = CredentialBox(key)
        self._sql = queries("streams")

    def list(self, farm_id: FarmId | None = None) -> Sequence[Stream]:
        """Streams of a farm, or of all farms, by name."""
        statement = self._sql["list_all" if farm_id is None else "list"]
        with transaction(self._pool, "listing the streams") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            rows = cursor.execute(statement, {"farm_id": farm_id}).fetchall()
        return tuple(self._stream(row) for row in rows)

    def get(self, stream_id: StreamId) -> Stream:
        """One stream; NotFound when it does not exist or was removed."""
        with transaction(self._pool, "reading a stream") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            row = cursor.execute(self._sql["get"], {"id": stream_id}).fetchone()
        if row is None:
            raise _missing(stream_id)
        return self._stream(row)

    def farm_of(self, stream_id: StreamId) -> FarmId:
        """The farm a stream belongs to; NotFound."""
        with transaction(self._pool, "reading a stream") as connection:
            row = connection.execute(self._sql["farm_of"], {"id": stream_id}).fetchone()
        if row is None:
            raise _missing(stream_id)
        return FarmId(row[0])

    def add(self, stream: Stream, farm_id: FarmId | None = None) -> Stream:
        """Store a new stream; Conflict when the farm has one of that name or the id is in use."""
        with transaction(self._pool, f"adding the stream {stream.name!r}") as connection:
            fields = self._fields(stream) | {"farm_id": farm_id or DEFAULT_FARM}
            row = connection.execute(self._sql["add"], fields).fetchone()
        if row is None:
            raise Conflict(f"A stream with the id {stream.id} exists already.")
        return replace(stream, version=row[0])

    def ensure(self, stream: Stream, farm_id: FarmId | None = None) -> Stream:
        """The stored stream of that id, added first if it is missing.

        For sources named on the command line: the stored one keeps its id and takes the given
        address and settings; a taken name gets a number behind it.
        """
        try:
            known = self.get(stream.id)
        except NotFound:
            name = self._free_name(stream.name, farm_id or DEFAULT_FARM)
            return self.add(replace(stream, name=name), farm_id)
        given = replace(stream, name=known.name, version=known.version)
        return known if given == known else self.update(given)

    def unreadable(self) -> frozenset[StreamId]:
        """The streams whose credentials were locked with another key than this one."""
        with transaction(self._pool, "reading the cameras' passwords") as connection:
            rows = connection.execute(self._sql["credentials"]).fetchall()
        return frozenset(
            StreamId(stream_id)
            for stream_id, token in rows
            if self._box.unlock(StreamId(stream_id), token) is None
        )

    def _free_name(self, name: str, farm_id: FarmId) -> str:
        with transaction(self._pool, "listing the streams") as connection:
            rows = connection.execute(self._sql["names_like"], {"farm_id": farm_id}).fetchall()
        taken = {row[0] for row in rows}
        numbered = (f"{name} {number}" for number in range(2, len(taken) + 3))
        return name if name not in taken else next(n for n in numbered if n not in taken)

    def update(self, stream: Stream) -> Stream:
        """Store a change made to version ``stream.version``; Conflict if it is not current."""
        with transaction(self._pool, f"changing the stream {stream.name!r}") as connection:
            row = connection.execute(self._sql["lock"], {"id": stream.id}).fetchone()
            if row is None:
                raise _missing(stream.id)
            name, version, token = row
            if version != stream.version:
                raise Conflict(
                    f"The stream {name!r} was changed meanwhile (version {version}, "
                    f"you changed version {stream.version}).",
                    "Load it again and repeat your change.",
                )
            fields = self._fields(stream)
            if fields["credentials"] is None and self._box.unlock(stream.id, token) is None:
                fields["credentials"] = token  # unreadable here, but not ours to destroy
            changed = connection.execute(self._sql["update"], fields).fetchone()
        if changed is None:
            raise Bug(f"stream {stream.id} vanished while it was locked")
        return replace(stream, version=changed[0])

    def remove(self, stream_id: StreamId) -> None:
        """Remove a stream; its detections stay. NotFound when there is none."""
        with transaction(self._pool, "removing a stream") as connection:
            if not connection.execute(self._sql["remove"], {"id": stream_id}).rowcount:
                raise _missing(stream_id)

    def _fields(self, stream: Stream) -> dict[str, Any]:
        _refuse_credentials_in(stream.address)
        if not stream.name.strip():
            raise OperatorMistake("A stream needs a name.")
        return {
            "id": stream.id,
            "name": stream.name,
            "kind": stream.kind.value,
            "address": stream.address,
            "credentials": self._box.lock(stream.id, stream.username, stream.password),
            "enabled": stream.enabled,
            "config": Jsonb(
                {
                    "analysis_fps": stream.analysis_fps,
                    "confidence": stream.confidence,
                    "loop": stream.loop,
                    "realtime": stream.realtime,
                    "extra": dict(stream.extra),
                }
            ),
        }

    def _stream(self, row: Mapping[str, Any]) -> Stream:
        stream_id, config = StreamId(row["id"]), row["config"]
        credentials = self._box.unlock(stream_id, row["credentials_encrypted"])
        if credentials is None:
            log.error("the credentials of stream %s cannot be read with this key", row["name"])
            credentials = "", ""
        return Stream(
            id=stream_id,
            name=row["name"],
            kind=SourceKind(row["kind"]),
            address=row["address"],
            username=credentials[0],
            password=credentials[1],
            enabled=row["enabled"],
            analysis_fps=config.get("analysis_fps"),
            confidence=config.get("confidence"),
            loop=config.get("loop", True),
            realtime=config.get("realtime", True),
            version=row["version"],
            extra=MappingProxyType(dict(config.get("extra", {}))),
        )


def _missing(stream_id: StreamId) -> NotFound:
    return NotFound(f"There is no stream {stream_id}.")


def _refuse_credentials_in(address: str) -> None:
    """Addresses are stored and shown in the clear."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return  # a path or device name, which holds no credentials
    if "://" in address and "@" in parts.netloc:
        raise OperatorMistake(
            "The address of a stream must not hold a user name or password.",
            "Enter them in their own fields; they are stored encrypted.",
        )

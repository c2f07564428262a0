"""Registered models, their bytes in parts, and which camera uses which (port ModelRegistry)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from types import MappingProxyType
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, StreamId
from engine.domain.models import (
    PER_STREAM,
    Activation,
    ModelFormat,
    ModelState,
    ModelTask,
    RegisteredId,
    RegisteredModel,
)


class PostgresModelRegistry:
    """Meets ModelRegistry with ``registered_models``, ``model_parts`` and ``stream_models``."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("models")

    def list(self, farm_id: FarmId | None = None) -> Sequence[RegisteredModel]:
        """See ModelRegistry."""
        with transaction(self._pool, "listing the models") as connection:
            return tuple(map(_model, self._rows(connection, "list", {"farm_id": farm_id})))

    def get(self, model_id: RegisteredId) -> RegisteredModel:
        """See ModelRegistry."""
        with transaction(self._pool, "reading a model") as connection:
            return self._one(connection, model_id)

    def add(self, model: RegisteredModel, parts: Iterable[bytes]) -> None:
        """See ModelRegistry."""
        with transaction(self._pool, f"storing the model {model.model_id}") as connection:
            if not self._rows(connection, "add", _fields(model)):
                taken = self._rows(connection, "taken", _fields(model))[0]["state"]
                raise _taken(model, removed=taken == "removed")
            stored = 0
            for number, part in enumerate(parts):
                stored += len(part)
                connection.execute(
                    self._sql["add_part"], {"id": model.id, "part": number, "bytes": part}
                )
            if stored != model.size_bytes:
                raise OperatorMistake(
                    f"{model.model_id} has {stored} bytes and should have {model.size_bytes}."
                )

    def remove(self, model_id: RegisteredId) -> None:
        """See ModelRegistry."""
        fields = {"id": model_id}
        with transaction(self._pool, "removing a model") as connection:
            if not self._rows(connection, "lock", fields):
                raise _missing(model_id)
            if self._rows(connection, "users", fields)[0]["choices"]:
                raise Conflict(
                    "Cameras use this model.", "Give them another one first, or the default."
                )
            connection.execute(self._sql["remove_parts"], fields)
            connection.execute(self._sql["remove"], fields)

    def parts(self, model_id: RegisteredId) -> Iterator[bytes]:
        """See ModelRegistry. Each part is a transaction of its own: a slow reader holds none."""
        self.get(model_id)
        number = 0
        while True:
            with transaction(self._pool, "reading the bytes of a model") as connection:
                rows = self._rows(connection, "part", {"id": model_id, "part": number})
            if not rows:
                return
            yield bytes(rows[0]["bytes"])
            number += 1

    def activate(self, activation: Activation) -> None:
        """See ModelRegistry."""
        fields = {
            "farm_id": activation.farm_id,
            "stream_id": activation.stream_id,
            "task": activation.task.value,
            "model_id": activation.model_id,
        }
        if activation.task not in PER_STREAM:
            raise OperatorMistake(
                f"Cameras choose no {activation.task} of their own.",
                "Vectors of different models are never compared: set it for the workstation.",
            )
        with transaction(self._pool, "choosing a model") as connection:
            if activation.model_id is not None:
                self._require_usable(connection, activation, activation.model_id)
            if activation.stream_id is None:
                connection.execute(self._sql["forget_own_choices"], fields)
            elif not self._rows(connection, "stream_of_farm", fields):
                raise NotFound("That farm has no such camera.")
            connection.execute(self._sql["choose"], fields)
            connection.execute(self._sql["forget_default"], fields)

    def deactivate(self, model_id: RegisteredId, farm_id: FarmId | None = None) -> int:
        """See ModelRegistry."""
        with transaction(self._pool, "ending the use of a model") as connection:
            self._one(connection, model_id)
            return connection.execute(
                self._sql["forget_model"], {"id": model_id, "farm_id": farm_id}
            ).rowcount

    def choices(self, farm_id: FarmId | None = None) -> Sequence[Activation]:
        """See ModelRegistry."""
        with transaction(self._pool, "reading which models are used") as connection:
            rows = self._rows(connection, "choices", {"farm_id": farm_id})
        return tuple(
            Activation(
                FarmId(row["farm_id"]),
                None if row["stream_id"] is None else StreamId(row["stream_id"]),
                ModelTask(row["task"]),
                None if row["model_id"] is None else RegisteredId(row["model_id"]),
            )
            for row in rows
        )

    def active(self) -> Mapping[StreamId, Mapping[ModelTask, RegisteredId]]:
        """See ModelRegistry."""
        with transaction(self._pool, "reading which models are used") as connection:
            rows = self._rows(connection, "active", {})
        found: dict[StreamId, dict[ModelTask, RegisteredId]] = {}
        for row in rows:
            of_stream = found.setdefault(StreamId(row["stream_id"]), {})
            of_stream[ModelTask(row["task"])] = RegisteredId(row["model_id"])
        return MappingProxyType(found)

    def _require_usable(
        self, connection: Connection, activation: Activation, model_id: RegisteredId
    ) -> None:
        # Locked, so that nobody removes it between this look and the choice.
        self._rows(connection, "lock", {"id": model_id})
        model = self._one(connection, model_id)
        if model.farm_id not in (None, activation.farm_id):
            raise _missing(model_id)
        if model.task is not activation.task:
            raise OperatorMistake(
                f"{model.model_id} is a model for {model.task}, not for {activation.task}."
            )
        if model.state is not ModelState.READY:
            raise OperatorMistake(
                f"{model.model_id} is weights only and cannot be run.",
                "Export it to ONNX and upload that.",
            )

    def _one(self, connection: Connection, model_id: RegisteredId) -> RegisteredModel:
        rows = self._rows(connection, "get", {"id": model_id})
        if not rows:
            raise _missing(model_id)
        return _model(rows[0])

    def _rows(
        self, connection: Connection, name: str, fields: dict[str, Any]
    ) -> Sequence[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(self._sql[name], fields).fetchall()


def _fields(model: RegisteredModel) -> dict[str, Any]:
    return {
        "id": model.id,
        "farm_id": model.farm_id,
        "name": model.name,
        "version": model.version,
        "task": model.task.value,
        "format": model.format.value,
        "sha256": model.sha256,
        "size_bytes": model.size_bytes,
        "licence": model.licence,
        "skeleton": model.skeleton,
        "input": Jsonb(dict(model.input)),
        "threshold": model.threshold,
        "measured": Jsonb(dict(model.measured)),
        "description": Jsonb(dict(model.description)),
        "state": model.state.value,
        "uploaded_by": model.uploaded_by,
        "created_at": model.created_at,
    }


def _model(row: dict[str, Any]) -> RegisteredModel:
    return RegisteredModel(
        id=RegisteredId(row["id"]),
        name=row["name"],
        version=row["version"],
        task=ModelTask(row["task"]),
        format=ModelFormat(row["format"]),
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        licence=row["licence"],
        description=MappingProxyType(row["description"]),
        state=ModelState(row["state"]),
        uploaded_by=row["uploaded_by"],
        created_at=row["created_at"].astimezone(UTC),
        farm_id=None if row["farm_id"] is None else FarmId(row["farm_id"]),
        skeleton=row["skeleton"],
        input=MappingProxyType(row["input"]),
        threshold=row["threshold"],
        measured=MappingProxyType(row["measured"]),
    )


def _taken(model: RegisteredModel, removed: bool) -> Conflict:
    if removed:
        return Conflict(
            f"Another file was {model.model_id} before and left detections under that name.",
            "Give it another version.",
        )
    return Conflict(f"There is a model {model.model_id} already.", "Give it another version.")


def _missing(model_id: RegisteredId) -> NotFound:
    return NotFound(f"There is no model {model_id}.")

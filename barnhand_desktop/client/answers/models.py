"""Registered models and which stream uses them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from .base import Answer


class Model(Answer):
    """A model. ``source``: ``registered`` with this server, or of the ``manifest`` that every
    workstation has and chooses from by itself (state ``workstation``). ``active_streams``: which
    of the streams the caller sees were given it; ``active_for_all``: it is the choice for every
    stream of the farm that has no other."""

    id: UUID
    source: str
    name: str
    version: str
    model_id: str
    task: str
    format: str
    state: str
    layout: str | None
    licence: str
    commercial_use: bool
    origin: str
    sha256: str | None
    size_bytes: int | None
    skeleton: str | None
    input: dict[str, Any]
    threshold: float | None
    measured: dict[str, Any]
    farm_id: UUID | None = None
    uploaded_by: str | None = None
    created_at: datetime | None = None
    active_for_all: bool = False
    active_streams: tuple[UUID, ...] = ()


class ModelUsed(Answer):
    """The model after a change of its use. ``engine_notified``: an engine heard of it at once;
    otherwise they find out within seconds."""

    model: Model
    engine_notified: bool

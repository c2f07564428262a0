"""Farms, places and what depends on what."""

from __future__ import annotations

from uuid import UUID

from .base import Answer


class Farm(Answer):
    """A farm; ``expected_residents`` null where nobody said how many horses live there."""

    id: UUID
    name: str
    expected_residents: int | None


class Area(Answer):
    """A place of a farm."""

    id: UUID
    farm_id: UUID
    name: str
    kind: str
    stream_id: UUID | None
    region: tuple[tuple[float, float], ...] | None
    expected: UUID | None
    version: int


class Health(Answer):
    """The process answers."""

    status: str = "ok"
    version: str


class Check(Answer):
    """One thing the server depends on."""

    ok: bool
    detail: str = ""


class Readiness(Answer):
    """Everything the server depends on. ``status``: ready, or not_ready with what fails in
    ``checks``."""

    status: str
    checks: dict[str, Check]

"""Answers about the engine processes that share one server's cameras."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


class NodeOut(BaseModel):
    """An engine process. ``alive``: it was heard of within a lease's life. ``capacity``: cameras it
    takes at most; 0 without a limit. ``cameras`` are those the caller sees of the ones it holds."""

    node_id: UUID
    name: str
    version: str
    capacity: int
    started_at: datetime
    last_seen_at: datetime
    alive: bool
    cameras: list[UUID]


class LeaseOut(BaseModel):
    """Who watches a camera. ``node_id`` is null while nobody does (``name`` was the last).
    ``generation`` grows with every change of holder."""

    stream_id: UUID
    node_id: UUID | None
    name: str
    generation: int
    since: datetime
    expires_at: datetime


class NodesOut(BaseModel):
    """All nodes and leases at one instant of the server's clock, which all times here are of."""

    at: datetime
    nodes: list[NodeOut]
    leases: list[LeaseOut]

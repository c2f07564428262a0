"""Figures that follow from whose spans are whose, brought up to date when a correction moves some.

Each is one statement over the horses concerned, run in the correction's transaction in this order.
What is made from spans later (budgets, bouts) adds its statement here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from psycopg import Connection

from db.queries import queries
from engine.domain.identity import CommandId
from engine.domain.ids import HorseId


@dataclass(frozen=True, slots=True)
class Recomputation:
    """``statement`` names a query of recomputation.sql; it takes ``horse_ids`` and ``command``."""

    name: str
    statement: str


RECOMPUTATIONS = (
    Recomputation("first and last sighting, cameras, total detections", "sightings"),
    Recomputation("avatar", "avatars"),
)


def recompute(
    connection: Connection, horse_ids: Collection[HorseId], command_id: CommandId | None = None
) -> None:
    """Bring the figures of these horses up to date. ``command_id`` is the correction that made it
    necessary, which keeps what is replaced; None when nothing needs to be put back."""
    if not horse_ids:
        return
    statements = queries("recomputation")
    fields = {"horse_ids": sorted(horse_ids), "command": command_id}
    for one in RECOMPUTATIONS:
        connection.execute(statements[one.statement], fields)

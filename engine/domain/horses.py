"""Known horses as the registry keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.domain.ids import FarmId, HorseId


class HorseStatus(StrEnum):
    """ACTIVE: accepted resident. GUEST: not accepted yet. MERGED: points at another record."""

    ACTIVE = "active"
    GUEST = "guest"
    MERGED = "merged"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Horse:
    """One known horse. ``label`` is ``horse_001``; ``colour_hex`` one of the ten track colours."""

    id: HorseId
    farm_id: FarmId
    label: str
    name: str | None
    colour_hex: str
    status: HorseStatus
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    version: int

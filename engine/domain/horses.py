"""Known horses as the registry keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.domain.ids import FarmId, HorseId, StreamId


class HorseStatus(StrEnum):
    """ACTIVE: accepted resident. GUEST: not accepted yet. MERGED: points at another record."""

    ACTIVE = "active"
    GUEST = "guest"
    MERGED = "merged"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Profile:
    """What people write about a horse. ``height_cm`` at the withers; None where nobody said."""

    name: str | None = None
    breed: str | None = None
    sex: str | None = None
    birth_year: int | None = None
    height_cm: int | None = None
    colour: str | None = None
    markings: str | None = None
    stall: str | None = None


@dataclass(frozen=True, slots=True)
class Horse:
    """One known horse. ``label`` is ``horse_001``; ``colour_hex`` one of the ten track colours.

    ``merged_into`` names the horse that a MERGED record points at; ``version`` grows with every
    change a person makes, and a change made to an older version is a Conflict.
    """

    id: HorseId
    farm_id: FarmId
    label: str
    name: str | None
    colour_hex: str
    status: HorseStatus
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    version: int
    profile: Profile = Profile()
    first_stream_id: StreamId | None = None
    last_stream_id: StreamId | None = None
    merged_into: HorseId | None = None
    total_detections: int = 0
    has_avatar: bool = False

    @property
    def title(self) -> str:
        """What people call it: the name, else the label."""
        return self.name or self.label

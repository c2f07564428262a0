"""Rows of horses as the domain's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.domain.horses import Horse, HorseStatus, Profile
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.identity.profiles import PROFILE_FIELDS


def horse_of(row: Mapping[str, Any]) -> Horse:
    """A horse from its columns and ``has_avatar``."""
    return Horse(
        id=HorseId(row["id"]),
        farm_id=FarmId(row["farm_id"]),
        label=row["label"],
        name=row["name"],
        colour_hex=row["colour_hex"],
        status=HorseStatus(row["status"]),
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        version=row["version"],
        profile=Profile(**{name: row[name] for name in PROFILE_FIELDS}),
        first_stream_id=_stream(row["first_stream_id"]),
        last_stream_id=_stream(row["last_stream_id"]),
        merged_into=None if row["merged_into"] is None else HorseId(row["merged_into"]),
        total_detections=row["total_detections"],
        has_avatar=row["has_avatar"],
    )


def _stream(value: Any) -> StreamId | None:
    return None if value is None else StreamId(value)

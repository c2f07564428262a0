"""The registry of horses."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from barnhand_desktop.api import schemas
from barnhand_desktop.api.guard import CallerHere, ServicesHere
from barnhand_desktop.api.problems import Problem
from engine.domain.horses import Horse, HorseStatus


def list_horses(
    caller: CallerHere,
    services: ServicesHere,
    status: HorseStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> schemas.Page[schemas.HorseOut]:
    """The horses of the caller's farm by label."""
    try:
        after = "" if cursor is None else schemas.decode_cursor(cursor)
    except ValueError:
        raise Problem(422, "cursor_refused", "The cursor is not one of ours.") from None
    horses = sorted(
        (
            horse
            for horse in services.horses.list(caller.farm_id)
            if (status is None or horse.status is status) and _place(horse) > after
        ),
        key=_place,
    )
    return schemas.Page(
        items=[_out(horse) for horse in horses[:limit]],
        next_cursor=(
            schemas.encode_cursor(_place(horses[limit - 1])) if len(horses) > limit else None
        ),
    )


def _place(horse: Horse) -> str:
    return f"{horse.label}\x1f{horse.id}"


def _out(horse: Horse) -> schemas.HorseOut:
    return schemas.HorseOut(
        id=horse.id,
        farm_id=horse.farm_id,
        label=horse.label,
        name=horse.name,
        colour_hex=horse.colour_hex,
        status=horse.status,
        first_seen_at=horse.first_seen_at,
        last_seen_at=horse.last_seen_at,
        version=horse.version,
    )

"""Bodies of the routes about farms and the places in them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from barnhand_desktop.api.schemas import Name, Request

Kind = Literal["barn", "stall", "aisle", "paddock", "arena", "other"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Region = Annotated[list[tuple[Share, Share]], Field(min_length=3, max_length=64)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class AreaIn(Request):
    """A place. ``region`` is a polygon in shares of the camera's picture, null the whole picture;
    ``expected`` the horse that lives there."""

    name: Name
    kind: Kind
    stream_id: UUID | None = None
    region: Region | None = None
    expected: UUID | None = None
    farm_id: UUID | None = None


class AreaChange(Request):
    """A place as it shall be; ``version`` is the one that was read."""

    name: Name
    kind: Kind
    stream_id: UUID | None = None
    region: Region | None = None
    expected: UUID | None = None
    version: Version


class AreaOut(BaseModel):
    """A place of a farm."""

    id: UUID
    farm_id: UUID
    name: str
    kind: str
    stream_id: UUID | None
    region: list[tuple[float, float]] | None
    expected: UUID | None
    version: int


class FarmOut(BaseModel):
    """A farm; ``expected_residents`` null where nobody said how many horses live there."""

    id: UUID
    name: str
    expected_residents: int | None


class FarmIn(Request):
    """A new farm."""

    name: Name


class FarmChange(Request):
    """What can be changed of a farm."""

    name: Name
    expected_residents: int | None = Field(None, ge=0, le=10_000)

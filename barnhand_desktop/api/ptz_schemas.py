"""Bodies of the camera control routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from barnhand_desktop.api.schemas import LocalTime, Name, Request, UtcInstant

Speed = Annotated[float, Field(ge=-1.0, le=1.0)]
PresetNumber = Annotated[int, Field(ge=1, le=8)]


class MoveIn(Request):
    """Shares of full speed: pan right, tilt up, zoom in are positive. The camera stops by itself
    one second after the last of these requests."""

    pan: Speed = 0.0
    tilt: Speed = 0.0
    zoom: Speed = 0.0


class PresetIn(Request):
    """What to call the present view."""

    name: Annotated[str, Field(max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class FollowIn(Request):
    """The horse to keep in the picture; null ends following."""

    horse_id: UUID | None


class ScheduleIn(Request):
    """When something runs by itself, in the barn's local time; weekday 0 is Monday. ``every_min``
    0: once at ``start``, or without pause for a tour."""

    weekdays: Annotated[list[Annotated[int, Field(ge=0, le=6)]], Field(min_length=1, max_length=7)]
    start: LocalTime
    end: LocalTime
    every_min: Annotated[int, Field(ge=0, le=1440)] = 0


class TourStepIn(Request):
    """Go to a preset and stay."""

    preset: PresetNumber
    dwell_s: float = Field(ge=1.0, le=3600.0)


class TourIn(Request):
    """Ordered presets of a camera."""

    name: Name
    steps: Annotated[list[TourStepIn], Field(min_length=1, max_length=64)]
    schedule: ScheduleIn | None = None


class TourOut(BaseModel):
    """A stored tour."""

    id: UUID
    name: str
    steps: list[TourStepIn]
    schedule: ScheduleIn | None


class ScanIn(Request):
    """A barn scan: look at every preset, record those with horses, go home."""

    presets: Annotated[list[PresetNumber], Field(min_length=1, max_length=8)]
    settle_s: float = Field(5.0, ge=2.0, le=15.0)
    record_s: float = Field(10.0, ge=5.0, le=30.0)
    schedule: ScheduleIn | None = None


class HolderOut(BaseModel):
    """Who steers."""

    name: str
    priority: Literal["follow", "tour", "remote", "operator"]


class CapabilitiesOut(BaseModel):
    """What a camera was found to do."""

    move: bool
    zoom: bool
    diagonals: bool
    presets: int
    snapshot: bool
    absolute: bool


class PresetOut(BaseModel):
    """A stored view."""

    number: int
    name: str
    set_at: UtcInstant | None
    has_thumbnail: bool


class ScanViewOut(BaseModel):
    """What a scan saw at one preset."""

    preset: int
    horses: int
    recorded: bool
    at: UtcInstant
    fault: str


class ScanOut(BaseModel):
    """How far a scan is; ``done`` of ``total`` never runs backwards."""

    scan_id: UUID
    phase: Literal["looking", "recording", "returning", "done", "stopped", "failed"]
    done: int
    total: int
    message: str
    views: list[ScanViewOut]


class PtzOut(BaseModel):
    """A camera's control. ``fault`` says why the camera does not answer; credentials and addresses
    are never told."""

    holder: HolderOut | None
    moving: MoveIn | None
    preset: int | None
    activity: str
    message: str
    fault: str
    suspended: bool
    capabilities: CapabilitiesOut | None
    presets: list[PresetOut]
    scan: ScanOut | None


Values = dict[str, Any]

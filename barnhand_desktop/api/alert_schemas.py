"""Bodies of the routes about alerts and their rules."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from barnhand_desktop.api.identity_schemas import LongText
from barnhand_desktop.api.schemas import LocalTime, Name, Request, UtcInstant
from engine.domain.behaviour import RuleKind
from engine.domain.notices import Severity

Weekday = Annotated[int, Field(ge=0, le=6)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
ParameterName = Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]


class AlertOut(BaseModel):
    """Something a person should look at. ``evidence``: the figures behind it."""

    id: UUID
    farm_id: UUID
    rule_id: UUID | None
    kind: RuleKind
    severity: Severity
    message: str
    started_at: UtcInstant
    raised_at: UtcInstant
    ended_at: UtcInstant | None
    horse_id: UUID | None
    track_id: UUID | None
    stream_id: UUID | None
    evidence: dict[str, Any]
    quiet: bool
    has_picture: bool
    acknowledged_at: UtcInstant | None
    acknowledged_by: str
    note: str


class AcknowledgeIn(Request):
    """Somebody has seen it."""

    note: LongText = ""


class QuietIn(Request):
    """No sound between two local times, over midnight when ``end`` is not after ``start``; weekdays
    0 (Monday) to 6 are those on which it begins."""

    start: LocalTime
    end: LocalTime
    weekdays: list[Weekday] = Field(default_factory=lambda: list(range(7)), max_length=7)


class RuleValues(Request):
    """What a rule says. Horses and cameras left empty are all of the farm's."""

    kind: RuleKind
    name: Name
    severity: Severity
    enabled: bool = True
    parameters: dict[ParameterName, Number] = Field(default_factory=dict, max_length=50)
    horse_ids: list[UUID] = Field(default_factory=list, max_length=1000)
    stream_ids: list[UUID] = Field(default_factory=list, max_length=1000)
    quiet: QuietIn | None = None
    cooldown_s: float = Field(1800.0, ge=0, le=604_800, allow_inf_nan=False)
    sound: bool = True
    notify: bool = True


class RuleIn(RuleValues):
    """A rule to be made."""

    farm_id: UUID | None = Field(None, description="only for accounts of no single farm")


class RuleChange(RuleValues):
    """New values of a rule; ``version`` is the one they were made from."""

    version: int = Field(ge=1, le=2**31 - 2)


class QuietOut(BaseModel):
    """Quiet hours in local time."""

    start: LocalTime
    end: LocalTime
    weekdays: list[int]


class RuleOut(BaseModel):
    """A rule as it is in force."""

    id: UUID
    farm_id: UUID
    kind: RuleKind
    name: str
    severity: Severity
    enabled: bool
    parameters: dict[str, float]
    horse_ids: list[UUID]
    stream_ids: list[UUID]
    quiet: QuietOut | None
    cooldown_s: float
    sound: bool
    notify: bool
    version: int

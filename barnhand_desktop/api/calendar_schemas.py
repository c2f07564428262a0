"""Bodies of the routes about the training calendar."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from barnhand_desktop.api.job_schemas import Note
from barnhand_desktop.api.schemas import Name, Request, UtcInstant
from engine.domain.sessions import CalendarEntry, SessionKind


class CalendarIn(Request):
    """An entry of the calendar. ``horse_id`` null: all horses. ``whole_day``: only the days of its
    times count. ``session_id``: the session that shows what was done."""

    title: Name
    kind: SessionKind = SessionKind.TRAINING
    start_time: UtcInstant
    end_time: UtcInstant
    horse_id: UUID | None = None
    whole_day: bool = False
    note: Note = ""
    done: bool = False
    session_id: UUID | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_time < self.start_time:
            raise ValueError("end_time is before start_time")
        return self


class NewCalendarEntry(CalendarIn):
    """A new one; ``farm_id`` for accounts of all farms."""

    farm_id: UUID | None = None


class CalendarChange(CalendarIn):
    """A change made to version ``version``."""

    version: int = Field(ge=1, le=2**31 - 1)


class CalendarOut(BaseModel):
    """A calendar entry as it is stored."""

    id: UUID
    farm_id: UUID
    horse_id: UUID | None
    title: str
    kind: SessionKind
    start_at: datetime
    end_at: datetime
    whole_day: bool
    note: str
    done: bool
    session_id: UUID | None
    created_by: str
    created_at: datetime
    version: int


def calendar_out(entry: CalendarEntry) -> CalendarOut:
    """A calendar entry as it is answered."""
    return CalendarOut(
        id=entry.id,
        farm_id=entry.farm_id,
        horse_id=entry.horse_id,
        title=entry.title,
        kind=entry.kind,
        start_at=entry.start_at,
        end_at=entry.end_at,
        whole_day=entry.whole_day,
        note=entry.note,
        done=entry.done,
        session_id=entry.session_id,
        created_by=entry.created_by,
        created_at=entry.created_at,
        version=entry.version,
    )

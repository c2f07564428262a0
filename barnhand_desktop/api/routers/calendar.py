"""The training calendar: what is planned and what was done."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Query
from fastapi.responses import Response

from barnhand_desktop.api import calendar_schemas as bodies
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.icalendar import ics_of
from barnhand_desktop.api.ownership import own_horse
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.routers.sessions import own_session
from barnhand_desktop.api.schemas import Page, UtcInstant
from barnhand_desktop.api.services import Services
from barnhand_desktop.api.windows import window
from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import NotFound
from engine.domain.ids import FarmId
from engine.domain.sessions import CalendarEntry, CalendarEntryId

ICS = "text/calendar"
_USUAL, _MOST = timedelta(days=62), timedelta(days=3 * 366)
_AT_MOST = 1000


def list_entries(
    caller: CallerHere,
    services: ServicesHere,
    start_time: UtcInstant | None = None,
    end_time: UtcInstant | None = None,
    horse_id: UUID | None = None,
    farm_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=_AT_MOST)] = 500,
) -> Page[bodies.CalendarOut]:
    """Entries that reach into the interval, oldest first; with a horse, those of all horses too.
    Without times: everything, the oldest first."""
    farm = own_farm(services, caller, farm_id)
    horse = None if horse_id is None else own_horse(services, caller, horse_id)
    found = services.sessions.calendar.list(farm, start_time, end_time, horse, limit)
    return Page(items=[bodies.calendar_out(entry) for entry in found])


def export_entries(
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
    start_time: UtcInstant | None = None,
    end_time: UtcInstant | None = None,
    horse_id: UUID | None = None,
    farm_id: UUID | None = None,
) -> Response:
    """The same as an iCalendar file (RFC 5545) for other calendars; two months back by default.
    Who took it is recorded."""
    farm = own_farm(services, caller, farm_id)
    horse = None if horse_id is None else own_horse(services, caller, horse_id)
    now = services.clock.now()
    if start_time is None and end_time is None:
        since, until = now - _USUAL, now + _MOST - _USUAL
    else:
        since, until = window(start_time, end_time, now, _USUAL, _MOST)
    found = services.sessions.calendar.list(farm, since, until, horse, _AT_MOST)
    services.audit.record(caller, "calendar.export", "calendar", None, address)
    return Response(
        ics_of(found, now),
        media_type=ICS,
        headers={"Content-Disposition": 'attachment; filename="barnhand.ics"'},
    )


def add_entry(
    body: bodies.NewCalendarEntry, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.CalendarOut:
    """Put an entry into the calendar."""
    farm = own_farm(services, caller, body.farm_id) or DEFAULT_FARM
    made = _entry(body, caller, services, CalendarEntryId(uuid4()), FarmId(farm), 1)
    stored = services.sessions.calendar.add(made)
    details = {"title": stored.title}
    services.audit.record(caller, "calendar.add", "calendar", stored.id, address, details)
    return bodies.calendar_out(stored)


def get_entry(entry_id: UUID, caller: CallerHere, services: ServicesHere) -> bodies.CalendarOut:
    """One entry."""
    return bodies.calendar_out(_own(services, caller, entry_id))


def change_entry(
    entry_id: UUID,
    body: bodies.CalendarChange,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.CalendarOut:
    """Change an entry; who made it stays."""
    before = _own(services, caller, entry_id)
    changed = _entry(body, caller, services, before.id, before.farm_id, body.version)
    stored = services.sessions.calendar.update(changed)
    details = {"title": stored.title, "done": stored.done}
    services.audit.record(caller, "calendar.change", "calendar", stored.id, address, details)
    return bodies.calendar_out(stored)


def remove_entry(
    entry_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove an entry; its session stays."""
    entry = _own(services, caller, entry_id)
    services.sessions.calendar.remove(entry.id)
    services.audit.record(
        caller, "calendar.remove", "calendar", entry.id, address, {"title": entry.title}
    )


def _entry(
    body: bodies.CalendarIn, caller: Caller, services: Services, entry_id: CalendarEntryId,
    farm_id: FarmId, version: int,
) -> CalendarEntry:  # fmt: skip
    horse = None if body.horse_id is None else own_horse(services, caller, body.horse_id)
    session = None
    if body.session_id is not None:
        session = own_session(services, caller, body.session_id).id
    return CalendarEntry(
        id=entry_id,
        farm_id=farm_id,
        title=body.title,
        kind=body.kind,
        start_at=body.start_time,
        end_at=body.end_time,
        created_by=caller.username,
        created_at=services.clock.now(),
        horse_id=horse,
        whole_day=body.whole_day,
        note=body.note,
        done=body.done,
        session_id=session,
        version=version,
    )


def _own(services: Services, caller: Caller, entry_id: UUID) -> CalendarEntry:
    try:
        entry = services.sessions.calendar.get(CalendarEntryId(entry_id))
    except NotFound:
        raise Problem(404, "not_found", "There is no such entry.") from None
    if caller.farm_id is not None and entry.farm_id != caller.farm_id:
        raise Problem(404, "not_found", "There is no such entry.")
    return entry

"""CalendarRepository: what is planned and what was done."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from db.repositories.calendar import PostgresCalendarRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.sessions import PostgresSessionRepository
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, HorseId
from engine.domain.sessions import (
    CalendarEntry,
    CalendarEntryId,
    CalendarRepository,
    Session,
    SessionId,
    SessionKind,
    SessionMode,
    SessionSource,
    SessionState,
)
from tests.fixtures_identity import IdentityBarn, at


@pytest.fixture
def calendar(barn: IdentityBarn) -> CalendarRepository:
    return PostgresCalendarRepository(barn.pool)


def entry(start_s: float = 0.0, end_s: float = 10.0, **fields: object) -> CalendarEntry:
    made = CalendarEntry(
        CalendarEntryId(uuid4()), DEFAULT_FARM, "Lesson", SessionKind.LESSON, at(start_s),
        at(end_s), "Anna", at(0),
    )  # fmt: skip
    return replace(made, **fields)  # type: ignore[arg-type]


def test_an_entry_reads_back_and_is_changed(
    barn: IdentityBarn, calendar: CalendarRepository
) -> None:
    bella = barn.horse("Bella")
    one = entry(horse_id=bella, whole_day=True, note="Bring the saddle.")
    assert calendar.add(one) == one
    changed = calendar.update(replace(one, done=True, title="Ride", created_by="Ben"))
    assert (changed.done, changed.title, changed.version) == (True, "Ride", 2)
    assert changed.created_by == "Anna"
    with pytest.raises(Conflict, match="Ride"):
        calendar.update(replace(one, title="Other"))
    calendar.remove(one.id)
    for gone in (calendar.get, calendar.remove):
        with pytest.raises(NotFound):
            gone(one.id)
    with pytest.raises(NotFound):
        calendar.update(one)


def test_entries_are_found_by_time_and_horse(
    barn: IdentityBarn, calendar: CalendarRepository
) -> None:
    bella, zorro = barn.horse("Bella"), barn.horse("Zorro")
    first, second, all_horses = (
        calendar.add(one)
        for one in (
            entry(0, 10, horse_id=bella), entry(20, 30, horse_id=zorro), entry(40, 50),
        )
    )  # fmt: skip
    assert [one.id for one in calendar.list()] == [first.id, second.id, all_horses.id]
    assert [one.id for one in calendar.list(start=at(5), end=at(20))] == [first.id]
    assert [one.id for one in calendar.list(horse_id=bella)] == [first.id, all_horses.id]
    assert len(calendar.list(limit=1)) == 1
    assert not calendar.list(farm_id=FarmId(uuid4()))


def test_what_makes_no_sense_is_refused(calendar: CalendarRepository) -> None:
    for wrong in (
        entry(5, 4), entry(title=" "), entry(note="x" * 5000),
        entry(start_at=at(0).replace(tzinfo=None)),
    ):  # fmt: skip
        with pytest.raises(OperatorMistake):
            calendar.add(wrong)
    for foreign in (entry(horse_id=HorseId(uuid4())), entry(session_id=SessionId(uuid4()))):
        with pytest.raises(NotFound):
            calendar.add(foreign)


def test_an_entry_outlives_its_session(barn: IdentityBarn, calendar: CalendarRepository) -> None:
    sessions = PostgresSessionRepository(barn.pool)
    shown = sessions.add(
        Session(
            SessionId(uuid4()), DEFAULT_FARM, "Ride", SessionKind.TRAINING, SessionSource.UPLOAD,
            SessionMode.PREVIEW, SessionState.DONE, at(0), "Anna", at(0),
        )
    )  # fmt: skip
    one = calendar.add(entry(session_id=shown.id, done=True))
    assert calendar.get(one.id).session_id == shown.id
    sessions.remove(shown.id)
    assert calendar.get(one.id) == replace(one, session_id=None)

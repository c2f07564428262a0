"""Calendar entries as iCalendar."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from barnhand_desktop.api.icalendar import ics_of
from engine.domain.ids import FarmId
from engine.domain.sessions import CalendarEntry, CalendarEntryId, SessionKind

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def entry(title: str, note: str = "", whole_day: bool = False) -> CalendarEntry:
    return CalendarEntry(
        CalendarEntryId(uuid4()), FarmId(uuid4()), title, SessionKind.TROT_UP,
        datetime(2026, 5, 2, 8, tzinfo=UTC), datetime(2026, 5, 3, 9, 30, tzinfo=UTC), "Anna", NOW,
        whole_day=whole_day, note=note,
    )  # fmt: skip


def test_instants_are_utc_and_whole_days_end_the_day_after() -> None:
    timed = ics_of([entry("Ride")], NOW)
    assert "DTSTART:20260502T080000Z\r\nDTEND:20260503T093000Z\r\n" in timed
    whole = ics_of([entry("Ride", whole_day=True)], NOW)
    assert "DTSTART;VALUE=DATE:20260502\r\nDTEND;VALUE=DATE:20260504\r\n" in whole
    assert "CATEGORIES:trot up\r\n" in whole


def test_words_cannot_break_out_of_their_line() -> None:
    made = ics_of([entry("a;b,c\\d", note="one\r\nBEGIN:VEVENT\x07")], NOW)
    assert "SUMMARY:a\\;b\\,c\\\\d\r\n" in made
    assert "DESCRIPTION:one\\nBEGIN:VEVENT\r\n" in made
    assert made.count("\r\nBEGIN:VEVENT\r\n") == 1


def test_long_lines_are_folded_without_breaking_letters() -> None:
    note = "Straße 馬 " * 40
    made = ics_of([entry("x", note=note)], NOW)
    lines = made.split("\r\n")
    assert all(len(line.encode()) <= 75 for line in lines)
    assert f"DESCRIPTION:{note}" in made.replace("\r\n ", "")

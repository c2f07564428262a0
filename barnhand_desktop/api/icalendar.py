"""Calendar entries as an iCalendar file (RFC 5545), for the calendars that people have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from engine.domain.sessions import CalendarEntry

_LINE_BYTES = 73
"""A line has at most 75 bytes without its end (RFC 5545, 3.1)."""


def ics_of(entries: Sequence[CalendarEntry], now: datetime) -> str:
    """One event an entry; times in UTC, whole days as dates. ``now``: when it was made."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Barnhand//Calendar//EN"]
    for entry in entries:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{entry.id}@barnhand",
            f"DTSTAMP:{_utc(now)}",
            *_times(entry),
            f"SUMMARY:{_text(entry.title)}",
            f"CATEGORIES:{_text(entry.kind.value.replace('_', ' '))}",
            f"DESCRIPTION:{_text(entry.note)}",
            f"SEQUENCE:{entry.version - 1}",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def _times(entry: CalendarEntry) -> list[str]:
    if not entry.whole_day:
        return [f"DTSTART:{_utc(entry.start_at)}", f"DTEND:{_utc(entry.end_at)}"]
    # The end of whole days is the first day after them.
    last = entry.end_at.astimezone(UTC).date() + timedelta(days=1)
    return [
        f"DTSTART;VALUE=DATE:{entry.start_at.astimezone(UTC):%Y%m%d}",
        f"DTEND;VALUE=DATE:{last:%Y%m%d}",
    ]


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(words: str) -> str:
    """Words escaped as a TEXT value."""
    plain = "".join(letter for letter in words if letter >= " " or letter in "\r\n")
    for sign in ("\\", ";", ","):
        plain = plain.replace(sign, f"\\{sign}")
    return plain.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """The line in parts of at most 75 bytes; those after the first begin with a space."""
    part, size = "", 0
    for letter in line:
        letter_bytes = len(letter.encode())
        if size + letter_bytes > _LINE_BYTES:
            yield part
            part, size = " ", 1
        part += letter
        size += letter_bytes
    yield part

"""Horses, instants and corrections as people read them."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QCoreApplication

from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import CommandRecord, Effect, TrackStrip
from ui.wording import duration

THIN_SPACE = "\u202f"
FIELDS = ("name", "breed", "sex", "birth_year", "height_cm", "colour", "markings", "stall")
"""Names of ``Profile``, in the order people fill them in."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Registry", text)


def local_user() -> str:
    """Who sits at this console, as the history names them: the account of the machine."""
    try:
        return _tr("{0} at the console").format(getpass.getuser())
    except (OSError, KeyError):  # an account without a name, as in a bare container
        return _tr("console")


def count(number: int) -> str:
    """``5 214``: groups of three, narrow spaces."""
    return f"{number:,}".replace(",", THIN_SPACE)


def counted(number: int, one: str, many: str) -> str:
    """``1 track``, ``5 214 tracks``."""
    return f"{count(number)} {one if number == 1 else many}"


def ago(at: datetime | None, now: datetime | None = None) -> str:
    """``now``, ``4 min ago``, ``today 09:14``, ``yesterday 21:04``, ``12 Mar 09:14``, ``never``."""
    if at is None:
        return _tr("never")
    now = now or datetime.now(UTC)
    seconds = (now - at).total_seconds()
    if seconds < 60:
        return _tr("now")
    if seconds < 3600:
        return _tr("{0} min ago").format(int(seconds // 60))
    local, today = at.astimezone(), now.astimezone()
    if local.date() == today.date():
        return _tr("today {0}").format(local.strftime("%H:%M"))
    if local.date() == (today - timedelta(days=1)).date():
        return _tr("yesterday {0}").format(local.strftime("%H:%M"))
    return when(at, now)


def when(at: datetime | None, now: datetime | None = None) -> str:
    """``12 Mar 09:14``, with the year where it is not this one; a dash for nothing."""
    if at is None:
        return "–"
    local = at.astimezone()
    same = local.year == (now or datetime.now(UTC)).astimezone().year
    return f"{local.day} {local.strftime('%b %H:%M' if same else '%b %Y %H:%M')}"


def clock(at: datetime, seconds: bool = True) -> str:
    """``13:51:02`` in local time."""
    return at.astimezone().strftime("%H:%M:%S" if seconds else "%H:%M")


def status_word(status: HorseStatus) -> str:
    """The status in one word."""
    return {
        HorseStatus.ACTIVE: _tr("resident"),
        HorseStatus.GUEST: _tr("guest"),
        HorseStatus.MERGED: _tr("merged"),
        HorseStatus.ARCHIVED: _tr("archived"),
    }[status]


def field_word(name: str) -> str:
    """A field of the profile, as its label says it."""
    return {
        "name": _tr("Name"),
        "breed": _tr("Breed"),
        "sex": _tr("Sex"),
        "birth_year": _tr("Birth year"),
        "height_cm": _tr("Height (cm)"),
        "colour": _tr("Colour"),
        "markings": _tr("Markings"),
        "stall": _tr("Stall"),
    }[name]


def field_value(horse: Horse, name: str) -> object:
    """A value of the profile; the name may be kept on the horse alone."""
    value = getattr(horse.profile, name)
    return horse.name if name == "name" and value is None else value


def value_word(value: object) -> str:
    """A profile value, or that there is none."""
    return _tr("keep empty") if value is None else str(value)


def strip_words(strip: TrackStrip) -> str:
    """One track in a line: number, camera and time."""
    return _tr("track {0}, {1} {2}–{3}").format(
        strip.number, strip.stream_name, clock(strip.start, False), clock(strip.end, False)
    )


def decided_word(decided_by: str) -> str:
    """Who decided whose track it is."""
    return _tr("by the computer") if decided_by == "engine" else _tr("by {0}").format(decided_by)


def effect_words(effect: Effect) -> str:
    """What a correction touches: ``7 tracks, 5 214 detections, 9 min 00 s seen``."""
    return ", ".join(
        (
            counted(effect.tracks, _tr("track"), _tr("tracks")),
            counted(effect.detections, _tr("detection"), _tr("detections")),
            _tr("{0} seen").format(duration(effect.seen_s)),
        )
    )


def record_counts(record: CommandRecord) -> str:
    """How much a correction of the history moved; empty for changes of the profile alone."""
    if not record.spans:
        return ""
    return ", ".join(
        (
            counted(record.spans, _tr("span"), _tr("spans")),
            counted(record.detections, _tr("detection"), _tr("detections")),
        )
    )

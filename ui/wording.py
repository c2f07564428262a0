"""Numbers and states as people read them. Every number carries its unit."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from engine.domain.streams import Stream, StreamHealth, StreamState


def _tr(text: str) -> str:
    return QCoreApplication.translate("Wording", text)


def duration(seconds: float) -> str:
    """``4 s``, ``2 min 14 s``, ``3 h 05 min``, ``2 d 4 h``."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    minutes, rest_s = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest_s:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def size(count_bytes: float) -> str:
    """``512 MB``, ``1.4 TB`` in powers of 1000."""
    value, units = float(count_bytes), ("B", "kB", "MB", "GB", "TB", "PB")
    for unit in units:
        if value < 1000 or unit == units[-1]:
            digits = 1 if 0 < value < 10 and unit not in ("B", "kB") else 0
            return f"{value:.{digits}f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def bitrate(bits_per_s: float) -> str:
    """``3.2 Mbit/s``, ``640 kbit/s``."""
    if bits_per_s >= 1e6:
        return f"{bits_per_s / 1e6:.1f} Mbit/s"
    return f"{bits_per_s / 1e3:.0f} kbit/s"


def milliseconds(value_ms: float | None) -> str:
    """``140 ms``, or a dash before the first measurement."""
    return "– ms" if value_ms is None else f"{value_ms:.0f} ms"


def state_word(state: StreamState, stream: Stream | None = None) -> str:
    """The state of a camera in one word."""
    if state is StreamState.ACTIVE and stream is not None:
        kinds = {"file": _tr("file"), "folder": _tr("folder"), "simulated": _tr("simulated")}
        return kinds.get(stream.kind.value, _tr("live"))
    return {
        StreamState.INACTIVE: _tr("stopped"),
        StreamState.CONNECTING: _tr("connecting"),
        StreamState.ACTIVE: _tr("live"),
        StreamState.OFFLINE: _tr("offline"),
        StreamState.ENDED: _tr("ended"),
        StreamState.ERROR: _tr("error"),
    }[state]


def watched_line(health: StreamHealth | None) -> str:
    """Which other workstation watches a camera; empty where this one does."""
    if health is None or not health.watched_by:
        return ""
    return _tr("watched by {0}").format(health.watched_by)


def recording_word(recording: str) -> str:
    """What ``StreamHealth.recording`` is called."""
    return {
        "on": _tr("recording"),
        "motion": _tr("recording movement"),
        "waiting": _tr("waiting"),
        "off": _tr("off"),
        "stopped": _tr("stopped: no room"),
    }.get(recording, "–")


def offline_lines(health: StreamHealth, age_s: float | None = None) -> tuple[str, str]:
    """The two lines a tile without a picture shows: what, since when; why, and what next.

    ``age_s`` is the age of the last picture where the health does not tell it.
    """
    age_s = health.last_frame_age_s if health.last_frame_age_s is not None else age_s
    age = (
        _tr("no picture yet")
        if age_s is None
        else _tr("last picture {0} ago").format(duration(age_s))
    )
    if health.watched_by and health.state is StreamState.INACTIVE:
        return _tr("WATCHED BY {0}").format(health.watched_by), ""
    heads = {
        StreamState.INACTIVE: _tr("STOPPED"),
        StreamState.CONNECTING: _tr("CONNECTING · {0}").format(age),
        StreamState.ACTIVE: _tr("NO PICTURE · {0}").format(age),
        StreamState.OFFLINE: _tr("OFFLINE · {0}").format(age),
        StreamState.ENDED: _tr("ENDED · {0}").format(age),
        StreamState.ERROR: _tr("ERROR · {0}").format(age),
    }
    reason = health.reason.strip().rstrip(".")
    retry = ""
    if health.retry_in_s is not None:
        retry = _tr("trying again in {0}").format(duration(health.retry_in_s))
    parts = (watched_line(health), reason, retry)
    return heads[health.state], ", ".join(part for part in parts if part)

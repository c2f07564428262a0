"""Sessions, their figures and entries of the calendar as people read them. Every number carries
its unit."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from engine.domain.motion import Gait, Lead
from engine.domain.sessions import (
    MetricDifference,
    MetricValue,
    ScaleKind,
    Session,
    SessionKind,
    SessionMode,
    SessionScale,
    SessionSource,
    SessionState,
)

NARROW = "\u00a0"
"""Between a number and its unit: no line ends there."""
UNITS = {"m_s": "m/s", "m": "m", "s": "s", "hz": "Hz", "mm": "mm"}


def _tr(text: str) -> str:
    return QCoreApplication.translate("Sessions", text)


def percent(share: float, digits: int = 0) -> str:
    """``62 %``, which is never broken apart."""
    return f"{100 * share:.{digits}f}{NARROW}%"


def kind_word(kind: SessionKind) -> str:
    """What the horse is doing there."""
    return {
        SessionKind.TRAINING: _tr("Training"),
        SessionKind.LUNGING: _tr("Lunging"),
        SessionKind.TROT_UP: _tr("Trot up"),
        SessionKind.LESSON: _tr("Lesson"),
        SessionKind.COMPETITION: _tr("Competition"),
        SessionKind.REHABILITATION: _tr("Rehabilitation"),
        SessionKind.FREE: _tr("Free"),
        SessionKind.OTHER: _tr("Other"),
    }[kind]


def mode_word(mode: SessionMode) -> str:
    """How many pictures are looked at."""
    return {
        SessionMode.TRAINING: _tr("Training: every picture"),
        SessionMode.HIGHLIGHTS: _tr("Highlights: 30 pictures a second"),
        SessionMode.PREVIEW: _tr("Preview: 15 pictures a second"),
    }[mode]


def short_mode(mode: SessionMode) -> str:
    """The mode in one word."""
    return mode_word(mode).partition(":")[0].lower()


def source_word(source: SessionSource) -> str:
    """Where its pictures come from."""
    return {
        SessionSource.UPLOAD: _tr("video"),
        SessionSource.STRETCH: _tr("recordings"),
        SessionSource.LIVE: _tr("live"),
    }[source]


def state_word(state: SessionState) -> str:
    """Where it stands, in a word or two."""
    return {
        SessionState.OPEN: _tr("goes on"),
        SessionState.QUEUED: _tr("waits for analysis"),
        SessionState.RUNNING: _tr("being analysed"),
        SessionState.DONE: _tr("analysed"),
        SessionState.FAILED: _tr("failed"),
        SessionState.CANCELLED: _tr("cancelled"),
    }[state]


def state_line(session: Session) -> str:
    """Where it stands, how far it is, and what its job says."""
    words = [state_word(session.state)]
    if session.state is SessionState.RUNNING:
        words.append(percent(session.progress))
    if session.message:
        words.append(session.message)
    if session.archived_at is not None:
        words.append(_tr("archived"))
    return " · ".join(words)


def gait_word(gait: Gait) -> str:
    """A gait."""
    return {
        Gait.UNKNOWN: _tr("not told"),
        Gait.STANDING: _tr("standing"),
        Gait.WALK: _tr("walk"),
        Gait.TROT: _tr("trot"),
        Gait.CANTER: _tr("canter"),
        Gait.GALLOP: _tr("gallop"),
    }[gait]


def lead_word(lead: Lead) -> str:
    """The leading front leg; a dash where there is none."""
    return {
        Lead.NONE: "–",
        Lead.LEFT: _tr("left"),
        Lead.RIGHT: _tr("right"),
        Lead.ONE: _tr("one side"),
        Lead.OTHER: _tr("other side"),
    }[lead]


def metric_word(name: str) -> str:
    """A figure of a session by its name; one that is not known here by the name itself."""
    whole = {
        "distance": _tr("Distance"),
        "speed_mean": _tr("Speed, mean while moving"),
        "speed_max": _tr("Speed, greatest over 1 s"),
        "body_lengths": _tr("Speed in body lengths"),
        "left_lead": _tr("Left lead"),
        "strides": _tr("Strides measured"),
        "hd_min": _tr("Head, difference of minima"),
        "hd_max": _tr("Head, difference of maxima"),
        "pd_min": _tr("Pelvis, difference of minima"),
        "pd_max": _tr("Pelvis, difference of maxima"),
    }
    if name in whole:
        return whole[name]
    parts = {
        "speed": _tr("Speed, {0}"),
        "share": _tr("Share, {0}"),
        "stride_rate": _tr("Stride rate, {0}"),
        "stride_length": _tr("Stride length, {0}"),
        "symmetry": _tr("Symmetry, {0}"),
    }
    head, _, tail = name.rpartition("_")
    gait = next((g for g in Gait if g.label == tail), None)
    if gait is not None and head in parts:
        return parts[head].format(gait_word(gait))
    return name.replace("_", " ").capitalize()


def unit_word(unit: str) -> str:
    """A unit as it is written; empty for shares and counts."""
    lengths = {"bl_s": _tr("body lengths/s"), "bl": _tr("body lengths")}
    return UNITS.get(unit) or lengths.get(unit, "")


def number_words(value: float, unit: str, sign: bool = False) -> str:
    """``3.42 m/s``, ``+4.1 mm``, ``62 %``, ``14``; ``sign``: a difference, shares in points."""
    digits = {"mm": 1, "share": 0, "count": 0}.get(unit, 2)
    word = "%" if unit == "share" else unit_word(unit)
    if unit == "share":
        value *= 100
        if sign:
            digits, word = 1, _tr("points")
    value = round(value, digits) or 0.0  # no minus before a zero
    plus = "+" if (sign or unit == "mm") and value else ""
    return f"{value:{plus}.{digits}f}{NARROW}{word}".strip()


def value_words(one: MetricValue) -> str:
    """A figure with its spread, or that it is not told."""
    if one.value is None:
        return _tr("not told")
    told = number_words(one.value, one.unit)
    if one.spread is None:
        return told
    return f"{told} ± {number_words(one.spread, one.unit).lstrip('+')}"


def basis_words(one: MetricValue) -> str:
    """What a figure rests on; why there is none."""
    if one.value is None:
        return one.reason
    if one.unit == "count":
        return _tr("{0} of time").format(percent(one.coverage))
    behind = _tr("{0} s") if one.spread is None else _tr("{0} strides")
    if one.name == "left_lead":
        behind = _tr("{0} strides")
    return " · ".join((behind.format(one.count), _tr("{0} of time").format(percent(one.coverage))))


def scale_words(scale: SessionScale) -> str:
    """Where metres come from."""
    height = f"{scale.height_m:.2f} m" if scale.height_m is not None else ""
    words = {
        ScaleKind.GROUND: _tr("Metres come from the calibration of the camera."),
        ScaleKind.BODY: _tr("Metres come from the horse's own height, {0}."),
        ScaleKind.USUAL_BODY: _tr("Metres come from a usual height, {0}."),
        ScaleKind.NONE: _tr("Nothing tells metres here."),
    }[scale.kind].format(height)
    if scale.uncertainty is not None:
        doubt = f"±{NARROW}{percent(scale.uncertainty)}"
        words += " " + _tr("Lengths and speeds may all be wrong by {0} together.").format(doubt)
    return words


def difference_words(one: MetricDifference) -> str:
    """``+0.12 m/s (95 %: +0.02 to +0.22)``; a dash where there is none."""
    if one.difference is None:
        return "–"
    told = number_words(one.difference, one.unit, sign=True)
    if one.low is None or one.high is None:
        return told
    low, high = (number_words(end, one.unit, sign=True) for end in (one.low, one.high))
    return _tr("{0} (95 %: {1} to {2})").format(told, low, high)


def verdict_words(one: MetricDifference) -> str:
    """What can be said of a difference, or why nothing can."""
    words = {
        "higher": _tr("▲ higher in the second"),
        "lower": _tr("▼ lower in the second"),
        "alike": _tr("= alike"),
    }
    return words.get(one.verdict) or one.reason

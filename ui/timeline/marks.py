"""What a timeline's runs are drawn as: one mark for every word, with colour, pattern and name.

Colour is never alone: each family of marks has a pattern of its own, wide runs carry their word,
and every run tells its value when pointed at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtCore import QCoreApplication

from engine.domain.behaviour import LaneKind


class Mark(IntEnum):
    """What a piece of a lane shows."""

    NOTHING = 0
    SEEN = 1
    LYING = 2
    STERNAL = 3
    LATERAL = 4
    CHANGING = 5
    RESTING = 6
    STANDING = 7
    GRAZING = 8
    ALERT = 9
    WALKING = 10
    TROT = 11
    CANTER = 12
    GALLOP = 13
    RUNNING = 14
    ROLLING = 15
    UPRIGHT = 16
    PERSON = 17
    RECORDED = 18
    LOCKED = 19
    NO_DATA = 20
    INFO = 21
    WARNING = 22
    CRITICAL = 23


@dataclass(frozen=True, slots=True)
class MarkStyle:
    """``colour``: a name of the theme's timeline colours. ``pattern``: a name of PATTERNS."""

    colour: str
    pattern: str = "plain"


STYLES: Mapping[Mark, MarkStyle] = {
    Mark.SEEN: MarkStyle("seen"),
    Mark.LYING: MarkStyle("lying", "lines"),
    Mark.STERNAL: MarkStyle("lying", "lines"),
    Mark.LATERAL: MarkStyle("lateral", "dense_lines"),
    Mark.CHANGING: MarkStyle("changing", "cross"),
    Mark.RESTING: MarkStyle("resting", "wide_lines"),
    Mark.STANDING: MarkStyle("standing"),
    Mark.GRAZING: MarkStyle("grazing", "dots"),
    Mark.ALERT: MarkStyle("alert", "uprights"),
    Mark.WALKING: MarkStyle("walking", "wide_slashes"),
    Mark.TROT: MarkStyle("trot", "slashes"),
    Mark.CANTER: MarkStyle("canter", "slashes"),
    Mark.GALLOP: MarkStyle("gallop", "dense_slashes"),
    Mark.RUNNING: MarkStyle("trot", "slashes"),
    Mark.ROLLING: MarkStyle("rolling", "cross"),
    Mark.UPRIGHT: MarkStyle("standing"),
    Mark.PERSON: MarkStyle("person", "uprights"),
    Mark.RECORDED: MarkStyle("recorded"),
    Mark.LOCKED: MarkStyle("locked", "uprights"),
    Mark.NO_DATA: MarkStyle("no_data", "hatch"),
    Mark.INFO: MarkStyle("information"),
    Mark.WARNING: MarkStyle("warning"),
    Mark.CRITICAL: MarkStyle("critical"),
}

PATTERNS: Mapping[str, tuple[str, ...]] = {
    "plain": ("........",) * 8,
    "lines": ("........", "........", "--------", "........") * 2,
    "dense_lines": ("........", "--------") * 4,
    "wide_lines": ("........", "........", "........", "--------", *("........",) * 4),
    "dots": ("........", "..-.....", "........", "........", "........", "......-.", *[
        "........"] * 2),
    "uprights": ("--......",) * 8,
    "cross": ("-.......", ".-.....-", "..-...-.", "...-.-..", "....-...", "...-.-..", "..-...-.",
              ".-.....-"),
    "slashes": tuple("." * (7 - n) + "-" + "." * n for n in range(8)),
    "wide_slashes": tuple("." * 8 if n % 2 else "." * (7 - n) + "-" + "." * n for n in range(8)),
    "dense_slashes": tuple(("." * (3 - n % 4) + "-" + "." * (n % 4)) * 2 for n in range(8)),
    "hatch": tuple(
        "".join("#" if (x + y) % 8 in (0, 1) else " " for x in range(8)) for y in range(8)
    ),
}  # fmt: skip
"""Eight by eight pixels: ``.`` the colour, ``-`` a shade of it, ``#`` the colour on ``space``, the
ground."""

GAITS = {
    "standing": Mark.STANDING,
    "walk": Mark.WALKING,
    "trot": Mark.TROT,
    "canter": Mark.CANTER,
    "gallop": Mark.GALLOP,
}
ACTIONS = {
    "standing": Mark.STANDING,
    "walking": Mark.WALKING,
    "running": Mark.RUNNING,
    "grazing": Mark.GRAZING,
    "resting": Mark.RESTING,
    "alert": Mark.ALERT,
    "rolling": Mark.ROLLING,
}
POSTURES = {
    "upright": Mark.UPRIGHT,
    "sternal": Mark.STERNAL,
    "lateral": Mark.LATERAL,
    "lying": Mark.LYING,
    "changing": Mark.CHANGING,
}
SEVERITIES = {"info": Mark.INFO, "warning": Mark.WARNING, "critical": Mark.CRITICAL}


def mark_of(kind: LaneKind, word: str) -> Mark:
    """What a run of that kind and word is drawn as; NOTHING for words that say nothing."""
    if kind is LaneKind.GAIT:
        return GAITS.get(word, Mark.NOTHING)
    if kind is LaneKind.ACTION:
        return ACTIONS.get(word, Mark.NOTHING)
    if kind is LaneKind.POSTURE:
        return POSTURES.get(word, Mark.NOTHING)
    if kind is LaneKind.ALERT:
        return SEVERITIES.get(word, Mark.WARNING)
    if kind is LaneKind.RECORDED:
        return Mark.LOCKED if word == "locked" else Mark.RECORDED
    return {
        LaneKind.SEEN: Mark.SEEN,
        LaneKind.COMPANY: Mark.PERSON,
        LaneKind.NO_DATA: Mark.NO_DATA,
    }[kind]


FAST = (Mark.TROT, Mark.CANTER, Mark.GALLOP, Mark.RUNNING)
DOWN = (Mark.LYING, Mark.STERNAL, Mark.LATERAL)


def activity(seen: Mark, gait: Mark, action: Mark, posture: Mark) -> Mark:
    """What a horse does in one mark, from what is known about it at one instant: lying down goes
    before anything, then trot or faster, then what it does, then how it goes."""
    if action is Mark.ROLLING:
        return Mark.ROLLING
    if posture in DOWN or posture is Mark.CHANGING:
        return Mark.LYING if posture is Mark.STERNAL else posture
    if gait in FAST or action in FAST:
        return Mark.RUNNING
    for said in (action, gait):
        if said is not Mark.NOTHING:
            return said
    return Mark.STANDING if posture is Mark.UPRIGHT else seen


def mark_word(mark: Mark) -> str:
    """A mark as people say it."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("Timeline", text)

    return {
        Mark.NOTHING: tr("not seen"),
        Mark.SEEN: tr("seen"),
        Mark.LYING: tr("lying"),
        Mark.STERNAL: tr("lying, sternal"),
        Mark.LATERAL: tr("lying flat"),
        Mark.CHANGING: tr("getting up or down"),
        Mark.RESTING: tr("resting"),
        Mark.STANDING: tr("standing"),
        Mark.GRAZING: tr("grazing"),
        Mark.ALERT: tr("alert"),
        Mark.WALKING: tr("walking"),
        Mark.TROT: tr("trot"),
        Mark.CANTER: tr("canter"),
        Mark.GALLOP: tr("gallop"),
        Mark.RUNNING: tr("trot or faster"),
        Mark.ROLLING: tr("rolling"),
        Mark.UPRIGHT: tr("on its feet"),
        Mark.PERSON: tr("person near"),
        Mark.RECORDED: tr("recorded"),
        Mark.LOCKED: tr("recorded, locked"),
        Mark.NO_DATA: tr("no data"),
        Mark.INFO: tr("information"),
        Mark.WARNING: tr("warning"),
        Mark.CRITICAL: tr("critical"),
    }[mark]


LEGEND = (
    Mark.LYING, Mark.LATERAL, Mark.RESTING, Mark.GRAZING, Mark.STANDING, Mark.ALERT, Mark.WALKING,
    Mark.RUNNING, Mark.ROLLING, Mark.SEEN, Mark.NO_DATA, Mark.RECORDED, Mark.LOCKED,
)  # fmt: skip
"""What the legend explains, in its order."""

"""What a horse does, in words: labels of tiles and the rows of the horse card.

Live labels are provisional: the recording is analysed again at the camera's own frame rate, and
what is stored then counts. A doubtful label carries a question mark.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QCoreApplication

from engine.domain.motion import Action, Gait, Lead, Posture
from ui.live.motion_rows import MotionRows

DOUBTFUL = 0.5
"""Labels less sure than this carry a question mark."""
_SLOWEST_MPS = 0.3
"""Slower speeds are not shown: they are the noise of a standing horse."""


def doing(motion: MotionRows | None, row: int) -> str:
    """The words on a tile: the gait with its speed while a horse moves, else what it does; empty
    where nothing is known."""
    if motion is None:
        return ""
    action, gait = Action(int(motion.actions[row])), Gait(int(motion.gaits[row]))
    if action in (Action.WALKING, Action.RUNNING):
        word = gait_word(gait) if gait >= Gait.WALK else action_word(action)
        told = motion.gait_confidences if gait >= Gait.WALK else motion.action_confidences
        sure = float(told[row])
        speed = float(motion.speeds_mps[row])
        if math.isfinite(speed) and speed >= _SLOWEST_MPS:
            word = QCoreApplication.translate("Motion", "{0} {1} m/s").format(word, f"{speed:.1f}")
        return word + ("?" if not sure >= DOUBTFUL else "")
    word = activity_word(action, Posture(int(motion.postures[row])))
    doubtful = not float(motion.action_confidences[row]) >= DOUBTFUL
    return f"{word}?" if word and doubtful else word


def activity_word(action: Action, posture: Posture) -> str:
    """What it does, with how it lies."""
    if posture is Posture.CHANGING:
        return QCoreApplication.translate("Motion", "getting down or up")
    if action is Action.RESTING:
        lying = {
            Posture.STERNAL: QCoreApplication.translate("Motion", "lying"),
            Posture.LYING: QCoreApplication.translate("Motion", "lying"),
            Posture.LATERAL: QCoreApplication.translate("Motion", "lying flat"),
        }
        return lying.get(posture, action_word(action))
    return action_word(action)


def action_word(action: Action) -> str:
    """What it does, for people to read; empty while unknown."""
    words = {
        Action.STANDING: QCoreApplication.translate("Motion", "standing"),
        Action.WALKING: QCoreApplication.translate("Motion", "walking"),
        Action.RUNNING: QCoreApplication.translate("Motion", "running"),
        Action.GRAZING: QCoreApplication.translate("Motion", "grazing"),
        Action.RESTING: QCoreApplication.translate("Motion", "resting"),
        Action.ALERT: QCoreApplication.translate("Motion", "alert"),
        Action.ROLLING: QCoreApplication.translate("Motion", "rolling"),
    }
    return words.get(action, "")


def gait_word(gait: Gait, lead: Lead = Lead.NONE) -> str:
    """What the legs do, with the lead of a canter or gallop; empty while unknown."""
    words = {
        Gait.STANDING: QCoreApplication.translate("Motion", "standing"),
        Gait.WALK: QCoreApplication.translate("Motion", "walk"),
        Gait.TROT: QCoreApplication.translate("Motion", "trot"),
        Gait.CANTER: QCoreApplication.translate("Motion", "canter"),
        Gait.GALLOP: QCoreApplication.translate("Motion", "gallop"),
    }
    leads = {
        Lead.LEFT: QCoreApplication.translate("Motion", "left lead"),
        Lead.RIGHT: QCoreApplication.translate("Motion", "right lead"),
    }
    parts = [words.get(gait, ""), leads.get(lead, "") if gait >= Gait.CANTER else ""]
    return ", ".join(part for part in parts if part)


def gait_line(motion: MotionRows, row: int) -> str:
    """The card's line: gait with lead, and how sure."""
    gait, lead = Gait(int(motion.gaits[row])), Lead(int(motion.leads[row]))
    sure = float(motion.gait_confidences[row])
    word = gait_word(gait, lead)
    return f"{word} · {sure:.0%}" if word and math.isfinite(sure) else word


def speed_line(motion: MotionRows, row: int) -> str:
    """The card's line: metres a second, and kilometres an hour for those who think in them."""
    speed = float(motion.speeds_mps[row])
    if not math.isfinite(speed):
        return ""
    return QCoreApplication.translate("Motion", "{0} m/s · {1} km/h").format(
        f"{speed:.1f}", f"{speed * 3.6:.0f}"
    )

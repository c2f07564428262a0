"""Which plots can stand under the lanes, and what each is made of. No Qt beyond its translation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication


@dataclass(frozen=True, slots=True)
class PlotKind:
    """One plot: names of ``engine.domain.behaviour.METRICS`` with the colour each is drawn in (a
    name of the theme's colours or of its timeline), the unit, and whether it is on at first.
    ``floor``: the axis begins there at the latest."""

    id: str
    series: Mapping[str, str]
    unit: str
    shown: bool = False
    floor: float | None = None


ASYMMETRY = PlotKind("asymmetry", {}, "mm", True)
PLOTS = (
    PlotKind("speed", {"speed_mps": "accent"}, "m/s", True, 0.0),
    PlotKind("stride", {"stride_hz": "warning"}, "Hz", True, 0.0),
    ASYMMETRY,
    PlotKind("symmetry", {"symmetry": "accent"}, "0–1"),
    PlotKind("head", {"head_height_m": "information"}, "m"),
    PlotKind("back", {"back_deg": "warning"}, "°"),
    PlotKind("hip", {"hip_left_deg": "information", "hip_right_deg": "trot"}, "°"),
    PlotKind("knee", {"knee_left_deg": "information", "knee_right_deg": "trot"}, "°"),
    PlotKind("shoulder", {"shoulder_left_deg": "information", "shoulder_right_deg": "trot"}, "°"),
    PlotKind("elbow", {"elbow_left_deg": "information", "elbow_right_deg": "trot"}, "°"),
)


def key_words(kind: PlotKind) -> str:
    """Which line is which, where there are two: the first solid, the second dashed."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("Timeline", text)

    if kind is ASYMMETRY:
        return tr("— head  ┄ pelvis")
    return tr("— left  ┄ right") if len(kind.series) == 2 else ""


def plot_word(kind: PlotKind) -> str:
    """What a plot shows, in words."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("Timeline", text)

    return {
        "speed": tr("Speed"),
        "stride": tr("Stride frequency"),
        "asymmetry": tr("Asymmetry"),
        "symmetry": tr("Symmetry"),
        "head": tr("Head height"),
        "back": tr("Back angle"),
        "hip": tr("Hip angles"),
        "knee": tr("Knee angles"),
        "shoulder": tr("Shoulder angles"),
        "elbow": tr("Elbow angles"),
    }[kind.id]

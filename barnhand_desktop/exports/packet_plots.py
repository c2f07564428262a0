"""Drawings of a packet: budgets by day, and asymmetry stride by stride with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from reportlab.graphics.shapes import Circle, Drawing, Line, Rect, String
from reportlab.lib.colors import Color, HexColor

from engine.domain.behaviour import TimeBudget
from engine.domain.motion import Stride
from engine.motion.asymmetry import REFERENCE_HEAD_MM, REFERENCE_PELVIS_MM, AsymmetrySummary, usable

WORDS: Mapping[str, Color] = {
    "standing": HexColor("#8FA3B0"), "walking": HexColor("#2E86AB"),
    "running": HexColor("#D1495B"), "grazing": HexColor("#5B8E3E"),
    "resting": HexColor("#6A4C93"), "alert": HexColor("#E3A72F"), "rolling": HexColor("#9C6644"),
}  # fmt: skip
INK, FAINT, UNSEEN = HexColor("#1E2A32"), HexColor("#C9D2D8"), HexColor("#EEF1F3")
_BAND = HexColor("#E4EFE7")
_SIZE = 7


def budget_bars(days: Sequence[TimeBudget], width: float, height: float, font: str) -> Drawing:
    """Hours by action for each day, over the hours that were watched; the rest is not seen."""
    drawing = Drawing(width, height)
    left, bottom, top = 28.0, 24.0, height - 8
    step = (width - left - 4) / max(len(days), 1)
    for share in (0, 6, 12, 18, 24):
        y = bottom + (top - bottom) * share / 24
        drawing.add(Line(left, y, width - 4, y, strokeColor=FAINT, strokeWidth=0.4))
        drawing.add(_label(left - 4, y - 2, f"{share} h", font, "end"))
    every = max(math.ceil(len(days) / 12), 1)
    for index, day in enumerate(days):
        x, y = left + index * step + step * 0.1, bottom
        whole_h = (day.end_at - day.start_at).total_seconds() / 3600
        # Longer steps than a day (months of packets) are shown as their mean day.
        scale = (top - bottom) / max(whole_h, 24.0)
        drawing.add(
            Rect(x, bottom, step * 0.8, whole_h * scale, fillColor=UNSEEN, strokeColor=None)
        )
        for word, colour in WORDS.items():
            high = day.actions_s.get(word, 0.0) / 3600 * scale
            if high > 0:
                drawing.add(Rect(x, y, step * 0.8, high, fillColor=colour, strokeColor=None))
                y += high
        if index % every == 0:
            middle = x + step * 0.4
            drawing.add(_label(middle, 10, f"{day.start_at:%d %b}", font, "middle"))
    return drawing


def legend(width: float, font: str) -> Drawing:
    """The colours of the actions."""
    drawing = Drawing(width, 14)
    x = 28.0
    for word, colour in (*WORDS.items(), ("not seen", UNSEEN)):
        drawing.add(Rect(x, 3, 7, 7, fillColor=colour, strokeColor=FAINT, strokeWidth=0.3))
        drawing.add(_label(x + 10, 4, word, font, "start"))
        x += 18 + 4.2 * len(word)
    return drawing


def asymmetry_plot(
    strides: Sequence[Stride], summary: AsymmetrySummary, figure: str, width: float,
    height: float, font: str,
) -> Drawing:  # fmt: skip
    """Every good stride's figure in its order, the mean with its 95 % interval, and the usual
    limits as a band."""
    drawing = Drawing(width, height)
    values = [float(getattr(stride.asymmetry, figure)) for stride in usable(strides)]
    values = [value for value in values if math.isfinite(value)]
    usual = REFERENCE_HEAD_MM if figure.startswith("hd") else REFERENCE_PELVIS_MM
    reach = max([usual * 1.5, *(abs(value) * 1.1 for value in values)])
    left, bottom, top = 34.0, 8.0, height - 14
    middle = (bottom + top) / 2

    def y_of(value: float) -> float:
        return middle + value / reach * (top - bottom) / 2

    drawing.add(
        Rect(left, y_of(-usual), width - left - 6, y_of(usual) - y_of(-usual), fillColor=_BAND,
             strokeColor=None)
    )  # fmt: skip
    for value in (-usual, 0.0, usual):
        y = y_of(value)
        drawing.add(Line(left, y, width - 6, y, strokeColor=FAINT, strokeWidth=0.4))
        drawing.add(_label(left - 4, y - 2, f"{value:+.0f} mm", font, "end"))
    drawing.add(_label(left, height - 9, _TITLES[figure], font, "start", INK))
    step = (width - left - 12) / max(len(values), 1)
    for index, value in enumerate(values):
        x = left + 3 + (index + 0.5) * step
        drawing.add(Circle(x, y_of(value), 1.1, fillColor=WORDS["walking"], strokeColor=None))
    centre = float(getattr(summary.mean, figure))
    spread = float(getattr(summary.spread, figure))
    if math.isfinite(centre) and math.isfinite(spread) and values:
        half = 1.96 * spread / math.sqrt(len(values))
        drawing.add(Line(left, y_of(centre), width - 6, y_of(centre), strokeColor=WORDS["running"]))
        for edge in (centre - half, centre + half):
            line = Line(left, y_of(edge), width - 6, y_of(edge), strokeColor=WORDS["running"])
            line.strokeDashArray = [2, 2]
            line.strokeWidth = 0.6
            drawing.add(line)
    return drawing


_TITLES = {
    "hd_min_mm": "Head, lowest points (HDmin)",
    "hd_max_mm": "Head, highest points (HDmax)",
    "pd_min_mm": "Pelvis, lowest points (PDmin)",
    "pd_max_mm": "Pelvis, highest points (PDmax)",
}


def _label(x: float, y: float, text: str, font: str, anchor: str, colour: Color = INK) -> String:
    return String(x, y, text, fontName=font, fontSize=_SIZE, textAnchor=anchor, fillColor=colour)

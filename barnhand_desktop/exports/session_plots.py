"""Drawings of a session's report: shares of the gaits, speed over time, where the horse was."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from reportlab.graphics.shapes import Drawing, PolyLine, Rect, String
from reportlab.lib.colors import Color, HexColor

from barnhand_desktop.exports.packet_plots import FAINT, INK
from engine.domain.motion import Gait
from engine.domain.sessions import HeatMap, HeatMapUnit
from engine.sessions.facts import Floats, SessionFacts

GAITS: Mapping[Gait, Color] = {
    Gait.STANDING: HexColor("#8FA3B0"), Gait.WALK: HexColor("#2E86AB"),
    Gait.TROT: HexColor("#5B8E3E"), Gait.CANTER: HexColor("#E3A72F"),
    Gait.GALLOP: HexColor("#D1495B"),
}  # fmt: skip
_COLD, _HOT = (0.93, 0.95, 0.96), (0.82, 0.29, 0.36)
_MOST_POINTS = 600
_SIZE = 7


def speed_plot(facts: SessionFacts, width: float, height: float, font: str) -> Drawing:
    """Speed over the session, over a band that says which gait it was."""
    drawing = Drawing(width, height)
    left, bottom, top = 30.0, 18.0, height - 6
    known = facts.speeds_mps[np.isfinite(facts.speeds_mps)]
    reach = max(float(known.max()) * 1.1 if len(known) else 1.0, 1.0)
    span = max(facts.duration_s, 1e-3)

    def x_of(t_s: float) -> float:
        return left + (width - left - 6) * t_s / span

    for stretch in facts.gaits:
        colour = GAITS.get(stretch.gait)
        if colour is not None:
            x = x_of(stretch.start_s)
            wide = x_of(stretch.end_s) - x
            drawing.add(Rect(x, bottom - 5, wide, 4, fillColor=colour, strokeColor=None))
    for share in (0.0, 0.5, 1.0):
        y = bottom + (top - bottom) * share
        line = PolyLine([left, y, width - 6, y], strokeColor=FAINT, strokeWidth=0.4)
        drawing.add(line)
        drawing.add(_label(left - 4, y - 2, f"{reach * share:.1f} m/s", font, "end"))
    for points in _lines(facts, reach):
        flat = [v for t, s in points for v in (x_of(t), bottom + (top - bottom) * s)]
        drawing.add(PolyLine(flat, strokeColor=GAITS[Gait.WALK], strokeWidth=0.7))
    drawing.add(_label(left, 4, "0 s", font, "start"))
    drawing.add(_label(width - 6, 4, f"{facts.duration_s:.0f} s", font, "end"))
    return drawing


def _lines(facts: SessionFacts, reach: float) -> list[list[tuple[float, float]]]:
    """The speed as lines of (second, share of ``reach``), thinned, broken where nothing is
    known."""
    every = max(math.ceil(len(facts.t_s) / _MOST_POINTS), 1)
    lines: list[list[tuple[float, float]]] = []
    last_s = -math.inf
    for first in range(0, len(facts.t_s), every):
        part: Floats = facts.speeds_mps[first : first + every]
        part = part[np.isfinite(part)]
        t_s = float(facts.t_s[first])
        if not len(part):
            continue
        if t_s - last_s > 1.0 + 2 * every * float(np.median(facts.dt_s)):
            lines.append([])
        lines[-1].append((t_s, float(part.mean()) / reach))
        last_s = t_s
    return [line for line in lines if len(line) > 1]


def gait_legend(width: float, font: str) -> Drawing:
    """The colours of the gaits."""
    drawing = Drawing(width, 14)
    x = 30.0
    for gait, colour in GAITS.items():
        drawing.add(Rect(x, 3, 7, 7, fillColor=colour, strokeColor=FAINT, strokeWidth=0.3))
        drawing.add(_label(x + 10, 4, gait.label, font, "start"))
        x += 20 + 4.2 * len(gait.label)
    return drawing


def heat_drawing(one: HeatMap, width: float, height: float, font: str) -> Drawing:
    """Seconds by cell; the picture's top, or the far side of the ground, is above."""
    drawing = Drawing(width, height)
    rows, columns = one.seconds.shape
    x0, y0, x1, y1 = one.bounds
    metres = one.unit is HeatMapUnit.METRES
    # A picture map keeps the usual shape of pictures, a ground map its own.
    ratio = (x1 - x0) / (y1 - y0) if metres else 16 / 9
    high = min(height - 16, (width - 8) / ratio)
    wide = high * ratio
    most = float(one.seconds.max())
    drawing.add(Rect(4, 12, wide, high, fillColor=Color(*_COLD), strokeColor=FAINT))
    cell_x, cell_y = wide / columns, high / rows
    for row, column in np.argwhere(one.seconds > 0).tolist():
        share = math.sqrt(float(one.seconds[row, column]) / most)
        mixed = [a + (b - a) * share for a, b in zip(_COLD, _HOT, strict=True)]
        # Row 0 is the least y: the top of a picture, but the near side of a ground.
        y = 12 + (row if metres else rows - 1 - row) * cell_y
        drawing.add(
            Rect(4 + column * cell_x, y, cell_x, cell_y, fillColor=Color(*mixed), strokeColor=None)
        )
    words = f"{x1 - x0:.1f} m by {y1 - y0:.1f} m of ground" if metres else "the whole picture"
    drawing.add(_label(4, 3, f"{words}; reddest: {most:.1f} s in one cell", font, "start"))
    return drawing


def _label(x: float, y: float, text: str, font: str, anchor: str) -> String:
    return String(x, y, text, fontName=font, fontSize=_SIZE, textAnchor=anchor, fillColor=INK)

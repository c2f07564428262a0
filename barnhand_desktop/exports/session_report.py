"""The report of a session as a PDF: figures, what they rest on, strides, and where it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import (
    Flowable,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from barnhand_desktop.exports.packet import fonts, text
from barnhand_desktop.exports.packet_plots import FAINT, INK
from barnhand_desktop.exports.session_plots import gait_legend, heat_drawing, speed_plot
from engine.domain.motion import Stride
from engine.domain.sessions import (
    MetricValue,
    ScaleKind,
    Session,
    SessionResult,
    SessionScale,
)
from engine.sessions.facts import SessionFacts

MOST_STRIDES = 200
_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN

LIMITS = (
    "These are measurements from pictures, made by a program. They are no diagnosis and replace no "
    "examination.",
    "A figure is told only where enough stands behind it; where it is not, the reason is. Time in "
    "which the horse was not seen is in no figure.",
    "Gaits and strides of a horse that comes or goes are less sure than of one seen from the side.",
)
UNITS = {
    "m_s": "m/s", "bl_s": "body lengths/s", "m": "m", "hz": "Hz", "mm": "mm", "share": "",
    "count": "", "s": "s",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What goes into a report. ``horse``: its name, empty where nobody said which it is."""

    session: Session
    horse: str
    result: SessionResult
    facts: SessionFacts
    program: str
    made_at: datetime


def write_session_report(report: SessionReport, path: Path) -> None:
    """Lay the report out and write it. Raises OSError."""
    document = SimpleDocTemplate(
        str(path), pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN,
        bottomMargin=_MARGIN, title=report.session.title, author=report.program,
        creator=report.program,
    )  # fmt: skip

    def foot(canvas: Any, _document: Any) -> None:
        canvas.setFont(fonts()[0], 7)
        canvas.setFillColor(INK)
        canvas.drawString(_MARGIN, 10 * mm, f"{report.program} · {_clock(report.made_at)}")
        canvas.drawRightString(A4[0] - _MARGIN, 10 * mm, f"page {canvas.getPageNumber()}")

    document.build(_story(report), onFirstPage=foot, onLaterPages=foot)


def metric_words(one: MetricValue) -> tuple[str, str, str]:
    """A figure for people: its name, its value with unit and spread, what it rests on."""
    name = one.name.replace("_", " ")
    if one.value is None:
        return name, "not told", one.reason
    if one.unit == "share":
        told = f"{one.value:.0%}" + (f" ± {one.spread:.0%}" if one.spread is not None else "")
    elif one.unit == "count":
        told = f"{one.value:.0f}"
    else:
        digits = 1 if one.unit == "mm" else 2
        sign = "+" if one.unit == "mm" else ""
        told = f"{one.value:{sign}.{digits}f}"
        told += f" ± {one.spread:.{digits}f}" if one.spread is not None else ""
        told += f" {UNITS.get(one.unit, one.unit)}"
    behind = f"{one.count} strides" if one.spread is not None else f"{one.count} s"
    if one.unit == "count":
        behind = "all of them"
    return name, told, f"{behind}, {one.coverage:.0%} of the time"


def scale_words(scale: SessionScale) -> str:
    """Where metres come from, for people."""
    doubt = "" if scale.uncertainty is None else f" Lengths and speeds: ± {scale.uncertainty:.0%}."
    height = "" if scale.height_m is None else f" of {scale.height_m:.2f} m"
    return {
        ScaleKind.GROUND: "Metres come from a calibration of the camera.",
        ScaleKind.BODY: f"Metres come from the horse's own height{height}.",
        ScaleKind.USUAL_BODY: f"Nobody said how tall the horse is; a height{height} is taken.",
        ScaleKind.NONE: "Nothing tells metres.",
    }[scale.kind] + doubt


def _story(report: SessionReport) -> list[Flowable]:
    regular, bold = fonts()
    body = ParagraphStyle("body", fontName=regular, fontSize=9, leading=12, textColor=INK)
    small = ParagraphStyle("small", parent=body, fontSize=7, leading=9)
    title = ParagraphStyle("title", parent=body, fontName=bold, fontSize=20, leading=25)
    head = ParagraphStyle(
        "head", parent=body, fontName=bold, fontSize=12, leading=16, spaceBefore=10, spaceAfter=4,
        keepWithNext=1,
    )  # fmt: skip
    session, metrics = report.session, report.result.metrics
    about = f"{session.kind.value.replace('_', ' ')} · {_clock(session.start_at)}"
    seen = (
        f"Seen {metrics.seen_s:.1f} of {metrics.duration_s:.1f} s ({metrics.coverage:.0%}), "
        f"{metrics.pictures} pictures at {metrics.fps:.1f} a second."
    )
    figures = [["figure", "value", "what it rests on"]]
    figures += [list(metric_words(one)) for one in metrics.values.values() if one.value is not None]
    untold = [metric_words(one) for one in metrics.values.values() if one.value is None]
    story: list[Flowable] = [
        Paragraph(text(session.title), title),
        Paragraph(f"{text(report.horse or 'Horse not named')} · {about}", body),
        Spacer(1, 2 * mm),
        Paragraph(seen, body),
        Paragraph(scale_words(metrics.scale), body),
        *(Paragraph(f"• {text(words)}", body) for words in metrics.remarks),
        Paragraph("Figures", head),
        _table(figures, (48, 48, 74)),
        Paragraph("Mean ± standard deviation from stride to stride.", small),
        Paragraph("Speed and gaits", head),
        speed_plot(report.facts, _WIDTH, 45 * mm, regular),
        gait_legend(_WIDTH, regular),
    ]
    for one in report.result.heat_maps:
        drawing = heat_drawing(one, _WIDTH, 70 * mm, regular)
        story.append(KeepTogether([Paragraph("Where it was", head), drawing]))
    story += _strides(report.result.strides, head, small)
    if untold:
        story.append(Paragraph("What is not told, and why", head))
        rows = [
            ["figure", "why"],
            *([name, Paragraph(text(why), small)] for name, _, why in untold),
        ]
        story.append(_table(rows, (48, 122)))
    if session.note:
        story += [Paragraph("Note", head), Paragraph(text(session.note), body)]
    story.append(Paragraph("What these numbers do not show", head))
    story += [Paragraph(f"• {text(words)}", body) for words in LIMITS]
    story.append(Paragraph("Source", head))
    source = [f"Models: {', '.join(metrics.models) or 'those of the recordings'}."]
    if session.sha256:
        source.append(f"Video: {session.video_name}, SHA-256 {session.sha256}.")
    return [*story, *(Paragraph(text(words), small) for words in source)]


def _strides(
    strides: Sequence[Stride], head: ParagraphStyle, small: ParagraphStyle
) -> list[Flowable]:
    story: list[Flowable] = [Paragraph("Strides", head)]
    if not strides:
        return [*story, Paragraph("None was measured.", small)]
    rows = [["at, UTC", "gait", "lead", "Hz", "length, m", "speed, m/s", "symmetry", "quality"]]
    rows += [
        [
            f"{s.start_at.astimezone(UTC):%H:%M:%S.%f}"[:-4], s.gait.label, s.lead.label,
            _number(s.stride_hz), _number(s.length_m), _number(s.speed_mps), _number(s.symmetry),
            _number(s.quality),
        ]
        for s in strides[:MOST_STRIDES]
    ]  # fmt: skip
    story.append(_table(rows, (26, 20, 18, 18, 22, 24, 22, 20)))
    if len(strides) > MOST_STRIDES:
        more = f"And {len(strides) - MOST_STRIDES} more: they are in the stride table."
        story.append(Paragraph(more, small))
    return story


def _table(rows: Sequence[Sequence[Any]], widths_mm: Sequence[float]) -> Table:
    regular, bold = fonts()
    table = Table(
        [list(row) for row in rows], colWidths=[w * mm for w in widths_mm], repeatRows=1,
        hAlign="LEFT",
    )  # fmt: skip
    table.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, -1), regular, 8),
                ("FONT", (0, 0), (-1, 0), bold, 8),
                ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke),
                ("TEXTCOLOR", (0, 0), (-1, -1), INK),
                ("LINEBELOW", (0, 0), (-1, -1), 0.3, FAINT),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ]
        )
    )
    return table


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

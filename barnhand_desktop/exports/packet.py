"""The packet for the vet as a PDF: what was measured, how sure it is, and what it does not show."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    Flowable,
    Image,
    KeepTogether,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from barnhand_desktop.exports.packet_facts import Moment, PacketFacts
from barnhand_desktop.exports.packet_plots import (
    FAINT,
    INK,
    asymmetry_plot,
    budget_bars,
    legend,
)
from engine.domain.motion import GOOD_STRIDE
from engine.motion.asymmetry import (
    FIGURES,
    LEAST_STRIDES,
    REFERENCE_HEAD_MM,
    REFERENCE_PELVIS_MM,
)

MOST_CHUNKS = 120
_CJK = "STSong-Light"
_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_NAMES = {"hd_min_mm": "HDmin", "hd_max_mm": "HDmax", "pd_min_mm": "PDmin", "pd_max_mm": "PDmax"}

LIMITS = (
    "These are measurements from pictures, made by a program. They are no diagnosis and replace no "
    "examination.",
    "Metres come from the horse's height in the picture (1.60 m where nobody said it) or from a "
    "calibration of the camera. Lengths and speeds of a horse that is not seen from the side are "
    "less sure than their spread says.",
    f"Asymmetry is told over at least {LEAST_STRIDES} good strides of straight trot. Sound horses "
    "vary by 13/12 mm (head) and 5/4 mm (pelvis); the usual limits of "
    f"{REFERENCE_HEAD_MM:.0f} mm and {REFERENCE_PELVIS_MM:.0f} mm are shown as a band and decide "
    "nothing. The sign is right minus left and says nothing of where a cause lies.",
    "Hours are those in which the horse was seen and known. What happened while it was not seen, "
    "or was not recognised, is in none of them.",
    "Provisional values come from the live analysis of about 10 pictures a second and may change "
    "when the recording is analysed at full frame rate.",
    "Whose a track is was decided by the program or by people, and can be corrected later; this "
    "packet shows what was decided when it was made.",
)


@cache
def fonts() -> tuple[str, str]:
    """Regular and bold fonts of the packet, registered: those with most letters that are here."""
    pdfmetrics.registerFont(UnicodeCIDFont(_CJK))
    spec = find_spec("matplotlib")
    if spec is not None and spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations))) / "mpl-data" / "fonts" / "ttf"
        files = folder / "DejaVuSans.ttf", folder / "DejaVuSans-Bold.ttf"
        if all(file.is_file() for file in files):
            pdfmetrics.registerFont(TTFont("Barnhand", str(files[0])))
            pdfmetrics.registerFont(TTFont("Barnhand-Bold", str(files[1])))
            pdfmetrics.registerFontFamily("Barnhand", normal="Barnhand", bold="Barnhand-Bold")
            return "Barnhand", "Barnhand-Bold"
    return "Helvetica", "Helvetica-Bold"


def text(words: str) -> str:
    """Words as markup: escaped, Chinese, Japanese and Korean letters in a font that has them."""
    out, foreign = [], False
    for letter in escape(words):
        if (ord(letter) >= 0x2E80) != foreign:
            foreign = not foreign
            out.append(f'<font name="{_CJK}">' if foreign else "</font>")
        out.append(letter)
    return "".join(out) + ("</font>" if foreign else "")


class _Styles:
    def __init__(self) -> None:
        regular, bold = fonts()
        self.body = ParagraphStyle("body", fontName=regular, fontSize=9, leading=12, textColor=INK)
        self.small = ParagraphStyle("small", parent=self.body, fontSize=7, leading=9)
        self.title = ParagraphStyle(
            "title", parent=self.body, fontName=bold, fontSize=20, leading=25
        )
        self.head = ParagraphStyle(
            "head", parent=self.body, fontName=bold, fontSize=12, leading=16, spaceBefore=10,
            spaceAfter=4, keepWithNext=1,
        )  # fmt: skip


def write_packet(facts: PacketFacts, path: Path, told: Callable[[float, str], None]) -> None:
    """Lay the packet out and write it; sets ``facts.pages``. Raises OSError."""
    told(0.85, "pages")
    styles = _Styles()
    document = SimpleDocTemplate(
        str(path), pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN,
        bottomMargin=_MARGIN, title=f"{facts.title}: packet for the vet", author=facts.program,
        subject=_period(facts), creator=facts.program,
    )  # fmt: skip

    def foot(canvas: Any, _document: Any) -> None:
        facts.pages = max(facts.pages, canvas.getPageNumber())
        canvas.setFont(fonts()[0], 7)
        canvas.setFillColor(INK)
        canvas.drawString(_MARGIN, 10 * mm, f"{facts.program} · {_clock(facts.made_at)}")
        canvas.drawRightString(A4[0] - _MARGIN, 10 * mm, f"page {canvas.getPageNumber()}")

    document.build(_story(facts, styles), onFirstPage=foot, onLaterPages=foot)


def _story(facts: PacketFacts, styles: _Styles) -> list[Flowable]:
    return [
        *_profile(facts, styles),
        *_budget(facts, styles),
        *_gaits(facts, styles),
        *_asymmetry(facts, styles),
        *_pictures(facts, styles),
        *_alerts(facts, styles),
        *_limits(styles),
        *_sources(facts, styles),
    ]


def _profile(facts: PacketFacts, styles: _Styles) -> list[Flowable]:
    horse = facts.horse
    rows = [
        ("Registry label", horse["label"]),
        ("Breed", horse["breed"]),
        ("Sex", horse["sex"]),
        ("Born", horse["birth_year"]),
        ("Height", None if horse["height_cm"] is None else f"{horse['height_cm']} cm"),
        ("Colour", horse["colour"]),
        ("Markings", horse["markings"]),
        ("Stall", horse["stall"]),
        ("Standing in the barn", horse["status"]),
    ]
    told = [[name, text(str(value))] for name, value in rows if value not in (None, "")]
    story: list[Flowable] = [
        Paragraph(text(facts.title), styles.title),
        Paragraph(f"Packet for the vet · {_period(facts)}", styles.body),
        Spacer(1, 4 * mm),
    ]
    table = _table([[Paragraph(str(c), styles.body) for c in row] for row in told], (45, 75))
    avatar = horse.get("avatar")
    if avatar:
        face = Image(io.BytesIO(bytes(avatar)), 30 * mm, 30 * mm, kind="proportional")
        story.append(Table([[table, face]], colWidths=[_WIDTH - 35 * mm, 35 * mm]))
    else:
        story.append(table)
    return story


def _budget(facts: PacketFacts, styles: _Styles) -> list[Flowable]:
    budget = facts.budget
    whole_s = (budget.end_at - budget.start_at).total_seconds()
    unit, unit_s = ("h", 3600.0) if whole_s >= 3 * 3600 else ("min", 60.0)
    seen = (
        f"Seen {budget.seen_s / unit_s:.1f} of {whole_s / unit_s:.1f} {unit} "
        f"({budget.coverage:.0%} of the time, on any camera)."
    )
    rows = [["", unit, "share of time seen"]]
    for group, values in (
        ("Action", budget.actions_s), ("Posture", budget.postures_s), ("Gait", budget.gaits_s)
    ):  # fmt: skip
        for word, seconds in sorted(values.items(), key=lambda item: -item[1]):
            share = seconds / budget.seen_s if budget.seen_s else 0.0
            rows.append([f"{group}: {word}", f"{seconds / unit_s:.2f}", f"{share:.0%}"])
    story: list[Flowable] = [
        Paragraph("Where the time went", styles.head),
        Paragraph(seen, styles.body),
        Spacer(1, 2 * mm),
    ]
    if len(rows) > 1:
        story.append(_table(rows, (70, 30, 40), head=True))
    else:
        story.append(Paragraph("Nothing was told of it in this time.", styles.body))
    if facts.days and len(rows) > 1 and unit == "h":
        drawings = [
            budget_bars(facts.days, _WIDTH, 45 * mm, fonts()[0]),
            legend(_WIDTH, fonts()[0]),
        ]
        story += [Spacer(1, 3 * mm), KeepTogether(drawings)]
    return story


def _gaits(facts: PacketFacts, styles: _Styles) -> list[Flowable]:
    story: list[Flowable] = [Paragraph("Gaits", styles.head)]
    if not facts.gaits:
        return [*story, Paragraph("No strides were measured in this time.", styles.body)]
    rows = [["Gait", "strides", "frequency, Hz", "length, m", "speed, m/s", "symmetry, 0 to 1"]]
    rows += [
        [
            figures.gait.label,
            str(figures.strides),
            _mean(figures.stride_hz, 2),
            _mean(figures.length_m, 2),
            _mean(figures.speed_mps, 2),
            _mean(figures.symmetry, 2),
        ]
        for figures in facts.gaits
    ]
    note = "Mean ± standard deviation from stride to stride."
    if facts.provisional:
        note += f" {facts.provisional} of {len(facts.strides)} strides are provisional."
    return [
        *story,
        _table(rows, (24, 20, 32, 32, 32, 34), head=True),
        Paragraph(note, styles.small),
    ]


def _asymmetry(facts: PacketFacts, styles: _Styles) -> list[Flowable]:
    summary = facts.asymmetry
    story: list[Flowable] = [Paragraph("Asymmetry at straight trot", styles.head)]
    if summary.refusal:
        story.append(Paragraph(f"Not told: {text(summary.refusal)}", styles.body))
    else:
        rows = [["", "mean, mm", "95 % interval, mm", "spread, mm", "usual limit, mm", "strides"]]
        for figure in FIGURES:
            centre = float(getattr(summary.mean, figure))
            spread = float(getattr(summary.spread, figure))
            half = 1.96 * spread / math.sqrt(max(summary.strides, 1))
            usual = REFERENCE_HEAD_MM if figure.startswith("hd") else REFERENCE_PELVIS_MM
            rows.append(
                [
                    _NAMES[figure], _number(centre, 1, "+"),
                    f"{_number(centre - half, 1, '+')} to {_number(centre + half, 1, '+')}",
                    _number(spread, 1), f"±{usual:.0f}", str(summary.strides),
                ]
            )  # fmt: skip
        story.append(_table(rows, (22, 24, 44, 26, 32, 24), head=True))
    refusals = {t.refusal for t in facts.trends if t.refusal}
    story += [
        Paragraph(
            f"{_NAMES[told.figure]} over {len(told.days)} days: {told.slope_mm_day:+.2f} mm a day "
            f"({told.slope_low_mm_day:+.2f} to {told.slope_high_mm_day:+.2f}).",
            styles.body,
        )
        for told in facts.trends
        if not told.refusal
    ]
    story += [
        Paragraph(f"No trend is told: {text(words)}", styles.body) for words in sorted(refusals)
    ]
    plots = [
        asymmetry_plot(facts.strides, summary, figure, _WIDTH / 2 - 4, 34 * mm, fonts()[0])
        for figure in FIGURES
    ]
    if not summary.refusal:
        story.append(Spacer(1, 2 * mm))
        story.append(Table([plots[:2], plots[2:]], colWidths=[_WIDTH / 2, _WIDTH / 2]))
        words = (
            f"Every dot is one good stride (quality {GOOD_STRIDE} and more) in its order; red the "
            "mean with its 95 % interval; green the usual limits."
        )
        story.append(Paragraph(words, styles.small))
    return story


def _pictures(facts: PacketFacts, styles: _Styles) -> list[Flowable]:
    if not facts.pictures:
        words = "There is no recording of this time on this machine to take pictures from."
        return [Paragraph("Pictures", styles.head), Paragraph(words, styles.body)]
    cells = [_moment(moment, styles) for moment in facts.pictures]
    if len(cells) % 2:
        cells.append([Spacer(1, 1)])
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    table = Table(rows, colWidths=[_WIDTH / 2, _WIDTH / 2])
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP")]))
    return [Paragraph("Pictures", styles.head), table]


def _moment(moment: Moment, styles: _Styles) -> list[Flowable]:
    wide = _WIDTH / 2 - 8
    high = wide * moment.size_px[1] / moment.size_px[0]
    if high > 70 * mm:
        wide, high = wide * 70 * mm / high, 70 * mm
    words = f"{moment.what} · {text(moment.camera)} · {_clock(moment.at)}"
    return [Image(io.BytesIO(moment.jpeg), wide, high), Paragraph(words, styles.small)]


def _alerts(facts: PacketFacts, styles: _Styles) -> list[Flowable]:
    story: list[Flowable] = [Paragraph("Alerts", styles.head)]
    if not facts.alerts:
        return [*story, Paragraph("None was raised in this time.", styles.body)]
    rows: list[list[Any]] = [["raised, UTC", "severity", "what", "acknowledged"]]
    for alert in facts.alerts:
        seen = "no"
        if alert.acknowledged_at is not None:
            seen = f"{alert.acknowledged_by}, {_clock(alert.acknowledged_at)} {alert.note}"
        rows.append(
            [
                Paragraph(_clock(alert.raised_at), styles.small), alert.severity.value,
                Paragraph(text(alert.message), styles.small),
                Paragraph(text(seen), styles.small),
            ]
        )  # fmt: skip
    return [*story, _table(rows, (32, 20, 80, 42), head=True)]


def _limits(styles: _Styles) -> list[Flowable]:
    return [
        Paragraph("What these numbers do not show", styles.head),
        *(Paragraph(f"• {text(words)}", styles.body) for words in LIMITS),
    ]


def _sources(facts: PacketFacts, styles: _Styles) -> list[Flowable]:
    models: list[list[Any]] = [["model", "skeleton", "detections", "SHA-256 of its file"]]
    models += [
        [
            Paragraph(text(name), styles.small), skeleton, str(count),
            Paragraph(digest or "not on this machine", styles.small),
        ]
        for name, skeleton, count, digest in facts.models
    ]  # fmt: skip
    shown = facts.chunks[:MOST_CHUNKS]
    chunks: list[list[Any]] = [["recording, UTC", "length", "analysis", "SHA-256 of its file"]]
    chunks += [
        [
            Paragraph(_clock(chunk.start_at), styles.small), f"{chunk.duration_s:.1f} s",
            "final" if chunk.final else "provisional",
            Paragraph(chunk.sha256 or "none", styles.small),
        ]
        for chunk in shown
    ]  # fmt: skip
    story: list[Flowable] = [PageBreak(), Paragraph("Models", styles.head)]
    if facts.models:
        story.append(_table(models, (42, 22, 22, 88), head=True))
    else:
        story.append(Paragraph("No detections of this horse are stored in this time.", styles.body))
    story.append(Paragraph("Recordings", styles.head))
    if shown:
        story.append(_table(chunks, (38, 18, 22, 96), head=True))
    else:
        story.append(Paragraph("None of this time is on this machine.", styles.body))
    if len(facts.chunks) > len(shown):
        story.append(
            Paragraph(f"And {len(facts.chunks) - len(shown)} more recordings.", styles.small)
        )
    if facts.elsewhere:
        words = (
            f"{facts.elsewhere} of the {len(facts.chunks)} recordings lie on another workstation "
            "than this document was made on; no pictures were taken from those."
        )
        story.append(Paragraph(words, styles.small))
    return story


# --- words ---------------------------------------------------------------------------------------


def _table(rows: Sequence[Sequence[Any]], widths_mm: Sequence[float], head: bool = False) -> Table:
    regular, bold = fonts()
    style = [
        ("FONT", (0, 0), (-1, -1), regular, 8),
        ("TEXTCOLOR", (0, 0), (-1, -1), INK),
        ("LINEBELOW", (0, 0), (-1, -1), 0.3, FAINT),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    if head:
        style += [
            ("FONT", (0, 0), (-1, 0), bold, 8),
            ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke),
        ]
    table = Table(
        [list(row) for row in rows], colWidths=[w * mm for w in widths_mm],
        repeatRows=1 if head else 0, hAlign="LEFT",
    )  # fmt: skip
    table.setStyle(TableStyle(style))
    return table


def _number(value: float, digits: int, sign: str = "") -> str:
    return f"{value:{sign}.{digits}f}" if math.isfinite(value) else "–"


def _mean(pair: tuple[float, float], digits: int) -> str:
    centre, spread = pair
    if not math.isfinite(centre):
        return "–"
    return _number(centre, digits) + (f" ± {spread:.{digits}f}" if math.isfinite(spread) else "")


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _period(facts: PacketFacts) -> str:
    return f"{_clock(facts.scope.start)} to {_clock(facts.scope.end)}"

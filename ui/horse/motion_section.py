"""The part of a horse's profile about how it lives and moves."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine.domain.behaviour import MotionRepository
from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse
from engine.domain.ids import HorseId
from engine.motion.asymmetry import AsymmetrySummary
from ui.horse.asymmetry_plot import AsymmetryPlot
from ui.horse.budget_bars import BudgetBars
from ui.horse.reading import MotionReading, read_motion
from ui.registry.words import when
from ui.requests import RequestId, RequestRunner
from ui.theme import Theme
from ui.timeline.marks import mark_word
from ui.widgets import label
from ui.wording import duration


class MotionSection(QWidget):
    """Budgets of the last two weeks, today's in words, and asymmetry of trot over three months."""

    def __init__(
        self,
        motion: MotionRepository | None,
        requests: RequestRunner,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._motion = motion
        self._requests = requests
        self._horse_id: HorseId | None = None
        self._asked: RequestId | None = None
        self.reading: MotionReading | None = None
        self.bars = BudgetBars(theme)
        self.day = label("", "small", wrap=True)
        self.recent = label("", "small", wrap=True)
        self.head, self.pelvis = AsymmetryPlot(theme), AsymmetryPlot(theme)
        self.problem = label("", "muted", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(label(self.tr("Time budget, 14 days"), "section"))
        column.addWidget(self.problem)
        column.addWidget(self.bars)
        column.addWidget(self.day)
        column.addSpacing(6)
        column.addWidget(label(self.tr("Asymmetry of straight trot, right minus left"), "section"))
        column.addWidget(self.recent)
        self._titles = []
        for text, plot in (
            (self.tr("Head (mm)"), self.head),
            (self.tr("Pelvis (mm)"), self.pelvis),
        ):
            title = label(text, "muted")
            self._titles.append(title)
            column.addWidget(title)
            column.addWidget(plot)
        self.bars.chosen.connect(lambda _index: self._show_day())
        self._show_parts(False)

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        for part in (self.bars, self.head, self.pelvis):
            part.set_theme(theme)

    def open_for(self, horse: Horse) -> None:
        """The horse to show, from the next ``reread`` on."""
        if self._horse_id != horse.id:
            self._horse_id = horse.id
            self._show_parts(False)
            self.problem.setText(self.tr("Reading…"))

    def reread(self) -> None:
        """Read again what is shown."""
        motion, horse_id = self._motion, self._horse_id
        if motion is None:
            self.problem.setText(self.tr("This console was started without a store of motion."))
            return
        if horse_id is None:
            return
        if self._asked is not None:
            self._requests.cancel(self._asked)
        now = datetime.now(UTC)
        self._asked = self._requests.submit(
            "motion of a horse",
            lambda: read_motion(motion, horse_id, now),
            self.show_reading,
            self._on_failed,
            owner=self,
        )

    def show_reading(self, reading: MotionReading) -> None:
        """Show what was read."""
        self._asked = None
        self.reading = reading
        known = any(day.seen_s > 0 for day in reading.days)
        self._show_parts(known)
        self.problem.setText(
            "" if known else self.tr("Nothing is known yet; it fills while the horse is seen.")
        )
        self.bars.show_days(reading.days)
        trends = reading.trends
        self.head.show_trends((trends["hd_min_mm"], trends["hd_max_mm"]), head=True)
        self.pelvis.show_trends((trends["pd_min_mm"], trends["pd_max_mm"]), head=False)
        self.recent.setText(self._recent_words(reading.recent, reading.recent_at))

    def _show_parts(self, on: bool) -> None:
        self.problem.setVisible(not on)
        for widget in (self.bars, self.day, self.recent, self.head, self.pelvis, *self._titles):
            widget.setVisible(on)

    def _show_day(self) -> None:
        day = self.bars.day
        if day is None:
            return
        name = day.start_at.astimezone().strftime("%a %d %b")
        seen = self.tr("{0}: seen {1} of {2} ({3} %)").format(
            name, duration(day.seen_s), duration(day.whole_s), f"{100 * day.coverage:.0f}"
        )
        parts = ", ".join(f"{mark_word(mark)} {duration(s)}" for mark, s in day.parts)
        self.day.setText(f"{seen}. {parts[:1].upper()}{parts[1:]}." if parts else f"{seen}.")

    def _recent_words(self, recent: AsymmetrySummary, at: datetime | None) -> str:
        if at is None:
            return self.tr("No straight trot was seen in the last three months.")
        if recent.refusal:
            return f"{when(at)}: {recent.refusal}"
        pairs = (
            ("HDmin", recent.mean.hd_min_mm, recent.spread.hd_min_mm),
            ("HDmax", recent.mean.hd_max_mm, recent.spread.hd_max_mm),
            ("PDmin", recent.mean.pd_min_mm, recent.spread.pd_min_mm),
            ("PDmax", recent.mean.pd_max_mm, recent.spread.pd_max_mm),
        )
        told = ", ".join(
            f"{name} {mean:+.1f} ± {spread:.1f} mm"
            for name, mean, spread in pairs
            if math.isfinite(mean)
        )
        return self.tr("{0}, {1} strides: {2}").format(when(at), recent.strides, told)

    def _on_failed(self, error: BarnhandError) -> None:
        self._asked = None
        self.problem.setText(str(error))
        self.problem.show()

"""The trend of asymmetry over days: each day's mean with its interval, and the usual limits."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QWidget

from engine.motion.asymmetry import (
    REFERENCE_HEAD_MM,
    REFERENCE_PELVIS_MM,
    AsymmetryTrend,
)
from ui.plots import dress_plot, plot_above_note
from ui.theme import Theme
from ui.widgets import label

HEIGHT_PX = 150
DAY_S = 86_400.0


class AsymmetryPlot(QWidget):
    """Two figures of one part of the body: differences of the minima and of the maxima."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.note = label("", "small", wrap=True)
        self.canvas = pg.PlotWidget(
            enableMenu=False, axisItems={"bottom": pg.DateAxisItem(orientation="bottom")}
        )
        self.canvas.setAccessibleName(self.tr("Asymmetry by day, right minus left, millimetres"))
        plot_above_note(self, self.canvas, self.note, HEIGHT_PX)
        self._shown: tuple[tuple[AsymmetryTrend, ...], bool] = ((), True)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        dress_plot(self.canvas, theme)
        self.show_trends(*self._shown)

    def show_trends(self, trends: tuple[AsymmetryTrend, ...], head: bool) -> None:
        """Show minima (filled) and maxima (hollow) of head or pelvis."""
        self._shown = (trends, head)
        item, theme = self.canvas.getPlotItem(), self._theme
        item.clear()
        limit = REFERENCE_HEAD_MM if head else REFERENCE_PELVIS_MM
        for height in (-limit, limit):
            pen = pg.mkPen(theme.colour("faint"), width=1, style=pg.QtCore.Qt.PenStyle.DashLine)
            item.addItem(pg.InfiniteLine(height, angle=0, pen=pen), ignoreBounds=True)
        item.addItem(pg.InfiniteLine(0.0, angle=0, pen=pg.mkPen(theme.colour("line"), width=1)))
        colours = ("information", "warning")
        for number, (one, token) in enumerate(zip(trends, colours, strict=False)):
            self._show(one, token, number)
        refusals = {one.refusal for one in trends if one.refusal}
        slopes = [_slope_words(one) for one in trends if not one.refusal]
        limits = self.tr(
            "Dashed: {0} mm, the usual limit between even and uneven. Sound horses vary by more; "
            "nobody is alarmed by it."
        ).format(f"{limit:g}")
        self.note.setText(" ".join((*slopes, *sorted(refusals), limits)))
        self.canvas.setVisible(any(len(one.days) for one in trends))

    def _show(self, one: AsymmetryTrend, token: str, number: int) -> None:
        if not len(one.days):
            return
        colour = self._theme.colour(token)
        x = np.array(
            [datetime.fromordinal(int(day)).replace(tzinfo=UTC).timestamp() for day in one.days]
        )
        x += (0.4 + 0.2 * number) * DAY_S
        item = self.canvas.getPlotItem()
        item.addItem(
            pg.ErrorBarItem(
                x=x,
                y=one.means_mm,
                top=one.high_mm - one.means_mm,
                bottom=one.means_mm - one.low_mm,
                beam=0.15 * DAY_S,
                pen=pg.mkPen(colour, width=1),
            )
        )
        item.plot(
            x,
            one.means_mm,
            pen=None,
            symbol="o" if number == 0 else "s",
            symbolSize=7,
            symbolPen=pg.mkPen(colour, width=1.5),
            symbolBrush=colour if number == 0 else None,
        )
        if not one.refusal:
            middle, level = np.median(x), float(np.median(one.means_mm))
            ends = np.array([x[0], x[-1]])
            line = level + one.slope_mm_day * (ends - middle) / DAY_S
            item.plot(ends, line, pen=pg.mkPen(colour, width=1.5))


def _slope_words(one: AsymmetryTrend) -> str:
    names = {
        "hd_min_mm": "HDmin", "hd_max_mm": "HDmax", "pd_min_mm": "PDmin", "pd_max_mm": "PDmax",
    }  # fmt: skip
    low, high = one.slope_low_mm_day * 7, one.slope_high_mm_day * 7
    return (
        f"{names[one.figure]} changes by {one.slope_mm_day * 7:+.1f} mm a week "
        f"(95 %: {low:+.1f} to {high:+.1f})."
    )

"""Speed over a session: the line the recordings have, and each stride by its gait."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QWidget

from engine.domain.motion import Gait
from ui.plots import dress_plot, plot_above_note
from ui.sessions.gait_bar import TOKENS, gait_colour
from ui.sessions.reading import SessionReading
from ui.sessions.words import gait_word
from ui.theme import Theme
from ui.widgets import label

HEIGHT_PX = 160
SYMBOLS = {
    Gait.STANDING: ("+", "+"),
    Gait.WALK: ("o", "●"),
    Gait.TROT: ("s", "■"),
    Gait.CANTER: ("t1", "▲"),
    Gait.GALLOP: ("d", "◆"),
}
"""How strides of a gait are drawn, and how that looks in words."""


class SpeedPlot(QWidget):
    """Hidden behind its note where no speed is known."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reading: SessionReading | None = None
        self.canvas = pg.PlotWidget(enableMenu=False)
        self.canvas.setAccessibleName(self.tr("Speed in m/s over the seconds of the session"))
        self.note = label("", "small", wrap=True)
        plot_above_note(self, self.canvas, self.note, HEIGHT_PX)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        dress_plot(self.canvas, theme)
        if self._reading is not None:
            self.show_reading(self._reading)

    def show_reading(self, reading: SessionReading) -> None:
        """Show one session."""
        self._reading = reading
        item = self.canvas.getPlotItem()
        item.clear()
        words = []
        if np.isfinite(reading.speed_mps).any():
            pen = pg.mkPen(self._theme.colour("muted"), width=1.2)
            item.plot(reading.speed_t_s, reading.speed_mps, pen=pen, connect="finite")
            words.append(self.tr("— as recorded"))
        words += self._strides(reading)
        item.setXRange(0.0, max(_length_s(reading), 1.0), padding=0.01)
        item.setYRange(0.0, _fastest(reading), padding=0.05)
        self.canvas.setVisible(bool(words))
        said = self.tr("m/s over seconds; strides: {0}").format("  ".join(words))
        self.note.setText(said if words else self._why(reading))

    def _strides(self, reading: SessionReading) -> list[str]:
        words = []
        start = reading.session.start_at
        for gait in TOKENS:
            mine = [
                ((s.start_at - start).total_seconds(), s.speed_mps)
                for s in reading.strides
                if s.gait is gait and math.isfinite(s.speed_mps)
            ]
            if not mine:
                continue
            symbol, sign = SYMBOLS[gait]
            x, y = np.array(mine).T
            colour = gait_colour(gait, self._theme)
            self.canvas.getPlotItem().plot(
                x, y, pen=None, symbol=symbol, symbolSize=8, symbolBrush=colour,
                symbolPen=pg.mkPen(self._theme.colour("text"), width=0.5),
            )  # fmt: skip
            words.append(f"{sign} {gait_word(gait)}")
        return words

    def _why(self, reading: SessionReading) -> str:
        if reading.session.archived_at is not None:
            return self.tr("The session is archived: its strides are gone.")
        return self.tr("No stride with a known speed was measured.")


def _length_s(reading: SessionReading) -> float:
    """Seconds from the start to what is shown last."""
    start = reading.session.start_at
    ends = [(s.end_at - start).total_seconds() for s in reading.strides]
    ends += [float(reading.speed_t_s[-1])] if len(reading.speed_t_s) else []
    return max((reading.session.duration_s or 0.0, *ends))


def _fastest(reading: SessionReading) -> float:
    """The greatest speed on show, 1 m/s at least."""
    every = [s.speed_mps for s in reading.strides] + list(reading.speed_mps)
    return max((v for v in every if math.isfinite(v)), default=1.0)

"""Shares of the gaits as one bar, with the words below it: colour is never alone."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.domain.motion import Gait
from engine.domain.sessions import MetricValue
from ui.sessions.words import gait_word, percent
from ui.theme import Theme

BAR_PX, HEIGHT_PX, GAP_PX, SWATCH_PX = 16, 44, 16.0, 10.0
TOKENS = {
    Gait.STANDING: "standing",
    Gait.WALK: "walking",
    Gait.TROT: "trot",
    Gait.CANTER: "canter",
    Gait.GALLOP: "gallop",
}
"""Gaits in the colours of the timeline's lanes."""


def gait_colour(gait: Gait, theme: Theme) -> QColor:
    """The colour of a gait, as in the timeline."""
    return theme.timeline_colour(TOKENS.get(gait, "no_data"))


class GaitBar(QWidget):
    """Nothing is drawn where no share is told; ``reason`` stands there instead."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shares: tuple[tuple[Gait, float], ...] = ()
        self._reason = ""
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self._theme = theme
        self.update()

    def show_values(self, values: Mapping[str, MetricValue]) -> None:
        """Show the ``share_...`` figures of a session."""
        told = [(gait, values.get(f"share_{gait.label}")) for gait in TOKENS]
        self._shares = tuple(
            (gait, one.value) for gait, one in told if one is not None and one.value
        )
        self._reason = next((one.reason for _, one in told if one is not None and one.reason), "")
        self.setAccessibleName(self.words)
        self.setToolTip(self.words)
        self.update()

    @property
    def words(self) -> str:
        """The shares, or why there are none."""
        if not self._shares:
            return self._reason or self.tr("No gait was told.")
        return ", ".join(f"{gait_word(gait)} {percent(share)}" for gait, share in self._shares)

    def sizeHint(self) -> QSize:
        return QSize(320, HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self._theme
        painter.setFont(theme.font(12))
        bar = QRectF(0, 0, self.width(), BAR_PX)
        painter.fillRect(bar, theme.colour("well"))
        if not self._shares:
            painter.setPen(theme.colour("muted"))
            below = QRectF(0, BAR_PX + 4, self.width(), HEIGHT_PX - BAR_PX - 4)
            painter.drawText(below, Qt.AlignmentFlag.AlignVCenter, self.words)
            painter.end()
            return
        x = 0.0
        at = 0.0
        whole = sum(share for _, share in self._shares)
        metrics = QFontMetricsF(painter.font())
        for gait, share in self._shares:
            wide = self.width() * share / whole
            painter.fillRect(QRectF(x, 0, max(wide - 1, 1), BAR_PX), gait_colour(gait, theme))
            x += wide
            words = f"{gait_word(gait)} {percent(share)}"
            painter.fillRect(
                QRectF(at, BAR_PX + 12, SWATCH_PX, SWATCH_PX), gait_colour(gait, theme)
            )
            painter.setPen(theme.colour("text"))
            long = metrics.horizontalAdvance(words)
            place = QRectF(at + SWATCH_PX + 6, BAR_PX + 6, long + 2, 22)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, words)
            at += SWATCH_PX + 6 + long + GAP_PX
        painter.end()

"""The look that the console's small plots share."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ui.theme import Theme

_AXIS_PX = 34


def plot_above_note(owner: QWidget, canvas: pg.PlotWidget, note: QWidget, height_px: int) -> None:
    """Lay a plot of some height out above its note."""
    canvas.setFixedHeight(height_px)
    column = QVBoxLayout(owner)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    column.addWidget(canvas)
    column.addWidget(note)


def dress_plot(canvas: pg.PlotWidget, theme: Theme) -> None:
    """A plot that is looked at and not dragged, in a look."""
    item = canvas.getPlotItem()
    canvas.setBackground(theme.colour("background"))
    canvas.setFrameShape(pg.PlotWidget.Shape.NoFrame)
    item.hideButtons()
    item.getViewBox().setMouseEnabled(False, False)
    item.getViewBox().setBackgroundColor(theme.colour("well"))
    for name in ("left", "bottom"):
        axis = item.getAxis(name)
        axis.enableAutoSIPrefix(False)
        axis.setTickFont(theme.font(11))
        axis.setPen(theme.colour("line"))
        axis.setTextPen(theme.colour("muted"))
    item.getAxis("left").setWidth(_AXIS_PX)

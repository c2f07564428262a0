"""Presets 1 to 8: pictures to click, and to press long to store the present view."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QMenu, QWidget

from engine.domain.ptz import Preset
from ui.theme import Theme

LONG_PRESS_MS = 700
COLUMNS = 4
TILE_PX, THUMB_PX = (76, 64), (76, 43)


class PresetButton(QAbstractButton):
    """One preset. A click goes there (``gone``); a long press stores the present view (``stored``);
    its menu does both and names it (``name_asked``). Each carries the number."""

    gone = Signal(int)
    stored = Signal(int)
    name_asked = Signal(int)

    def __init__(self, number: int, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.number = number
        self._theme = theme
        self._preset: Preset | None = None
        self._picture: QPixmap | None = None
        self._current = False
        self._long = False
        self._press = QTimer(self, interval=LONG_PRESS_MS, singleShot=True)
        self._press.timeout.connect(self._on_long)
        self.setFixedSize(*TILE_PX)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.clicked.connect(self._on_click)
        self.show_preset(None, current=False)

    @property
    def preset(self) -> Preset | None:
        """What is known of it."""
        return self._preset

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        self.update()

    def show_preset(self, preset: Preset | None, *, current: bool) -> None:
        """What is stored there, and whether the camera looks there now."""
        if preset != self._preset or self._preset is None:
            self._preset = preset
            self._picture = None
            if preset is not None and preset.thumbnail is not None:
                picture = QPixmap()
                picture.loadFromData(preset.thumbnail)
                self._picture = picture if not picture.isNull() else None
            name = preset.name if preset is not None else self.tr("empty")
            self.setAccessibleName(self.tr("Preset {0}: {1}").format(self.number, name))
            self.setToolTip(
                self.tr("{0}: click to go there, press long to store this view").format(
                    preset.name if preset is not None else self.tr("Preset {0}").format(self.number)
                )
            )
        self._current = current
        self.update()

    def _on_click(self) -> None:
        if not self._long:
            self.gone.emit(self.number)

    def _on_long(self) -> None:
        self._long = True
        self.update()
        self.stored.emit(self.number)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self._long = False
            self._press.start()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if not self.rect().contains(event.position().toPoint()):
            self._press.stop()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._press.stop()
        super().mouseReleaseEvent(event)
        self._long = False
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.gone.emit(self.number)
        elif event.key() == Qt.Key.Key_Menu:
            self.open_menu(self.mapToGlobal(QPoint(8, 8)))
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._press.stop()
        self.open_menu(event.globalPos())

    def open_menu(self, at: QPoint) -> QMenu:
        """Go there, store, name."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        go = menu.addAction(self.tr("Go there"))
        store = menu.addAction(self.tr("Store this view here"))
        name = menu.addAction(self.tr("Name…"))
        name.setEnabled(self._preset is not None)
        go.triggered.connect(lambda: self.gone.emit(self.number))
        store.triggered.connect(lambda: self.stored.emit(self.number))
        name.triggered.connect(lambda: self.name_asked.emit(self.number))
        menu.popup(at)
        return menu

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange:
            self._press.stop()

    def sizeHint(self) -> QSize:
        return QSize(*TILE_PX)

    # --- painting ---------------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(0.5, 0.5, THUMB_PX[0] - 1.0, THUMB_PX[1] - 1.0)
        outline = QPainterPath()
        outline.addRoundedRect(frame, 6, 6)
        painter.fillPath(outline, self._theme.colour("hover" if self.underMouse() else "well"))
        painter.setClipPath(outline)
        if self._picture is not None:
            painter.drawPixmap(QRectF(frame), self._picture, self._covering(self._picture))
        painter.setClipping(False)
        lit = self._current or self._long or self.hasFocus()
        painter.setPen(
            QPen(self._theme.colour("accent" if lit else "line"), 2 if self._current else 1)
        )
        painter.drawPath(outline)
        self._paint_number(painter)
        self._paint_name(painter)
        painter.end()

    @staticmethod
    def _covering(picture: QPixmap) -> QRectF:
        """The middle of a picture in the shape of the thumbnail."""
        aspect = THUMB_PX[0] / THUMB_PX[1]
        width = min(picture.width(), picture.height() * aspect)
        height = width / aspect
        return QRectF((picture.width() - width) / 2, (picture.height() - height) / 2, width, height)

    def _paint_number(self, painter: QPainter) -> None:
        painter.setFont(self._theme.font(self._theme.measures.font_small, bold=True))
        if self._picture is None:
            painter.setPen(self._theme.colour("muted" if self._preset is not None else "faint"))
            area = QRect(0, 0, *THUMB_PX)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, str(self.number))
            return
        chip = QRectF(4, 4, 16, 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.overlay_colour("chip"))
        painter.drawRoundedRect(chip, 4, 4)
        painter.setPen(self._theme.overlay_colour("text"))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, str(self.number))

    def _paint_name(self, painter: QPainter) -> None:
        font = self._theme.font(self._theme.measures.font_small)
        painter.setFont(font)
        known = self._preset is not None
        painter.setPen(
            self._theme.colour("text" if self._current else "muted" if known else "faint")
        )
        text = self._preset.name if self._preset is not None else self.tr("empty")
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, TILE_PX[0] - 4)
        area = QRect(2, THUMB_PX[1] + 2, TILE_PX[0] - 4, TILE_PX[1] - THUMB_PX[1] - 2)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, shown)


class PresetGrid(QWidget):
    """Presets 1 to 8; the signals are those of the buttons."""

    gone = Signal(int)
    stored = Signal(int)
    name_asked = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = tuple(PresetButton(number, theme) for number in range(1, 9))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        for index, one in enumerate(self.buttons):
            grid.addWidget(one, index // COLUMNS, index % COLUMNS)
            one.gone.connect(self.gone)
            one.stored.connect(self.stored)
            one.name_asked.connect(self.name_asked)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        for one in self.buttons:
            one.set_theme(theme)

    def show_presets(self, presets: Sequence[Preset], current: int | None, most: int) -> None:
        """What is stored, where the camera looks, and how many it can keep."""
        known = {preset.number: preset for preset in presets}
        for one in self.buttons:
            one.show_preset(known.get(one.number), current=one.number == current)
            one.setEnabled(one.number <= most)

"""Dragging horses and strips over the registry: a sheet above the page that carries the picture
and says what a drop would do. Plain mouse events, so nothing blocks while a drag goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget

from engine.domain.horses import Horse
from engine.domain.identity import TrackStrip
from engine.domain.ids import HorseId
from ui.theme import Theme

GHOST_PX = 120
EDGE_PX, SCROLL_MS, SCROLL_STEP_PX = 36, 16, 12


@dataclass(frozen=True, slots=True)
class HorseLoad:
    """A horse is being dragged."""

    horse: Horse


@dataclass(frozen=True, slots=True)
class StripLoad:
    """A track's strip is being dragged."""

    strip: TrackStrip


Load = HorseLoad | StripLoad


@dataclass(frozen=True, slots=True)
class Target:
    """Where a drop would land: a horse, or empty space (None). ``words`` say what it would do."""

    horse_id: HorseId | None
    words: str


class DragLayer(QWidget):
    """One drag at a time over ``page``. ``dropped`` carries the load and its target; ``moved``
    the target under the mouse, None where a drop does nothing and when the drag is over."""

    dropped = Signal(object, object)
    moved = Signal(object)
    started = Signal(object)

    def __init__(
        self,
        page: QWidget,
        theme: Theme,
        target_at: Callable[[Load, QPoint], Target | None],
        scrolled: QAbstractItemView,
    ) -> None:
        super().__init__(page)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.theme = theme
        self._target_at = target_at
        self._scrolled = scrolled
        self._load: Load | None = None
        self._target: Target | None = None
        self._ghost = QPixmap()
        self._at = QPoint()
        self._scroll_timer = QTimer(self, interval=SCROLL_MS)
        self._scroll_timer.timeout.connect(self._scroll)
        self.hide()

    @property
    def load(self) -> Load | None:
        """What is being dragged, None when nothing is."""
        return self._load

    @property
    def target(self) -> Target | None:
        """Where a drop would land now."""
        return self._target

    def begin(self, load: Load, ghost: QPixmap, at: QPoint) -> None:
        """Lift something; ``at`` in global coordinates."""
        self._load, self._ghost = load, ghost
        page = self.parentWidget()
        if page is not None:
            self.setGeometry(page.rect())
        self.show()
        self.raise_()
        app = QApplication.instance()
        if app is not None:
            app.installEventFilter(self)
        self.started.emit(load)
        self.move_to(at)

    def move_to(self, at: QPoint) -> None:
        """The mouse moved, global coordinates."""
        if self._load is None:
            return
        self._at = self.mapFromGlobal(at)
        target = self._target_at(self._load, at)
        if target != self._target:
            self._target = target
            self.moved.emit(target)
        place = self._scrolled.viewport()
        y = place.mapFromGlobal(at).y()
        near = place.rect().contains(place.mapFromGlobal(at)) and (
            y < EDGE_PX or y > place.height() - EDGE_PX
        )
        if near and self._scrolled.isVisible():
            self._scroll_timer.start()
        else:
            self._scroll_timer.stop()
        self.update()

    def drop(self, at: QPoint) -> bool:
        """Let go; True if there was something to let go."""
        if self._load is None:
            return False
        self.move_to(at)
        load, target = self._load, self._target
        self.cancel()
        if target is not None:
            self.dropped.emit(load, target)
        return True

    def cancel(self) -> None:
        """Put everything back."""
        self._load = None
        self._scroll_timer.stop()
        app = QApplication.instance()
        if app is not None:
            app.removeEventFilter(self)
        self.hide()
        if self._target is not None:
            self._target = None
        self.moved.emit(None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Escape ends a drag, whoever has the keyboard."""
        pressed = event.type() in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride)
        if pressed and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            self.cancel()
            return True
        return super().eventFilter(watched, event)

    def _scroll(self) -> None:
        bar = self._scrolled.verticalScrollBar()
        place = self._scrolled.viewport()
        up = place.mapFrom(self.window(), self.mapTo(self.window(), self._at)).y() < EDGE_PX
        bar.setValue(bar.value() + (-SCROLL_STEP_PX if up else SCROLL_STEP_PX))

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._load is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        size = self._ghost.deviceIndependentSize()
        corner = QPointF(self._at.x() - size.width() / 2, self._at.y() - size.height() / 2)
        painter.setOpacity(0.85)
        painter.drawPixmap(corner, self._ghost)
        painter.setOpacity(1.0)
        colour = self.theme.colour("accent" if self._target is not None else "faint")
        painter.setPen(QPen(colour, 1.5))
        radius = self.theme.measures.radius
        painter.drawRoundedRect(QRectF(corner, size), radius, radius)
        if self._target is not None:
            self._say(painter, self._target.words, corner, size.height())
        painter.end()

    def _say(self, painter: QPainter, words: str, corner: QPointF, height: float) -> None:
        font = self.theme.font(bold=True)
        painter.setFont(font)
        width = QFontMetricsF(font).horizontalAdvance(words) + 20
        x = min(max(corner.x(), 8.0), self.width() - width - 8.0)
        y = corner.y() + height + 8
        if y + 28 > self.height():
            y = corner.y() - 36
        bubble = QRectF(x, y, width, 28)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.colour("accent"))
        painter.drawRoundedRect(bubble, 6, 6)
        painter.setPen(self.theme.colour("accent_text"))
        painter.drawText(bubble, Qt.AlignmentFlag.AlignCenter, words)


class HorseLift(QObject):
    """Lets the horses of a view be dragged. Sits on the view's viewport."""

    def __init__(
        self,
        view: QAbstractItemView,
        layer: DragLayer,
        horse_at: Callable[[QPoint], tuple[Horse, QRect] | None],
    ) -> None:
        super().__init__(view)
        self._view = view
        self._layer = layer
        self._horse_at = horse_at
        self._pressed: tuple[Horse, QRect] | None = None
        self._from = QPoint()
        view.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QMouseEvent):
            return False
        if event.type() == QEvent.Type.MouseButtonPress:
            self._press(event)
        elif event.type() == QEvent.Type.MouseMove:
            return self._move(event)
        elif event.type() == QEvent.Type.MouseButtonRelease:
            self._pressed = None
            if self._layer.load is not None:
                self._layer.drop(event.globalPosition().toPoint())
                return True
        return False

    def _press(self, event: QMouseEvent) -> None:
        left = event.button() is Qt.MouseButton.LeftButton
        self._from = event.position().toPoint()
        self._pressed = self._horse_at(self._from) if left else None

    def _move(self, event: QMouseEvent) -> bool:
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return False
        at = event.globalPosition().toPoint()
        if self._layer.load is None:
            moved = (event.position().toPoint() - self._from).manhattanLength()
            if moved < QApplication.startDragDistance():
                return True
            horse, place = self._pressed
            picture = self._view.viewport().grab(place)
            ratio = self._view.devicePixelRatioF()
            ghost = picture.scaledToWidth(
                round(min(place.width(), GHOST_PX) * ratio),
                Qt.TransformationMode.SmoothTransformation,
            )
            self._layer.begin(HorseLoad(horse), ghost, at)
        else:
            self._layer.move_to(at)
        return True

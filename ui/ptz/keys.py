"""Steering by keyboard: press moves, release stops."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent

from engine.domain.ptz import Motion
from ui.ptz.helm import Helm, Input

_MOVES: dict[int, tuple[float, float, float]] = {
    Qt.Key.Key_Left: (-1.0, 0.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0, 0.0),
    Qt.Key.Key_Up: (0.0, 1.0, 0.0),
    Qt.Key.Key_Down: (0.0, -1.0, 0.0),
    Qt.Key.Key_Plus: (0.0, 0.0, 1.0),
    Qt.Key.Key_Minus: (0.0, 0.0, -1.0),
}
_SAME = {Qt.Key.Key_Equal: Qt.Key.Key_Plus, Qt.Key.Key_Underscore: Qt.Key.Key_Minus}
"""Keys that are + and - with or without Shift on common keyboards: the release may name the other
one."""
_OTHERS = (
    Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.MetaModifier
)


class KeySteering(QObject):
    """Listens on a widget (the wall). While ``active`` says so, arrows and + - move the selected
    camera, 1 to 8 go to presets, Space stops and Escape gives the keys back (``left``); with Shift,
    Ctrl or Alt the keys stay the wall's. The loss of the keyboard stops."""

    left = Signal()

    def __init__(self, helm: Helm, active: Callable[[], bool], parent: QObject) -> None:
        super().__init__(parent)
        self._helm = helm
        self._active = active
        self._held: dict[int, tuple[float, float, float]] = {}
        helm.ended.connect(self._held.clear)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind in (QEvent.Type.FocusOut, QEvent.Type.WindowDeactivate, QEvent.Type.Hide):
            self._helm.end_all()
            return False
        if not isinstance(event, QKeyEvent):
            return False
        if kind == QEvent.Type.KeyRelease:
            return self._release(event)
        if not self._active():
            return False
        if kind == QEvent.Type.ShortcutOverride and self._means(event):
            event.accept()
            return True
        return kind == QEvent.Type.KeyPress and self._press(event)

    def _means(self, event: QKeyEvent) -> bool:
        """The key belongs to the camera."""
        key = _key(event)
        if event.modifiers() & _OTHERS:
            return False
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Minus):
            return True
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            return False
        preset = Qt.Key.Key_1 <= key <= Qt.Key.Key_8
        return preset or key in _MOVES or key in (Qt.Key.Key_Space, Qt.Key.Key_Escape)

    def _press(self, event: QKeyEvent) -> bool:
        if not self._means(event):
            return False
        key = _key(event)
        if event.isAutoRepeat():
            return True
        if key in _MOVES:
            self._held[key] = _MOVES[key]
            self._steer()
        elif key == Qt.Key.Key_Space:
            self._helm.end_all()
            self._helm.halt()
        elif key == Qt.Key.Key_Escape:
            self._helm.end_all()
            self.left.emit()
        else:
            self._helm.go_to(key - Qt.Key.Key_0)
        return True

    def _release(self, event: QKeyEvent) -> bool:
        key = _key(event)
        if key not in self._held:
            return False
        if not event.isAutoRepeat():
            del self._held[key]
            self._steer()
        return True

    def _steer(self) -> None:
        pan, tilt, zoom = (sum(move[part] for move in self._held.values()) for part in range(3))
        self._helm.steer(Input.KEYS, Motion(_sign(pan), _sign(tilt), _sign(zoom)))


def _key(event: QKeyEvent) -> int:
    key = event.key()
    return int(_SAME.get(Qt.Key(key), key)) if key in _SAME else int(key)


def _sign(value: float) -> float:
    return min(max(value, -1.0), 1.0)

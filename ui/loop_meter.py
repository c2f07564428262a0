"""How long the window keeps people waiting: the delay of its own event loop."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, Qt, QTimer

from engine.runtime.meters import Distribution

INTERVAL_MS = 20


class LoopMeter(QObject):
    """A timer that should fire every 20 ms records how much later it did."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.delay_ms = Distribution(keep=3000)
        self._last_s = time.perf_counter()
        self._timer = QTimer(self, interval=INTERVAL_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)

    def start(self) -> None:
        """Begin to measure."""
        self._last_s = time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        """Measure no more."""
        self._timer.stop()

    def _on_tick(self) -> None:
        now_s = time.perf_counter()
        self.delay_ms.add(max((now_s - self._last_s) * 1000.0 - INTERVAL_MS, 0.0))
        self._last_s = now_s

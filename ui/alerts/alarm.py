"""Makes alerts heard and seen outside the window, as their rules say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from engine.domain.behaviour import Alert, AlertRule, RuleId
from engine.domain.notices import Severity
from ui.alerts.words import severity_word

SHOWN_MS = 15_000
_TRAY = {
    Severity.INFO: QSystemTrayIcon.MessageIcon.Information,
    Severity.WARNING: QSystemTrayIcon.MessageIcon.Warning,
    Severity.CRITICAL: QSystemTrayIcon.MessageIcon.Critical,
}


class Alarm(QObject):
    """``told`` carries the alerts that a person was called for: with ``sound`` by the system's
    alert sound and the task bar, with ``notify`` by a desktop notification where the desktop has a
    tray. Quiet ones call nobody. ``clicked``: the notification was clicked."""

    told = Signal(object)
    clicked = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._rules: Mapping[RuleId, AlertRule] = {}
        self._tray: QSystemTrayIcon | None = None

    def follow(self, rules: Sequence[AlertRule]) -> None:
        """How each rule wants to be told."""
        self._rules = {rule.id: rule for rule in rules}

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Call somebody for these."""
        loud = [alert for alert in alerts if not alert.quiet]
        heard = [a for a in loud if self._wants(a, "sound")]
        seen = [a for a in loud if self._wants(a, "notify")]
        if heard:
            QApplication.beep()
            QApplication.alert(self._window, 0)
        if seen:
            self._notify(seen)
        if heard or seen:
            self.told.emit(tuple(alert for alert in loud if alert in heard or alert in seen))

    def _wants(self, alert: Alert, what: str) -> bool:
        rule = self._rules.get(alert.rule_id) if alert.rule_id is not None else None
        return True if rule is None else bool(getattr(rule, what))

    def _notify(self, alerts: Sequence[Alert]) -> None:
        if not QSystemTrayIcon.isSystemTrayAvailable():
            return
        if self._tray is None:
            icon = self._window.windowIcon()
            self._tray = QSystemTrayIcon(icon if not icon.isNull() else QIcon(), self)
            self._tray.messageClicked.connect(self.clicked)
            self._tray.show()
        worst = max(alerts, key=lambda alert: list(Severity).index(alert.severity))
        text = "\n".join(alert.message for alert in alerts[:4])
        title = severity_word(worst.severity)
        self._tray.showMessage(title, text, _TRAY[worst.severity], SHOWN_MS)

"""The console's own list of alerts, read on a worker every few seconds.

Reading the store shows what every workstation raised, and what others acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from engine.domain.behaviour import Alert, AlertId, AlertRepository
from engine.domain.errors import BarnhandError
from engine.domain.ids import FarmId
from ui.requests import RequestRunner

EVERY_MS = 4000
SHOWN_AT_MOST = 500


class AlertFeed(QObject):
    """``changed`` follows every reading that brought something new. ``arrived`` carries the alerts
    that were raised since the reading before and that nobody acknowledged; those of the first
    reading are old. ``problem`` says why the store could not be read; it is asked again."""

    changed = Signal()
    arrived = Signal(object)

    def __init__(
        self,
        alerts: AlertRepository | None,
        farm_id: FarmId | None,
        requests: RequestRunner,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._repository = alerts
        self._farm_id = farm_id
        self._requests = requests
        self._alerts: tuple[Alert, ...] = ()
        self._asked = False
        self._known: set[AlertId] | None = None
        self.problem: BarnhandError | None = None
        self._timer = QTimer(self, interval=EVERY_MS)
        self._timer.timeout.connect(self.refresh)
        if alerts is not None:
            self._timer.start()

    @property
    def offered(self) -> bool:
        """False where the console has no store of alerts."""
        return self._repository is not None

    @property
    def loaded(self) -> bool:
        """True after the first reading."""
        return self._known is not None

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Unacknowledged first, then newest first."""
        return self._alerts

    @property
    def waiting(self) -> int:
        """Alerts that nobody acknowledged."""
        return sum(alert.acknowledged_at is None for alert in self._alerts)

    def refresh(self) -> None:
        """Read now; one reading at a time."""
        repository, farm_id = self._repository, self._farm_id
        if repository is None or self._asked:
            return
        self._asked = True
        self._requests.submit(
            "alerts",
            lambda: tuple(repository.list(farm_id, limit=SHOWN_AT_MOST)),
            self._on_read,
            self._on_failed,
            owner=self,
        )

    def replace(self, alert: Alert) -> None:
        """Take the newest state of one at once."""
        self._take([alert if one.id == alert.id else one for one in self._alerts])
        self.refresh()

    def stop(self) -> None:
        """Read no more (the window is closing)."""
        self._timer.stop()

    def _on_read(self, alerts: tuple[Alert, ...]) -> None:
        self._asked = False
        self.problem = None
        known = self._known
        self._known = {alert.id for alert in alerts}
        self._take(alerts)
        if known is None:
            self.changed.emit()
            return
        fresh = [a for a in alerts if a.id not in known and a.acknowledged_at is None]
        if fresh:
            self.arrived.emit(tuple(fresh))

    def _take(self, alerts: Sequence[Alert]) -> None:
        taken = tuple(alerts)
        if taken != self._alerts:
            self._alerts = taken
            self.changed.emit()

    def _on_failed(self, error: BarnhandError) -> None:
        self._asked = False
        self.problem = error
        self.changed.emit()

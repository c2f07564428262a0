"""Tours and plans of barn scans as the console knows them: read and stored on workers, each change
undoable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from uuid import UUID

from PySide6.QtCore import QCoreApplication, QObject, Signal

from engine.domain.errors import BarnhandError, NotFound
from engine.domain.ids import StreamId
from engine.domain.ptz import Preset, PtzControl, PtzRepository, ScanPlan, Tour
from ui.commands import Command, CommandLog
from ui.requests import RequestRunner


def _tr(text: str) -> str:
    return QCoreApplication.translate("Plans", text)


class SessionPlans:
    """Meets PtzRepository in memory, for a console whose application keeps no plans: they last
    until it ends."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._presets: dict[StreamId, dict[int, Preset]] = {}
        self._tours: dict[UUID, Tour] = {}
        self._scans: dict[StreamId, ScanPlan] = {}

    def presets(self, stream_id: StreamId | None = None) -> Mapping[StreamId, Sequence[Preset]]:
        """See PtzRepository."""
        with self._lock:
            wanted = self._presets if stream_id is None else {stream_id}
            return {s: tuple(self._presets.get(s, {}).values()) for s in wanted}

    def save_preset(self, stream_id: StreamId, preset: Preset) -> None:
        """See PtzRepository."""
        with self._lock:
            self._presets.setdefault(stream_id, {})[preset.number] = preset

    def tours(self, stream_id: StreamId | None = None) -> Sequence[Tour]:
        """See PtzRepository."""
        with self._lock:
            tours = [t for t in self._tours.values() if stream_id in (None, t.stream_id)]
        return tuple(sorted(tours, key=lambda tour: tour.name))

    def save_tour(self, tour: Tour) -> None:
        """See PtzRepository."""
        with self._lock:
            self._tours[tour.id] = tour

    def remove_tour(self, tour_id: UUID) -> None:
        """See PtzRepository."""
        with self._lock:
            if self._tours.pop(tour_id, None) is None:
                raise NotFound("There is no such tour.")

    def scan_plans(self, stream_id: StreamId | None = None) -> Sequence[ScanPlan]:
        """See PtzRepository."""
        with self._lock:
            return tuple(p for s, p in self._scans.items() if stream_id in (None, s))

    def save_scan_plan(self, plan: ScanPlan) -> None:
        """See PtzRepository."""
        with self._lock:
            self._scans[plan.stream_id] = plan


class SaveTour(Command):
    """Stores a tour; undo brings back the one it replaced, or none."""

    def __init__(self, before: Tour | None, after: Tour, plans: Plans) -> None:
        self.text = _tr("store tour {0}").format(after.name)
        self._before, self._after, self._plans = before, after, plans

    def do(self) -> None:
        self._plans.write(lambda store: store.save_tour(self._after))

    def undo(self) -> None:
        before = self._before
        if before is None:
            self._plans.write(lambda store: store.remove_tour(self._after.id))
        else:
            self._plans.write(lambda store: store.save_tour(before))


class RemoveTour(Command):
    """Forgets a tour."""

    def __init__(self, tour: Tour, plans: Plans) -> None:
        self.text = _tr("remove tour {0}").format(tour.name)
        self._tour, self._plans = tour, plans

    def do(self) -> None:
        self._plans.write(lambda store: store.remove_tour(self._tour.id))

    def undo(self) -> None:
        self._plans.write(lambda store: store.save_tour(self._tour))


class SaveScanPlan(Command):
    """Stores a camera's plan of barn scans."""

    def __init__(self, before: ScanPlan | None, after: ScanPlan, plans: Plans) -> None:
        self.text = _tr("store the plan of barn scans")
        self._before, self._after, self._plans = before, after, plans

    def do(self) -> None:
        self._plans.write(lambda store: store.save_scan_plan(self._after))

    def undo(self) -> None:
        before = self._before or ScanPlan(self._after.stream_id, self._after.presets)
        self._plans.write(lambda store: store.save_scan_plan(before))


class Plans(QObject):
    """``changed`` follows every reading that brought something new."""

    changed = Signal()

    def __init__(
        self,
        control: PtzControl,
        store: PtzRepository | None,
        told: Callable[[], None] | None,
        requests: RequestRunner,
        log: CommandLog,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._control = control
        self._store: PtzRepository = store or SessionPlans()
        self._told = told
        self._requests = requests
        self._log = log
        self._tours: tuple[Tour, ...] = ()
        self._scans: tuple[ScanPlan, ...] = ()
        log.changed.connect(self.refresh)

    def tours(self, camera: StreamId | None) -> tuple[Tour, ...]:
        """The known tours of a camera, by name."""
        return tuple(tour for tour in self._tours if tour.stream_id == camera)

    def scan(self, camera: StreamId) -> ScanPlan | None:
        """The known plan of a camera."""
        return next((plan for plan in self._scans if plan.stream_id == camera), None)

    def save_tour(
        self, before: Tour | None, tour: Tour, done: Callable[[], None], failed: Failed
    ) -> None:
        """Store a tour."""
        self._log.run(SaveTour(before, tour, self), done, failed)

    def remove_tour(self, tour: Tour) -> None:
        """Forget a tour."""
        self._log.run(RemoveTour(tour, self))

    def save_scan(self, plan: ScanPlan, done: Callable[[], None], failed: Failed) -> None:
        """Store a camera's plan."""
        self._log.run(SaveScanPlan(self.scan(plan.stream_id), plan, self), done, failed)

    def refresh(self) -> None:
        """Read again, on a worker."""
        store = self._store
        self._requests.submit(
            "tours and plans",
            lambda: (tuple(store.tours()), tuple(store.scan_plans())),
            self._on_read,
            lambda _error: None,  # the status bar shows that the store is away
            self,
        )

    def write(self, act: Callable[[PtzRepository], None]) -> None:
        """Change the store and let the schedules know. Blocks; called on a worker."""
        act(self._store)
        if self._told is not None:
            self._told()
        else:
            self._control.set_plans(self._store.tours(), self._store.scan_plans())

    def _on_read(self, read: tuple[tuple[Tour, ...], tuple[ScanPlan, ...]]) -> None:
        if read != (self._tours, self._scans):
            self._tours, self._scans = read
            self.changed.emit()


Failed = Callable[[BarnhandError], None]

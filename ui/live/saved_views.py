"""Walls saved under number keys, shared with other workstations through the store."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from PySide6.QtCore import QObject, Signal

from engine.domain.errors import BarnhandError
from engine.domain.ports import ViewRepository, WallView
from ui.commands import CommandLog, RemoveView, SaveView
from ui.console_state import ConsoleState
from ui.live.arrangement import Arrangement, Layout
from ui.live.overlay_paint import Switch
from ui.requests import RequestRunner


class SavedViews(QObject):
    """The views the store knows, read again after every command. The free layout of a view is
    kept on this machine (the store's views have no room for it)."""

    changed = Signal()

    def __init__(
        self,
        store: ViewRepository,
        requests: RequestRunner,
        log: CommandLog,
        state: ConsoleState,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._requests = requests
        self._log = log
        self._state = state
        self.known: tuple[WallView, ...] = ()
        self.current: int | None = None
        log.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Read the views on a worker. A store that is away is told by the status line."""
        self._requests.submit("saved views", self._store.list, self._on_views, _not_now)

    def in_slot(self, slot: int) -> WallView | None:
        """The view under a number key."""
        return next((v for v in self.known if v.slot == slot), None)

    def save(self, slot: int, arrangement: Arrangement, switches: frozenset[Switch]) -> None:
        """Store a wall under a number key; undo brings back what was there."""
        known = self.in_slot(slot)
        view = WallView(
            id=uuid4(),
            name=known.name if known else self.tr("View {0}").format(slot),
            layout=int(arrangement.layout),
            tiles=arrangement.places,
            overlays=tuple(sorted(s.value for s in switches)),
            slot=slot,
        )
        self.current = slot
        self._state.keep_free_places(view.id, arrangement)
        self._log.run(SaveView(view, self._store))

    def recall(self, slot: int) -> tuple[Arrangement, frozenset[Switch]] | None:
        """The wall under a number key; None if there is none."""
        view = self.in_slot(slot)
        if view is None:
            return None
        self.current = slot
        free = self._state.free_places(view.id)
        switches = frozenset(s for s in Switch if s.value in view.overlays)
        layouts = {int(layout): layout for layout in Layout}
        layout = layouts.get(view.layout, Layout.SIXTEEN)
        return Arrangement(layout, view.tiles, 0, free), switches

    def remove(self, slot: int) -> None:
        """Forget the view under a number key."""
        view = self.in_slot(slot)
        if view is not None:
            self._log.run(RemoveView(view, self._store))

    def forget_current(self) -> None:
        """The wall no longer shows a saved view."""
        self.current = None

    def _on_views(self, views: Sequence[WallView]) -> None:
        self.known = tuple(views)
        self.changed.emit()


def _not_now(_error: BarnhandError) -> None:
    """The views stay as they were known."""

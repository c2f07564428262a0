"""The console's own list of known horses, read on a worker and refreshed after every change.

The wall takes names from it, the registry its cards; neither ever waits for the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal
from shiboken6 import isValid

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse, HorseStatus
from engine.domain.ids import HorseId
from ui.requests import RequestRunner
from ui.services import ConsoleServices

GATHER_MS = 150
"""Changes that come within this time are answered by one reading."""
RETRY_MS = 3000
REVIEWS_COUNTED = 200
MERGES_FOLLOWED = 64


@dataclass(frozen=True, slots=True)
class _Reading:
    horses: tuple[Horse, ...]
    reviews: int


class HorseDirectory(QObject):
    """Horses by id. ``changed`` follows every reading that brought something new; ``refreshed``
    every change announced by the store (corrections, strips and reviews may have changed);
    ``failed`` carries why the store could not be read (it is asked again by itself)."""

    changed = Signal()
    refreshed = Signal()
    failed = Signal(object)
    _announced = Signal()

    def __init__(
        self, services: ConsoleServices, requests: RequestRunner, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._requests = requests
        self._horses: dict[HorseId, Horse] = {}
        self._names: dict[HorseId, str] = {}
        self.reviews = 0
        self.loaded = False
        self.problem: BarnhandError | None = None
        self._asked = False
        self._again = False
        self._stopped = False
        self._timer = QTimer(self, interval=GATHER_MS, singleShot=True)
        self._timer.timeout.connect(self._ask)
        self._announced.connect(self.refresh)
        services.on_registry_changed(self._on_feed)

    @property
    def horses(self) -> tuple[Horse, ...]:
        """All of them, merged and archived ones included, by number."""
        return tuple(self._horses.values())

    @property
    def names(self) -> Mapping[HorseId, str]:
        """What people call each horse; merged ones by the name of the horse they became."""
        return self._names

    def get(self, horse_id: HorseId | None) -> Horse | None:
        """The record itself, None if unknown."""
        return self._horses.get(horse_id) if horse_id is not None else None

    def resolve(self, horse_id: HorseId | None) -> Horse | None:
        """The horse that a record stands for today: follows merges."""
        horse = self.get(horse_id)
        for _ in range(MERGES_FOLLOWED):
            if horse is None or horse.status is not HorseStatus.MERGED:
                return horse
            horse = self.get(horse.merged_into)
        return horse

    def title(self, horse_id: HorseId | None) -> str:
        """What people call it; empty if unknown."""
        return self._names.get(horse_id, "") if horse_id is not None else ""

    def refresh(self) -> None:
        """Read soon; many calls in a row lead to one reading."""
        if not self._stopped and not self._timer.isActive():
            self._timer.start(GATHER_MS)

    def stop(self) -> None:
        """Read no more (the window is closing)."""
        self._stopped = True
        self._timer.stop()

    def _on_feed(self) -> None:
        """Runs on the feed's thread, for as long as the feed lives."""
        if not self._stopped and isValid(self):
            self._announced.emit()

    def _ask(self) -> None:
        if self._stopped:
            return
        if self._asked:
            self._again = True
            return
        self._asked = True
        horses, identity = self._services.horses, self._services.identity
        self._requests.submit(
            "known horses",
            lambda: _Reading(tuple(horses.list()), len(identity.reviews(limit=REVIEWS_COUNTED))),
            self._on_read,
            self._on_failed,
        )

    def _on_read(self, reading: _Reading) -> None:
        self._asked = False
        first, self.loaded, self.problem = not self.loaded, True, None
        fresh = {horse.id: horse for horse in reading.horses}
        if first or fresh != self._horses or reading.reviews != self.reviews:
            self._horses, self.reviews = fresh, reading.reviews
            resolved = ((h.id, self.resolve(h.id)) for h in reading.horses)
            self._names = {horse_id: h.title for horse_id, h in resolved if h is not None}
            self.changed.emit()
        self.refreshed.emit()
        if self._again:
            self._again = False
            self.refresh()

    def _on_failed(self, error: BarnhandError) -> None:
        self._asked = False
        self.problem = error
        self.failed.emit(error)
        if not self._stopped:
            self._timer.start(RETRY_MS)

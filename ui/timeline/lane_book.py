"""Who has a lane, and how a person wants the lanes: grouped, ordered, filtered, opened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from PySide6.QtCore import QObject, Signal

from engine.domain.horses import Horse, HorseStatus
from engine.domain.ids import HorseId, StreamId
from ui.registry.directory import HorseDirectory
from ui.timeline.cursor import micros
from ui.timeline.lanes import Grouping, LaneRow, Order, Subject, laid_out, ordered
from ui.timeline.time_view import MOST_US

GONE = (HorseStatus.MERGED, HorseStatus.ARCHIVED)


def _forgotten(horse: Horse) -> bool:
    """A guest that was not seen for as long as a timeline reaches: it has nothing to show."""
    if horse.status is not HorseStatus.GUEST or horse.last_seen_at is None:
        return False
    return datetime.now(UTC) - horse.last_seen_at > timedelta(microseconds=MOST_US)


class LaneBook(QObject):
    """``changed`` follows every change of the rows, ``asked`` a change of whose lanes there are."""

    changed = Signal()
    asked = Signal()

    def __init__(self, directory: HorseDirectory, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._directory = directory
        self.cameras: dict[StreamId, str] = {}
        self.subjects: tuple[Subject, ...] = ()
        self.ids: tuple[tuple[HorseId, ...], tuple[StreamId, ...]] = ((), ())
        """Of horses and of cameras: whose lanes are read."""
        self.grouping, self.order = Grouping.BOTH, Order.NAME
        self.opened: set[UUID] = set()
        self.searched = ""
        self._own: list[UUID] = []
        directory.changed.connect(self.refresh)

    # --- who ------------------------------------------------------------------------------------

    def follow(self, cameras: Mapping[StreamId, str]) -> None:
        """Take the cameras' names."""
        if dict(cameras) != self.cameras:
            self.cameras.clear()
            self.cameras.update(cameras)
            self.refresh()

    def refresh(self) -> None:
        """Read the directory and the cameras again."""
        horses = (
            Subject(
                h.id,
                h.title,
                False,
                h.colour_hex,
                h.status is HorseStatus.GUEST,
                micros(h.last_seen_at) if h.last_seen_at is not None else 0,
            )
            for h in self._directory.horses
            if h.status not in GONE and not _forgotten(h)
        )
        self.subjects = (*horses, *(Subject(i, name, True) for i, name in self.cameras.items()))
        ids = (
            tuple(sorted(HorseId(s.id) for s in self.subjects if not s.camera)),
            tuple(sorted(StreamId(s.id) for s in self.subjects if s.camera)),
        )
        if ids != self.ids:
            self.ids = ids
            self.asked.emit()
        self.changed.emit()

    def get(self, subject: UUID | None) -> Subject | None:
        """A horse or camera by its id."""
        return next((s for s in self.subjects if s.id == subject), None)

    @property
    def horses(self) -> dict[HorseId, str]:
        """Names of the horses."""
        return {HorseId(s.id): s.title for s in self.subjects if not s.camera}

    # --- how ------------------------------------------------------------------------------------

    def shown(self) -> list[Subject]:
        """Those on show, in their order."""
        return ordered(self.subjects, self.grouping, self.order, self.searched, (), self._own)

    def rows(self) -> list[LaneRow]:
        """Their rows from the top."""
        heads = (self.tr("Horses"), self.tr("Cameras"))
        return laid_out(self.shown(), self.opened, heads)

    def search(self, text: str) -> None:
        """Only lanes whose name holds these words."""
        self.searched = text
        self.changed.emit()

    def group(self, grouping: Grouping) -> None:
        """Lanes of horses, of cameras, or both."""
        self.grouping = grouping
        self.changed.emit()

    def sort(self, order: Order) -> None:
        """Another order."""
        self.order = order
        self.changed.emit()

    def toggle(self, subject: UUID) -> None:
        """Open or close a lane."""
        self.opened ^= {subject}
        self.changed.emit()

    def toggle_all(self) -> None:
        """Open all lanes, or close them when one is open."""
        shown = {subject.id for subject in self.shown()}
        self.opened = set() if self.opened & shown else shown
        self.changed.emit()

    def move(self, subject: UUID, before: UUID | None) -> None:
        """Put a lane ahead of another (None: last of all); the order is then the person's own."""
        ids = [one.id for one in self.shown()]
        if subject == before or subject not in ids:
            return
        ids.remove(subject)
        ids.insert(ids.index(before) if before in ids else len(ids), subject)
        self._own = ids
        self.sort(Order.OWN)

    def beside(self, subject: UUID | None, by: int) -> UUID | None:
        """The lane so many below (or above) another."""
        ids = [one.id for one in self.shown()]
        if not ids:
            return None
        here = ids.index(subject) if subject in ids else -by
        return ids[min(max(here + by, 0), len(ids) - 1)]

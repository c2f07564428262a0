"""The horses as a Qt model, and the filters and the order of gallery and table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)

from engine.domain.horses import Horse, HorseStatus
from engine.domain.ids import HorseId, StreamId
from ui.registry.presence import Day, Presence, local_day
from ui.registry.words import ago, count, status_word, when
from ui.wording import duration

Index = QModelIndex | QPersistentModelIndex

HORSE_ROLE = Qt.ItemDataRole.UserRole
PRESENCE_ROLE = Qt.ItemDataRole.UserRole + 1
CAMERA_ROLE = Qt.ItemDataRole.UserRole + 2


class Column(IntEnum):
    """What the table shows."""

    NAME = 0
    LABEL = 1
    STATUS = 2
    LAST_SEEN = 3
    CAMERA = 4
    SEEN_TODAY = 5
    FIRST_SEEN = 6
    STALL = 7
    DETECTIONS = 8


RIGHT_ALIGNED = (Column.SEEN_TODAY, Column.DETECTIONS)


class Show(StrEnum):
    """Which horses are on show. Merged and archived records appear under MERGED alone."""

    ALL = "all"
    RESIDENTS = "residents"
    GUESTS = "guests"
    UNNAMED = "unnamed"
    TODAY = "today"
    MISSING = "missing"
    MERGED = "merged"


def belongs(show: Show, horse: Horse, day: Day) -> bool:
    """True if a horse is on show. MISSING: residents not seen today."""
    return show in shows_of(horse, day)


def shows_of(horse: Horse, day: Day) -> set[Show]:
    """Every filter that shows a horse."""
    if horse.status in (HorseStatus.MERGED, HorseStatus.ARCHIVED):
        return {Show.MERGED}
    today, resident = day.saw(horse.last_seen_at), horse.status is HorseStatus.ACTIVE
    shows = {Show.ALL, Show.RESIDENTS if resident else Show.GUESTS}
    if not horse.name:
        shows.add(Show.UNNAMED)
    if today:
        shows.add(Show.TODAY)
    elif resident:
        shows.add(Show.MISSING)
    return shows


class HorseModel(QAbstractTableModel):
    """One row a horse. Rows keep their places between readings, so selections stay."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Horse] = []
        self._places: dict[HorseId, int] = {}
        self._cameras: dict[StreamId, str] = {}
        self._titles: dict[HorseId, str] = {}
        start, end = local_day(datetime.now(UTC))
        self.day = Day(start, end, {})
        self._heads = (
            self.tr("Name"),
            self.tr("Label"),
            self.tr("Status"),
            self.tr("Last seen"),
            self.tr("Camera"),
            self.tr("Seen today"),
            self.tr("First seen"),
            self.tr("Stall"),
            self.tr("Detections"),
        )

    # --- what is in it --------------------------------------------------------------------------

    def set_horses(self, horses: Sequence[Horse]) -> None:
        """Take over a reading: rows that are gone leave, new ones come last."""
        fresh = {horse.id: horse for horse in horses}
        self._titles = {horse.id: horse.title for horse in horses}
        for row in range(len(self._rows) - 1, -1, -1):
            if self._rows[row].id not in fresh:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._rows[row]
                self.endRemoveRows()
        for row, known in enumerate(self._rows):
            if fresh[known.id] != known:
                self._rows[row] = fresh[known.id]
                self._tell(row, row)
        present = {horse.id for horse in self._rows}
        new = [horse for horse in horses if horse.id not in present]
        if new:
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(new) - 1)
            self._rows.extend(new)
            self.endInsertRows()
        self._places = {horse.id: row for row, horse in enumerate(self._rows)}

    def set_day(self, day: Day) -> None:
        """Who was seen today."""
        if day != self.day:
            self.day = day
            self._tell(0, len(self._rows) - 1)

    def set_cameras(self, names: dict[StreamId, str]) -> None:
        """What cameras are called."""
        if names != self._cameras:
            self._cameras = names
            self._tell(0, len(self._rows) - 1)

    def row_of(self, horse_id: HorseId) -> int | None:
        """The row of a horse."""
        return self._places.get(horse_id)

    def horse_at(self, row: int) -> Horse:
        """The horse of a row."""
        return self._rows[row]

    def camera(self, stream_id: StreamId | None) -> str:
        """A camera's name, empty if unknown."""
        return self._cameras.get(stream_id, "") if stream_id is not None else ""

    def _tell(self, first: int, last: int) -> None:
        if first <= last:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(Column) - 1))

    # --- Qt -------------------------------------------------------------------------------------

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self._heads[section]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return _alignment(Column(section))
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        horse, column = self._rows[index.row()], Column(index.column())
        if role == HORSE_ROLE:
            return horse
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(horse, column)
        if role == PRESENCE_ROLE:
            return self.day.of(horse.id)
        if role == CAMERA_ROLE:
            return self.camera(horse.last_stream_id)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{horse.title}, {status_word(horse.status)}, {ago(horse.last_seen_at)}"
        return None

    def _text(self, horse: Horse, column: Column) -> str:
        match column:
            case Column.NAME:
                return horse.title
            case Column.LABEL:
                return horse.label
            case Column.STATUS:
                merged = self._titles.get(horse.merged_into) if horse.merged_into else None
                word = status_word(horse.status)
                return self.tr("merged into {0}").format(merged) if merged else word
            case Column.LAST_SEEN:
                return ago(horse.last_seen_at)
            case Column.CAMERA:
                return self.camera(horse.last_stream_id)
            case Column.SEEN_TODAY:
                seen: Presence = self.day.of(horse.id)
                return duration(seen.seen_s) if seen.intervals else "–"
            case Column.FIRST_SEEN:
                return when(horse.first_seen_at)
            case Column.STALL:
                return horse.profile.stall or ""
            case Column.DETECTIONS:
                return count(horse.total_detections)

    def sort_key(self, row: int, column: Column) -> Any:
        """What a row is ordered by: newest and most first, unnamed horses last."""
        horse = self._rows[row]
        match column:
            case Column.NAME:
                return (not horse.name, horse.title.casefold())
            case Column.LAST_SEEN:
                return -(horse.last_seen_at.timestamp() if horse.last_seen_at else 0.0)
            case Column.FIRST_SEEN:
                return horse.first_seen_at.timestamp() if horse.first_seen_at else 0.0
            case Column.SEEN_TODAY:
                return -self.day.of(horse.id).seen_s
            case Column.DETECTIONS:
                return -horse.total_detections
            case _:
                return self._text(horse, column).casefold()


def _alignment(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in RIGHT_ALIGNED else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


class HorseFilter(QSortFilterProxyModel):
    """Search, filter and order over a ``HorseModel``."""

    def __init__(self, model: HorseModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.show = Show.ALL
        self.wanted = ""
        self.left_out: frozenset[HorseId] = frozenset()
        self._similarity: dict[HorseId, float] = {}
        self.setSourceModel(model)
        self.setDynamicSortFilter(True)
        self.sort(Column.NAME)

    def set_show(self, show: Show) -> None:
        """Show only these."""
        self.show = show
        self._again()

    def search(self, text: str) -> None:
        """Show only horses in whose name, label, stall or description all words appear."""
        self.wanted = text.casefold().strip()
        self._again()

    def leave_out(self, horse_ids: frozenset[HorseId]) -> None:
        """Never show these."""
        self.left_out = horse_ids
        self._again()

    def alike_first(self, similarity: Mapping[HorseId, float]) -> None:
        """Order by similarity, then as usual."""
        self._similarity = dict(similarity)
        self._again()
        self.invalidate()

    def horse(self, row: int) -> Horse | None:
        """The horse in a row on show."""
        value = self.index(row, 0).data(HORSE_ROLE)
        return value if isinstance(value, Horse) else None

    def index_of(self, horse_id: HorseId, column: int = 0) -> QModelIndex:
        """Where a horse is on show; invalid if it is not."""
        row = self._model.row_of(horse_id)
        if row is None:
            return QModelIndex()
        return self.mapFromSource(self._model.index(row, column))

    def counts(self) -> dict[Show, int]:
        """How many horses each filter would show without a search."""
        counted = dict.fromkeys(Show, 0)
        for row in range(self._model.rowCount()):
            for show in shows_of(self._model.horse_at(row), self._model.day):
                counted[show] += 1
        return counted

    def _again(self) -> None:
        self.beginFilterChange()
        self.endFilterChange()

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        horse = self._model.horse_at(source_row)
        if horse.id in self.left_out or not belongs(self.show, horse, self._model.day):
            return False
        profile = horse.profile
        parts = (horse.name, horse.label, profile.stall, profile.breed, profile.colour)
        text = " ".join((*(p for p in parts if p), profile.markings or "")).casefold()
        return all(word in text for word in self.wanted.split())

    def lessThan(self, left: Index, right: Index) -> bool:
        a, b = left.row(), right.row()
        if self._similarity:
            first_alike = self._similarity.get(self._model.horse_at(a).id, -1.0)
            second_alike = self._similarity.get(self._model.horse_at(b).id, -1.0)
            if first_alike != second_alike:
                return first_alike > second_alike
        column = Column(left.column())
        first, second = self._model.sort_key(a, column), self._model.sort_key(b, column)
        return bool(first < second) if first != second else a < b

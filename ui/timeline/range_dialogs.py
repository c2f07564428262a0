"""What is asked before a marked range is exported, bookmarked or reprocessed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from uuid import UUID, uuid4

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QWidget,
)

from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.job_arguments import ReprocessRequest
from engine.domain.recording import Bookmark, BookmarkId, ExportKind, ExportRequest
from ui.ask_dialog import AskDialog
from ui.timeline.range_scope import RangeScope
from ui.widgets import label

CAMERA_ROWS_PX = 96
TABLES = ("bouts", "strides", "metrics", "detections", "alerts")
ROWS = (ExportKind.CSV, ExportKind.PARQUET, ExportKind.JSON)


class RangeDialog(AskDialog):
    """The frame of all three: the range in words on top, a form, and the act."""

    def __init__(self, scope: RangeScope, parent: QWidget | None = None) -> None:
        super().__init__(scope.words(), parent)
        self.scope = scope

    def _camera_list(self) -> QListWidget:
        """Cameras with a tick; those of the scope are on."""
        return camera_ticks(self.scope.cameras, self.scope.stream_ids)


def camera_ticks(cameras: Mapping[StreamId, str], on: Collection[StreamId]) -> QListWidget:
    """Cameras with a tick; those of ``on`` are on."""
    result = QListWidget()
    result.setObjectName("well")
    result.setFixedHeight(CAMERA_ROWS_PX)
    for stream_id, name in cameras.items():
        item = QListWidgetItem(name)
        item.setData(Qt.ItemDataRole.UserRole, str(stream_id))
        state = Qt.CheckState.Checked if stream_id in on else Qt.CheckState.Unchecked
        item.setCheckState(state)
        result.addItem(item)
    result.setAccessibleName(QCoreApplication.translate("RangeDialog", "Cameras"))
    return result


def ticked(cameras: QListWidget) -> tuple[StreamId, ...]:
    """The cameras that are on."""
    items = (cameras.item(row) for row in range(cameras.count()))
    return tuple(
        StreamId(UUID(item.data(Qt.ItemDataRole.UserRole)))
        for item in items
        if item.checkState() is Qt.CheckState.Checked
    )


class ExportDialog(RangeDialog):
    """What to hand out, of whom, under which name."""

    def __init__(self, scope: RangeScope, parent: QWidget | None = None) -> None:
        super().__init__(scope, parent)
        self.name(self.tr("Export"), self.tr("Export"))
        self.kind = QComboBox()
        for text, value in (
            (self.tr("Video clip (MP4)"), ExportKind.CLIP),
            (self.tr("Table (CSV)"), ExportKind.CSV),
            (self.tr("Table (Parquet)"), ExportKind.PARQUET),
            (self.tr("Table (JSON)"), ExportKind.JSON),
            (self.tr("Packet for the vet (PDF)"), ExportKind.PACKET),
        ):
            self.kind.addItem(text, value)
        self.overlays = QCheckBox(self.tr("Draw boxes, skeletons and names on the pictures"))
        self.overlays.setChecked(True)
        self.horse = QComboBox()
        self.horse.addItem(self.tr("all horses"), None)
        for horse_id, name in scope.horses.items():
            self.horse.addItem(name, str(horse_id))
        if scope.horse_id is not None:
            self.horse.setCurrentIndex(max(self.horse.findData(str(scope.horse_id)), 0))
        self.cameras = self._camera_list()
        self.tables = {name: QCheckBox(text) for name, text in self._table_words().items()}
        self.tables["bouts"].setChecked(True)
        self.file_name = QLineEdit()
        self.file_name.setPlaceholderText(self.tr("made from horse and time"))
        self._lay_out()
        self.kind.currentIndexChanged.connect(lambda _index: self._on_kind())
        self._on_kind()

    def _table_words(self) -> dict[str, str]:
        words = (
            self.tr("Bouts"),
            self.tr("Strides"),
            self.tr("Metrics"),
            self.tr("Detections"),
            self.tr("Alerts"),
        )
        return dict(zip(TABLES, words, strict=True))

    def _lay_out(self) -> None:
        ticks = QWidget()
        row = QHBoxLayout(ticks)
        row.setContentsMargins(0, 0, 0, 0)
        for box in self.tables.values():
            row.addWidget(box)
        self._ticks = ticks
        self.form.addRow(self.tr("What"), self.kind)
        self.form.addRow("", self.overlays)
        self.form.addRow(self.tr("Rows of"), ticks)
        self.form.addRow(self.tr("Horse"), self.horse)
        self.form.addRow(self.tr("Cameras"), self.cameras)
        self.form.addRow(self.tr("File name"), self.file_name)

    def _on_kind(self) -> None:
        kind = ExportKind(self.kind.currentData())  # Qt keeps the word
        self.form.setRowVisible(self.overlays, kind is ExportKind.CLIP)
        self.form.setRowVisible(self._ticks, kind in ROWS)

    def check(self) -> None:
        request = self.request()
        if self.scope.cameras and not request.stream_ids:
            raise OperatorMistake(self.tr("Tick at least one camera."))
        if request.kind in ROWS and not request.tables:
            raise OperatorMistake(self.tr("Tick what the rows are of."))
        if request.kind is ExportKind.PACKET and request.horse_id is None:
            raise OperatorMistake(self.tr("A packet for the vet is about one horse: choose it."))
        name = request.file_name
        if name and (PurePath(name).name != name or "\\" in name or name.startswith(".")):
            raise OperatorMistake(self.tr("A file name holds no folders and begins with no dot."))

    def request(self) -> ExportRequest:
        """What was filled in."""
        horse = self.horse.currentData()
        kind = ExportKind(self.kind.currentData())
        return ExportRequest(
            kind,
            self.scope.range.start_at,
            self.scope.range.end_at,
            ticked(self.cameras),
            HorseId(UUID(horse)) if horse is not None else None,
            kind is ExportKind.CLIP and self.overlays.isChecked(),
            tuple(name for name, box in self.tables.items() if box.isChecked()),
            self.file_name.text().strip(),
        )


class BookmarkDialog(RangeDialog):
    """A title, a note, and whether recordings are kept."""

    def __init__(self, scope: RangeScope, parent: QWidget | None = None) -> None:
        super().__init__(scope, parent)
        self.name(self.tr("Bookmark"), self.tr("Keep"))
        self.title = QLineEdit(scope.title)
        self.title.selectAll()
        self.note = QPlainTextEdit()
        self.note.setFixedHeight(72)
        self.locked = QCheckBox(self.tr("Lock the recordings: retention never deletes them"))
        self.form.addRow(self.tr("Title"), self.title)
        self.form.addRow(self.tr("Note"), self.note)
        self.form.addRow("", self.locked)

    def check(self) -> None:
        if not self.title.text().strip():
            raise OperatorMistake(self.tr("Give the bookmark a title."))

    def bookmark(self, farm_id: FarmId, actor: str) -> Bookmark:
        """What was filled in."""
        scope = self.scope
        return Bookmark(
            BookmarkId(uuid4()),
            farm_id,
            self.title.text().strip(),
            scope.range.start_at,
            scope.range.end_at,
            actor,
            datetime.now(UTC),
            scope.stream_ids,
            scope.horse_id,
            self.note.toPlainText().strip(),
            self.locked.isChecked(),
        )


class ReprocessDialog(RangeDialog):
    """Which cameras' recordings are analysed again."""

    def __init__(self, scope: RangeScope, parent: QWidget | None = None) -> None:
        super().__init__(scope, parent)
        self.name(self.tr("Reprocess"), self.tr("Reprocess"))
        self.cameras = self._camera_list()
        self.form.addRow(self.tr("Cameras"), self.cameras)
        words = self.tr(
            "Recorded pictures are analysed again at the full rate; what comes out replaces what "
            "is stored. Corrections stay."
        )
        self.form.addRow("", label(words, "small", wrap=True))

    def check(self) -> None:
        if not ticked(self.cameras):
            raise OperatorMistake(self.tr("Tick at least one camera."))

    def request(self) -> ReprocessRequest:
        """What was filled in."""
        scope = self.scope.range
        return ReprocessRequest(scope.start_at, scope.end_at, ticked(self.cameras))

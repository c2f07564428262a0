"""The panel beside the players: every detection of one picture, what waits to be corrected in its
recording, and who corrected what before."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QMargins, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLayout,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.domain.ids import HorseId, TrackId
from engine.domain.recording import Extent
from engine.recording.overlay import OverlayTrack
from ui.live.motion_words import doing
from ui.live.overlay_paint import subject_word
from ui.review.edits_panel import EditsPanel
from ui.review.frames import ReviewFrame
from ui.review.pending import Edited, is_added
from ui.review.picture_overlay import words_of
from ui.review.words import exact_time, extent_word, frame_words
from ui.theme import Theme
from ui.widgets import button, label, line

WIDTH_PX, ROW_PX = 440, 26
DENSE = "QTableWidget { font-size: 12px; } QTableWidget::item { padding: 2px 4px; } " + (
    "QHeaderView::section { padding: 4px 6px; }"
)
TRACK = int(Qt.ItemDataRole.UserRole)
COLUMNS = 6
_ROW_ROOM = QMargins(0, 3, 0, 3)


class FrameInspector(QFrame):
    """``selected`` and ``hovered`` carry a TrackId or None; the other signals follow its buttons.
    ``edits`` is what is done with the recording as a whole."""

    selected = Signal(object)
    hovered = Signal(object)
    delete_asked = Signal()
    assign_asked = Signal()
    guest_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setFixedWidth(WIDTH_PX)
        self._theme = theme
        self._tracks: tuple[OverlayTrack, ...] = ()
        self._shown: tuple[object, ...] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        self._build_picture(column)
        column.addWidget(line())
        self.edits = EditsPanel(theme)
        column.addWidget(self.edits, 3)
        self.show_nothing("")

    # --- layout ---------------------------------------------------------------------------------

    def _build_picture(self, column: QVBoxLayout) -> None:
        self.title = label("", "large")
        self.where = label("", "small", wrap=True)
        self.table = QTableWidget(0, COLUMNS)
        self.table.setHorizontalHeaderLabels(
            [
                self.tr("No."),
                self.tr("Horse"),
                self.tr("Class"),
                self.tr("Score"),
                self.tr("Box (px)"),
                self.tr("Does"),
            ]
        )
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setMouseTracking(True)
        self.table.setWordWrap(False)
        self.table.setStyleSheet(DENSE)
        self.table.setFont(self._theme.font(self._theme.measures.font_small))
        self.table.verticalHeader().setDefaultSectionSize(ROW_PX)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        self.table.setAccessibleName(self.tr("Detections of the picture"))
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.table.cellEntered.connect(lambda row, _column: self.hovered.emit(self._track(row)))
        self.table.viewport().installEventFilter(self)
        column.addWidget(self.title)
        column.addWidget(self.where)
        column.addWidget(self.table, 3)
        column.addLayout(self._build_acts())
        self.hint = label(
            self.tr("Drag corners to move a box; drag on empty ground to add one."), "small",
            wrap=True,
        )  # fmt: skip
        column.addWidget(self.hint)

    def _build_acts(self) -> QLayout:
        self.extents = QButtonGroup(self)
        reach = QHBoxLayout()
        reach.setSpacing(4)
        for place, extent in enumerate(Extent):
            chip = QToolButton()
            chip.setText(extent_word(extent))
            chip.setProperty("role", "chip")
            chip.setCheckable(True)
            chip.setChecked(place == 0)
            self.extents.addButton(chip, place)
            reach.addWidget(chip)
        reach.addStretch(1)
        self.assign = button(self.tr("Which horse…"))
        self.guest = button(self.tr("New guest"))
        self.delete = button(self.tr("Delete"), "danger")
        acts = QHBoxLayout()
        acts.setSpacing(4)
        for one in (self.assign, self.guest, self.delete):
            acts.addWidget(one)
        acts.addStretch(1)
        self.assign.clicked.connect(self.assign_asked)
        self.guest.clicked.connect(self.guest_asked)
        self.delete.clicked.connect(self.delete_asked)
        both = QVBoxLayout()
        both.setSpacing(6)
        both.addLayout(reach)
        both.addLayout(acts)
        return both

    @property
    def extent(self) -> Extent:
        """How far deleting and assigning reach."""
        return tuple(Extent)[self.extents.checkedId()]

    def choose_extent(self, extent: Extent) -> None:
        """Reach so far."""
        self.extents.button(tuple(Extent).index(extent)).setChecked(True)

    # --- the picture ----------------------------------------------------------------------------

    def show_nothing(self, words: str) -> None:
        """There is no picture to inspect."""
        self.title.setText(self.tr("Picture"))
        self.where.setText(words or self.tr("Pause on a picture to inspect it."))
        self._shown = ()
        self._fill((), {}, frozenset())
        self.let_edit(None)

    def show_picture(
        self, frame: ReviewFrame, edited: Edited | None, names: Mapping[HorseId, str]
    ) -> None:
        """Every detection of a picture."""
        tracks = () if edited is None else edited.entry.tracks
        told = (frame.chunk.id, frame.at_us, tracks, tuple(names.items()))
        if told == self._shown:
            return
        self._shown = told
        self.title.setText(exact_time(frame.at_us))
        self.where.setText(self._state(frame, edited))
        self._fill(tracks, names, frozenset() if edited is None else edited.changed)

    def _state(self, frame: ReviewFrame, edited: Edited | None) -> str:
        words = frame_words(frame)
        if edited is None:
            return self.tr("{0} · the analysis knows nothing of this picture").format(words)
        if not edited.entry.analysed:
            return self.tr("{0} · between two analysed pictures").format(words)
        if edited.entry.held:
            return self.tr("{0} · still scene: as analysed before").format(words)
        return self.tr("{0} · analysed").format(words)

    def _fill(
        self,
        tracks: tuple[OverlayTrack, ...],
        names: Mapping[HorseId, str],
        changed: frozenset[TrackId],
    ) -> None:
        keep = self.current
        table = self.table
        table.blockSignals(True)
        self._tracks = tracks
        table.setRowCount(len(tracks))
        for row, track in enumerate(tracks):
            for place, text in enumerate(_cells(track, names)):
                item = QTableWidgetItem(text)
                item.setData(TRACK, row)
                font = item.font()
                font.setItalic(track.id in changed)
                item.setFont(font)
                if place == 0:
                    item.setForeground(self._theme.track_colour(track.colour))
                table.setItem(row, place, item)
        table.blockSignals(False)
        self.select(keep)

    @property
    def current(self) -> TrackId | None:
        """The selected detection."""
        rows = self.table.selectionModel().selectedRows()
        return self._track(rows[0].row()) if rows else None

    def _track(self, row: int) -> TrackId | None:
        return self._tracks[row].id if 0 <= row < len(self._tracks) else None

    def select(self, track_id: TrackId | None) -> None:
        """Select a detection without telling of it."""
        self.table.blockSignals(True)
        row = next((i for i, t in enumerate(self._tracks) if t.id == track_id), -1)
        if row >= 0:
            self.table.selectRow(row)
        else:
            self.table.clearSelection()
        self.table.blockSignals(False)

    def let_edit(self, reason: str | None, on: bool = False, chosen: bool = False) -> None:
        """Whether corrections can be made, else why not; ``chosen``: a detection is selected."""
        for one in (self.assign, self.guest, self.delete):
            one.setEnabled(on and chosen)
        self.hint.setText(
            reason or self.tr("Drag corners to move a box; drag on empty ground to add one.")
        )
        self.hint.setVisible(on or bool(reason))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.hovered.emit(None)
        return False

    def _on_selected(self) -> None:
        self.selected.emit(self.current)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        self._shown = ()
        self.edits.set_theme(theme)


def _cells(track: OverlayTrack, names: Mapping[HorseId, str]) -> tuple[str, ...]:
    x1, y1, x2, y2 = (round(v) for v in track.box_xyxy_px)
    name = names.get(track.horse_id, "") if track.horse_id is not None else ""
    return (
        "+" if is_added(track) else f"#{track.number}",
        name or "–",
        subject_word(track.class_id),
        f"{track.score:.2f}",
        f"{x1},{y1} {x2 - x1}×{y2 - y1}",
        doing(words_of(track), 0) or track.posture or "–",
    )

"""What the machine is doing, in numbers, with a button that copies all of it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QPlainTextEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.domain.streams import Stream, StreamState
from engine.runtime.meters import Quantiles
from ui.engine_port import EngineReport
from ui.services import NodeState, SystemStatus
from ui.widgets import button, label, scroll
from ui.wording import bitrate, duration, milliseconds, size, state_word, watched_line

ROW_HEIGHT, LOG_LINES = 28, 200


class FactTable(QTableWidget):
    """A table that is as high as its rows and never steals the keyboard."""

    def __init__(self, heads: Sequence[str], name: str, wide: int, first_number: int = 99) -> None:
        """``wide`` is the column that takes the room left over; columns from ``first_number`` on
        hold numbers and are aligned right."""
        super().__init__(0, len(heads))
        self.setAccessibleName(name)
        self.setHorizontalHeaderLabels(list(heads))
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(wide, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(88)
        self._first_number = first_number
        for column in range(len(heads)):
            item = self.horizontalHeaderItem(column)
            if item is not None:
                item.setTextAlignment(self._alignment(column))
        header.setHighlightSections(False)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)

    def fill(self, rows: Sequence[Sequence[str]]) -> None:
        """Show these texts; cells that did not change are left alone."""
        if self.rowCount() != len(rows):
            self.setRowCount(len(rows))
            self.setFixedHeight(ROW_HEIGHT * len(rows) + 34)
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = self.item(row, column)
                if item is None:
                    item = QTableWidgetItem(text)
                    item.setTextAlignment(self._alignment(column))
                    self.setItem(row, column, item)
                elif item.text() != text:
                    item.setText(text)

    def _alignment(self, column: int) -> Qt.AlignmentFlag:
        number = column >= self._first_number
        side = Qt.AlignmentFlag.AlignRight if number else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter

    def lines(self) -> list[str]:
        """All rows as tab-separated lines with the heads first."""
        model = self.model()
        columns = range(self.columnCount())
        heads = [str(model.headerData(c, Qt.Orientation.Horizontal)) for c in columns]
        rows = [[str(model.index(r, c).data()) for c in columns] for r in range(self.rowCount())]
        return ["\t".join(row) for row in (heads, *rows)]


class DiagnosticsPage(QWidget):
    """Cameras, stages, models, servers, the window itself and the last log lines."""

    def __init__(self, version: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._version = version
        self.cameras = FactTable(
            [
                self.tr("Camera"),
                self.tr("State"),
                self.tr("Picture"),
                self.tr("fps"),
                self.tr("Analysed fps"),
                self.tr("Dropped"),
                self.tr("Corrupt"),
                self.tr("Reconnects"),
                self.tr("Latency"),
                self.tr("Bit rate"),
                self.tr("Last picture"),
            ],
            self.tr("Cameras"),
            wide=1,
            first_number=2,
        )
        self.stages = FactTable(
            [
                self.tr("Stage"),
                self.tr("Per second"),
                self.tr("Median"),
                self.tr("95 %"),
                self.tr("Waiting"),
                self.tr("Dropped"),
            ],
            self.tr("Stages"),
            wide=0,
            first_number=1,
        )
        self.models = FactTable(
            [
                self.tr("Task"),
                self.tr("Model"),
                self.tr("Runs on"),
                self.tr("Licence"),
                self.tr("State"),
            ],
            self.tr("Models"),
            wide=4,
        )
        self.system = FactTable(
            [self.tr("Part"), self.tr("State"), self.tr("Details")], self.tr("System"), wide=2
        )
        self.nodes = FactTable(
            [
                self.tr("Workstation"),
                self.tr("State"),
                self.tr("Cameras it watches"),
                self.tr("Version"),
            ],
            self.tr("Workstations"),
            wide=2,
        )
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setProperty("role", "log")
        self.log.setMaximumBlockCount(LOG_LINES)
        self.log.setMinimumHeight(220)
        self.log.setAccessibleName(self.tr("Log"))
        self.copy = button(self.tr("Copy all"))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.report()))
        self._log_text = ""
        self._column = QVBoxLayout()
        self._further: list[FactTable] = []
        self._build()

    def _build(self) -> None:
        content = QWidget()
        column = self._column
        content.setLayout(column)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Diagnostics"), "title"))
        head.addWidget(label(f"Barnhand Desktop {self._version}", "muted"))
        head.addStretch(1)
        head.addWidget(self.copy)
        column.addLayout(head)
        for title, widget in (
            (self.tr("Cameras"), self.cameras),
            (self.tr("Stages"), self.stages),
            (self.tr("Models"), self.models),
            (self.tr("System"), self.system),
            (self.tr("Workstations"), self.nodes),
            (self.tr("Last log lines"), self.log),
        ):
            self._insert(column.count(), title, widget)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll(content))

    def add_section(self, title: str, widget: QWidget) -> None:
        """A further card, above the log; a table is copied with the others."""
        if isinstance(widget, FactTable):
            self._further.append(widget)
        log_items = 4  # space, title, card and the stretch below
        self._insert(self._column.count() - log_items, title, widget)

    def _insert(self, place: int, title: str, widget: QWidget) -> None:
        card = QFrame()
        card.setObjectName("card")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(4, 4, 4, 4)
        inside.addWidget(widget)
        self._column.insertSpacing(place, 8)
        self._column.insertWidget(place + 1, label(title, "section"))
        self._column.insertWidget(place + 2, card)

    def show_engine(self, streams: Sequence[Stream], report: EngineReport) -> None:
        """Cameras, stages and models."""
        by_id = {s.id: s for s in streams}
        rows = []
        for health in report.streams:
            stream = by_id.get(health.stream_id)
            word = state_word(health.state, stream)
            if health.watched_by:
                word = watched_line(health)
            elif health.state is not StreamState.ACTIVE and health.reason:
                word = f"{word}: {health.reason}"
            age_s = health.last_frame_age_s
            rows.append(
                (
                    stream.name if stream else str(health.stream_id)[:8],
                    word,
                    f"{health.width_px} × {health.height_px} px" if health.width_px else "–",
                    f"{health.fps:.1f}",
                    f"{health.analysed_fps:.1f}",
                    str(health.dropped),
                    str(health.corrupt),
                    str(health.reconnects),
                    milliseconds(health.latency_ms),
                    bitrate(health.bitrate_bps),
                    "–" if age_s is None else f"{age_s:.1f} s" if age_s < 10 else duration(age_s),
                )
            )
        self.cameras.fill(rows)
        self.stages.fill(
            [
                (
                    stage.name,
                    f"{stage.per_s:.1f}",
                    "–" if stage.p50_ms is None else f"{stage.p50_ms:.1f} ms",
                    "–" if stage.p95_ms is None else f"{stage.p95_ms:.1f} ms",
                    f"{stage.queued} / {stage.capacity}" if stage.capacity else "–",
                    str(stage.dropped),
                )
                for stage in report.stages
            ]
        )
        self.models.fill(
            [
                (
                    model.task,
                    model.name or self.tr("none"),
                    model.runs_on or "–",
                    model.licence or "–",
                    model.state,
                )
                for model in report.models
            ]
        )

    def show_system(
        self, status: SystemStatus, paint_ms: Quantiles | None, loop_ms: Quantiles | None
    ) -> None:
        """Servers, disk and the window itself."""
        parts = (
            (self.tr("Database"), status.database, ""),
            (
                self.tr("Row writer"),
                status.writer,
                self.tr("{0} written, {1} spooled").format(
                    status.rows_written, status.rows_spooled
                ),
            ),
            (self.tr("Live state"), status.live, ""),
            (self.tr("API"), status.api, status.api_url),
            (
                self.tr("Recordings"),
                status.disk,
                self.tr("{0} free").format(size(status.media_free_bytes))
                if status.media_free_bytes is not None
                else "",
            ),
        )
        rows = [
            (name, part.level.value, " · ".join(t for t in (part.text, more) if t))
            for name, part, more in parts
        ]
        rows.append((self.tr("Wall painting"), *_timing(paint_ms, 4.0)))
        rows.append((self.tr("Window delay"), *_timing(loop_ms, 16.0)))
        self.system.fill(rows)
        self.nodes.fill([self._node(node) for node in status.nodes])

    def _node(self, node: NodeState) -> tuple[str, str, str, str]:
        silent = self.tr("not heard of for {0}").format(duration(node.silent_s))
        state = self.tr("alive") if node.alive else silent
        name = self.tr("{0} (this one)").format(node.name) if node.here else node.name
        return name, state, ", ".join(node.cameras) or "–", node.version

    def show_log(self, lines: Sequence[str]) -> None:
        """The newest lines; stays at the end unless the person scrolled up."""
        text = "\n".join(lines[-LOG_LINES:])
        if text == self._log_text:
            return
        self._log_text = text
        bar = self.log.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 4
        self.log.setPlainText(text)
        if at_end:
            bar.setValue(bar.maximum())

    def report(self) -> str:
        """Everything on the page as text. Camera addresses and passwords are not on it."""
        parts = [f"Barnhand Desktop {self._version}"]
        always = (self.cameras, self.stages, self.models, self.system, self.nodes)
        for table in (*always, *self._further):
            parts += ["", table.accessibleName(), *table.lines()]
        return "\n".join([*parts, "", self._log_text])


def _timing(values: Quantiles | None, bar_ms: float) -> tuple[str, str]:
    if values is None:
        return "–", "–"
    figure = values.p50 if bar_ms < 10 else values.p99
    level = "ok" if figure <= bar_ms else "degraded"
    return level, f"p50 {values.p50:.2f} ms · p95 {values.p95:.2f} ms · p99 {values.p99:.2f} ms"

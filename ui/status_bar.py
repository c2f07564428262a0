"""The line at the bottom: every part of the system with its state in words and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from engine.domain.notices import Severity
from engine.domain.streams import StreamState
from ui.engine_port import EngineReport
from ui.notices import NoticeBook
from ui.services import Level, NodeState, PartState, SystemStatus
from ui.theme import Theme
from ui.widgets import label, set_icon, spacer, steady
from ui.wording import size

LEVEL_ICON = {Level.OK: "ok", Level.DEGRADED: "warning", Level.AWAY: "critical"}
LEVEL_COLOUR = {Level.OK: "accent", Level.DEGRADED: "warning", Level.AWAY: "critical"}


class _Cell(QWidget):
    """A name and a value; an icon in front when the part is not well."""

    def __init__(self, name: str, widest: str, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._name = name
        self.wanted = True
        self._mark = QLabel()
        self._mark.hide()
        self._value = label("–")
        steady(self._value, widest)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        row.addWidget(self._mark)
        row.addWidget(label(name, "muted"))
        row.addWidget(self._value)
        self.set_theme(theme)

    @property
    def text(self) -> str:
        """The value shown."""
        return self._value.text()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme

    def show_value(self, text: str, level: Level = Level.OK, tip: str = "") -> None:
        """Show a value; anything but OK gets a mark, so that colour is never alone."""
        self._value.setText(text)
        self._mark.setVisible(level is not Level.OK)
        if level is not Level.OK:
            set_icon(self._mark, LEVEL_ICON[level], self._theme, LEVEL_COLOUR[level], 14)
        self.setToolTip(tip or f"{self._name}: {text}")
        self.setAccessibleName(f"{self._name} {text}")


class StatusBar(QFrame):
    """Shows the engine every half second and the system every second or so."""

    clicked = Signal()
    notices_clicked = Signal()

    def __init__(self, book: NoticeBook, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status")
        self.setFixedHeight(28)
        self._book = book
        self._engine = _Cell(self.tr("Engine"), "00.0 frames/s", theme)
        self._load = _Cell(self.tr("CPU"), "000 %", theme)
        self._gpu = _Cell(self.tr("GPU"), "000 %", theme)
        self._queue = _Cell(self.tr("Queue"), "000", theme)
        self._server = _Cell(self.tr("Server"), "", theme)
        self._live = _Cell(self.tr("Live state"), "ok", theme)
        self._remote = _Cell(self.tr("Remote"), "", theme)
        self._disk = _Cell(self.tr("Recordings"), "000 GB free", theme)
        self._rows = _Cell(self.tr("Rows"), "000 000", theme)
        self.nodes = _Cell(self.tr("Workstations"), "0 · 00 cameras here", theme)
        self._critical = steady(label(""), "00 critical")
        self._warning = steady(label(""), "00 warnings")
        self._time = steady(label("", "muted"), "00:00:00")
        self._tools: list[QWidget] = []
        row = self._row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(20)
        for cell in self._cells():
            row.addWidget(cell)
        row.addWidget(spacer())
        for text in (self._critical, self._warning, self._time):
            text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            row.addWidget(text)
        self._gpu.wanted = False
        self.nodes.wanted = False
        self.set_theme(theme)
        book.changed.connect(self._on_notices)
        self._on_notices()

    def _cells(self) -> tuple[_Cell, ...]:
        return (
            self._engine,
            self._load,
            self._gpu,
            self._queue,
            self._server,
            self._live,
            self._remote,
            self._disk,
            self._rows,
            self.nodes,
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def add_tool(self, widget: QWidget) -> None:
        """Put a button ahead of the notices."""
        self._tools.append(widget)
        self._row.insertWidget(self._row.indexOf(self._critical), widget)

    def _make_room(self) -> None:
        """Leave out whole cells where the window is narrow, the least important first; what they
        say is on the Diagnostics page too."""
        spare = self.width() - 24
        for text in (self._critical, self._warning, self._time):
            spare -= max(text.sizeHint().width(), text.minimumWidth()) + 20
        spare -= sum(tool.sizeHint().width() + 20 for tool in self._tools)
        by_weight = (
            self._engine,
            self._server,
            self.nodes,
            self._disk,
            self._live,
            self._queue,
            self._load,
            self._gpu,
            self._remote,
            self._rows,
        )
        for cell in by_weight:
            if cell.wanted:
                spare -= cell.sizeHint().width() + 20
            cell.setVisible(cell.wanted and spare >= 0)

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        for cell in self._cells():
            cell.set_theme(theme)
        self._critical.setStyleSheet(f"color: {theme.colours.critical}")
        self._warning.setStyleSheet(f"color: {theme.colours.warning}")

    def show_engine(self, report: EngineReport) -> None:
        """Rates and queue of the engine."""
        rate = sum(h.analysed_fps for h in report.streams)
        active = sum(h.state is StreamState.ACTIVE for h in report.streams)
        tip = self.tr("{0} of {1} cameras deliver pictures; {2} pictures analysed a second").format(
            active, len(report.streams), f"{rate:.1f}"
        )
        self._engine.show_value(self.tr("{0} frames/s").format(f"{rate:.1f}"), tip=tip)
        queued = sum(stage.queued for stage in report.stages)
        dropped = sum(h.dropped for h in report.streams)
        self._queue.show_value(
            str(queued), tip=self.tr("{0} waiting, {1} dropped so far").format(queued, dropped)
        )
        self._time.setText(datetime.now().astimezone().strftime("%H:%M:%S"))

    def show_system(self, status: SystemStatus) -> None:
        """Everything around the engine."""
        if status.cpu_percent is not None:
            self._load.show_value(f"{status.cpu_percent:.0f} %")
        self._gpu.wanted = bool(status.gpu_text)
        self._gpu.show_value(status.gpu_text)
        self._show_nodes([node for node in status.nodes if node.alive])
        self._part(self._server, status.database)
        self._part(self._live, status.live)
        self._show_api(status)
        free = status.media_free_bytes
        self._disk.show_value(
            self.tr("{0} free").format(size(free)) if free is not None else status.disk.text,
            status.disk.level,
            status.disk.text,
        )
        rows = f"{status.rows_written:,}".replace(",", "\u202f")
        if status.rows_spooled:
            rows += self.tr(" · {0} spooled").format(status.rows_spooled)
        self._rows.show_value(rows, status.writer.level, status.writer.text)
        self._make_room()

    def _show_nodes(self, nodes: Sequence[NodeState]) -> None:
        """How many workstations share the cameras; nothing while this one is alone."""
        self.nodes.wanted = len(nodes) > 1
        here = sum(len(node.cameras) for node in nodes if node.here)
        one, many = self.tr("{0} · 1 camera here"), self.tr("{0} · {1} cameras here")
        lines = [f"{n.name}: {', '.join(n.cameras) or self.tr('no camera')}" for n in nodes]
        text = one if here == 1 else many
        self.nodes.show_value(text.format(len(nodes), here), tip="\n".join(lines))

    def show_api(self, part: PartState, url: str) -> None:
        """What the console's own look at the API found."""
        self._remote.show_value(url or part.text, part.level, part.text)

    def _show_api(self, status: SystemStatus) -> None:
        self.show_api(status.api, status.api_url if status.api.level is Level.OK else "")

    @staticmethod
    def _part(cell: _Cell, part: PartState) -> None:
        cell.show_value(part.text, part.level)

    def _on_notices(self) -> None:
        notices = self._book.unacknowledged()
        critical = sum(n.severity is Severity.CRITICAL for n in notices)
        warnings = sum(n.severity is Severity.WARNING for n in notices)
        self._critical.setText(self.tr("{0} critical").format(critical) if critical else "")
        one, many = self.tr("1 warning"), self.tr("{0} warnings").format(warnings)
        self._warning.setText((one if warnings == 1 else many) if warnings else "")

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        child = self.childAt(event.position().toPoint())
        if child in (self._critical, self._warning):
            self.notices_clicked.emit()
        else:
            self.clicked.emit()

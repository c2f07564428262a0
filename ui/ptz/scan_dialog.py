"""The barn scan: what to look at, how far it is, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.ids import StreamId
from engine.domain.ptz import Preset, ScanPlan, ScanProgress, ScanView
from ui.ptz.dock import ENDS, phase_word
from ui.ptz.number_field import inset
from ui.ptz.schedule_field import ScheduleField
from ui.theme import Theme
from ui.widgets import button, label, line

LOOK_MS = 250
VIEW_PX, PICTURE_PX = (176, 136), (176, 99)


class ViewTile(QWidget):
    """One preset of a scan: its picture, how many horses, whether it was recorded."""

    def __init__(self, preset: int, name: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preset, self._name, self._theme = preset, name, theme
        self._view: ScanView | None = None
        self._picture: QPixmap | None = None
        self._chosen = True
        self.setFixedSize(*VIEW_PX)

    @property
    def has_picture(self) -> bool:
        """True once the camera looked there."""
        return self._picture is not None

    @property
    def view(self) -> ScanView | None:
        """What was seen there."""
        return self._view

    def set_chosen(self, chosen: bool) -> None:
        """Whether the scan goes there."""
        if chosen != self._chosen:
            self._chosen = chosen
            self.update()

    def show_view(self, view: ScanView | None) -> None:
        """What was seen there by now."""
        if view == self._view:
            return
        before, self._view = self._view, view
        if view is None or view.picture is None:
            self._picture = None
        elif before is None or before.picture != view.picture:
            picture = QPixmap()
            picture.loadFromData(view.picture)
            self._picture = picture
        self.setToolTip(view.fault or view.recording if view is not None else "")
        self.setAccessibleName(f"{self._name}: {self.words()}")
        self.update()

    def words(self) -> str:
        """What was found, in words."""
        view = self._view
        if view is None:
            return self.tr("waiting") if self._chosen else self.tr("left out")
        if view.fault:
            return self.tr("not reached")
        if view.horses == 0:
            return self.tr("no horse")
        text = self.tr("1 horse") if view.horses == 1 else self.tr("{0} horses").format(view.horses)
        return f"{text} · {self.tr('recorded')}" if view.recording else text

    def sizeHint(self) -> QSize:
        return QSize(*VIEW_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(0.5, 0.5, PICTURE_PX[0] - 1, PICTURE_PX[1] - 1)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("well"))
        painter.drawRoundedRect(frame, 6, 6)
        if self._picture is not None:
            painter.drawPixmap(
                _fitted(frame, self._picture), self._picture, QRectF(self._picture.rect())
            )
        found = self._view is not None and self._view.horses > 0
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._theme.colour("accent" if found else "line"), 2 if found else 1))
        painter.drawRoundedRect(frame, 6, 6)
        small = self._theme.measures.font_small
        painter.setFont(self._theme.font(small, bold=True))
        painter.setPen(self._theme.colour("text"))
        width, top = VIEW_PX[0] - 4, float(PICTURE_PX[1])
        name = painter.fontMetrics().elidedText(self._name, Qt.TextElideMode.ElideRight, width)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(2, top + 2, width, 16), left, name)
        fault = self._view is not None and bool(self._view.fault)
        painter.setFont(self._theme.font(small))
        painter.setPen(self._theme.colour("warning" if fault else "accent" if found else "muted"))
        painter.drawText(QRectF(2, top + 18, width, 16), left, self.words())
        painter.end()


def _fitted(frame: QRectF, picture: QPixmap) -> QRectF:
    scale = min(frame.width() / picture.width(), frame.height() / picture.height())
    result = QRectF(0, 0, picture.width() * scale, picture.height() * scale)
    result.moveCenter(frame.center())
    return result


class ScanDialog(QDialog):
    """``start_asked`` and ``plan_asked`` carry a ScanPlan (begin now; keep with its schedule);
    ``stop_asked`` ends the running scan. ``look`` gives the progress and never blocks."""

    start_asked = Signal(object)
    plan_asked = Signal(object)
    stop_asked = Signal()

    def __init__(
        self,
        camera: StreamId,
        camera_name: str,
        presets: Sequence[Preset],
        plan: ScanPlan | None,
        look: Callable[[], ScanProgress | None],
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Barn scan · {0}").format(camera_name))
        self._camera, self._look, self._theme = camera, look, theme
        names = {preset.number: preset.name for preset in presets}
        self._names = {n: names.get(n, self.tr("Preset {0}").format(n)) for n in range(1, 9)}
        self.chosen = {number: self._chip(number, number in names) for number in range(1, 9)}
        self.settle, self.record = self._seconds(2.0, 15.0, 5.0), self._seconds(5.0, 30.0, 10.0)
        self.schedule = ScheduleField(self.tr("once"))
        self.start = button(self.tr("Start scan"), "primary")
        self.keep = button(self.tr("Keep as plan"))
        self.stop = button(self.tr("Stop scan"))
        self.bar = QProgressBar()
        self.phase = label("", "strong")
        self.message = label("", "muted", wrap=True)
        self.problem = label("", "problem", wrap=True)
        self.tiles = {n: ViewTile(n, f"{n} · {self._names[n]}", theme) for n in range(1, 9)}
        self._build()
        self._connect()
        if plan is not None:
            self._show_plan(plan)
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def _chip(self, number: int, known: bool) -> QToolButton:
        result = QToolButton()
        result.setText(str(number))
        result.setProperty("role", "chip")
        result.setCheckable(True)
        result.setChecked(known)
        result.setToolTip(self._names[number])
        result.setAccessibleName(self._names[number])
        return result

    def _seconds(self, least: float, most: float, usual: float) -> QDoubleSpinBox:
        result = inset(QDoubleSpinBox())
        result.setRange(least, most)
        result.setDecimals(0)
        result.setSuffix(self.tr(" s"))
        result.setValue(usual)
        result.setFixedWidth(80)
        return result

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(self.windowTitle(), "title"))
        column.addWidget(
            label(
                self.tr(
                    "Looks at every chosen preset, then records those with horses, then goes home."
                ),
                "muted",
                wrap=True,
            )
        )
        self._form = self._build_form()
        column.addWidget(self._form)
        column.addWidget(line())
        head = QHBoxLayout()
        head.addWidget(self.phase)
        head.addSpacing(8)
        head.addWidget(self.message, 1)
        column.addLayout(head)
        self.bar.setTextVisible(False)
        column.addWidget(self.bar)
        grid = QGridLayout()
        grid.setSpacing(8)
        for index, tile in enumerate(self.tiles.values()):
            grid.addWidget(tile, index // 4, index % 4)
        column.addLayout(grid)
        self.problem.hide()
        column.addWidget(self.problem)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self.keep)
        foot.addStretch(1)
        close = button(self.tr("Close"))
        close.setToolTip(self.tr("A running scan goes on"))
        close.clicked.connect(self.reject)
        foot.addWidget(close)
        foot.addWidget(self.stop)
        foot.addWidget(self.start)
        column.addLayout(foot)
        self.setFixedWidth(4 * VIEW_PX[0] + 3 * 8 + 40)

    def _build_form(self) -> QWidget:
        form = QWidget()
        form.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        numbers = QHBoxLayout()
        numbers.setSpacing(4)
        for chip in self.chosen.values():
            numbers.addWidget(chip)
        numbers.addStretch(1)
        times = QHBoxLayout()
        times.setSpacing(8)
        times.addWidget(self.settle)
        times.addSpacing(16)
        times.addWidget(label(self.tr("Record each with horses for"), "muted"))
        times.addWidget(self.record)
        times.addStretch(1)
        self.settle.setAccessibleName(self.tr("A move may take"))
        self.record.setAccessibleName(self.tr("Record each with horses for"))
        grid = QGridLayout(form)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.addWidget(label(self.tr("Presets"), "muted"), 0, 0)
        grid.addLayout(numbers, 0, 1)
        grid.addWidget(label(self.tr("A move may take"), "muted"), 1, 0)
        grid.addLayout(times, 1, 1)
        name = label(self.tr("Schedule"), "muted")
        grid.addWidget(name, 2, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.schedule, 2, 1)
        grid.setColumnStretch(1, 1)
        return form

    def _connect(self) -> None:
        self.start.clicked.connect(lambda: self._submit(self.start_asked))
        self.keep.clicked.connect(lambda: self._submit(self.plan_asked))
        self.stop.clicked.connect(self.stop_asked)
        for chip in self.chosen.values():
            chip.toggled.connect(lambda _on: self._show_acts())

    def _show_plan(self, plan: ScanPlan) -> None:
        for number, chip in self.chosen.items():
            chip.setChecked(number in plan.presets)
        self.settle.setValue(plan.settle_s)
        self.record.setValue(plan.record_s)
        self.schedule.show_schedule(plan.schedule)

    def plan(self) -> ScanPlan:
        """What the fields say."""
        presets = tuple(number for number, chip in self.chosen.items() if chip.isChecked())
        times = (self.settle.value(), self.record.value())
        return ScanPlan(self._camera, presets, *times, self.schedule.schedule())

    def _submit(self, signal: object) -> None:
        self.problem.hide()
        (self.start_asked if signal is self.start_asked else self.plan_asked).emit(self.plan())

    def show_problem(self, error: BarnhandError) -> None:
        """Say why it cannot be."""
        self.problem.setText(str(error))
        self.problem.show()

    # --- progress ---------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Show how far the running or last scan is."""
        scan = self._look()
        running = scan is not None and scan.phase not in ENDS
        self._form.setEnabled(not running)
        self.start.setVisible(not running)
        self.stop.setVisible(running)
        self._show_acts()
        if scan is None:
            self.phase.setText(self.tr("No scan yet"))
            self.bar.setValue(0)
            return
        self.phase.setText(phase_word(self, scan.phase))
        self.message.setText(self._summary(scan) if not running else scan.message)
        self.bar.setRange(0, max(scan.total, 1))
        self.bar.setValue(scan.done)
        seen = {view.preset: view for view in scan.views}
        for number, tile in self.tiles.items():
            tile.show_view(seen.get(number))

    def _show_acts(self) -> None:
        for number, chip in self.chosen.items():
            self.tiles[number].set_chosen(chip.isChecked())
        chosen = any(chip.isChecked() for chip in self.chosen.values())
        self.start.setEnabled(chosen)
        self.keep.setEnabled(chosen and self._form.isEnabled())

    def _summary(self, scan: ScanProgress) -> str:
        found = sum(view.horses > 0 for view in scan.views)
        recorded = sum(bool(view.recording) for view in scan.views)
        text = self.tr("{0} presets looked at, {1} with horses, {2} recorded.").format(
            len(scan.views), found, recorded
        )
        return f"{text} {scan.message}" if scan.message else text

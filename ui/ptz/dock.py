"""The dock that steers the selected camera: who has it, stick, zoom, speed, presets, programmes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.ids import HorseId
from engine.domain.ptz import (
    Holder,
    Preset,
    Priority,
    PtzState,
    ScanPhase,
    ScanProgress,
    Tour,
)
from engine.domain.streams import Stream
from ui.ptz.curve import SPEED_MOST
from ui.ptz.presets import PresetGrid
from ui.ptz.stick import Stick, ZoomRocker
from ui.theme import Theme, icon
from ui.widgets import (
    button,
    icon_button,
    icon_label,
    label,
    line,
    restyle,
    scroll,
    set_icon,
    steady,
)

WIDTH_PX = 368
ENDS = (ScanPhase.DONE, ScanPhase.STOPPED, ScanPhase.FAILED)


class PtzDock(QFrame):
    """Shows what it is told; ``ui.ptz.desk`` acts on its signals."""

    closed = Signal()
    setup_asked = Signal()
    take_asked = Signal()
    release_asked = Signal()
    home_asked = Signal()
    stop_asked = Signal()
    end_asked = Signal()
    joystick_asked = Signal()
    tour_asked = Signal(object)
    tour_edit_asked = Signal(object)
    follow_asked = Signal(object)
    scan_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setFixedWidth(WIDTH_PX)
        self._theme = theme
        self._tours: tuple[Tour, ...] = ()
        self._horses: tuple[tuple[HorseId, str], ...] = ()
        self.stick, self.rocker = Stick(theme), ZoomRocker(theme)
        self.presets = PresetGrid(theme)
        self._pages = QStackedWidget()
        self._build()
        self._connect()

    # --- layout -----------------------------------------------------------------------------------
    def _build(self) -> None:
        self.title = label("", "large")
        self.close_button = icon_button("close", self._theme, self.tr("Close (Esc)"))
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 12, 0)
        head.addWidget(self.title, 1)
        head.addWidget(self.close_button)
        self._pages.addWidget(scroll(self._build_controls()))
        self._pages.addWidget(self._build_nothing())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self._pages, 1)

    def _build_controls(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 8, 16, 12)
        column.setSpacing(8)
        column.addLayout(self._build_holder())
        column.addWidget(self._build_message())
        column.addLayout(self._build_stick())
        column.addLayout(self._build_speed())
        column.addWidget(line())
        column.addWidget(label(self.tr("Presets"), "section"))
        column.addWidget(self.presets)
        column.addWidget(
            label(self.tr("Click to go there, press long to store this view."), "small", wrap=True)
        )
        column.addWidget(line())
        column.addLayout(self._build_programmes())
        column.addStretch(1)
        column.addWidget(line())
        column.addWidget(
            label(
                self.tr(
                    "Keys: arrows turn, + and − zoom, 1 to 8 presets, Space stops. "
                    "Esc gives the keys back to the wall."
                ),
                "small",
                wrap=True,
            )
        )
        return content

    def _build_holder(self) -> QHBoxLayout:
        self._dot = icon_label("ptz", self._theme, "muted", 16)
        self.holder = label("")
        self.take = button(self.tr("Take over"))
        self.release = button(self.tr("Release"))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._dot)
        row.addWidget(self.holder, 1)
        row.addWidget(self.take)
        row.addWidget(self.release)
        return row

    def _build_message(self) -> QWidget:
        """Two lines are kept free, so that nothing moves under the mouse when something is said."""
        self.message = label("", "small", wrap=True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.message.setFixedHeight(34)
        self.end = button(self.tr("End"))
        self.end.hide()
        area = QWidget()
        row = QHBoxLayout(area)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.message, 1)
        row.addWidget(self.end, 0, Qt.AlignmentFlag.AlignTop)
        area.setFixedHeight(36)
        return area

    def _build_stick(self) -> QHBoxLayout:
        self.home = button(self.tr("Home"))
        self.home.setIcon(icon("home", self._theme))
        self.stop = button(self.tr("Stop"))
        self.stop.setIcon(icon("stop", self._theme))
        self.joystick = button(self.tr("Stick…"))
        self.joystick.setIcon(icon("gamepad", self._theme))
        self.joystick.setToolTip(self.tr("Set up a joystick or gamepad"))
        self.joystick.setAccessibleName(self.tr("Set up a joystick or gamepad"))
        acts = QVBoxLayout()
        acts.setSpacing(8)
        for one in (self.home, self.stop, self.joystick):
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            acts.addWidget(one)
        acts.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.stick)
        row.addWidget(self.rocker)
        row.addLayout(acts, 1)
        return row

    def _build_speed(self) -> QHBoxLayout:
        self.speed = QSlider(Qt.Orientation.Horizontal)
        self.speed.setRange(1, SPEED_MOST)
        self.speed.setPageStep(8)
        self.speed.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.speed.setAccessibleName(self.tr("Greatest speed"))
        self._speed_text = steady(label(""), "63 / 63")
        self._speed_text.setAlignment(Qt.AlignmentFlag.AlignRight)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label(self.tr("Speed"), "muted"))
        row.addWidget(self.speed, 1)
        row.addWidget(self._speed_text)
        return row

    def _build_programmes(self) -> QGridLayout:
        self.tours, self.horses = QComboBox(), QComboBox()
        self.tour_start, self.follow = button(self.tr("Start")), button(self.tr("Follow"))
        self.tour_edit = button(self.tr("Edit…"))
        self.scan = button(self.tr("Barn scan…"))
        self.scan_text = label("", "small")
        for combo, name in ((self.tours, self.tr("Tour")), (self.horses, self.tr("Horse"))):
            combo.setAccessibleName(name)
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        for one in (
            self.tours,
            self.horses,
            self.tour_start,
            self.follow,
            self.tour_edit,
            self.scan,
        ):
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(8)
        grid.addWidget(label(self.tr("Tour"), "muted"), 0, 0)
        grid.addWidget(self.tours, 0, 1)
        grid.addWidget(self.tour_start, 0, 2)
        grid.addWidget(self.tour_edit, 0, 3)
        grid.addWidget(label(self.tr("Follow"), "muted"), 1, 0)
        grid.addWidget(self.horses, 1, 1)
        grid.addWidget(self.follow, 1, 2, 1, 2)
        grid.addWidget(label(self.tr("Scan"), "muted"), 2, 0)
        grid.addWidget(self.scan_text, 2, 1)
        grid.addWidget(self.scan, 2, 2, 1, 2)
        grid.setColumnStretch(1, 1)
        return grid

    def _build_nothing(self) -> QWidget:
        self.nothing = label("", "muted", wrap=True)
        self.setup = button(self.tr("Set up camera control…"), "primary")
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.nothing)
        column.addWidget(self.setup, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        return page

    def _connect(self) -> None:
        for one, signal in (
            (self.close_button, self.closed),
            (self.setup, self.setup_asked),
            (self.take, self.take_asked),
            (self.release, self.release_asked),
            (self.home, self.home_asked),
            (self.stop, self.stop_asked),
            (self.end, self.end_asked),
            (self.joystick, self.joystick_asked),
            (self.scan, self.scan_asked),
        ):
            one.clicked.connect(lambda _checked=False, s=signal: s.emit())
        self.speed.valueChanged.connect(self._on_speed)
        self.tour_start.clicked.connect(lambda: self.tour_asked.emit(self.tour))
        self.tour_edit.clicked.connect(lambda: self.tour_edit_asked.emit(self.tour))
        self.follow.clicked.connect(lambda: self.follow_asked.emit(self.horse))
        self.tours.currentIndexChanged.connect(self._on_tour)
        self._on_speed(self.speed.value())

    # --- what is chosen ---------------------------------------------------------------------------
    @property
    def tour(self) -> Tour | None:
        """The chosen tour, None for a new one."""
        index = self.tours.currentIndex()
        return self._tours[index] if 0 <= index < len(self._tours) else None

    @property
    def horse(self) -> HorseId | None:
        """The chosen horse."""
        index = self.horses.currentIndex()
        return self._horses[index][0] if 0 <= index < len(self._horses) else None

    @property
    def steerable(self) -> bool:
        """True while the controls are on show."""
        return self._pages.currentIndex() == 0

    def _on_speed(self, speed: int) -> None:
        self._speed_text.setText(f"{speed} / {SPEED_MOST}")

    def _on_tour(self, _index: int) -> None:
        self.tour_start.setEnabled(self.tour is not None)
        self.tour_edit.setText(self.tr("Edit…") if self.tour is not None else self.tr("New…"))

    # --- what is shown ----------------------------------------------------------------------------
    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        for one in (self.stick, self.rocker, self.presets):
            one.set_theme(theme)
        self.close_button.setIcon(icon("close", theme))
        for act, name in ((self.home, "home"), (self.stop, "stop"), (self.joystick, "gamepad")):
            act.setIcon(icon(name, theme))

    def show_nothing(self, stream: Stream | None) -> None:
        """No camera is selected, or it cannot be steered."""
        self.title.setText(stream.name if stream is not None else self.tr("Camera control"))
        self.nothing.setText(
            self.tr(
                "This camera is not set up to be steered. If it can pan, tilt or zoom, tell the "
                "console how to reach it."
            )
            if stream is not None
            else self.tr("Select a camera on the wall to steer it.")
        )
        self.setup.setVisible(stream is not None)
        self._pages.setCurrentIndex(1)

    def show_state(self, stream: Stream, state: PtzState, me: Holder) -> None:
        """The newest of a camera that can be steered."""
        self._pages.setCurrentIndex(0)
        self.title.setText(stream.name)
        self._show_holder(state.holder, me)
        self._show_message(state)
        able = state.capabilities
        self.stick.setEnabled(able is None or able.move)
        self.rocker.setEnabled(able is None or able.zoom)

    def _show_holder(self, holder: Holder | None, me: Holder) -> None:
        mine = holder is not None and holder.key == me.key
        if holder is None:
            text, colour = self.tr("Nobody steers"), "muted"
        elif mine:
            text, colour = self.tr("You steer"), "accent"
        else:
            text, colour = f"{holder.name} · {priority_word(self, holder.priority)}", "warning"
        if self.holder.text() != text:
            self.holder.setText(text)
            self.holder.setToolTip(text)
            set_icon(self._dot, "ptz", self._theme, colour)
        self.take.setVisible(not mine)
        self.take.setText(self.tr("Take over") if holder is not None else self.tr("Hold"))
        self.release.setVisible(mine)

    def _show_message(self, state: PtzState) -> None:
        parts = [state.fault or state.message or state.activity]
        text = "".join(parts)
        restyle(self.message, "role", "problem" if state.fault else "small")
        self.message.setText(text)
        self.message.setToolTip(text)
        self.end.setVisible(bool(state.activity))

    def show_presets(self, presets: Sequence[Preset], state: PtzState) -> None:
        """What is stored on the camera."""
        most = state.capabilities.presets if state.capabilities is not None else 8
        self.presets.show_presets(presets, state.preset, most)

    def show_tours(self, tours: tuple[Tour, ...]) -> None:
        """The camera's tours; the chosen one stays chosen."""
        if tours == self._tours and self.tours.count():
            return
        chosen = self.tour.id if self.tour is not None else None
        self._tours = tours
        self.tours.blockSignals(True)
        self.tours.clear()
        for tour in tours:
            self.tours.addItem(tour.name)
        self.tours.addItem(self.tr("New tour"))
        index = next((i for i, tour in enumerate(tours) if tour.id == chosen), 0)
        self.tours.setCurrentIndex(index)
        self.tours.blockSignals(False)
        self._on_tour(index)

    def show_horses(self, horses: tuple[tuple[HorseId, str], ...]) -> None:
        """The known horses in the picture; the chosen one stays chosen."""
        if horses == self._horses and self.horses.count():
            return
        if self.horses.view().isVisible():
            return  # not under the person's hand
        chosen = self.horse
        self._horses = horses
        self.horses.clear()
        for _id, name in horses:
            self.horses.addItem(name)
        if not horses:
            self.horses.addItem(self.tr("none in view"))
        index = next((i for i, (horse, _) in enumerate(horses) if horse == chosen), 0)
        self.horses.setCurrentIndex(index)
        self.horses.setEnabled(bool(horses))
        self.follow.setEnabled(bool(horses))

    def show_scan(self, scan: ScanProgress | None) -> None:
        """How far the running or last scan is."""
        running = scan is not None and scan.phase not in ENDS
        if scan is None:
            text = self.tr("none yet")
        elif running:
            text = f"{phase_word(self, scan.phase)} · {scan.done} / {scan.total}"
        else:
            text = phase_word(self, scan.phase)
        self.scan_text.setText(text)
        self.scan.setText(self.tr("Show scan…") if running else self.tr("Barn scan…"))

    def let_go(self) -> None:
        """Stick and rocker spring back."""
        self.stick.let_go()
        self.rocker.let_go()


def priority_word(widget: QWidget, priority: Priority) -> str:
    """Who that is, in a word."""
    return {
        Priority.FOLLOW: widget.tr("follows a horse"),
        Priority.TOUR: widget.tr("programme"),
        Priority.REMOTE: widget.tr("remote"),
        Priority.OPERATOR: widget.tr("at a console"),
    }[priority]


def phase_word(widget: QWidget, phase: ScanPhase) -> str:
    """What a scan does."""
    return {
        ScanPhase.LOOKING: widget.tr("Looking"),
        ScanPhase.RECORDING: widget.tr("Recording"),
        ScanPhase.RETURNING: widget.tr("Going home"),
        ScanPhase.DONE: widget.tr("Done"),
        ScanPhase.STOPPED: widget.tr("Stopped"),
        ScanPhase.FAILED: widget.tr("Failed"),
    }[phase]

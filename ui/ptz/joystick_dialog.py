"""Setting up a joystick or gamepad, with everything it does shown as it happens."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.ptz import Motion
from ui.ptz.joystick import JoystickDevice, Joysticks
from ui.ptz.mapping import (
    PRESET_ACTS,
    Act,
    AxisUse,
    JoystickMapping,
    Reading,
    usual_mapping,
)
from ui.theme import Theme
from ui.widgets import button, label, line, restyle, scroll, steady

PREVIEW_PX = 168


class AxisBar(QWidget):
    """Where one axis is, -1 to 1."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self.value = theme, 0.0
        self.setFixedHeight(12)
        self.setMinimumWidth(96)

    def show_value(self, value: float) -> None:
        """The newest position."""
        if value != self.value:
            self.value = value
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("line"))
        middle, half = self.width() / 2.0, self.width() / 2.0 - 1.0
        painter.drawRoundedRect(QRectF(1, 4, self.width() - 2, 4), 2, 2)
        painter.setBrush(self._theme.colour("accent"))
        ends = sorted((middle, middle + self.value * half))
        painter.drawRect(QRectF(ends[0], 4, max(ends[1] - ends[0], 2), 4))
        painter.end()


class MotionPreview(QWidget):
    """What the camera would do: the stick as it stands (ring) and as it counts (dot), and zoom."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.raw = (0.0, 0.0)
        self.motion = Motion()
        self.dead_zone = 0.0
        self.setFixedSize(PREVIEW_PX + 28, PREVIEW_PX)

    def show_motion(self, raw: tuple[float, float], motion: Motion, dead_zone: float) -> None:
        """The newest position (right, up) and what is made of it."""
        if (raw, motion, dead_zone) != (self.raw, self.motion, self.dead_zone):
            self.raw, self.motion, self.dead_zone = raw, motion, dead_zone
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(PREVIEW_PX + 28, PREVIEW_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        reach = PREVIEW_PX / 2.0 - 8.0
        middle = QPointF(PREVIEW_PX / 2.0, PREVIEW_PX / 2.0)
        painter.setPen(QPen(self._theme.colour("line"), 1))
        painter.setBrush(self._theme.colour("well"))
        painter.drawEllipse(middle, reach + 6, reach + 6)
        painter.setPen(QPen(self._theme.colour("line"), 1, Qt.PenStyle.DotLine))
        painter.drawEllipse(middle, reach * self.dead_zone, reach * self.dead_zone)
        painter.drawLine(middle - QPointF(reach, 0), middle + QPointF(reach, 0))
        painter.drawLine(middle - QPointF(0, reach), middle + QPointF(0, reach))
        at = middle + QPointF(self.motion.pan, -self.motion.tilt) * reach
        painter.setPen(QPen(self._theme.colour("accent"), 2))
        painter.drawLine(middle, at)
        painter.setBrush(self._theme.colour("accent"))
        painter.drawEllipse(at, 6, 6)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._theme.colour("text"), 2))
        painter.drawEllipse(middle + QPointF(self.raw[0], -self.raw[1]) * reach, 9, 9)
        self._paint_zoom(painter, reach)
        painter.end()

    def _paint_zoom(self, painter: QPainter, reach: float) -> None:
        left, middle = PREVIEW_PX + 16.0, PREVIEW_PX / 2.0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("line"))
        painter.drawRoundedRect(QRectF(left, middle - reach, 4, 2 * reach), 2, 2)
        painter.setBrush(self._theme.colour("accent"))
        ends = sorted((middle, middle - self.motion.zoom * reach))
        painter.drawRect(QRectF(left, ends[0], 4, max(ends[1] - ends[0], 2)))


class JoystickDialog(QDialog):
    """Nothing is kept before Save; a camera is not moved while this is open (the dialog has the
    keyboard, and the desk listens only while the window has it)."""

    def __init__(self, joysticks: Joysticks, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Joystick or gamepad"))
        self._joysticks, self._theme = joysticks, theme
        self._device: JoystickDevice | None = None
        self._mapping = JoystickMapping()
        self._filling = False
        self.devices = QComboBox()
        self.preview = MotionPreview(theme)
        self.axes: dict[str, tuple[QComboBox, QCheckBox, AxisBar]] = {
            part: (QComboBox(), QCheckBox(self.tr("turned round")), AxisBar(theme))
            for part in ("pan", "tilt", "zoom")
        }
        self.dead_zone, self.curve = self._slider(0, 50), self._slider(0, 40)
        self.hat = QCheckBox(self.tr("The hat (D-pad) turns the camera too"))
        self.silent = QCheckBox(self.tr("Stop when it says nothing for 0.5 s"))
        self.buttons: list[QComboBox] = []
        self._lamps: list[QWidget] = []
        self._pages = QStackedWidget()
        self._build()
        self._connect()
        self._show_devices()

    @staticmethod
    def _slider(least: int, most: int) -> QSlider:
        result = QSlider(Qt.Orientation.Horizontal)
        result.setRange(least, most)
        return result

    # --- layout ---

    def _build(self) -> None:
        self.setFixedWidth(640)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(self.windowTitle(), "title"))
        self._nothing = label("", "muted", wrap=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.setMinimumHeight(240)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(self._build_mapping())
        column.addWidget(self._pages, 1)
        self.usual = button(self.tr("As usual"))
        self.save = button(self.tr("Save"), "primary")
        cancel = button(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self.usual)
        foot.addStretch(1)
        foot.addWidget(cancel)
        foot.addWidget(self.save)
        column.addLayout(foot)

    def _build_mapping(self) -> QWidget:
        top = QHBoxLayout()
        top.setSpacing(24)
        sight = QVBoxLayout()
        sight.setSpacing(8)
        sight.addWidget(self.preview)
        sight.addWidget(label(self.tr("Ring: stick · dot: speed"), "small"))
        sight.addStretch(1)
        top.addLayout(sight)
        top.addLayout(self._build_axes(), 1)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.devices.setAccessibleName(self.tr("Device"))
        column.addWidget(self.devices)
        column.addLayout(top)
        column.addWidget(self.hat)
        column.addWidget(self.silent)
        column.addWidget(
            label(
                self.tr(
                    "Switch this off only for a gamepad that says nothing while a stick is held "
                    "still; a camera always stops when the device is unplugged."
                ),
                "small",
                wrap=True,
            )
        )
        column.addWidget(line())
        column.addWidget(label(self.tr("Buttons"), "section"))
        self._button_grid = QGridLayout()
        self._button_grid.setHorizontalSpacing(8)
        self._button_grid.setVerticalSpacing(8)
        self._button_grid.setContentsMargins(0, 0, 8, 0)
        content = QWidget()
        content.setLayout(self._button_grid)
        area = scroll(content)
        area.setFixedHeight(196)
        column.addWidget(area)
        return page

    def _build_axes(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        names = {"pan": self.tr("Pan"), "tilt": self.tr("Tilt"), "zoom": self.tr("Zoom")}
        for row, (part, (axis, invert, bar)) in enumerate(self.axes.items()):
            axis.setAccessibleName(names[part])
            invert.setAccessibleName(f"{names[part]}: {invert.text()}")
            grid.addWidget(label(names[part], "muted"), 2 * row, 0)
            grid.addWidget(axis, 2 * row, 1)
            grid.addWidget(invert, 2 * row, 2)
            grid.addWidget(bar, 2 * row + 1, 1, 1, 2)
        self._dead_text, self._curve_text = steady(label(""), "50 %"), steady(label(""), "4.0")
        further = (
            (self.tr("Dead zone"), self.dead_zone, self._dead_text),
            (self.tr("Curve"), self.curve, self._curve_text),
        )
        for row, (name, slider, text) in enumerate(further, start=6):
            slider.setAccessibleName(name)
            text.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(label(name, "muted"), row, 0)
            grid.addWidget(slider, row, 1)
            grid.addWidget(text, row, 2)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(8, 1)
        return grid

    def _connect(self) -> None:
        self._joysticks.plugged.connect(self._show_devices)
        self._joysticks.read.connect(self._on_read)
        self.devices.currentIndexChanged.connect(lambda _index: self._open_device())
        self.usual.clicked.connect(self._on_usual)
        self.save.clicked.connect(self._on_save)
        for axis, invert, _bar in self.axes.values():
            axis.currentIndexChanged.connect(lambda _index: self._on_edited())
            invert.toggled.connect(lambda _on: self._on_edited())
        for slider in (self.dead_zone, self.curve):
            slider.valueChanged.connect(lambda _value: self._on_edited())
        for box in (self.hat, self.silent):
            box.toggled.connect(lambda _on: self._on_edited())

    # --- devices ---

    @property
    def mapping(self) -> JoystickMapping:
        """What the fields say."""
        return self._mapping

    def _show_devices(self) -> None:
        devices = self._joysticks.devices
        chosen = self._device.instance if self._device is not None else None
        self.devices.blockSignals(True)
        self.devices.clear()
        for device in devices:
            self.devices.addItem(device.name, device)
        index = next((i for i, d in enumerate(devices) if d.instance == chosen), 0)
        self.devices.setCurrentIndex(index if devices else -1)
        self.devices.blockSignals(False)
        self._pages.setCurrentIndex(1 if devices else 0)
        for act in (self.usual, self.save):
            act.setEnabled(bool(devices))
        self._nothing.setText(
            self._joysticks.problem
            or self.tr("No joystick or gamepad is plugged in. Plug one in; it appears here.")
        )
        self._open_device()

    def _open_device(self) -> None:
        device = self.devices.currentData()
        if not isinstance(device, JoystickDevice):
            self._device = None
        elif self._device is None or device.instance != self._device.instance:
            self._device = device
            self._build_buttons(device)
            self._fill(self._joysticks.mapping(device))

    def _build_buttons(self, device: JoystickDevice) -> None:
        while self._button_grid.count():
            item = self._button_grid.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.buttons, self._lamps = [], []
        for number in range(device.buttons):
            lamp = label(self.tr("Button {0}").format(number + 1), "muted")
            combo = QComboBox()
            combo.setAccessibleName(lamp.text())
            for act, name in self._act_names():
                combo.addItem(name, act)
            combo.currentIndexChanged.connect(lambda _index: self._on_edited())
            place = (number // 2, 3 * (number % 2))
            self._button_grid.addWidget(lamp, place[0], place[1])
            self._button_grid.addWidget(combo, place[0], place[1] + 1)
            self.buttons.append(combo)
            self._lamps.append(lamp)
        self._button_grid.setColumnStretch(1, 1)
        self._button_grid.setColumnStretch(4, 1)

    def _act_names(self) -> list[tuple[str, str]]:
        presets = [
            (act, self.tr("Preset {0}").format(number)) for number, act in enumerate(PRESET_ACTS, 1)
        ]
        others = {
            Act.HOME: self.tr("Home"),
            Act.STOP: self.tr("Stop"),
            Act.TAKE: self.tr("Take over"),
            Act.RELEASE: self.tr("Release"),
            Act.SLOWER: self.tr("Slower"),
            Act.FASTER: self.tr("Faster"),
            Act.ZOOM_IN: self.tr("Zoom in (held)"),
            Act.ZOOM_OUT: self.tr("Zoom out (held)"),
            Act.PREVIOUS: self.tr("Previous camera"),
            Act.NEXT: self.tr("Next camera"),
        }
        return [("", self.tr("nothing")), *presets, *((str(a), n) for a, n in others.items())]

    # --- fields ---

    def _fill(self, mapping: JoystickMapping) -> None:
        device = self._device
        if device is None:
            return
        self._filling = True
        for part, (axis, invert, _bar) in self.axes.items():
            use: AxisUse | None = getattr(mapping, part)
            axis.clear()
            axis.addItem(self.tr("none"), None)
            for number in range(device.axes):
                axis.addItem(self.tr("Axis {0}").format(number + 1), number)
            known = use is not None and use.axis < device.axes
            axis.setCurrentIndex(use.axis + 1 if known and use is not None else 0)
            invert.setChecked(use is not None and use.invert)
        self.dead_zone.setValue(round(mapping.dead_zone * 100))
        self.curve.setValue(round(mapping.curve * 10))
        self.hat.setChecked(mapping.hat_steers)
        self.hat.setVisible(device.hats > 0)
        self.silent.setChecked(mapping.stop_when_silent)
        for number, combo in enumerate(self.buttons):
            combo.setCurrentIndex(max(combo.findData(mapping.buttons.get(number, "")), 0))
        self._filling = False
        self._on_edited()

    def _on_edited(self) -> None:
        if self._filling:
            return
        uses: dict[str, AxisUse | None] = {}
        for part, (axis, invert, _bar) in self.axes.items():
            number = axis.currentData()
            uses[part] = None if number is None else AxisUse(int(number), invert.isChecked())
        acts = {n: str(combo.currentData()) for n, combo in enumerate(self.buttons)}
        self._mapping = replace(
            self._mapping,
            pan=uses["pan"],
            tilt=uses["tilt"],
            zoom=uses["zoom"],
            dead_zone=self.dead_zone.value() / 100.0,
            curve=self.curve.value() / 10.0,
            hat_steers=self.hat.isChecked(),
            stop_when_silent=self.silent.isChecked(),
            buttons={number: act for number, act in acts.items() if act},
        )
        self._dead_text.setText(f"{self.dead_zone.value()} %")
        self._curve_text.setText(f"{self._mapping.curve:.1f}")

    def _on_usual(self) -> None:
        if self._device is not None:
            self._fill(usual_mapping(self._device.axes, self._device.buttons))

    def _on_save(self) -> None:
        if self._device is not None:
            self._joysticks.keep_mapping(self._device, self._mapping)
        self.accept()

    # --- live preview ---

    def _on_read(self, device: JoystickDevice, reading: Reading) -> None:
        if self._device is None or device.instance != self._device.instance:
            return
        mapping = self._mapping
        for part, (_axis, _invert, bar) in self.axes.items():
            bar.show_value(_position(getattr(mapping, part), reading))
        raw = (_position(mapping.pan, reading), _position(mapping.tilt, reading))
        self.preview.show_motion(raw, mapping.motion(reading), mapping.dead_zone)
        for lamp, down in zip(self._lamps, reading.buttons, strict=False):
            restyle(lamp, "role", "lit" if down else "muted")


def _position(use: AxisUse | None, reading: Reading) -> float:
    if use is None or use.axis >= len(reading.axes):
        return 0.0
    value = reading.axes[use.axis]
    return -value if use.invert else value

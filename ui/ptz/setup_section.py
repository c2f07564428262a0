"""How a camera is steered, as a part of the camera dialog."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import OperatorMistake
from engine.domain.ptz import Authentication, PtzConfig, Wire
from engine.domain.streams import Stream
from engine.ptz.config import DEFAULT_DIALECT, KEY, parsed_ptz, stored_ptz, with_ptz
from ui.ptz.number_field import inset
from ui.widgets import button, label

CGI_PORT, ONVIF_PORT = 8080, 80
WIDTH_PX = 424


class SetupSection(QWidget):
    """The fields; ``on`` is the switch that shows them, put where the dialog wants it. Off: the
    camera is not steered. ``test_asked`` wants a snapshot over these fields, ``find_asked`` to
    know what the camera answers to, ``turn_asked`` to see it turn; ``changed`` follows every change
    of what is on show."""

    test_asked = Signal()
    find_asked = Signal()
    turn_asked = Signal()
    changed = Signal()

    def __init__(self, dialects: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.on = QCheckBox(self.tr("This camera can be steered (pan, tilt, zoom)"))
        self.wire, self.dialect, self.authentication = QComboBox(), QComboBox(), QComboBox()
        self.host = QLineEdit(placeholderText=self.tr("as the address"))
        self.port, self.home, self.channel = (inset(QSpinBox()) for _ in range(3))
        self.tls = QCheckBox(self.tr("encrypted"))
        self.invert_pan = QCheckBox(self.tr("Turn left and right round"))
        self.invert_tilt = QCheckBox(self.tr("Turn up and down round (on a ceiling)"))
        self.test = button(self.tr("Test camera control"))
        self.search = button(self.tr("Find dialect"))
        self.search.setToolTip(self.tr("Tries every dialect and log-in; the camera does not move."))
        self.turn = button(self.tr("Turn it"))
        self.turn.setToolTip(self.tr("Turns the camera a little to the right and back."))
        self._fill_choices(dialects)
        self._build()
        self._connect()
        self.show_config(None)

    def _fill_choices(self, dialects: Mapping[str, str]) -> None:
        self.wire.addItem("CGI", Wire.CGI)
        self.wire.addItem("ONVIF", Wire.ONVIF)
        for name, title in dialects.items():
            self.dialect.addItem(title, name)
        self.authentication.addItem(self.tr("in the header"), Authentication.BASIC)
        self.authentication.addItem(self.tr("in the query (usr, pwd)"), Authentication.QUERY)
        self.port.setRange(1, 65535)
        self.home.setRange(1, 8)
        self.channel.setRange(0, 255)
        for combo in (self.wire, self.dialect, self.authentication):
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )

    def _build(self) -> None:
        names = {
            self.wire: self.tr("Protocol"),
            self.dialect: self.tr("Dialect"),
            self.host: self.tr("Host"),
            self.authentication: self.tr("Log-in"),
            self.home: self.tr("Home preset"),
        }
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        self._names: dict[QWidget, QWidget] = {}
        for row, (field, name) in enumerate(names.items()):
            self._names[field] = label(name, "muted")
            field.setAccessibleName(name)
            grid.addWidget(self._names[field], row, 0)
            if field is self.host:
                grid.addLayout(self._build_host(), row, 1)
            elif field is self.home:
                grid.addLayout(self._build_home(), row, 1)
            else:
                grid.addWidget(field, row, 1)
        grid.addWidget(self.invert_pan, 5, 1)
        grid.addWidget(self.invert_tilt, 6, 1)
        grid.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(label(self.tr("Camera control"), "section"))
        column.addLayout(grid)
        column.addWidget(
            label(self.tr("User and password are those of the camera."), "small", wrap=True)
        )
        acts = QHBoxLayout()
        acts.setSpacing(8)
        for act in (self.test, self.search, self.turn):
            acts.addWidget(act)
        acts.addStretch(1)
        column.addLayout(acts)
        column.addStretch(1)
        self.setFixedWidth(WIDTH_PX)

    def _build_host(self) -> QHBoxLayout:
        self.port.setAccessibleName(self.tr("Port"))
        row = QHBoxLayout()
        row.setSpacing(8)
        self.port.setFixedWidth(80)
        row.addWidget(self.host, 1)
        row.addWidget(label(self.tr("port"), "muted"))
        row.addWidget(self.port)
        return row

    def _build_home(self) -> QHBoxLayout:
        self.channel.setAccessibleName(self.tr("Channel"))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.home)
        row.addSpacing(16)
        row.addWidget(label(self.tr("channel"), "muted"))
        row.addWidget(self.channel)
        row.addStretch(1)
        row.addWidget(self.tls)
        return row

    def _connect(self) -> None:
        self.on.toggled.connect(self.setVisible)
        self.on.toggled.connect(lambda _on: self.changed.emit())
        self.wire.currentIndexChanged.connect(self._on_wire)
        self.test.clicked.connect(lambda: self.test_asked.emit())
        self.search.clicked.connect(lambda: self.find_asked.emit())
        self.turn.clicked.connect(lambda: self.turn_asked.emit())

    def _on_wire(self, _index: int) -> None:
        cgi = Wire(self.wire.currentData()) is Wire.CGI
        for field in (self.dialect, self.authentication):
            field.setVisible(cgi)
            self._names[field].setVisible(cgi)
        if self.port.value() in (CGI_PORT, ONVIF_PORT):
            self.port.setValue(CGI_PORT if cgi else ONVIF_PORT)
        self.changed.emit()

    # --- values ---

    def show_stream(self, stream: Stream) -> None:
        """Fill the fields from a camera; what cannot be read counts as not set up."""
        stored = stream.extra.get(KEY)
        try:
            self.show_config(parsed_ptz(stored) if stored is not None else None)
        except OperatorMistake:
            self.show_config(None)

    def show_config(self, config: PtzConfig | None) -> None:
        """Fill the fields."""
        shown = config or PtzConfig(Wire.CGI, DEFAULT_DIALECT, "", CGI_PORT)
        with QSignalBlocker(self.wire):
            self.wire.setCurrentIndex(self.wire.findData(shown.wire))
        if self.dialect.findData(shown.dialect) < 0:
            self.dialect.addItem(shown.dialect, shown.dialect)
        self.dialect.setCurrentIndex(self.dialect.findData(shown.dialect))
        self.authentication.setCurrentIndex(self.authentication.findData(shown.authentication))
        self.host.setText(shown.host)
        self.port.setValue(shown.port)
        self.tls.setChecked(shown.tls)
        self.channel.setValue(shown.channel)
        self.home.setValue(shown.home_preset)
        self.invert_pan.setChecked(shown.invert_pan)
        self.invert_tilt.setChecked(shown.invert_tilt)
        self.on.setChecked(config is not None)
        self.setVisible(config is not None)
        self._on_wire(0)

    def take_finding(self, found: PtzConfig) -> None:
        """Choose the dialect and log-in that the camera takes; the other fields stay."""
        self.dialect.setCurrentIndex(self.dialect.findData(found.dialect))
        self.authentication.setCurrentIndex(self.authentication.findData(found.authentication))

    def config(self) -> PtzConfig | None:
        """What the fields say. Raises OperatorMistake naming the field that is wrong."""
        if not self.on.isChecked():
            return None
        config = PtzConfig(
            Wire(self.wire.currentData()),
            str(self.dialect.currentData()),
            self.host.text().strip(),
            self.port.value(),
            self.tls.isChecked(),
            Authentication(self.authentication.currentData()),
            self.channel.value(),
            self.invert_pan.isChecked(),
            self.invert_tilt.isChecked(),
            self.home.value(),
        )
        return parsed_ptz(stored_ptz(config))

    def applied_to(self, stream: Stream) -> Stream:
        """The camera with what the fields say. Raises OperatorMistake."""
        return with_ptz(stream, self.config())

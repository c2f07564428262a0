"""Calibrate a camera's ground: four points of known distances, or something of known height."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError, OperatorMistake
from engine.domain.streams import Stream
from engine.motion.calibration import GROUND_KEY, Ground, ground_of, with_ground
from ui.calibration.ground_canvas import GroundCanvas, Point
from ui.engine_port import EngineBridge, ProbePicture
from ui.live.tile import image_of
from ui.ptz.number_field import inset
from ui.requests import RequestId, RequestRunner
from ui.theme import Theme
from ui.widgets import button, label

RECTANGLE, DISTANCES, HEIGHT = "rectangle", "distances", "height"
_PAIRS = tuple(combinations(range(4), 2))
_CORNERS: tuple[Point, ...] = ((0.25, 0.55), (0.75, 0.55), (0.9, 0.9), (0.1, 0.9))
_UPRIGHT: tuple[Point, ...] = ((0.5, 0.9), (0.5, 0.5))
_PANEL_PX = 300


class GroundDialog(QDialog):
    """``submitted`` carries the Stream with its new ground, or without one; the caller stores it
    and calls ``finish`` or ``show_problem``."""

    submitted = Signal(object)

    def __init__(
        self,
        stream: Stream,
        bridge: EngineBridge,
        requests: RequestRunner,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Calibrate the ground of {0}").format(stream.name))
        self._stream = stream
        self._requests = requests
        self._request: RequestId | None = None
        self._points: dict[str, tuple[Point, ...]] = {
            RECTANGLE: _CORNERS, DISTANCES: _CORNERS, HEIGHT: _UPRIGHT,
        }  # fmt: skip
        self.canvas = GroundCanvas(theme)
        self.method = QComboBox()
        self.fields = QStackedWidget()
        self.width_m, self.length_m = self._metres(20.0, 0.2, 500.0), self._metres(40.0, 0.2, 500.0)
        self.distances_m = tuple(self._metres(10.0, 0.2, 500.0) for _ in _PAIRS)
        self.height_m = self._metres(1.6, 0.2, 20.0)
        self.camera_m = self._metres(0.0, 0.0, 20.0)
        self.camera_m.setSpecialValueText(self.tr("not known"))
        self.verdict = label("", "small", wrap=True)
        self.problem = label("", "problem", wrap=True)
        self.waiting = QProgressBar()
        self.waiting.setRange(0, 0)
        self.waiting.setTextVisible(False)
        self._build()
        self._fill(stream.extra.get(GROUND_KEY))
        self._connect()
        self._on_method()
        self._fetch(bridge)

    # --- layout ---------------------------------------------------------------------------------

    @staticmethod
    def _metres(value: float, low: float, high: float) -> QDoubleSpinBox:
        field = inset(QDoubleSpinBox())
        field.setRange(low, high)
        field.setDecimals(2)
        field.setSingleStep(0.1)
        field.setSuffix(" m")
        field.setValue(value)
        return field

    def _build(self) -> None:
        for kind, text in (
            (RECTANGLE, self.tr("A rectangle on the ground")),
            (DISTANCES, self.tr("Four points, all distances")),
            (HEIGHT, self.tr("Something of known height")),
        ):
            self.method.addItem(text, kind)
        self.method.setAccessibleName(self.tr("What is known"))
        self.fields.addWidget(
            self._page(
                self.tr(
                    "Put the four points on the corners of something rectangular on the ground, "
                    "such as the arena, in order around it."
                ),
                ((self.tr("1 to 2"), self.width_m), (self.tr("2 to 3"), self.length_m)),
            )
        )
        names = [self.tr("{0} to {1}").format(a + 1, b + 1) for a, b in _PAIRS]
        self.fields.addWidget(
            self._page(
                self.tr(
                    "Put four points on level ground, in order around it, and measure all six."
                ),
                tuple(zip(names, self.distances_m, strict=True)),
            )
        )
        self.fields.addWidget(
            self._page(
                self.tr(
                    "Put A on the foot and B on the top of something upright. With the camera's "
                    "own height the scale follows the distance; without it, it is the same "
                    "everywhere."
                ),
                (
                    (self.tr("A to B"), self.height_m),
                    (self.tr("Camera above ground"), self.camera_m),
                ),
            )
        )
        panel = QVBoxLayout()
        panel.setSpacing(12)
        panel.addWidget(self.method)
        panel.addWidget(self.fields)
        panel.addWidget(self.verdict)
        panel.addWidget(self.problem)
        panel.addStretch(1)
        beside = QWidget()
        beside.setFixedWidth(_PANEL_PX)
        beside.setLayout(panel)
        panel.setContentsMargins(0, 0, 0, 0)
        across = QHBoxLayout()
        across.setSpacing(20)
        column = QVBoxLayout()
        column.addWidget(self.canvas, 1)
        column.addWidget(self.waiting)
        across.addLayout(column, 1)
        across.addWidget(beside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(20, 16, 20, 16)
        whole.setSpacing(12)
        whole.addWidget(label(self.windowTitle(), "title"))
        whole.addLayout(across, 1)
        whole.addLayout(self._buttons())

    def _page(self, text: str, fields: Sequence[tuple[str, QDoubleSpinBox]]) -> QWidget:
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(8)
        grid.addWidget(label(text, "muted", wrap=True), 0, 0, 1, 2)
        for row, (name, field) in enumerate(fields, start=1):
            words = label(name, "muted")
            words.setBuddy(field)
            field.setAccessibleName(name)
            grid.addWidget(words, row, 0)
            grid.addWidget(field, row, 1)
        grid.setRowStretch(len(fields) + 1, 1)
        return page

    def _buttons(self) -> QHBoxLayout:
        self.remove = button(self.tr("Remove calibration"), "danger")
        self.remove.setVisible(GROUND_KEY in self._stream.extra)
        cancel = button(self.tr("Cancel"))
        self.save = button(self.tr("Save"), "primary")
        self.save.setDefault(True)
        cancel.clicked.connect(self.reject)
        self.save.clicked.connect(self._on_save)
        self.remove.clicked.connect(lambda: self._submit(None))
        row = QHBoxLayout()
        row.addWidget(self.remove)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.save)
        return row

    def _connect(self) -> None:
        self.method.currentIndexChanged.connect(self._on_method)
        self.canvas.moved.connect(self._on_changed)
        for field in self.findChildren(QDoubleSpinBox):
            field.valueChanged.connect(self._on_changed)

    # --- what is known ----------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """The chosen way: RECTANGLE, DISTANCES or HEIGHT."""
        return str(self.method.currentData())

    def told(self) -> dict[str, object]:
        """What the fields and points say, as it is kept."""
        points = [list(point) for point in self.canvas.points]
        if self.kind == RECTANGLE:
            return {
                "kind": RECTANGLE, "points": points,
                "width_m": self.width_m.value(), "length_m": self.length_m.value(),
            }  # fmt: skip
        if self.kind == DISTANCES:
            measured = [field.value() for field in self.distances_m]
            return {"kind": DISTANCES, "points": points, "distances_m": measured}
        told: dict[str, object] = {
            "kind": HEIGHT, "foot": points[0], "top": points[1], "height_m": self.height_m.value(),
        }  # fmt: skip
        if self.camera_m.value() > 0:
            told["camera_m"] = self.camera_m.value()
        return told

    def _fill(self, told: object) -> None:
        """Show what was told before; what cannot be shown is left out and said."""
        if not isinstance(told, Mapping):
            return
        try:
            ground_of(told)
        except OperatorMistake as error:
            self.problem.setText(str(error))
            return
        kind = str(told["kind"])
        self.method.setCurrentIndex(self.method.findData(kind))
        if kind == HEIGHT:
            self._points[kind] = tuple((float(x), float(y)) for x, y in (told["foot"], told["top"]))
        else:
            self._points[kind] = tuple((float(x), float(y)) for x, y in told["points"])
        known = {
            "width_m": self.width_m, "length_m": self.length_m, "height_m": self.height_m,
            "camera_m": self.camera_m,
        }  # fmt: skip
        for name, field in known.items():
            if told.get(name) is not None:
                field.setValue(float(told[name]))
        for field, value in zip(self.distances_m, told.get("distances_m", ()), strict=False):
            field.setValue(float(value))

    def _on_method(self) -> None:
        self.fields.setCurrentIndex(self.method.currentIndex())
        upright = self.kind == HEIGHT
        labels = ("A", "B") if upright else ("1", "2", "3", "4")
        self.canvas.show_points(self._points[self.kind], labels, closed=not upright)
        self._on_changed()

    def _on_changed(self) -> None:
        self._points[self.kind] = self.canvas.points
        try:
            ground = ground_of(self.told())
        except OperatorMistake as error:
            self.canvas.show_ground(None)
            self.verdict.setText("")
            self.problem.setText(str(error))
            self.save.setEnabled(False)
            return
        self.problem.setText("")
        self.save.setEnabled(True)
        self.canvas.show_ground(ground)
        self.verdict.setText(self._words(ground))

    def _words(self, ground: Ground) -> str:
        check = self.tr("Move the pointer over a horse: the mark should reach its withers.")
        if ground.calibration is None:
            return check
        spans = ground.place_m(np.array(self.canvas.points))
        area_m2 = 0.5 * abs(
            float(spans[:, 0] @ np.roll(spans[:, 1], -1) - spans[:, 1] @ np.roll(spans[:, 0], -1))
        )
        area = self.tr("The area is {0} m².").format(f"{area_m2:.0f}")
        if self.kind == RECTANGLE:  # four corners always fit a rectangle exactly
            return f"{area} {check}"
        fits = self.tr("The distances fit within {0} m.").format(f"{ground.error_m:.2f}")
        return f"{fits} {area} {check}"

    # --- picture ----------------------------------------------------------------------------------

    def _fetch(self, bridge: EngineBridge) -> None:
        frames = bridge.wall_frames(self._stream.id)
        if frames:
            self.canvas.show_picture(image_of(frames[-1].bgra).copy())
        stream = self._stream
        self._request = self._requests.submit(
            f"picture of {stream.name} for its calibration",
            lambda: bridge.probe(stream),
            self._on_picture,
            self._on_no_picture,
            owner=self,
        )

    def _on_picture(self, probed: ProbePicture) -> None:
        self._request = None
        self.waiting.hide()
        image: QImage = image_of(probed.bgra).copy()
        self.canvas.show_picture(image)

    def _on_no_picture(self, error: BarnhandError) -> None:
        self._request = None
        self.waiting.hide()
        self.problem.setText(str(error))

    # --- end --------------------------------------------------------------------------------------

    def _on_save(self) -> None:
        self._submit(self.told())

    def _submit(self, told: Mapping[str, object] | None) -> None:
        try:
            extra = with_ground(self._stream.extra, told)
        except OperatorMistake as error:
            self.show_problem(error)
            return
        self.save.setEnabled(False)
        self.submitted.emit(replace(self._stream, extra=extra))

    def show_problem(self, error: BarnhandError) -> None:
        """Say what is wrong and let the person go on."""
        self.problem.setText(str(error))
        self.save.setEnabled(True)

    def finish(self) -> None:
        """The camera was stored: close."""
        self.accept()

    def done(self, result: int) -> None:
        if self._request is not None:
            self._requests.cancel(self._request)
        super().done(result)

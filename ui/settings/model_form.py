"""What an uploaded model file is, where no manifest beside it says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLineEdit, QSpinBox, QWidget

from engine.domain.models import ModelTask
from engine.domain.skeletons import SKELETONS
from ui.widgets import button, label

_FIELD_WIDTH = 260
_SIDE_PX = (32, 2048)
_SCALES: Mapping[str, Mapping[str, list[float]]] = {
    "bytes": {"mean": [0, 0, 0], "std": [1, 1, 1]},
    "unit": {"mean": [0, 0, 0], "std": [255, 255, 255]},
    # The statistics of ImageNet on 0..255, as most pose models are trained with.
    "imagenet": {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]},
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a layout usually takes."""

    task: ModelTask
    width_px: int
    height_px: int
    colour: str
    scale: str


_KINDS = {
    "yolox": _Kind(ModelTask.DETECTOR, 640, 640, "bgr", "bytes"),
    "yolo": _Kind(ModelTask.DETECTOR, 640, 640, "rgb", "unit"),
    "simcc": _Kind(ModelTask.POSE, 256, 256, "rgb", "imagenet"),
    "heatmap": _Kind(ModelTask.POSE, 256, 256, "rgb", "imagenet"),
    "embedding": _Kind(ModelTask.EMBEDDER, 224, 224, "rgb", "imagenet"),
}


class ModelForm(QWidget):
    """Fields of a description, filled with what the kind usually takes. ``upload`` carries the
    description, ``dropped`` that the file is not wanted after all."""

    upload = Signal(object)
    dropped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._known: Mapping[str, object] | None = None
        self.words = label("", wrap=True)
        self.name, self.version = QLineEdit(), QLineEdit("1")
        self.licence = QLineEdit(placeholderText=self.tr("our own, MIT, AGPL-3.0 …"))
        self.kind = QComboBox()
        for layout, words in (
            ("yolox", self.tr("Detector, raw YOLOX table")),
            ("yolo", self.tr("Detector, YOLO v5 to v11")),
            ("simcc", self.tr("Landmarks, SimCC (RTMPose)")),
            ("heatmap", self.tr("Landmarks, heat maps")),
            ("embedding", self.tr("Appearance vector")),
        ):
            self.kind.addItem(words, layout)
        self.wide, self.high = QSpinBox(), QSpinBox()
        for side in (self.wide, self.high):
            side.setRange(*_SIDE_PX)
            side.setSuffix(" px")
        self.colour, self.scale = QComboBox(), QComboBox()
        for value, words in (("rgb", "RGB"), ("bgr", "BGR")):
            self.colour.addItem(words, value)
        for value, words in (
            ("bytes", self.tr("0 to 255")),
            ("unit", self.tr("0 to 1")),
            ("imagenet", self.tr("ImageNet mean and spread")),
        ):
            self.scale.addItem(words, value)
        self.horse_class = QSpinBox()
        self.horse_class.setRange(0, 9999)
        self.horse_class.setToolTip(self.tr("Its number for a horse: 17 in COCO, 0 in most others"))
        self.skeleton = QComboBox()
        for name in SKELETONS:
            self.skeleton.addItem(name, name)
        self.send = button(self.tr("Upload"), "primary")
        self.drop = button(self.tr("Not this file"))
        self._rows: dict[str, tuple[QWidget, QWidget]] = {}
        self._build()
        self.kind.currentIndexChanged.connect(lambda _index: self._on_kind())
        for field in (self.name, self.version, self.licence):
            field.textChanged.connect(lambda _text: self._on_edited())
        self.send.clicked.connect(lambda: self.upload.emit(self.description()))
        self.drop.clicked.connect(self.dropped)
        self._on_kind()
        self.hide()

    def _build(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 8, 0, 8)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnMinimumWidth(0, 120)
        grid.setColumnStretch(2, 1)
        grid.addWidget(self.words, 0, 0, 1, 3)
        fields: tuple[tuple[str, str, QWidget], ...] = (
            ("name", self.tr("Name"), self.name),
            ("version", self.tr("Version"), self.version),
            ("licence", self.tr("Licence"), self.licence),
            ("kind", self.tr("What it is"), self.kind),
            ("width", self.tr("Input width"), self.wide),
            ("height", self.tr("Input height"), self.high),
            ("colour", self.tr("Colours"), self.colour),
            ("scale", self.tr("Values"), self.scale),
            ("class", self.tr("Horse class"), self.horse_class),
            ("skeleton", self.tr("Skeleton"), self.skeleton),
        )
        for row, (key, words, field) in enumerate(fields, start=1):
            name = label(words, "muted")
            name.setBuddy(field)
            field.setAccessibleName(words)
            field.setFixedWidth(_FIELD_WIDTH)
            grid.addWidget(name, row, 0)
            grid.addWidget(field, row, 1)
            self._rows[key] = (name, field)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.send)
        buttons.addWidget(self.drop)
        buttons.addStretch(1)
        grid.addLayout(buttons, len(fields) + 1, 1, 1, 2)

    def ask(self, path: Path, known: Mapping[str, object] | None) -> None:
        """Show what is known of a file; what a manifest says is not asked again."""
        self._known = known
        if known is None:
            self.words.setText(
                self.tr(
                    "Nothing beside {0} says what it is. Fill in what you know; the inspection "
                    "finds out whether it is true."
                ).format(path.name)
            )
            self.name.setText(_slug(path.stem))
            self.version.setText("1")
        else:
            self.words.setText(
                self.tr("{0} is described by the manifest beside it.").format(path.name)
            )
            self.name.setText(str(known.get("name", "")))
            self.version.setText(str(known.get("version", "1")))
            self.licence.setText(str(known.get("licence", "")))
        self._on_kind()
        self.show()

    def description(self) -> Mapping[str, object]:
        """The fields as a manifest entry has them."""
        own = {
            "name": self.name.text().strip(),
            "version": self.version.text().strip(),
            "licence": self.licence.text().strip(),
        }
        if self._known is not None:
            return {**self._known, **own}
        layout = str(self.kind.currentData())
        task = _KINDS[layout].task
        shape = {"width_px": self.wide.value(), "height_px": self.high.value()}
        scale = _SCALES[str(self.scale.currentData())]
        told: dict[str, object] = {
            **own,
            "task": task.value,
            "layout": layout,
            "input": {**shape, "colour": self.colour.currentData(), **scale},
        }
        if task is ModelTask.DETECTOR:
            told["classes"] = {str(self.horse_class.value()): "horse"}
        if task is ModelTask.POSE:
            told["skeleton"] = self.skeleton.currentData()
        return told

    def _on_kind(self) -> None:
        kind = _KINDS[str(self.kind.currentData())]
        self.wide.setValue(kind.width_px)
        self.high.setValue(kind.height_px)
        self.colour.setCurrentIndex(self.colour.findData(kind.colour))
        self.scale.setCurrentIndex(self.scale.findData(kind.scale))
        asked = self._known is None
        for key, pair in self._rows.items():
            shown = asked or key in ("name", "version", "licence")
            if key == "class":
                shown = asked and kind.task is ModelTask.DETECTOR
            if key == "skeleton":
                shown = asked and kind.task is ModelTask.POSE
            for widget in pair:
                widget.setVisible(shown)
        self._on_edited()

    def _on_edited(self) -> None:
        fields = (self.name, self.version, self.licence)
        self.send.setEnabled(all(field.text().strip() for field in fields))


def _slug(text: str) -> str:
    """A file's name as a model's: lower case, and only letters that names may have."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:64]

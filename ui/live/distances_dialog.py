"""How far a camera is from the others: no horse is in two places, nor soon in a far one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QWidget

from engine.domain.camera_distances import KEY, stated_distances_m
from engine.domain.ids import StreamId
from engine.domain.streams import Stream
from ui.ask_dialog import AskDialog
from ui.widgets import label

UNKNOWN, OVERLAP, APART = range(3)
MOST_M = 5000.0


@dataclass(frozen=True, slots=True)
class Row:
    """One other camera: what is known, and how many metres."""

    kind: QComboBox
    metres: QDoubleSpinBox


class DistancesDialog(AskDialog):
    """A row for each of the others; ``stream_after`` is the camera with what was stated. What
    another camera states of this one is shown there and changed there."""

    def __init__(
        self, stream: Stream, others: Sequence[Stream], parent: QWidget | None = None
    ) -> None:
        super().__init__("", parent)
        self._stream = stream
        self.rows: dict[StreamId, Row] = {}
        self.name(self.tr("Distances from {0}").format(stream.name), self.tr("Save"))
        words = self.tr(
            "A horse that one camera sees cannot be at a far one a moment later. Where two cameras "
            "see a common place, it can be in both."
        )
        self.subject.setText(words if others else self.tr("There is no other camera."))
        self.subject.show()
        self.confirm.setEnabled(bool(others))
        own = stated_by(stream)
        for other in others:
            theirs = stated_by(other).get(stream.id)
            if theirs is not None and other.id not in own:
                self.form.addRow(other.name, label(self._said(theirs, other), "muted"))
                continue
            self._add_row(other, own.get(other.id))

    def stream_after(self) -> Stream:
        """The camera with the stated distances; those to cameras that are gone are left out."""
        stated = {
            str(other): 0.0 if row.kind.currentIndex() == OVERLAP else row.metres.value()
            for other, row in self.rows.items()
            if row.kind.currentIndex() != UNKNOWN
        }
        extra = {key: value for key, value in self._stream.extra.items() if key != KEY}
        if stated:
            extra[KEY] = stated
        return replace(self._stream, extra=MappingProxyType(extra))

    def _add_row(self, other: Stream, metres: float | None) -> None:
        kind = QComboBox()
        kind.addItems(
            [self.tr("not known"), self.tr("both see a common place"), self.tr("apart by")]
        )
        kind.setAccessibleName(self.tr("Distance to {0}").format(other.name))
        spin = QDoubleSpinBox(decimals=0, minimum=1.0, maximum=MOST_M, suffix=self.tr(" m"))
        spin.setAccessibleName(self.tr("Metres to {0}").format(other.name))
        spin.setValue(metres or 10.0)
        kind.currentIndexChanged.connect(lambda index: spin.setEnabled(index == APART))
        known = OVERLAP if metres == 0.0 else APART
        kind.setCurrentIndex(UNKNOWN if metres is None else known)
        spin.setEnabled(kind.currentIndex() == APART)
        both = QHBoxLayout()
        both.addWidget(kind, 1)
        both.addWidget(spin)
        self.form.addRow(other.name, both)
        self.rows[other.id] = Row(kind, spin)

    def _said(self, metres: float, other: Stream) -> str:
        if metres == 0.0:
            return self.tr("both see a common place (stated at {0})").format(other.name)
        return self.tr("apart by {0} m (stated at {1})").format(f"{metres:.0f}", other.name)


def stated_by(stream: Stream) -> Mapping[StreamId, float]:
    """Metres by other camera that a camera's settings state; what is no distance is left out."""
    return stated_distances_m(stream.extra.get(KEY))

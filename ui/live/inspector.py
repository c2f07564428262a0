"""The panel beside the wall: the selected camera in numbers, its thresholds, and what needs a
person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from engine.domain.detections import SubjectClass
from engine.domain.ids import StreamId
from engine.domain.streams import Stream, StreamHealth, StreamState
from ui.live.address import kind_words
from ui.live.overlay_match import Overlay
from ui.notices import NoticeBook, NoticeCard
from ui.theme import Theme
from ui.widgets import button, label, line, scroll
from ui.wording import bitrate, duration, milliseconds, recording_word, state_word

SAVE_AFTER_MS = 600
"""A slider is stored once it has rested this long."""


class Inspector(QFrame):
    """``changed`` carries (before, after) of a camera whose thresholds were moved."""

    changed = Signal(object, object)
    edit_requested = Signal(object)
    remove_requested = Signal(object)
    toggle_requested = Signal(object)

    def __init__(self, book: NoticeBook, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setFixedWidth(theme.measures.side_panel)
        self._book = book
        self._theme = theme
        self._stream: Stream | None = None
        self._names: Mapping[StreamId, str] = {}
        self._default_confidence = 0.35
        self._default_fps = 10.0
        self._rest = QTimer(self, interval=SAVE_AFTER_MS, singleShot=True)
        self._rest.timeout.connect(self._on_rested)
        self._title = label("", "large")
        self._kind = label("", "small", wrap=True)
        self._nothing = label(
            self.tr("Select a camera to see how it is doing and to set its thresholds."),
            "muted",
            wrap=True,
        )
        self._values = {key: label("") for key in self._value_names()}
        self._build()
        book.changed.connect(self._show_notices)
        self._show_notices()
        self.show_stream(None, None)

    def _value_names(self) -> dict[str, str]:
        return {
            "state": self.tr("State"),
            "size": self.tr("Picture"),
            "fps": self.tr("Pictures"),
            "analysed": self.tr("Analysed"),
            "latency": self.tr("Latency"),
            "dropped": self.tr("Dropped"),
            "corrupt": self.tr("Corrupt"),
            "reconnects": self.tr("Reconnects"),
            "bitrate": self.tr("Bit rate"),
            "recording": self.tr("Recording"),
            "seen": self.tr("In view"),
        }

    def value(self, key: str) -> str:
        """A shown value by key."""
        return self._values[key].text()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(self._nothing)
        self._details = QWidget()
        details = QVBoxLayout(self._details)
        details.setContentsMargins(0, 0, 0, 0)
        details.setSpacing(8)
        details.addWidget(self._title)
        details.addWidget(self._kind)
        details.addLayout(self._build_values())
        details.addWidget(line())
        details.addLayout(self._build_thresholds())
        details.addLayout(self._build_buttons())
        column.addWidget(self._details)
        column.addWidget(line())
        column.addWidget(label(self.tr("Needs a person"), "section"))
        self._notices = QVBoxLayout()
        self._notices.setSpacing(8)
        column.addLayout(self._notices)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll(content))

    def _build_values(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        for row, (key, name) in enumerate(self._value_names().items()):
            grid.addWidget(label(name, "muted"), row, 0)
            self._values[key].setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(self._values[key], row, 1)
        grid.setColumnStretch(1, 1)
        return grid

    def _build_thresholds(self) -> QGridLayout:
        self.confidence = QSlider(Qt.Orientation.Horizontal)
        self.confidence.setRange(5, 95)
        self.fps = QSlider(Qt.Orientation.Horizontal)
        self.fps.setRange(1, 30)
        self._confidence_text = label("")
        self._fps_text = label("")
        grid = QGridLayout()
        grid.setVerticalSpacing(6)
        rows = (
            (self.tr("Accept detections from"), self.confidence, self._confidence_text),
            (self.tr("Analyse"), self.fps, self._fps_text),
        )
        for row, (name, slider, text) in enumerate(rows):
            slider.setAccessibleName(name)
            text.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(label(name, "muted"), 2 * row, 0)
            grid.addWidget(text, 2 * row, 1)
            grid.addWidget(slider, 2 * row + 1, 0, 1, 2)
            slider.valueChanged.connect(self._on_slider)
        self.record = QComboBox()
        self.record.setAccessibleName(self.tr("Record"))
        fits = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.record.setSizeAdjustPolicy(fits)
        self.record.setMinimumContentsLength(12)
        for mode, words in (
            (None, self.tr("As in the settings")),
            ("always", self.tr("Always")),
            ("motion", self.tr("When something moves")),
            ("off", self.tr("Never")),
        ):
            self.record.addItem(words, mode)
        self.record.activated.connect(self._on_rested)
        grid.addWidget(label(self.tr("Record"), "muted"), 2 * len(rows), 0)
        grid.addWidget(self.record, 2 * len(rows) + 1, 0, 1, 2)
        return grid

    def _build_buttons(self) -> QHBoxLayout:
        self.toggle = button(self.tr("Stop"))
        self.edit = button(self.tr("Edit…"))
        self.remove = button(self.tr("Remove"))
        self.toggle.clicked.connect(lambda: self.toggle_requested.emit(self._stream))
        self.edit.clicked.connect(lambda: self.edit_requested.emit(self._stream))
        self.remove.clicked.connect(lambda: self.remove_requested.emit(self._stream))
        row = QHBoxLayout()
        row.setSpacing(8)
        for widget in (self.toggle, self.edit, self.remove):
            row.addWidget(widget, 1)
        return row

    # --- what is shown --------------------------------------------------------------------------

    def set_defaults(self, confidence: float, fps: float) -> None:
        """The engine's own thresholds, shown for cameras that have none of their own."""
        self._default_confidence, self._default_fps = confidence, fps
        self._show_thresholds()

    def set_names(self, names: Mapping[StreamId, str]) -> None:
        """Names of all cameras, for notices."""
        self._names = names

    def show_stream(self, stream: Stream | None, health: StreamHealth | None) -> None:
        """Another camera is selected, or it was changed."""
        other = (stream.id if stream else None) != (self._stream.id if self._stream else None)
        if other and self._rest.isActive():
            self._on_rested()
        changed = stream != self._stream
        self._stream = stream
        self._details.setVisible(stream is not None)
        self._nothing.setVisible(stream is None)
        if stream is None:
            return
        self._title.setText(stream.name)
        self._kind.setText(kind_words(stream.kind))
        self._kind.setToolTip(stream.address)
        if changed and not self._rest.isActive():
            self._show_thresholds()
        self.show_health(health, None)

    def show_health(self, health: StreamHealth | None, overlay: Overlay | None) -> None:
        """The newest numbers."""
        stream = self._stream
        if stream is None or health is None:
            return
        running = health.state not in (StreamState.INACTIVE, StreamState.ENDED)
        self.toggle.setText(self.tr("Stop") if running else self.tr("Start"))
        since = ""
        if health.state is not StreamState.ACTIVE and health.last_frame_age_s is not None:
            since = f" · {duration(health.last_frame_age_s)}"
        size = f"{health.width_px} × {health.height_px}" if health.width_px else "–"
        texts = {
            "state": state_word(health.state, stream) + since,
            "size": f"{size} px",
            "fps": f"{health.fps:.1f} fps",
            "analysed": f"{health.analysed_fps:.1f} fps",
            "latency": milliseconds(health.latency_ms),
            "dropped": str(health.dropped),
            "corrupt": str(health.corrupt),
            "reconnects": str(health.reconnects),
            "bitrate": bitrate(health.bitrate_bps),
            "recording": recording_word(health.recording),
            "seen": self._in_view(overlay),
        }
        for key, text in texts.items():
            self._values[key].setText(text)

    def _in_view(self, overlay: Overlay | None) -> str:
        if overlay is None or not len(overlay):
            return self.tr("nothing")
        horses = int((overlay.class_ids == SubjectClass.HORSE).sum())
        motion = int((overlay.class_ids == SubjectClass.MOTION).sum())
        others = len(overlay) - horses - motion
        parts = []
        if horses:
            parts.append(
                self.tr("1 horse") if horses == 1 else self.tr("{0} horses").format(horses)
            )
        if others:
            parts.append(
                self.tr("1 other") if others == 1 else self.tr("{0} others").format(others)
            )
        if motion:
            parts.append(self.tr("{0} moving").format(motion))
        return " · ".join(parts)

    def _show_thresholds(self) -> None:
        stream = self._stream
        if stream is None:
            return
        confidence = stream.confidence or self._default_confidence
        fps = stream.analysis_fps or self._default_fps
        for slider, value in ((self.confidence, confidence * 100), (self.fps, fps)):
            slider.blockSignals(True)
            slider.setValue(round(value))
            slider.blockSignals(False)
        self.record.setCurrentIndex(max(self.record.findData(stream.extra.get("record")), 0))
        self._show_slider_texts()

    def _show_slider_texts(self) -> None:
        self._confidence_text.setText(f"{self.confidence.value()} %")
        self._fps_text.setText(f"{self.fps.value()} fps")

    def _on_slider(self, _value: int) -> None:
        self._show_slider_texts()
        self._rest.start()

    def _on_rested(self) -> None:
        self._rest.stop()
        before = self._stream
        if before is None:
            return
        confidence, fps = self.confidence.value() / 100.0, float(self.fps.value())
        after = before
        if round((before.confidence or self._default_confidence) * 100) != self.confidence.value():
            after = replace(after, confidence=confidence)
        if round(before.analysis_fps or self._default_fps) != self.fps.value():
            after = replace(after, analysis_fps=fps)
        record = self.record.currentData()
        if before.extra.get("record") != record:
            kept = {name: value for name, value in before.extra.items() if name != "record"}
            after = replace(after, extra=kept if record is None else {**kept, "record": record})
        if after != before:
            self.changed.emit(before, after)

    def _show_notices(self) -> None:
        while self._notices.count():
            item = self._notices.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        notices = self._book.unacknowledged()
        for notice in notices[:8]:
            where = self._names.get(notice.stream_id, "") if notice.stream_id else ""
            self._notices.addWidget(NoticeCard(notice, self._book, self._theme, where))
        if not notices:
            self._notices.addWidget(label(self.tr("Nothing at the moment."), "muted"))

"""One session: what it is, where its analysis stands, and all that was found."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.ids import StreamId
from engine.domain.sessions import Session, SessionMetrics, SessionSource, SessionState
from engine.sessions.acts import AT_WORK
from ui.sessions.figures import FigureTable, StrideTable
from ui.sessions.gait_bar import GaitBar
from ui.sessions.heat_picture import HeatPicture
from ui.sessions.reading import SessionReading
from ui.sessions.session_rows import MARKS, about_words
from ui.sessions.speed_plot import SpeedPlot
from ui.sessions.words import percent, scale_words, short_mode, source_word, state_line
from ui.theme import Theme
from ui.widgets import button, icon_label, label, scroll, set_icon
from ui.wording import duration

FIGURES_PX, BESIDE_PX = 620, 420
ONE_ROW_PX = 900
"""Width from which all acts stand in one row."""


class SessionDetail(QWidget):
    """``wanted`` carries what the person asks for: ``play``, ``report``, ``keep_report``, ``edit``,
    ``lock``, ``analyse``, ``compare``, ``profile``, ``remove``, ``cancel`` or ``stop``."""

    wanted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.session: Session | None = None
        self.reading: SessionReading | None = None
        self.mark = icon_label("sessions", theme, "accent", 20)
        self.title = label("", "large", wrap=True)
        self.about = label("", "muted", wrap=True)
        self.state = label("", "small", wrap=True)
        self.note = label("", wrap=True)
        self.remarks = label("", "small", wrap=True)
        self.gone = label("", "problem", wrap=True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.acts: dict[str, QPushButton] = {}
        self.gaits = GaitBar(theme)
        self.figures = FigureTable(theme)
        self.speed = SpeedPlot(theme)
        self.heat = HeatPicture(theme)
        self.strides = StrideTable()
        self.tabs = QStackedWidget()
        self.tab_buttons = QButtonGroup(self)
        self.found = QWidget()
        self._build()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.mark)
        head.addWidget(self.title, 1)
        for name, text, role in (
            ("cancel", self.tr("Cancel analysis"), ""),
            ("stop", self.tr("Stop session"), "primary"),
        ):
            head.addWidget(self._act(name, text, role))
        self._acts = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._acts.setSpacing(8)
        for number, row in enumerate(self._act_names()):
            line = QHBoxLayout()
            line.setSpacing(8)
            for name, text, role in row:
                line.addWidget(self._act(name, text, role))
            line.addStretch(1)
            self._acts.addLayout(line, number)
        line.addWidget(self._act("profile", self.tr("Open the horse's profile"), "link"))
        self._build_tabs()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        column.addLayout(head)
        for part in (self.about, self.bar, self.state, self.gone, self.note):
            column.addWidget(part)
        column.addLayout(self._acts)
        column.addWidget(self.remarks)
        column.addWidget(self.gaits)
        column.addWidget(self.found, 1)

    def _act_names(self) -> tuple[tuple[tuple[str, str, str], ...], ...]:
        """What can be done with what was found, and with the session itself."""
        return (
            (
                ("play", self.tr("Play"), ""),
                ("report", self.tr("Open report"), ""),
                ("keep_report", self.tr("Save report…"), ""),
                ("compare", self.tr("Compare…"), ""),
            ),
            (
                ("analyse", self.tr("Analyse again"), ""),
                ("edit", self.tr("Change…"), ""),
                ("lock", "", ""),
                ("remove", self.tr("Remove…"), "danger"),
            ),
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width() >= ONE_ROW_PX
        across, down = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        self._acts.setDirection(across if wide else down)

    def _build_tabs(self) -> None:
        beside = QWidget()
        column = QVBoxLayout(beside)
        column.setContentsMargins(16, 8, 8, 0)
        column.setSpacing(8)
        column.addWidget(label(self.tr("Speed"), "section"))
        column.addWidget(self.speed)
        column.addWidget(self.heat, 1)
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.addWidget(self.figures)
        split.addWidget(scroll(beside))
        split.setSizes([FIGURES_PX, BESIDE_PX])
        tabs = QHBoxLayout()
        for number, text in enumerate((self.tr("Figures"), self.tr("Strides"))):
            tab = button(text)
            tab.setCheckable(True)
            tab.setChecked(number == 0)
            self.tab_buttons.addButton(tab, number)
            tabs.addWidget(tab)
        tabs.addStretch(1)
        self.tab_buttons.idClicked.connect(self.show_tab)
        self.tabs.addWidget(split)
        self.tabs.addWidget(self.strides)
        whole = QVBoxLayout(self.found)
        whole.setContentsMargins(0, 4, 0, 0)
        whole.setSpacing(8)
        whole.addLayout(tabs)
        whole.addWidget(self.tabs, 1)

    def show_tab(self, number: int) -> None:
        """The figures (0) or the strides (1)."""
        self.tab_buttons.button(number).setChecked(True)
        self.tabs.setCurrentIndex(number)

    def _act(self, name: str, text: str, role: str) -> QPushButton:
        result = button(text, role)
        result.clicked.connect(lambda _checked=False: self.wanted.emit(name))
        self.acts[name] = result
        return result

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self._theme = theme
        for part in (self.gaits, self.figures, self.speed, self.heat):
            part.set_theme(theme)
        if self.session is not None:
            name, colour = MARKS[self.session.state]
            set_icon(self.mark, name, theme, colour, 20)

    # --- what is shown --------------------------------------------------------------------------

    def show_session(self, session: Session, horse: str, files_here: bool) -> None:
        """Show what is said of one; what was found of another goes. ``files_here``: the media
        folder is on this machine."""
        if self.session is None or self.session.id != session.id:
            self.reading = None
            for part in (self.found, self.gaits, self.remarks):
                part.hide()
        self.session = session
        name, colour = MARKS[session.state]
        set_icon(self.mark, name, self._theme, colour, 20)
        self.title.setText(session.title)
        upload = session.source is SessionSource.UPLOAD
        parts = (
            about_words(session, horse or self.tr("horse not named")),
            session.video_name if upload else source_word(session.source),
            self.tr("mode {0}").format(short_mode(session.mode)) if upload else "",
        )
        self.about.setText(" · ".join(part for part in parts if part))
        self.state.setText(state_line(session))
        self.bar.setVisible(session.state in AT_WORK)
        self.bar.setValue(round(1000 * session.progress))
        self.note.setText(session.note)
        self.note.setVisible(bool(session.note))
        self.gone.setText(self._gone_words(session))
        self.gone.setVisible(bool(self.gone.text()))
        self._show_acts(session, files_here)

    def _gone_words(self, session: Session) -> str:
        if session.archived_at is not None:
            words = self.tr("Archived: the stride table{0} gone; figures, map and report stay.")
            upload = session.source is SessionSource.UPLOAD
            return words.format(self.tr(" and the video are") if upload else self.tr(" is"))
        if session.source is SessionSource.UPLOAD and not session.video:
            return self.tr("The video is gone: it cannot be played or analysed again.")
        return ""

    def _show_acts(self, session: Session, files_here: bool) -> None:
        upload, state = session.source is SessionSource.UPLOAD, session.state
        ended, at_work = state not in (*AT_WORK, SessionState.OPEN), state in AT_WORK
        shown = {
            "cancel": at_work and session.job_id is not None,
            "stop": state is SessionState.OPEN,
            "play": not upload or bool(session.video),
            "report": bool(session.report),
            "keep_report": bool(session.report),
            "compare": state is SessionState.DONE,
            "analyse": ended
            and session.archived_at is None
            and (bool(session.video) or not upload),
            "edit": True,
            "lock": True,
            "remove": True,
            "profile": session.horse_id is not None,
        }
        for name, visible in shown.items():
            self.acts[name].setVisible(visible)
        self.acts["lock"].setText(self.tr("Unlock") if session.locked else self.tr("Lock"))
        self.acts["lock"].setToolTip(
            self.tr("A locked session is kept whole: not archived, and not removed.")
        )
        self.acts["remove"].setEnabled(not session.locked)
        away = "" if files_here else self.tr("The files of sessions are not on this machine.")
        for name in ("report", "keep_report", *(("play",) if upload else ())):
            self.acts[name].setEnabled(files_here)
            self.acts[name].setToolTip(away)

    def show_reading(self, reading: SessionReading, cameras: Mapping[StreamId, str]) -> None:
        """Show what was found."""
        self.reading = reading
        metrics = reading.metrics
        for part in (self.found, self.gaits):
            part.setVisible(metrics is not None)
        self.remarks.setVisible(True)
        if metrics is None:
            self.remarks.setText(self.tr("Nothing was found yet."))
            return
        self.remarks.setText(self._rests_on(metrics))
        self.gaits.show_values(metrics.values)
        self.figures.figures.show_figures(tuple(metrics.values.values()))
        self.figures.resizeRowsToContents()
        self.speed.show_reading(reading)
        names = [
            cameras.get(one.stream_id, self.tr("a camera that is gone"))
            if one.stream_id is not None
            else self.tr("Video")
            for one in reading.heat_maps
        ]
        self.heat.show_maps(reading.heat_maps, names, self._why_no_map(reading))
        self.strides.strides.show_strides(reading.strides, reading.session.start_at)
        words = self.tr("Strides ({0})").format(len(reading.strides))
        self.tab_buttons.button(1).setText(words)

    def _rests_on(self, metrics: SessionMetrics) -> str:
        seen = self.tr("Seen {0} of {1} ({2}), {3} pictures at {4} a second.").format(
            duration(metrics.seen_s), duration(metrics.duration_s), percent(metrics.coverage),
            metrics.pictures, f"{metrics.fps:.1f}",
        )  # fmt: skip
        lines = [f"{seen} {scale_words(metrics.scale)}"]
        lines += [f"• {one}" for one in metrics.remarks]
        return "\n".join(lines)

    def _why_no_map(self, reading: SessionReading) -> str:
        if reading.session.state is SessionState.OPEN:
            return self.tr("The map is made once the session is stopped and analysed.")
        return self.tr("There is no map: the camera moved, or the horse's feet were not seen.")

"""The panel of background work: what runs, how far it is, what came out. Opens over any page."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QToolButton, QVBoxLayout, QWidget

from engine.domain.errors import EnvironmentFault
from engine.domain.recording import Job, JobId, JobKind, JobState
from ui.jobs.watch import ACTIVE, JobWatch
from ui.registry.words import ago
from ui.theme import Theme, icon
from ui.widgets import button, icon_button, icon_label, label, line, scroll, set_icon
from ui.wording import duration

WIDTH_PX, HEIGHT_PX = 440, 420
MARGIN_PX = 12
STATUS_PX = 28
SHOWN = 20
MARKS = {
    JobState.QUEUED: ("jobs", "muted"),
    JobState.RUNNING: ("sync", "accent"),
    JobState.DONE: ("ok", "accent"),
    JobState.FAILED: ("critical", "critical"),
    JobState.CANCELLED: ("stop", "muted"),
}


class JobCard(QFrame):
    """One job. ``cancelled`` carries its id, ``opened`` the job whose folder is asked for."""

    cancelled = Signal(object)
    opened = Signal(object)

    def __init__(self, job: Job, theme: Theme, has_file: bool) -> None:
        super().__init__()
        self._theme = theme
        self.job = job
        self.has_file = has_file
        self._mark = icon_label("jobs", theme, "muted")
        self._title = label("", wrap=True)
        self._state = label("", "small", wrap=True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.cancel = icon_button("close", theme, self.tr("Cancel"))
        self.cancel.clicked.connect(lambda: self.cancelled.emit(self.job.id))
        self.open = button(self.tr("Show in folder"), "link")
        self.open.clicked.connect(lambda: self.opened.emit(self.job))
        words = QVBoxLayout()
        words.setSpacing(4)
        for widget in (self._title, self.bar, self._state):
            words.addWidget(widget)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(8)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.open, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.cancel, 0, Qt.AlignmentFlag.AlignTop)
        self.show_job(job, has_file)

    def show_job(self, job: Job, has_file: bool) -> None:
        """Show where it stands."""
        self.job, self.has_file = job, has_file
        set_icon(self._mark, MARKS[job.state][0], self._theme, MARKS[job.state][1])
        self._title.setText(job.title)
        self._state.setText(self.state_words(job))
        self.bar.setVisible(job.state in ACTIVE)
        self.bar.setValue(round(job.progress * 1000))
        self.bar.setAccessibleName(f"{job.title} {round(job.progress * 100)} %")
        self.cancel.setVisible(job.state in ACTIVE)
        self.open.setVisible(has_file)

    def state_words(self, job: Job) -> str:
        """Its state, how far it is, what it says, and who has what it made."""
        words = {
            JobState.QUEUED: self.tr("waits"),
            JobState.RUNNING: f"{round(job.progress * 100)} %",
            JobState.DONE: self.tr("done {0}").format(ago(job.ended_at)),
            JobState.FAILED: self.tr("failed {0}").format(ago(job.ended_at)),
            JobState.CANCELLED: self.tr("cancelled {0}").format(ago(job.ended_at)),
        }[job.state]
        took = ""
        if job.state is JobState.DONE and job.started_at is not None and job.ended_at is not None:
            seconds = (job.ended_at - job.started_at).total_seconds()
            took = self.tr("took {0}").format(duration(seconds))
        made = job.state is JobState.DONE and job.kind is JobKind.EXPORT
        place = ""
        if made and not self.has_file and job.workstation:
            place = self.tr("lies on {0}").format(job.workstation)
        if job.state is JobState.QUEUED and job.message.startswith("waits"):
            words = ""
        return " · ".join(part for part in (words, took, job.message, place) if part)


class JobsPanel(QFrame):
    """``failed`` carries why a result cannot be shown."""

    failed = Signal(object)

    def __init__(self, watch: JobWatch, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("float")
        self._watch = watch
        self._theme = theme
        self.cards: dict[JobId, JobCard] = {}
        close = icon_button("close", theme, self.tr("Close"))
        close.clicked.connect(self.hide)
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Background work"), "large"))
        head.addStretch(1)
        head.addWidget(close)
        self._nothing = label("", "muted", wrap=True)
        self._own = label("", "small")
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(0)
        self._list.addStretch(1)
        content = QWidget()
        content.setLayout(self._list)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 12, 12)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(line())
        column.addWidget(self._nothing)
        column.addWidget(scroll(content), 1)
        column.addWidget(self._own)
        self.resize(WIDTH_PX, HEIGHT_PX)
        self.hide()
        watch.changed.connect(self._show_jobs)
        self._show_jobs()

    @property
    def words(self) -> str:
        """What stands where there are no jobs."""
        return self._nothing.text() if not self._nothing.isHidden() else ""

    def toggle(self) -> None:
        """Open or close."""
        self.setVisible(self.isHidden())

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        for card in self.cards.values():
            self._list.removeWidget(card)
            card.deleteLater()
        self.cards = {}
        self._show_jobs()

    def place(self) -> None:
        """Stand over the right end of the status bar."""
        parent = self.parentWidget()
        if parent is not None:
            self.move(
                parent.width() - self.width() - MARGIN_PX,
                max(parent.height() - self.height() - STATUS_PX - MARGIN_PX, 0),
            )

    def open_folder(self, job: Job) -> None:
        """Show the result in the machine's own file manager."""
        try:
            folder = self._watch.folder_of(job)
        except EnvironmentFault as fault:
            self.failed.emit(fault)
            return
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _show_jobs(self) -> None:
        jobs = self._watch.asked_for[:SHOWN]
        known = {job.id for job in jobs}
        for job_id in [job_id for job_id in self.cards if job_id not in known]:
            card = self.cards.pop(job_id)
            self._list.removeWidget(card)
            card.deleteLater()
        for place, job in enumerate(jobs):
            self._show_job(job, place)
        self._nothing.setText(self._empty_words())
        self._nothing.setVisible(not jobs or self._watch.problem is not None)
        own = self._watch.by_itself
        self._own.setText(
            self.tr("{0} recordings are analysed again by the machine itself").format(own)
        )
        self._own.setVisible(own > 0)

    def _show_job(self, job: Job, place: int) -> None:
        has_file = self._watch.file_of(job) is not None and job.kind is JobKind.EXPORT
        card = self.cards.get(job.id)
        if card is None:
            card = JobCard(job, self._theme, has_file)
            card.cancelled.connect(self._watch.cancel)
            card.opened.connect(self.open_folder)
            self.cards[job.id] = card
            self._list.insertWidget(place, card)
        elif card.job != job or card.has_file != has_file:
            card.show_job(job, has_file)

    def _empty_words(self) -> str:
        if not self._watch.available:
            return self.tr("This console was started without a job queue.")
        if self._watch.problem is not None:
            return str(self._watch.problem)
        return self.tr(
            "Nothing runs. Mark a range in the timeline to export it or to analyse it again."
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.place()
        self.raise_()
        self.setFocus()
        self._watch.watch_closely(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._watch.watch_closely(False)


class JobsButton(QToolButton):
    """Stands in the status bar: how many jobs, and how far they are."""

    def __init__(self, watch: JobWatch, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._watch = watch
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.set_theme(theme)
        watch.changed.connect(self.show_count)
        self.show_count()

    def set_theme(self, theme: Theme) -> None:
        """Its icon in another look."""
        self.setIcon(icon("jobs", theme))

    def show_count(self) -> None:
        """``2 jobs · 41 %``; just the word when nothing runs."""
        active = self._watch.active
        if not active:
            self.setText(self.tr("Jobs"))
        else:
            share = sum(job.progress for job in active) / len(active)
            word = self.tr("job") if len(active) == 1 else self.tr("jobs")
            self.setText(f"{len(active)} {word} · {share * 100:.0f} %")
        self.setAccessibleName(self.text())
        self.setToolTip(self.tr("Background work (Ctrl+J)"))

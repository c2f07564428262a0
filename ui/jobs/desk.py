"""Background work for the whole window: the watch, the panel, the button, and what is told."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from engine.domain.recording import Job, JobKind, JobState
from ui.actions import ActionBook
from ui.jobs.panel import JobsButton, JobsPanel
from ui.jobs.watch import JobWatch
from ui.registry.words import local_user
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme


class JobsDesk(QObject):
    """``told`` carries a sentence, the words of an act with what it does (or None), and whether it
    is a warning; ``failed`` an error."""

    told = Signal(str, str, object, bool)
    failed = Signal(object)

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        book: ActionBook,
        theme: Theme,
        central: QWidget,
    ) -> None:
        super().__init__(central)
        self.watch = JobWatch(services, requests, local_user(), self)
        self.panel = JobsPanel(self.watch, theme, central)
        self.button = JobsButton(self.watch, theme)
        self.button.clicked.connect(self.panel.toggle)
        book.add(
            "jobs", self.tr("Console"), self.tr("Background work"), self.panel.toggle, "Ctrl+J"
        )
        self.watch.ended.connect(self._on_ended)
        self.watch.failed.connect(self.failed)
        self.panel.failed.connect(self.failed)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self.panel.set_theme(theme)
        self.button.set_theme(theme)

    def place(self) -> None:
        """The window has another size."""
        if self.panel.isVisible():
            self.panel.place()

    def _on_ended(self, job: Job) -> None:
        """Tell how a job ended; a finished export can be opened."""
        act, then = "", None
        if job.state is JobState.DONE:
            ready = job.kind is JobKind.EXPORT
            words = self.tr("Export ready: {0}") if ready else self.tr("Done: {0}")
            if ready and self.watch.file_of(job) is not None:
                act, then = self.tr("Show in folder"), self._opener(job)
            elif ready and job.workstation:
                words = self.tr("Export ready on {1}: {0}")
        elif job.state is JobState.FAILED:
            words = self.tr("Failed: {0}") + (f" – {job.message}" if job.message else "")
            act, then = self.tr("Details"), self.panel.show
        else:
            words = self.tr("Cancelled: {0}")
        self.told.emit(
            words.format(job.title, job.workstation), act, then, job.state is JobState.FAILED
        )

    def _opener(self, job: Job) -> Callable[[], None]:
        return lambda: self.panel.open_folder(job)

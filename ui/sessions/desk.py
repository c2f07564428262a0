"""What can be done with sessions. Asking and doing are apart: the dialogs ask, these methods do,
on workers, and what is missing is said in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from PySide6.QtCore import QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QFileDialog, QMessageBox, QWidget

from engine.domain.errors import BarnhandError, EnvironmentFault
from engine.domain.horses import HorseStatus
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.sessions import Session, SessionMetrics, SessionSource
from engine.sessions.acts import SessionActs
from engine.sessions.layout import session_file
from ui.commands import CommandLog
from ui.registry.directory import HorseDirectory
from ui.registry.words import local_user
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.sessions.commands import AddSession, EditSession
from ui.sessions.dialogs import EditDialog, LiveDialog, StretchDialog, VideoDialog, VideoWanted
from ui.sessions.feed import SessionFeed
from ui.sessions.video_intake import VideoIntake
from ui.sessions.words import metric_word, value_words
from ui.timeline.cursor import TimeRange
from ui.timeline.range_actions import RangeViewer
from ui.timeline.range_scope import RangeScope
from ui.wording import duration

Asking = TypeVar("Asking", bound=QDialog)
SUMMARY = ("distance", "speed_mean", "speed_max", "strides")


class FileOpener(Protocol):
    """Opens a file in the machine's own program for it; False where there is none."""

    def __call__(self, path: Path) -> bool: ...


def open_in_system(path: Path) -> bool:
    """With the program that the machine has for such files."""
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


class SessionDesk(QObject):
    """``said`` carries a sentence (and whether it is a warning), ``failed`` an error, ``made`` a
    session that is new or was changed, ``gone`` follows a removal, ``copying`` follows the begin
    and the end of a copy. ``acts`` None: the store keeps no sessions."""

    said = Signal(str, bool)
    failed = Signal(object)
    made = Signal(object)
    gone = Signal()
    copying = Signal()

    def __init__(
        self, services: ConsoleServices, requests: RequestRunner, log: CommandLog,
        directory: HorseDirectory, feed: SessionFeed, window: QWidget,
    ) -> None:  # fmt: skip
        super().__init__(window)
        self._services, self._requests, self._log = services, requests, log
        self._directory, self._feed, self._window = directory, feed, window
        self.acts = session_acts(services)
        self.cameras: Mapping[StreamId, str] = {}
        self.intake: VideoIntake | None = None
        self.viewer: RangeViewer | None = None
        self.open_file: FileOpener = open_in_system
        self._actor = local_user()

    @property
    def horses(self) -> dict[HorseId, str]:
        """Horses that live here, by name."""
        away = (HorseStatus.MERGED, HorseStatus.ARCHIVED)
        return {h.id: h.title for h in self._directory.horses if h.status not in away}

    @property
    def _farm(self) -> FarmId | None:
        return self._services.farm_id

    # --- new ones -------------------------------------------------------------------------------

    def ask_video(self) -> VideoDialog | None:
        """Ask which video."""
        if not self._ready():
            return None
        if self._services.media_folder is None:
            words = self.tr("Videos are kept where the recordings are, which is not this machine.")
            self.said.emit(words, True)
            return None
        if self.intake is not None:
            self.said.emit(self.tr("A video is being copied; wait for it or cancel it."), True)
            return None
        dialog = VideoDialog(self.horses, self.cameras, self._window)
        return self._ask(dialog, lambda farm: self.take_video(dialog.wanted(farm, self._actor)))

    def ask_live(self) -> LiveDialog | None:
        """Ask whose live session begins."""
        if not self._ready():
            return None
        dialog = LiveDialog(self.horses, self.cameras, self._window)
        return self._ask(dialog, lambda farm: self._add(dialog.session(farm, self._actor)))

    def ask_stretch(self, scope: RangeScope) -> StretchDialog | None:
        """Ask about a marked range (``ui.timeline.range_actions.SessionMaker``)."""
        if not self._ready():
            return None
        dialog = StretchDialog(scope, self._window)
        return self._ask(dialog, lambda farm: self._add(dialog.session(farm, self._actor)))

    def _ask(self, dialog: Asking, act: Callable[[FarmId], None]) -> Asking:
        def accepted() -> None:
            if self._farm is not None:
                act(self._farm)

        dialog.accepted.connect(accepted)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def _add(self, session: Session) -> None:
        if self.acts is not None:
            command = AddSession(session, self.acts, self._actor)
            self._log.run(command, lambda: self.made.emit(command.session))

    def take_video(self, wanted: VideoWanted) -> None:
        """Copy a video, store its session and queue the analysis."""
        acts, media = self.acts, self._services.media_folder
        if acts is None or media is None or self.intake is not None:
            return
        intake = self.intake = VideoIntake(media, wanted.source, wanted.session.id)
        actor = self._actor

        def work() -> Session | None:
            taken = intake.copy()
            if taken is None:
                return None
            session = replace(
                wanted.session, video=taken.path, size_bytes=taken.size_bytes, sha256=taken.sha256
            )
            try:
                stored = acts.sessions.add(session)
            except BarnhandError:
                intake.forget()
                raise
            return acts.analyse(stored, actor)

        self._requests.submit("copy a video", work, self._on_taken, self._on_not_taken, self)
        self.copying.emit()

    def cancel_copy(self) -> None:
        """Give the copy up."""
        if self.intake is not None:
            self.intake.cancel()

    def _on_taken(self, session: Session | None) -> None:
        self.intake = None
        self.copying.emit()
        if session is None:
            self.said.emit(self.tr("Copying was cancelled; nothing of the video was kept."), False)
            return
        self.said.emit(self.tr("Copied; “{0}” waits for analysis.").format(session.title), False)
        self.made.emit(session)

    def _on_not_taken(self, error: BarnhandError) -> None:
        self.intake = None
        self.copying.emit()
        self.failed.emit(error)

    # --- one that is there ----------------------------------------------------------------------

    def edit(self, session: Session) -> EditDialog:
        """Ask what is to be changed."""
        dialog = EditDialog(session, self.horses, self._window)
        dialog.accepted.connect(lambda: self.change(session, dialog.session()))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def change(self, before: Session, after: Session) -> None:
        """Store a change that can be undone."""
        if self.acts is not None and before != after:
            command = EditSession(before, after, self.acts.sessions)
            self._log.run(command, lambda: self.made.emit(command.session))

    def toggle_lock(self, session: Session) -> None:
        """Keep it whole, or leave it to the archive."""
        self.change(session, replace(session, locked=not session.locked))

    def analyse(self, session: Session) -> None:
        """Queue its analysis again."""
        self._do("analyse a session", lambda acts: acts.analyse(session, self._actor))

    def cancel(self, session: Session) -> None:
        """End its analysis."""
        self._do("cancel an analysis", lambda acts: acts.cancel(session, self._actor))

    def _do(self, name: str, act: Callable[[SessionActs], Session]) -> None:
        acts = self.acts
        if acts is not None:
            self._requests.submit(name, lambda: act(acts), self.made.emit, self.failed.emit, self)

    def stop(self, session: Session) -> None:
        """End a live session and tell what it showed."""
        acts, actor = self.acts, self._actor
        if acts is None:
            return

        def work() -> tuple[Session, SessionMetrics | None]:
            stopped = acts.stop(session, datetime.now(UTC), actor)
            return stopped, acts.sessions.metrics(stopped.id)

        self._requests.submit("stop a session", work, self._on_stopped, self.failed.emit, self)

    def _on_stopped(self, found: tuple[Session, SessionMetrics | None]) -> None:
        session, metrics = found
        words = [self.tr("Stopped after {0}").format(duration(session.duration_s or 0.0))]
        if metrics is not None:
            told = (metrics.values.get(name) for name in SUMMARY)
            words += [
                f"{metric_word(one.name)} {value_words(one)}"
                for one in told
                if one is not None and one.value is not None
            ]
        self.said.emit(" · ".join(words), False)
        self.made.emit(session)

    def ask_remove(self, session: Session) -> QMessageBox:
        """Ask first: its files cannot be brought back."""
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(self.tr("Remove a session"))
        box.setText(self.tr("Remove “{0}”?").format(session.title))
        upload = session.source is SessionSource.UPLOAD
        what = self.tr("its video, ") if upload and session.video else ""
        words = self.tr("Figures, strides, map, {0}and report go for good.").format(what)
        if not upload:
            words += " " + self.tr("The recordings of the cameras stay.")
        box.setInformativeText(words)
        remove = box.addButton(self.tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        remove.clicked.connect(lambda: self.remove(session))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()
        return box

    def remove(self, session: Session) -> None:
        """Forget a session with its files."""
        acts, actor = self.acts, self._actor
        if acts is None:
            return

        def done(_nothing: None) -> None:
            self.said.emit(self.tr("Removed “{0}”").format(session.title), False)
            self.gone.emit()

        def failed(error: BarnhandError) -> None:
            self.failed.emit(error)
            self.gone.emit()

        work = partial(acts.remove, session, actor)
        self._requests.submit("remove a session", work, done, failed, self)

    # --- pictures and report --------------------------------------------------------------------

    def play(self, session: Session) -> None:
        """Recordings in Review, a video in the machine's own player."""
        if session.source is SessionSource.UPLOAD:
            self._open(session.video)
            return
        if self.viewer is None:
            self.said.emit(self.tr("Recordings cannot be played here."), True)
            return
        end = session.end_at or datetime.now(UTC)
        self.viewer.open_range(
            TimeRange(session.start_at, end), session.stream_ids, session.horse_id
        )

    def open_report(self, session: Session) -> None:
        """Show the report in the machine's own program."""
        self._open(session.report)

    def _open(self, path: str) -> None:
        media = self._services.media_folder
        if media is None:
            self.said.emit(self.tr("The files of sessions are not on this machine."), True)
            return

        def opened(file: Path) -> None:
            if not self.open_file(file):
                words = self.tr("This machine has no program that opens {0}.").format(file)
                self.said.emit(words, True)

        work = partial(session_file, media, path)
        self._requests.submit("find a file", work, opened, self.failed.emit, self)

    def keep_report(self, session: Session) -> QFileDialog:
        """Ask where the report is to be copied."""
        dialog = QFileDialog(self._window, self.tr("Save the report"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(self.tr("PDF (*.pdf)"))
        dialog.setDefaultSuffix("pdf")
        dialog.selectFile(f"{file_name(session)}.pdf")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.copy_report(session, Path(path)))
        dialog.open()
        return dialog

    def copy_report(self, session: Session, to: Path) -> None:
        """Copy the report."""
        media = self._services.media_folder
        if media is None:
            return

        def work() -> Path:
            file = session_file(media, session.report)
            try:
                shutil.copyfile(file, to)
            except OSError as error:
                raise EnvironmentFault(
                    f"{to.name} could not be written: {error.strerror or error}."
                ) from error
            return to

        def saved(path: Path) -> None:
            self.said.emit(self.tr("Saved: {0}").format(path.name), False)

        self._requests.submit("save a report", work, saved, self.failed.emit, self)

    # --- parts ----------------------------------------------------------------------------------

    def _ready(self) -> bool:
        if self.acts is None or self._farm is None:
            words = self.tr("Sessions need the database, which this console was started without.")
            self.said.emit(words, True)
            return False
        return True


def session_acts(services: ConsoleServices) -> SessionActs | None:
    """The acts over the stores of a console; None where it keeps no sessions."""
    if services.sessions is None or services.jobs is None:
        return None
    return SessionActs(
        services.sessions, services.jobs, services.horses, services.motion, services.media_folder
    )


def file_name(session: Session) -> str:
    """Title and day as the name of a file, without what file systems refuse."""
    kept = "".join(c if c.isalnum() or c in "-_ " else "_" for c in session.title).strip()
    return f"{kept or 'session'}_{session.start_at:%Y%m%d}"

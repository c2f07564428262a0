"""Everything that can be done with a marked range. Asking and doing are apart: the dialogs ask,
these methods do, and what is missing is said in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.job_arguments import (
    ReprocessRequest,
    export_arguments,
    reprocess_arguments,
)
from engine.domain.recording import Bookmark, ExportKind, ExportRequest, Job, JobKind
from ui.commands import CommandLog
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.timeline.cursor import TimeRange
from ui.timeline.range_commands import KeepBookmark, LockRecordings, RemoveBookmark
from ui.timeline.range_dialogs import BookmarkDialog, ExportDialog, ReprocessDialog
from ui.timeline.range_scope import RangeScope

BOUTS_READ = 5000


class RangeViewer(Protocol):
    """Who can play a range: the Review page."""

    def open_range(
        self, marked: TimeRange, stream_ids: Sequence[StreamId], horse_id: HorseId | None
    ) -> None:
        """Show these cameras at the beginning of the range."""
        ...


class SessionMaker(Protocol):
    """Who makes sessions of ranges: the Sessions page."""

    def ask_stretch(self, scope: RangeScope) -> object:
        """Ask about it, then make it."""
        ...


class RangeActions(QObject):
    """``said`` carries a sentence for the person (and whether it is a warning), ``failed`` an
    error, ``submitted`` a job that was queued, ``kept`` follows a bookmark or a lock. ``scope``
    tells what is marked, None for nothing; ``farm_of`` whose farm bookmarks belong to.
    """

    said = Signal(str, bool)
    failed = Signal(object)
    submitted = Signal(object)
    kept = Signal()

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        log: CommandLog,
        scope: Callable[[], RangeScope | None],
        actor: str,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._services = services
        self._requests = requests
        self._log = log
        self._scope = scope
        self._actor = actor
        self._window = window
        self.zone: tzinfo | None = None
        self.farm_of: Callable[[], FarmId | None] = lambda: services.farm_id
        self.viewer: RangeViewer | None = None
        """Set by the window once there is a Review page."""
        self.maker: SessionMaker | None = None
        """Set by the window once there is a Sessions page."""

    # --- asking ---------------------------------------------------------------------------------

    def export(self) -> ExportDialog | None:
        """Ask what to export."""
        scope = self._ready(self._services.jobs, self.tr("Exports need the job queue"))
        if scope is None:
            return None
        dialog = ExportDialog(scope, self._window)
        dialog.accepted.connect(lambda: self.submit_export(dialog.request()))
        dialog.open()
        return dialog

    def bookmark(self) -> BookmarkDialog | None:
        """Ask for the title of a bookmark."""
        scope = self._ready(self._services.bookmarks, self.tr("Bookmarks need the database"))
        if scope is None:
            return None
        dialog = BookmarkDialog(scope, self._window)
        dialog.accepted.connect(lambda: self._keep(dialog))
        dialog.open()
        return dialog

    def reprocess(self) -> ReprocessDialog | None:
        """Ask which cameras to analyse again."""
        scope = self._ready(self._services.jobs, self.tr("Reprocessing needs the job queue"))
        if scope is None:
            return None
        dialog = ReprocessDialog(scope, self._window)
        dialog.accepted.connect(lambda: self.submit_reprocess(dialog.request()))
        dialog.open()
        return dialog

    def session(self) -> None:
        """Ask what is said of a session of the range."""
        missing = self.tr("Sessions need the database and the job queue")
        scope = self._ready(self._services.sessions and self._services.jobs, missing)
        if scope is not None and self.maker is not None:
            self.maker.ask_stretch(scope)

    # --- doing ----------------------------------------------------------------------------------

    def submit_export(self, request: ExportRequest) -> None:
        """Queue an export."""
        words = {
            ExportKind.CLIP: self.tr("Clip"),
            ExportKind.PACKET: self.tr("Packet for the vet"),
        }
        what = words.get(request.kind, request.kind.value.upper())
        scope = RangeScope(TimeRange(request.start_at, request.end_at))
        title = self._title(what, request.horse_id, scope)
        self._submit(JobKind.EXPORT, title, export_arguments(request))

    def submit_reprocess(self, request: ReprocessRequest) -> None:
        """Queue a reprocessing."""
        scope = RangeScope(TimeRange(request.start_at, request.end_at))
        title = self._title(self.tr("Reprocess"), None, scope)
        self._submit(JobKind.REPROCESS, title, reprocess_arguments(request))

    def _title(self, what: str, horse_id: HorseId | None, scope: RangeScope) -> str:
        marked = self._scope()
        name = marked.horses.get(horse_id, "") if marked is not None and horse_id else ""
        return " · ".join(part for part in (what, name, scope.words(self.zone)) if part)

    def _submit(self, kind: JobKind, title: str, arguments: dict[str, object]) -> None:
        jobs, actor = self._services.jobs, self._actor
        if jobs is None:
            return

        def queued(job: Job) -> None:
            self.said.emit(self.tr("Queued: {0}").format(job.title), False)
            self.submitted.emit(job)

        self._requests.submit(
            "queue a job",
            lambda: jobs.submit(kind, title, arguments, actor),
            queued,
            self.failed.emit,
            self,
        )

    def lock(self) -> None:
        """Keep the recordings of the range from retention."""
        self._lock(True)

    def unlock(self) -> None:
        """Leave the recordings of the range to retention."""
        self._lock(False)

    def _lock(self, locked: bool) -> None:
        chunks = self._services.chunks
        scope = self._ready(chunks, self.tr("Locking needs recordings"))
        if scope is None or chunks is None:
            return
        work = self._cameras_of(scope)

        def run(stream_ids: tuple[StreamId, ...]) -> None:
            command = LockRecordings(chunks, stream_ids, scope.range, locked)
            self._log.run(command, self.kept.emit)

        self._requests.submit("cameras of a horse", work, run, self.failed.emit, self)

    def _cameras_of(self, scope: RangeScope) -> Callable[[], tuple[StreamId, ...]]:
        """The cameras that saw the selected horse in the range; all where it is not told."""
        motion, horse_id = self._services.motion, scope.horse_id
        if motion is None or horse_id is None:
            return lambda: scope.stream_ids
        start_at, end_at = scope.range.start_at, scope.range.end_at

        def find() -> tuple[StreamId, ...]:
            bouts = motion.bouts(start_at, end_at, [horse_id], limit=BOUTS_READ)
            seen = dict.fromkeys(owned.bout.stream_id for owned in bouts)
            return tuple(seen) or scope.stream_ids

        return find

    def _keep(self, dialog: BookmarkDialog) -> None:
        bookmarks, farm_id = self._services.bookmarks, self.farm_of()
        if bookmarks is None:
            return
        if farm_id is None:
            self.said.emit(self.tr("A bookmark belongs to a farm, and none is known yet."), True)
            return
        command = KeepBookmark(bookmarks, dialog.bookmark(farm_id, self._actor))
        self._log.run(command, self.kept.emit)

    def forget(self, bookmark: Bookmark) -> None:
        """Remove a bookmark."""
        if self._services.bookmarks is not None:
            self._log.run(RemoveBookmark(self._services.bookmarks, bookmark), self.kept.emit)

    def review(self) -> None:
        """Play the range."""
        scope = self._marked()
        if scope is None:
            return
        if self.viewer is None:
            self.said.emit(self.tr("The Review page is not part of this version yet."), True)
            return
        self.viewer.open_range(scope.range, scope.stream_ids, scope.horse_id)

    def copy(self) -> None:
        """Both ends into the clipboard, UTC to the microsecond, one a line."""
        scope = self._marked()
        if scope is None:
            return
        ends = (scope.range.start_at, scope.range.end_at)
        QGuiApplication.clipboard().setText("\n".join(at.isoformat() for at in ends))
        self.said.emit(self.tr("Copied: {0}").format(scope.words(self.zone)), False)

    # --- what is there --------------------------------------------------------------------------

    def _marked(self) -> RangeScope | None:
        scope = self._scope()
        if scope is None:
            words = self.tr("Mark a range first: drag on the ruler, or with Shift on the lanes.")
            self.said.emit(words, True)
        return scope

    def _ready(self, port: object | None, missing: str) -> RangeScope | None:
        """The scope when there is one and what the act needs is there."""
        if port is None:
            words = self.tr("{0}, which this console was started without.").format(missing)
            self.said.emit(words, True)
            return None
        return self._marked()

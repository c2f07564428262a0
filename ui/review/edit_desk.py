"""Pending edits become stored ones: preview, apply, undo, reprocess. Asking is the inspector's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from PySide6.QtCore import QCoreApplication, QObject, QTimer, Signal

from engine.domain.errors import BarnhandError
from engine.domain.job_arguments import ReprocessRequest, reprocess_arguments
from engine.domain.recording import (
    Chunk,
    ChunkId,
    Edit,
    EditEffect,
    EditId,
    EditRecord,
    EditRepository,
    Job,
    JobId,
    JobKind,
    JobState,
)
from ui.commands import Command, CommandLog
from ui.requests import RequestRunner
from ui.review.pending import PendingEdits
from ui.services import ConsoleServices
from ui.timeline.cursor import micros
from ui.timeline.words import span_words

GATHER_MS = 150
"""Edits made within this time are looked at together."""
INSIDE = timedelta(milliseconds=100)
"""A reprocessing of one chunk stays so far inside it that no neighbour is meant."""


class ApplyEdits(Command):
    """Stores edits of one chunk; each time it is done it is a record of its own."""

    def __init__(
        self, edits: EditRepository, chunk_id: ChunkId, wanted: Sequence[Edit], actor: str
    ) -> None:
        count = len(wanted)
        one = QCoreApplication.translate("Review", "correct one detection")
        many = QCoreApplication.translate("Review", "apply {0} corrections").format(count)
        self.text = one if count == 1 else many
        self.chunk_id = chunk_id
        self.wanted = tuple(wanted)
        self.record: EditRecord | None = None
        self._edits = edits
        self._actor = actor

    def do(self) -> None:
        self.record = self._edits.apply(self.chunk_id, self.wanted, self._actor)

    def undo(self) -> None:
        if self.record is not None:
            self._edits.undo(self.record.id, self._actor)
            self.record = None


class EditDesk(QObject):
    """``previewed`` carries a ChunkId with its EditEffect or an error, ``read`` a ChunkId with its
    history; ``stored`` a ChunkId whose stored detections changed, ``settled`` one that was analysed
    anew; ``submitted`` a job; ``said`` a sentence (and whether it is a warning)."""

    previewed = Signal(object, object)
    read = Signal(object, object)
    stored = Signal(object)
    settled = Signal(object)
    submitted = Signal(object)
    said = Signal(str, bool)
    failed = Signal(object)
    busy_changed = Signal(bool)

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        log: CommandLog,
        pending: PendingEdits,
        actor: str,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._edits = services.edits
        self._jobs = services.jobs
        self._requests, self._log = requests, log
        self._actor = actor
        self.pending = pending
        self.busy = False
        self._commands: list[tuple[ApplyEdits, EditId | None]] = []
        self._running: dict[JobId, ChunkId] = {}
        self._wanted: ChunkId | None = None
        self._gather = QTimer(self, interval=GATHER_MS, singleShot=True)
        self._gather.timeout.connect(self._preview)
        log.changed.connect(self._on_log)
        pending.changed.connect(self.preview)

    @property
    def available(self) -> bool:
        """Whether detections can be corrected here at all."""
        return self._edits is not None

    @property
    def can_reprocess(self) -> bool:
        """Whether there is a queue to analyse recordings again."""
        return self._jobs is not None

    # --- looking --------------------------------------------------------------------------------

    def preview(self, chunk_id: ChunkId) -> None:
        """Find out soon what the waiting edits of a chunk would change."""
        self._wanted = chunk_id
        self._gather.start()

    def _preview(self) -> None:
        edits, chunk_id = self._edits, self._wanted
        if edits is None or chunk_id is None:
            return
        wanted = self.pending.of(chunk_id)
        if not wanted:
            self.previewed.emit(chunk_id, None)
            return

        def seen(effect: EditEffect) -> None:
            if self.pending.of(chunk_id) == wanted:
                self.previewed.emit(chunk_id, effect)

        self._requests.submit(
            "preview edits",
            lambda: edits.preview(chunk_id, wanted),
            seen,
            lambda error: self.previewed.emit(chunk_id, error),
            self,
        )

    def read_history(self, chunk_id: ChunkId) -> None:
        """Ask who corrected what in a chunk."""
        edits = self._edits
        if edits is not None:
            self._requests.submit(
                "history of edits",
                lambda: tuple(edits.history(chunk_id)),
                lambda records: self.read.emit(chunk_id, records),
                lambda _error: None,
                self,
            )

    # --- doing ----------------------------------------------------------------------------------

    def apply(self, chunk: Chunk, reprocess: bool) -> None:
        """Store what waits for a chunk, all of it or nothing; then analyse it again if wanted."""
        edits, wanted = self._edits, self.pending.of(chunk.id)
        if edits is None or not wanted or self.busy:
            return
        command = ApplyEdits(edits, chunk.id, wanted, self._actor)
        self._set_busy(True)

        def done() -> None:
            self._set_busy(False)
            record = command.record
            if record is not None:
                self._commands.append((command, record.id))
                self.pending.applied(chunk.id, record.id, wanted)
            self.stored.emit(chunk.id)
            if reprocess:
                self.reprocess(chunk)

        def failed(error: BarnhandError) -> None:
            self._set_busy(False)
            self.failed.emit(error)

        self._log.run(command, done, failed)

    def undo(self, record: EditRecord) -> None:
        """Take back a set of edits from the history."""
        edits, actor = self._edits, self._actor
        if edits is None:
            return

        def done(undone: EditRecord) -> None:
            self.pending.undone(undone.chunk_id, undone.id)
            self.said.emit(self.tr("Taken back: {0}").format(undone.summary), False)
            self.stored.emit(undone.chunk_id)

        self._requests.submit(
            "undo edits", lambda: edits.undo(record.id, actor), done, self.failed.emit, self
        )

    def reprocess(self, chunk: Chunk) -> None:
        """Queue the analysis of one chunk."""
        jobs, actor = self._jobs, self._actor
        if jobs is None:
            self.said.emit(self.tr("Reprocessing needs the job queue."), True)
            return
        inside = min(INSIDE, (chunk.end_at - chunk.start_at) / 4)
        request = ReprocessRequest(
            chunk.start_at + inside, chunk.end_at - inside, (chunk.stream_id,)
        )
        span = span_words(micros(chunk.start_at), micros(chunk.end_at))
        title = self.tr("Reprocess · {0}").format(span)
        arguments = reprocess_arguments(request)

        def queued(job: Job) -> None:
            self._running[job.id] = chunk.id
            self.submitted.emit(job)

        self._requests.submit(
            "queue a job",
            lambda: jobs.submit(JobKind.REPROCESS, title, arguments, actor),
            queued,
            self.failed.emit,
            self,
        )

    def on_job_ended(self, job: Job) -> None:
        """A job came to its end: what it analysed is read again."""
        chunk_id = self._running.pop(job.id, None)
        if chunk_id is not None and job.state is JobState.DONE:
            self.pending.settled(chunk_id)
        if chunk_id is not None or job.kind is JobKind.REPROCESS:
            self.settled.emit(chunk_id)

    def _on_log(self) -> None:
        """Undo and redo of the window's own log."""
        for place, (command, known) in enumerate(self._commands):
            record = command.record
            now = None if record is None else record.id
            if now == known:
                continue
            self._commands[place] = (command, now)
            if known is not None:
                self.pending.undone(command.chunk_id, known)
            if now is not None:
                self.pending.applied(command.chunk_id, now, command.wanted)
            self.stored.emit(command.chunk_id)

    def _set_busy(self, on: bool) -> None:
        self.busy = on
        self.busy_changed.emit(on)

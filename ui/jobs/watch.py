"""What the console knows about background work: read on workers, often while something runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from engine.domain.errors import BarnhandError, EnvironmentFault
from engine.domain.recording import Job, JobId, JobKind, JobQueue, JobState
from ui.requests import RequestRunner
from ui.services import ConsoleServices

BUSY_MS, REST_MS = 1000, 5000
READ = 200
ACTIVE = (JobState.QUEUED, JobState.RUNNING)


class JobWatch(QObject):
    """``changed`` follows every reading that brought something new, ``ended`` carries each job that
    came to its end while the console watched, ``failed`` an error of an act."""

    changed = Signal()
    ended = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        actor: str,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs = services.jobs
        self._media = services.media_folder
        self._requests = requests
        self._actor = actor
        self.jobs: tuple[Job, ...] = ()
        self.problem: BarnhandError | None = None
        self._active: set[JobId] = set()
        self._here: frozenset[JobId] = frozenset()
        self._asked = self._stopped = False
        self._watched = False
        self._timer = QTimer(self, interval=REST_MS)
        self._timer.timeout.connect(self.refresh)

    @property
    def available(self) -> bool:
        """Whether there is a job queue at all."""
        return self._jobs is not None

    @property
    def active(self) -> tuple[Job, ...]:
        """What waits or runs because somebody asked for it."""
        return tuple(job for job in self.asked_for if job.state in ACTIVE)

    @property
    def asked_for(self) -> tuple[Job, ...]:
        """Jobs of people, newest first; recordings are analysed by the machine itself, too."""
        return tuple(job for job in self.jobs if job.kind is not JobKind.REANALYSE)

    @property
    def by_itself(self) -> int:
        """How many recordings wait for the machine or are being analysed."""
        own = (j for j in self.jobs if j.kind is JobKind.REANALYSE and j.state in ACTIVE)
        return sum(1 for _job in own)

    def start(self) -> None:
        """Begin to look."""
        if self.available:
            self._timer.start()
            self.refresh()

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        self._timer.stop()

    def watch_closely(self, on: bool) -> None:
        """Look every second while the panel is open."""
        self._watched = on
        self._pace()
        if on:
            self.refresh()

    def refresh(self) -> None:
        """Read now; one question at a time."""
        jobs = self._jobs
        if jobs is None or self._asked or self._stopped:
            return
        self._asked = True
        self._requests.submit(
            "jobs", lambda: self._read(jobs), self._on_read, self._on_failed, self
        )

    def cancel(self, job_id: JobId) -> None:
        """End a job."""
        jobs, actor = self._jobs, self._actor
        if jobs is not None:
            self._requests.submit(
                "cancel a job",
                lambda: jobs.cancel(job_id, actor),
                lambda _job: self.refresh(),
                self.failed.emit,
                self,
            )

    def file_of(self, job: Job) -> Path | None:
        """Where the result of a finished export lies on this machine, None if nowhere; as it was
        found when the jobs were last read."""
        return self._place(job) if job.id in self._here else None

    def _place(self, job: Job) -> Path | None:
        """Where the result would lie in this machine's media folder."""
        path = job.result.get("path")
        if self._media is None or not isinstance(path, str) or job.state is not JobState.DONE:
            return None
        whole = (self._media / path).resolve()
        return whole if whole.is_relative_to(self._media.resolve()) else None

    def _read(self, jobs: JobQueue) -> tuple[Sequence[Job], frozenset[JobId]]:
        """On a worker: the jobs, and those whose result lies on this machine."""
        found = jobs.list(limit=READ)
        places = ((job.id, self._place(job)) for job in found if job.kind is JobKind.EXPORT)
        return found, frozenset(
            job_id for job_id, place in places if place is not None and place.is_file()
        )

    def folder_of(self, job: Job) -> Path:
        """The folder of a result. Raises EnvironmentFault when the file is not on this machine."""
        whole = self.file_of(job)
        if whole is None or not whole.parent.is_dir():
            raise EnvironmentFault(
                self.tr("The result of “{0}” is not on this machine.").format(job.title),
                self.tr("It lies where “{0}” keeps its recordings.").format(
                    job.workstation or job.node or "?"
                ),
            )
        return whole.parent

    def _on_read(self, read: tuple[Sequence[Job], frozenset[JobId]]) -> None:
        self._asked = False
        self.problem = None
        fresh, here = tuple(read[0]), read[1]
        running = {job.id for job in fresh if job.state in ACTIVE}
        over = [j for j in fresh if j.id in self._active and j.state not in ACTIVE]
        self._active = running
        if fresh != self.jobs or here != self._here:
            self.jobs, self._here = fresh, here
            self.changed.emit()
        self._pace()
        for job in over:
            if job.kind is not JobKind.REANALYSE:
                self.ended.emit(job)

    def expect(self, job: Job) -> None:
        """A job that this console has just queued: its end will be told."""
        self._active.add(job.id)
        self.refresh()
        self._timer.setInterval(BUSY_MS)

    def _on_failed(self, error: BarnhandError) -> None:
        self._asked = False
        self.problem = error
        self.changed.emit()

    def _pace(self) -> None:
        busy = self._watched or any(job.state in ACTIVE for job in self.jobs)
        wanted = BUSY_MS if busy else REST_MS
        if self._timer.interval() != wanted:
            self._timer.setInterval(wanted)

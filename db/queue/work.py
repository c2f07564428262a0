"""One job at work: what its body may say and must ask, and what becomes of it at its end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from enum import StrEnum

from db.queue.jobs import PostgresJobQueue
from engine.domain.errors import BarnhandError, StoreUnavailable
from engine.domain.recording import Job, JobCancelled, JobContext, JobId, JobState

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 0.5
"""Progress is stored and told at most twice a second."""
_RETRY_S = 1.0
GIVE_BACK_S = 20
"""So long a job that was given back for want of capacity is left alone."""

JobBody = Callable[[Job, JobContext], Mapping[str, object]]
"""Does a job's work in the calling thread and returns its result, plain JSON values. Raises
JobCancelled soon after the context said so."""


class Ending(StrEnum):
    """Why a running job is asked to end. CANCELLED: by a person. STOPPING: the program ends.
    BUSY: live analysis needs the machine. LOST: another node has it."""

    CANCELLED = "cancelled"
    STOPPING = "stopping"
    BUSY = "busy"
    LOST = "lost"


class Again(Exception):
    """The job is to be taken from the queue again, ``wait_s`` seconds from now."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"again in {wait_s} s")
        self.wait_s = wait_s


class GivesWay(Exception):
    """Work that nobody asked for finds the machine busy."""


class RunningJob:
    """A job on this node (meets JobContext). ``done`` ends with None or with Again."""

    def __init__(self, queue: PostgresJobQueue, job_id: JobId, node: str) -> None:
        self._queue = queue
        self._node = node
        self._ending: Ending | None = None
        self._changed = threading.Event()
        self._told_mono_s = -PROGRESS_EVERY_S
        self.job_id = job_id
        self.job: Job | None = None
        self.done: Future[None] = Future()

    # --- JobContext ----------------------------------------------------------------------------

    @property
    def cancelled(self) -> bool:
        """True once the work should end."""
        return self._ending is not None

    def progress(self, share: float, message: str = "") -> None:
        """How far it is, 0..1; kept at most twice a second, and nothing fails for it."""
        now = time.monotonic()
        if now - self._told_mono_s < PROGRESS_EVERY_S:
            return
        self._told_mono_s = now
        try:
            mine = self._queue.advance(self.job_id, self._node, min(max(share, 0.0), 1.0), message)
        except BarnhandError as error:
            log.info("progress of job %s was not stored: %s", self.job_id, error)
            return
        if mine is None:
            self.ask_to_end(Ending.LOST)

    # --- for the node --------------------------------------------------------------------------

    def ask_to_end(self, why: Ending) -> None:
        """Let the body end soon; a person's word outweighs other reasons."""
        if self._ending is None or why is Ending.CANCELLED:
            self._ending = why
        self._changed.set()

    def run(self, body_of: Callable[[Job], JobBody]) -> None:
        """Do the work and note how it ended; never raises."""
        try:
            self._run(body_of)
        except Again as again:
            self.done.set_exception(again)
        except Exception as error:  # worker loop: a job's fault must not end the node
            log.exception("job %s could not be ended", self.job_id)
            self.done.set_exception(error)
        else:
            self.done.set_result(None)

    def _run(self, body_of: Callable[[Job], JobBody]) -> None:
        self.job = job = self._insist(lambda: self._queue.begin(self.job_id, self._node))
        if job is None:
            return
        try:
            result = body_of(job)(job, self)
        except GivesWay:
            self._ending = self._ending or Ending.BUSY
            self._ended_early()
        except JobCancelled:
            self._ended_early()
        except StoreUnavailable as error:
            self._give_back(error.message, int(_RETRY_S * 5))
        except BarnhandError as error:
            log.warning("job %s (%s) failed: %s", job.id, job.title, error)
            self._end(JobState.FAILED, str(error), {})
        except Exception as error:  # worker loop: log, tell the person, go on with the next
            log.exception("job %s (%s) failed", job.id, job.title)
            self._end(JobState.FAILED, f"It failed: {type(error).__name__}.", {})
        else:
            self._end(JobState.DONE, "", result)

    def _ended_early(self) -> None:
        if self._ending is Ending.CANCELLED:
            self._end(JobState.CANCELLED, "cancelled", {})
        elif self._ending is Ending.BUSY:
            self._give_back("waits until the machine has time", GIVE_BACK_S)
        elif self._ending is Ending.STOPPING:
            self._give_back("waits for a node", 0)

    def _end(self, state: JobState, message: str, result: Mapping[str, object]) -> None:
        self._insist(lambda: self._queue.end(self.job_id, state, message, result))

    def _give_back(self, message: str, wait_s: int) -> None:
        log.info("job %s is given back: %s", self.job_id, message)
        self._insist(lambda: self._queue.give_back(self.job_id, message))
        raise Again(wait_s)

    def _insist(self, act: Callable[[], Job | None]) -> Job | None:
        """Do it as soon as the server answers; Again when the program stops before."""
        while True:
            try:
                return act()
            except StoreUnavailable as error:
                log.info("job %s waits for the database: %s", self.job_id, error)
                if self._ending is Ending.STOPPING:
                    raise Again(0) from error
                self._changed.wait(_RETRY_S)

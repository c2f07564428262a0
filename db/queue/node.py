"""A node that works on the queue's jobs: one heavy job at a time, in threads of its own.

Three threads. "job queue" runs the queue library's worker on an event loop: it takes entries,
hears of cancellations, beats its heart, and puts entries of nodes whose heart stopped back into the
queue. "job at work" does the work; it owns what the bodies open (model sessions). "job keeper" ends
what nobody works on, submits work that nobody asked for while there is capacity, and takes the
machine back from such work when the live pictures need it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import procrastinate
import psycopg
from procrastinate import exceptions as queue_errors
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import DeleteJobCondition, Status
from procrastinate.jobs import Job as Entry
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker as QueueWorker
from psycopg_pool import PoolTimeout

from db.queue.home import MediaHome
from db.queue.jobs import NOBODY, QUEUE, TASK, PostgresJobQueue, queue_of
from db.queue.work import Again, Ending, GivesWay, JobBody, RunningJob
from engine.domain.errors import BarnhandError, Bug, StoreUnavailable
from engine.domain.recording import Job, JobId, JobKind, JobState
from engine.runtime.mailbox import Closed, Mailbox, Overflow
from engine.runtime.priority import step_back
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
STALLED_AFTER_S = 20.0
"""A node that was not heard of for so long has lost its jobs to the others."""
MOST_ATTEMPTS = 5
"""A job whose node died so often is not tried again."""
_KEEP_EVERY_S = 1.0
_TIDY_EVERY_S = 30.0
_STOP_LOOK_S = 0.1


class _GivenBack(logging.Filter):
    """The queue library takes a job that is given back for one that failed, and tells its trace;
    ``RunningJob`` has said already why the job waits."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], Again))


_GIVEN_BACK = _GivenBack()


def node_name() -> str:
    """This process among the nodes."""
    return f"{socket.gethostname()}:{os.getpid()}"


class JobNode:
    """Works on jobs with ``bodies``: those that any node may do, and those that need the files of
    ``home``, the media folder of this workstation. ``has_capacity`` says whether the live analysis
    leaves time for work that nobody asked for; ``feed`` submits such work and is called when none
    waits. ``at_rest`` is called in the working thread when no job came for a while, and at the
    end."""

    def __init__(
        self,
        dsn: str,
        queue: PostgresJobQueue,
        bodies: Mapping[JobKind, JobBody],
        *,
        home: MediaHome | None = None,
        has_capacity: Callable[[], bool] = lambda: True,
        feed: Callable[[], None] | None = None,
        at_rest: Callable[[], None] | None = None,
        rest_after_s: float = 60.0,
        heartbeat_s: float = HEARTBEAT_S,
        stalled_after_s: float = STALLED_AFTER_S,
        name: str | None = None,
    ) -> None:
        self.name = name or node_name()
        self._dsn = dsn
        self._queue = queue
        self._bodies = bodies
        self._home = home
        self._has_capacity = has_capacity
        self._feed = feed
        self._at_rest = at_rest
        self._rest_after_s = rest_after_s
        self._heartbeat_s = heartbeat_s
        self._stalled_after_s = stalled_after_s
        self._running: RunningJob | None = None
        self._mailbox: Mailbox[RunningJob] = Mailbox("job at work", 1, Overflow.REJECT)
        self._taker = Worker("job queue", self._take, restart_budget=100_000, restart_delay_s=2.0)
        self._doer = Worker("job at work", self._work)
        self._keeper = Worker("job keeper", self._keep, restart_budget=100_000)

    @property
    def running(self) -> Job | None:
        """The job at work."""
        running = self._running
        return None if running is None else running.job

    def start(self) -> None:
        """Start the threads; a server that is away is tried until it answers."""
        for worker in (self._doer, self._taker, self._keeper):
            worker.start()

    def stop(self, deadline_s: float = 5.0) -> tuple[str, ...]:
        """Give the job at work back to the queue and end; names of threads that did not."""
        self._keeper.ask_to_stop()
        self._taker.ask_to_stop()
        # The queue's worker stops taking entries first, and only then lets the job at work end.
        survivors = [] if self._taker.join(deadline_s) else [self._taker.name]
        self._mailbox.close()
        self._doer.ask_to_stop()
        survivors += [w.name for w in (self._doer, self._keeper) if not w.join(1.0)]
        return tuple(survivors)

    # --- the working thread --------------------------------------------------------------------

    def _work(self, token: StopToken) -> None:
        step_back()
        resting = True
        try:
            while not token.stopping:
                running = self._mailbox.get(self._rest_after_s)
                if running is not None:
                    resting = False
                    running.run(self._body_of)
                elif not resting:
                    resting = True
                    self._rest()
        except Closed:
            pass
        finally:
            self._rest()

    def _rest(self) -> None:
        if self._at_rest is not None:
            self._at_rest()

    def _body_of(self, job: Job) -> JobBody:
        body = self._bodies.get(job.kind)
        if body is None:
            raise Bug(f"this program has no work of the kind {job.kind.value}")
        if _asked_by_nobody(job) and not self._has_capacity():
            raise GivesWay
        return body

    # --- the keeper ----------------------------------------------------------------------------

    def _keep(self, token: StopToken) -> None:
        rounds = 0
        try:
            while not token.wait(_KEEP_EVERY_S if rounds else 0.0):
                running = self._running
                capacity = self._has_capacity()
                if running is not None and _asked_by_nobody(running.job) and not capacity:
                    running.ask_to_end(Ending.BUSY)
                try:
                    self._tend(rounds, capacity)
                except StoreUnavailable:
                    token.wait(2.0)
                except BarnhandError as error:
                    log.warning("the queue was not tended: %s", error)
                rounds += 1
        finally:
            if self._home is not None:
                self._home.leave()

    def _tend(self, rounds: int, capacity: bool) -> None:
        if self._home is not None:
            self._home.keep()
        if rounds % int(_TIDY_EVERY_S / _KEEP_EVERY_S) == 0:
            self._queue.tidy()
        if self._feed is not None and capacity and not self._queue.waiting_by_itself():
            self._feed()

    # --- the queue's thread --------------------------------------------------------------------

    def _take(self, token: StopToken) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            try:
                runner.run(self._serve(token))
            except (psycopg.Error, PoolTimeout, queue_errors.ConnectorException, OSError) as error:
                raise StoreUnavailable(f"The job queue is away: {type(error).__name__}.") from error

    async def _serve(self, token: StopToken) -> None:
        """Take entries until the stop, or until the server goes."""
        logging.getLogger(QueueWorker.__module__).addFilter(_GIVEN_BACK)
        connector = procrastinate.PsycopgConnector(
            conninfo=self._dsn,
            min_size=1,
            max_size=3,
            timeout=5.0,
            kwargs={"application_name": "barnhand jobs", "connect_timeout": 3},
        )
        app = procrastinate.App(connector=connector)
        app.task(name=TASK, queue=QUEUE, pass_context=True, retry=_AsTold())(self._entry)
        opening = asyncio.ensure_future(app.open_async())
        await _until_done_or_stopped(opening, token)
        if not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            return
        await opening
        try:
            await self._serve_open(app, token)
        finally:
            await app.close_async()

    async def _serve_open(self, app: procrastinate.App, token: StopToken) -> None:
        worker: Any = QueueWorker(
            app,
            queues=[QUEUE] if self._home is None else [QUEUE, queue_of(self._home.folder)],
            name=self.name,
            concurrency=1,
            install_signal_handlers=False,
            shutdown_graceful_timeout=0.0,
            delete_jobs=DeleteJobCondition.ALWAYS,
            update_heartbeat_interval=self._heartbeat_s,
            stalled_worker_timeout=self._stalled_after_s,
            fetch_job_polling_interval=5.0,
            abort_job_polling_interval=2.0,
        )
        serving = asyncio.create_task(worker.run())
        sweeping = asyncio.create_task(self._sweep(app))
        # The worker's first step forgets a stop that was asked for before.
        await asyncio.sleep(0)
        try:
            await _until_done_or_stopped(serving, token)
            worker.stop()
            await serving
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)

    async def _entry(self, context: JobContext, job_id: str) -> None:
        """One entry of the queue, from its start to its end."""
        running = RunningJob(self._queue, JobId(UUID(job_id)), self.name)
        self._running = running
        try:
            if self._mailbox.put(running) is not None:
                raise Again(1)
            waiting = asyncio.wrap_future(running.done)
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                stopping = context.abort_reason() is not AbortReason.USER_REQUEST
                running.ask_to_end(Ending.STOPPING if stopping else Ending.CANCELLED)
                await asyncio.wait([waiting])
                if (error := waiting.exception()) is not None:
                    raise error from None
        except Closed:
            raise Again(0) from None
        finally:
            self._running = None

    async def _sweep(self, app: procrastinate.App) -> None:
        """Put jobs of nodes that died back into the queue, a while after their last heartbeat."""
        manager = app.job_manager
        while True:
            try:
                for entry in await manager.get_stalled_jobs(
                    task_name=TASK, seconds_since_heartbeat=self._stalled_after_s
                ):
                    await self._take_over(app, entry)
                await manager.prune_stalled_workers(self._stalled_after_s)
            except (queue_errors.ConnectorException, StoreUnavailable) as error:
                # Another node was quicker, or the server is away.
                log.info("stalled jobs were not looked at: %s", error)
            await asyncio.sleep(self._heartbeat_s)

    async def _take_over(self, app: procrastinate.App, entry: Entry) -> None:
        job_id = JobId(UUID(str(entry.task_kwargs["job_id"])))
        if entry.attempts + 1 < MOST_ATTEMPTS:
            log.warning("job %s was left by its node and is queued again", job_id)
            # A few milliseconds, once for each death of a node. Said before anybody can take it.
            if entry.id is not None:
                self._queue.left(entry.id, entry.worker_id)
            await app.job_manager.retry_job(entry)
            return
        log.error("job %s was left by %d nodes and is given up", job_id, MOST_ATTEMPTS)
        await app.job_manager.finish_job(entry, Status.FAILED, delete_job=True)
        said = f"It was started {MOST_ATTEMPTS} times and its node ended each time."
        # A few milliseconds, once in the life of a job that nobody can do.
        self._queue.end(job_id, JobState.FAILED, said, {})


class _AsTold(BaseRetryStrategy):
    """Entries come again when the work says so, and never otherwise."""

    def get_retry_decision(self, *, exception: BaseException, job: Entry) -> RetryDecision | None:
        if isinstance(exception, Again):
            return RetryDecision(retry_in={"seconds": exception.wait_s})
        return None


def _asked_by_nobody(job: Job | None) -> bool:
    return job is not None and job.actor == NOBODY


async def _until_done_or_stopped(task: asyncio.Future[Any], token: StopToken) -> None:
    while not token.stopping and not task.done():
        await asyncio.wait({task}, timeout=_STOP_LOOK_S)

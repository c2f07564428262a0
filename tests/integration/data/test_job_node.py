"""Nodes that work on the queue, on a real server: order, cancelling, dying, giving way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping

import psycopg
import pytest

from db.migrate import migrate
from db.pool import open_pool
from db.queue.jobs import NOBODY, PostgresJobQueue
from db.queue.node import JobNode
from db.queue.schema import migrate_queue, queue_changes
from engine.domain.errors import EnvironmentFault
from engine.domain.recording import Job, JobCancelled, JobContext, JobId, JobKind, JobState
from tests.helpers.waiting import wait_until
from tests.integration.data.test_migrate import schema

NodeOf = Callable[..., JobNode]


class Body:
    """Work that lasts until it is told to go on, and says what was done with it."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.began: list[str] = []
        self.cancelled: list[str] = []

    def __call__(self, job: Job, context: JobContext) -> Mapping[str, object]:
        self.began.append(job.title)
        while not self.go_on.wait(0.01):
            if context.cancelled:
                self.cancelled.append(job.title)
                raise JobCancelled
        if job.title == "fails":
            raise EnvironmentFault("The disk is full.", "Free some space.")
        if job.title == "breaks":
            raise KeyError("x")
        context.progress(0.5, "half")
        return {"made": job.title}


@pytest.fixture
def queue(postgres_dsn: str) -> Iterator[PostgresJobQueue]:
    pool = open_pool(postgres_dsn)
    yield PostgresJobQueue(pool)
    pool.close()


@pytest.fixture
def node_of(postgres_dsn: str, queue: PostgresJobQueue) -> Iterator[NodeOf]:
    nodes: list[JobNode] = []

    def make(body: Body, **options: object) -> JobNode:
        bodies = dict.fromkeys(JobKind, body)
        node = JobNode(postgres_dsn, queue, bodies, **options)  # type: ignore[arg-type]
        nodes.append(node)
        node.start()
        return node

    yield make
    assert [node.stop(10.0) for node in nodes] == [()] * len(nodes)


def ended(queue: PostgresJobQueue, job: Job, state: JobState) -> bool:
    return queue.get(job.id).state is state


def test_jobs_are_done_one_at_a_time_urgent_ones_first(
    queue: PostgresJobQueue, node_of: NodeOf
) -> None:
    body = Body()
    first = queue.submit(JobKind.EXPORT, "first", {}, "Anna")
    node_of(body)
    wait_until(lambda: body.began == ["first"])
    spare = queue.submit(JobKind.REANALYSE, "spare", {"chunk_id": "1"}, NOBODY, urgent=False)
    asked = queue.submit(JobKind.EXPORT, "asked", {}, "Anna")
    assert queue.get(first.id).state is JobState.RUNNING
    assert queue.get(asked.id).state is JobState.QUEUED
    body.go_on.set()
    for job in (first, asked, spare):
        wait_until(lambda job=job: ended(queue, job, JobState.DONE))
    assert body.began == ["first", "asked", "spare"]
    done = queue.get(first.id)
    assert done.result == {"made": "first"} and done.progress == 1.0
    assert done.started_at is not None and done.ended_at is not None


def test_a_fault_is_told_in_words_and_the_node_goes_on(
    queue: PostgresJobQueue, node_of: NodeOf
) -> None:
    body = Body()
    body.go_on.set()
    fails = queue.submit(JobKind.EXPORT, "fails", {}, "Anna")
    breaks = queue.submit(JobKind.EXPORT, "breaks", {}, "Anna")
    works = queue.submit(JobKind.EXPORT, "works", {}, "Anna")
    node_of(body)
    wait_until(lambda: ended(queue, works, JobState.DONE))
    assert queue.get(fails.id).state is queue.get(breaks.id).state is JobState.FAILED
    assert queue.get(fails.id).message == "The disk is full. Free some space."
    assert "KeyError" in queue.get(breaks.id).message


def test_a_running_job_is_cancelled(queue: PostgresJobQueue, node_of: NodeOf) -> None:
    body = Body()
    node_of(body)
    job = queue.submit(JobKind.EXPORT, "long", {}, "Anna")
    wait_until(lambda: bool(body.began))
    queue.cancel(job.id, "Ben")
    wait_until(lambda: ended(queue, job, JobState.CANCELLED))
    assert body.cancelled == ["long"] and body.began == ["long"]


def test_a_node_that_stops_gives_its_job_to_another(
    queue: PostgresJobQueue, node_of: NodeOf
) -> None:
    leaving, staying = Body(), Body()
    node = node_of(leaving)
    job = queue.submit(JobKind.EXPORT, "long", {}, "Anna")
    wait_until(lambda: bool(leaving.began))
    assert node.stop(10.0) == ()
    assert queue.get(job.id).state is JobState.QUEUED
    staying.go_on.set()
    node_of(staying)
    wait_until(lambda: ended(queue, job, JobState.DONE))
    assert leaving.cancelled == staying.began == ["long"]


def test_the_job_of_a_dead_node_is_taken_over(
    queue: PostgresJobQueue, node_of: NodeOf, postgres_dsn: str
) -> None:
    job = queue.submit(JobKind.EXPORT, "left", {}, "Anna")
    taken_by_the_dead(postgres_dsn, queue, job.id)
    body = Body()
    body.go_on.set()
    node_of(body, heartbeat_s=0.2, stalled_after_s=2.0, name="living")
    wait_until(lambda: ended(queue, job, JobState.DONE))
    assert queue.get(job.id).node == "living"


def taken_by_the_dead(dsn: str, queue: PostgresJobQueue, job_id: JobId) -> None:
    """As a node leaves things that was killed while it worked on the job."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        worker = connection.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) "
            "VALUES (now() - interval '1 hour') RETURNING id"
        ).fetchone()
        assert worker is not None
        taken = connection.execute(
            "SELECT id FROM procrastinate_fetch_job_v2(NULL, %s)", (worker[0],)
        ).fetchone()
        assert taken is not None
    assert queue.begin(job_id, "dead") is not None


def test_work_that_nobody_asked_for_gives_way(
    queue: PostgresJobQueue, node_of: NodeOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    body, free = Body(), threading.Event()
    free.set()
    node_of(body, has_capacity=free.is_set)
    spare = queue.submit(JobKind.REANALYSE, "spare", {"chunk_id": "1"}, NOBODY, urgent=False)
    wait_until(lambda: body.began == ["spare"])
    free.clear()
    wait_until(lambda: ended(queue, spare, JobState.QUEUED))
    assert body.cancelled == ["spare"]
    body.go_on.set()
    asked = queue.submit(JobKind.REANALYSE, "asked", {"chunk_id": "2"}, "Anna")
    wait_until(lambda: ended(queue, asked, JobState.DONE))
    assert queue.get(spare.id).state is JobState.QUEUED
    assert "given back: waits until the machine has time" in caplog.text
    assert "Traceback" not in caplog.text, "waiting is no failure"


def test_a_node_feeds_itself_while_it_has_capacity(
    queue: PostgresJobQueue, node_of: NodeOf
) -> None:
    body = Body()
    body.go_on.set()
    chunks = iter(range(1000))

    def feed() -> None:
        argument = {"chunk_id": str(next(chunks))}
        queue.submit(JobKind.REANALYSE, "fed", argument, NOBODY, urgent=False)

    node_of(body, feed=feed)
    wait_until(lambda: len(body.began) >= 2)


def test_at_rest_is_told_in_the_working_thread(queue: PostgresJobQueue, node_of: NodeOf) -> None:
    body, rested = Body(), []
    body.go_on.set()
    node_of(body, at_rest=lambda: rested.append(threading.current_thread().name), rest_after_s=0.1)
    job = queue.submit(JobKind.EXPORT, "x", {}, "Anna")
    wait_until(lambda: ended(queue, job, JobState.DONE))
    wait_until(lambda: rested == ["job at work"])


def test_the_queue_s_schema_grows_to_what_a_fresh_one_has(
    new_database: Callable[[bool], str],
) -> None:
    fresh, old = new_database(True), new_database(False)
    names = [name for name, _ in queue_changes()]
    with psycopg.connect(old, autocommit=True) as connection:
        assert migrate_queue(connection, up_to=names[-8]) == tuple(names[:-7])
    report = migrate(old)
    assert report.version >= 7
    assert shape(fresh) == shape(old)
    with psycopg.connect(old, autocommit=True) as connection:
        assert migrate_queue(connection) == ()


def shape(dsn: str) -> set[tuple[object, ...]]:
    """The schema without the order of columns, which grows differently."""
    return {(*row[:3], *row[4:]) for row in schema(dsn)}

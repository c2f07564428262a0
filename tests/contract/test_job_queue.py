"""JobQueue: what every queue of background work must do."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from db.pool import open_pool
from db.queue.jobs import NOBODY, PostgresJobQueue
from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import NotFound, OperatorMistake, StoreUnavailable
from engine.domain.ids import FarmId
from engine.domain.recording import Job, JobId, JobKind, JobQueue, JobState


class Ears:
    """Hears of changes."""

    def __init__(self) -> None:
        self.heard: list[Job] = []

    def __call__(self, job: Job) -> None:
        self.heard.append(job)


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def store(postgres_dsn: str, ears: Ears) -> Iterator[PostgresJobQueue]:
    pool = open_pool(postgres_dsn)
    yield PostgresJobQueue(pool, ears)
    pool.close()


@pytest.fixture
def queue(store: PostgresJobQueue) -> JobQueue:
    return store


def test_a_job_reads_back_as_it_was_submitted(queue: JobQueue, ears: Ears) -> None:
    job = queue.submit(JobKind.EXPORT, "Clip of Bella", {"a": [1, "two", None]}, "Anna")
    assert queue.get(job.id) == job
    assert (job.state, job.progress, job.actor) == (JobState.QUEUED, 0.0, "Anna")
    assert job.arguments == {"a": [1, "two", None]} and job.result == {}
    assert job.farm_id == DEFAULT_FARM and job.created_at.utcoffset() is not None
    assert ears.heard == [job]


def test_what_is_no_plain_value_is_refused(queue: JobQueue) -> None:
    for bad in ({"when": object()}, {"share": float("nan")}):
        with pytest.raises(OperatorMistake, match="plain"):
            queue.submit(JobKind.EXPORT, "x", bad, "Anna")
    assert not queue.list()


def test_a_server_that_goes_while_a_job_is_queued_or_cancelled_is_away(
    queue: JobQueue, ears: Ears, postgres_dsn: str
) -> None:
    """The connection is cut inside of the queue library's own statement."""
    waiting = queue.submit(JobKind.EXPORT, "waits", {}, "Anna")
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'"
        )
        connection.execute(
            "CREATE TRIGGER cut BEFORE INSERT OR UPDATE OR DELETE ON procrastinate_jobs "
            "FOR EACH ROW EXECUTE FUNCTION cut()"
        )
    with pytest.raises(StoreUnavailable, match="queueing a job"):
        queue.submit(JobKind.EXPORT, "x", {}, "Anna")
    with pytest.raises(StoreUnavailable, match="cancelling a job"):
        queue.cancel(waiting.id, "Ben")
    assert queue.list() == (waiting,), "nothing of it is stored"
    assert ears.heard == [waiting]


def test_unknown_jobs_are_not_found(queue: JobQueue) -> None:
    with pytest.raises(NotFound):
        queue.get(JobId(uuid4()))
    with pytest.raises(NotFound):
        queue.cancel(JobId(uuid4()), "Anna")


def test_jobs_are_listed_newest_first_by_farm(queue: JobQueue, postgres_dsn: str) -> None:
    other = FarmId(uuid4())
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO farms (id, name) VALUES (%s, 'Other')", (other,))
    first = queue.submit(JobKind.EXPORT, "1", {}, "Anna")
    second = queue.submit(JobKind.REPROCESS, "2", {}, "Anna", other)
    third = queue.submit(JobKind.EXPORT, "3", {}, "Anna")
    assert [job.id for job in queue.list()] == [third.id, second.id, first.id]
    assert [job.id for job in queue.list(other)] == [second.id]
    assert [job.id for job in queue.list(limit=1)] == [third.id]
    queue.cancel(third.id, "Ben")
    assert [job.id for job in queue.list(active_only=True)] == [second.id, first.id]
    for limit in (0, 1001):
        with pytest.raises(OperatorMistake):
            queue.list(limit=limit)


def test_a_queued_job_is_cancelled_at_once_and_stays_so(queue: JobQueue, ears: Ears) -> None:
    job = queue.submit(JobKind.EXPORT, "x", {}, "Anna")
    ended = queue.cancel(job.id, "Ben")
    assert ended.state is JobState.CANCELLED and ended.ended_at is not None
    assert "Ben" in ended.message
    assert queue.cancel(job.id, "Cleo") == ended
    assert [told.state for told in ears.heard] == [JobState.QUEUED, JobState.CANCELLED]


def test_a_chunk_is_never_queued_twice(queue: JobQueue) -> None:
    chunk = {"chunk_id": str(uuid4())}
    one = queue.submit(JobKind.REANALYSE, "x", chunk, NOBODY, urgent=False)
    same = queue.submit(JobKind.REANALYSE, "x", chunk, "Anna")
    assert same.id == one.id
    queue.cancel(one.id, "Anna")
    assert queue.submit(JobKind.REANALYSE, "x", chunk, "Anna").id != one.id


def test_progress_never_falls_and_ends_with_the_job(store: PostgresJobQueue) -> None:
    job = store.submit(JobKind.EXPORT, "x", {}, "Anna")
    begun = store.begin(job.id, "here")
    assert begun is not None and begun.state is JobState.RUNNING and begun.node == "here"
    for share in (0.5, 0.2):
        assert store.advance(job.id, "here", share, "half") is not None
    assert store.get(job.id).progress == 0.5
    assert store.advance(job.id, "elsewhere", 0.9, "") is None
    store.end(job.id, JobState.DONE, "", {"path": "exports/x.mp4"})
    done = store.get(job.id)
    assert (done.state, done.progress, done.result) == (JobState.DONE, 1, {"path": "exports/x.mp4"})
    assert store.end(job.id, JobState.FAILED, "", {}) is None
    assert store.cancel(job.id, "Ben") == done


def test_a_cancelled_running_job_is_not_begun_again(store: PostgresJobQueue) -> None:
    job = store.submit(JobKind.EXPORT, "x", {}, "Anna")
    store.begin(job.id, "here")
    told = store.cancel(job.id, "Ben")
    assert told.state is JobState.RUNNING and told.message == "being cancelled"
    assert store.begin(job.id, "there") is None
    # The node that had it never came back: tidying ends it.
    assert [ended.id for ended in store.tidy()] == [job.id]
    assert store.get(job.id).state is JobState.CANCELLED


def test_what_lost_its_entry_is_ended_and_old_work_is_forgotten(
    store: PostgresJobQueue, postgres_dsn: str
) -> None:
    lost = store.submit(JobKind.EXPORT, "x", {}, "Anna")
    kept = store.submit(JobKind.EXPORT, "y", {}, "Anna")
    old = store.submit(JobKind.REANALYSE, "z", {"chunk_id": "c"}, NOBODY, urgent=False)
    store.cancel(old.id, NOBODY)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(
            "DELETE FROM procrastinate_jobs WHERE args ->> 'job_id' = %s", (str(lost.id),)
        )
        connection.execute("UPDATE jobs SET created_at = created_at - interval '1 hour'")
        connection.execute(
            "UPDATE jobs SET ended_at = ended_at - interval '2 days' WHERE ended_at IS NOT NULL"
        )
    assert [job.id for job in store.tidy()] == [lost.id]
    assert store.get(lost.id).state is JobState.FAILED
    assert store.get(kept.id).state is JobState.QUEUED
    with pytest.raises(NotFound):
        store.get(old.id)

"""Background work that any node may take (port JobQueue): a row for people, an entry for nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from db.errors import translate
from db.pool import transaction
from db.queries import queries
from db.queue.places import JobPlaces
from db.repositories.farms import DEFAULT_FARM
from db.repositories.media_folders import Home, MediaFolder, no_home
from engine.domain.errors import Bug, NotFound, OperatorMistake
from engine.domain.ids import FarmId
from engine.domain.recording import Job, JobId, JobKind, JobState

MAX_LIMIT = 1000
QUEUE = "barnhand"
"""Of jobs that any node may do; those of one media folder have ``queue_of`` it."""
TASK = "barnhand.job"
URGENT, BY_ITSELF = 10, 0
"""Priorities in the queue: what people asked for goes first."""
NOBODY = "barnhand"
"""The actor of work that nobody asked for; it gives way to the live pictures."""
_TITLE_LENGTH = 200

Told = Callable[[Job], object]
Row = dict[str, Any]


def queue_of(folder: UUID | None) -> str:
    """The queue of the jobs that need this media folder; None: of those that need none. Entries are
    told on the channel ``procrastinate_queue_v1#NAME``, and PostgreSQL takes no longer name of a
    channel than 63 bytes."""
    return QUEUE if folder is None else f"media.{folder.hex}"


class PostgresJobQueue:
    """Jobs in the table of that name, each with an entry of the queue library's that nodes take.

    ``on_change`` hears of every job that this process submits or cancels, on the caller's thread
    and after the commit. ``home``: the media folder of this process; what it asks for and what
    takes no recordings is made there.
    """

    def __init__(
        self, pool: ConnectionPool, on_change: Told | None = None, home: Home = no_home
    ) -> None:
        self._pool = pool
        self._told = on_change
        self.home = home
        self._places = JobPlaces(pool, home)
        self._app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
        self._sql = queries("jobs")

    def submit(
        self,
        kind: JobKind,
        title: str,
        arguments: Mapping[str, object],
        actor: str,
        farm_id: FarmId | None = None,
        urgent: bool = True,
    ) -> Job:
        """Queue one, for the workstation that has the files; for those of several workstations one
        each, the first is the answer. A chunk that is to be analysed already is not queued twice:
        the job that is there is the answer. Raises OperatorMistake for arguments that are not
        plain JSON."""
        try:
            json.dumps(dict(arguments), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise OperatorMistake(f"A job's arguments must be plain values: {error}.") from error
        farm = farm_id or DEFAULT_FARM
        fields = {
            "farm_id": farm,
            "kind": kind.value,
            "title": title[:_TITLE_LENGTH],
            "urgent": urgent,
            "actor": actor,
            "arguments": Jsonb(dict(arguments)),
        }
        places = self._places.needed(kind, arguments, farm)
        with transaction(self._pool, "queueing a job") as connection:
            jobs = [self._add(connection, part) for part in _parts(fields, places)]
            if jobs[0] is None:
                same = {"chunk_id": str(arguments.get("chunk_id"))}
                found = self._rows(connection, "same_chunk", same)
                if not found:
                    raise Bug("a job was neither added nor found")
                return job_of(found[0])
        added = [job for job in jobs if job is not None]
        for job in added:
            self._tell(job)
        return added[0]

    def cancel(self, job_id: JobId, actor: str) -> Job:
        """A queued job ends at once, a running one soon; an ended one stays as it is. Raises
        NotFound."""
        fields = {"id": job_id, "actor": actor}
        with transaction(self._pool, "cancelling a job") as connection:
            locked = self._rows(connection, "lock", {"id": job_id})
            if not locked:
                raise _missing(job_id)
            changed = self._rows(connection, "cancel_queued", fields) or self._rows(
                connection, "cancel_running", fields
            )
            if not changed:
                return job_of(locked[0])
            if changed[0]["queue_id"] is not None:
                with _library_errors("cancelling a job"):
                    self._app.job_manager.cancel_job_by_id(
                        changed[0]["queue_id"], abort=True, connection=connection
                    )
            job = job_of(changed[0])
        self._tell(job)
        return job

    def get(self, job_id: JobId) -> Job:
        """One. Raises NotFound."""
        with transaction(self._pool, "reading a job") as connection:
            rows = self._rows(connection, "get", {"id": job_id})
        if not rows:
            raise _missing(job_id)
        return job_of(rows[0])

    def list(
        self,
        farm_id: FarmId | None = None,
        active_only: bool = False,
        limit: int = 100,
        kinds: Collection[JobKind] = tuple(JobKind),
        states: Collection[JobState] = tuple(JobState),
    ) -> Sequence[Job]:
        """Newest first."""
        if not 1 <= limit <= MAX_LIMIT:
            raise OperatorMistake(f"The limit must be between 1 and {MAX_LIMIT}.")
        fields = {
            "farm_id": farm_id,
            "active_only": active_only,
            "limit": limit,
            "kinds": [kind.value for kind in kinds],
            "states": [state.value for state in states],
        }
        with transaction(self._pool, "listing the jobs") as connection:
            return tuple(map(job_of, self._rows(connection, "list", fields)))

    def forget(self, job_id: JobId) -> bool:
        """Remove the row of a job that is over; False where it is not, or is not there."""
        with transaction(self._pool, "forgetting a job") as connection:
            return bool(self._rows(connection, "forget", {"id": job_id}))

    def waiting_by_itself(self) -> int:
        """How many jobs wait that nobody asked for and that could be done here."""
        given = {"media_id": self.home()}
        with transaction(self._pool, "counting the jobs") as connection:
            return int(self._rows(connection, "waiting", given)[0]["jobs"])

    # --- for the node that runs them -----------------------------------------------------------

    def begin(self, job_id: JobId, node: str) -> Job | None:
        """Note that ``node`` runs it now; None when it is over or cancelled meanwhile."""
        return self._change("start", {"id": job_id, "node": node})

    def advance(self, job_id: JobId, node: str, progress: float, message: str) -> Job | None:
        """Note how far it is; None when it is no longer this node's."""
        fields = {"id": job_id, "node": node, "progress": progress, "message": message}
        return self._change("progress", fields)

    def end(
        self, job_id: JobId, state: JobState, message: str, result: Mapping[str, object]
    ) -> Job | None:
        """Note its end; None when it had ended already."""
        fields: Row = {"id": job_id, "state": state.value, "message": message}
        made = {"result": Jsonb(dict(result)), "media_id": self.home()}
        return self._change("finish", fields | made)

    def give_back(self, job_id: JobId, message: str) -> Job | None:
        """Note that it waits for a node again."""
        return self._change("give_back", {"id": job_id, "message": message})

    def left(self, queue_id: int, worker_id: int | None) -> Job | None:
        """Note that the node that worked on this entry is gone and the job waits again; None when
        another one has it already, or it is being cancelled."""
        return self._change("left", {"queue_id": queue_id, "worker_id": worker_id})

    def tidy(self) -> Sequence[Job]:
        """End what no node works on any more and forget what is old; the jobs that it ended."""
        with transaction(self._pool, "tidying the jobs") as connection:
            ended = [
                *self._rows(connection, "end_cancelled", {}),
                *self._rows(connection, "fail_orphans", {}),
            ]
            connection.execute(self._sql["forget_old"])
            connection.execute(self._sql["forget_ended_entries"])
        jobs = tuple(map(job_of, ended))
        for job in jobs:
            self._tell(job)
        return jobs

    # --- parts ---------------------------------------------------------------------------------

    def _add(self, connection: Connection, fields: Row) -> Job | None:
        """One row with its entry; None where that chunk has a job already."""
        added = self._rows(connection, "add", fields)
        if not added:
            return None
        deferrer = self._app.configure_task(
            TASK,
            queue=queue_of(fields["media_id"]),
            priority=URGENT if fields["urgent"] else BY_ITSELF,
            connection=connection,
        )
        with _library_errors("queueing a job"):
            queue_id = deferrer.defer(job_id=str(fields["id"]))
        named = {"id": fields["id"], "queue_id": queue_id}
        return job_of(self._rows(connection, "queued_as", named)[0])

    def _change(self, statement: str, fields: Row) -> Job | None:
        with transaction(self._pool, "noting how a job goes") as connection:
            rows = self._rows(connection, statement, fields)
        if not rows:
            return None
        job = job_of(rows[0])
        self._tell(job)
        return job

    def _tell(self, job: Job) -> None:
        if self._told is not None:
            self._told(job)

    def _rows(self, connection: Connection, name: str, fields: Row) -> Sequence[Row]:
        cursor = connection.cursor(row_factory=dict_row)
        cursor.execute(self._sql[name], fields)
        return [] if cursor.description is None else cursor.fetchall()


@contextmanager
def _library_errors(doing: str) -> Iterator[None]:
    """The product's errors instead of the queue library's, which wrap the driver's."""
    try:
        yield
    except ConnectorException as error:
        driver = error.__cause__ or error.__context__
        if not isinstance(driver, psycopg.Error):
            raise
        raise translate(driver, doing) from error


def _parts(fields: Row, places: Sequence[MediaFolder]) -> Sequence[Row]:
    """The rows of one request: one, or one for each media folder, told apart by their titles."""
    first = uuid4()
    if len(places) < 2:
        media_id = places[0].id if places else None
        return [{**fields, "id": first, "media_id": media_id, "part_of": None}]
    rows: list[Row] = []
    for number, place in enumerate(places, 1):
        suffix = f" · {place.title} ({number} of {len(places)})"
        row = {
            **fields,
            "id": uuid4() if rows else first,
            "title": fields["title"][: _TITLE_LENGTH - len(suffix)] + suffix,
            "media_id": place.id,
            "part_of": first if rows else None,
        }
        rows.append(row)
    return rows


def job_of(row: Row) -> Job:
    """A job from its row."""
    return Job(
        id=JobId(row["id"]),
        farm_id=FarmId(row["farm_id"]),
        kind=JobKind(row["kind"]),
        title=row["title"],
        state=JobState(row["state"]),
        progress=float(row["progress"]),
        message=row["words"],
        actor=row["actor"],
        created_at=row["created_at"],
        arguments=row["arguments"],
        result=row["result"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        node=row["node"],
        workstation=row["workstation"],
        part_of=None if row["part_of"] is None else JobId(row["part_of"]),
    )


def _missing(job_id: JobId) -> NotFound:
    return NotFound(f"There is no job {job_id}.")

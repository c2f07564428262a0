"""Jobs that need the files of one workstation, on a real server: two nodes with folders of their
own, each job where it belongs, what is said while one is away, and what comes back with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from db.credentials import CredentialBox
from db.pool import open_pool
from db.queue.home import MediaHome
from db.queue.jobs import NOBODY, PostgresJobQueue, queue_of
from db.queue.node import JobNode
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.media_folders import PostgresMediaFolders
from db.repositories.sessions import PostgresSessionRepository
from db.repositories.streams import PostgresStreamRepository
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.job_arguments import (
    ReprocessRequest,
    export_arguments,
    reprocess_arguments,
)
from engine.domain.recording import (
    Chunk,
    ChunkId,
    ChunkState,
    ExportKind,
    ExportRequest,
    Job,
    JobCancelled,
    JobContext,
    JobKind,
    JobState,
)
from engine.domain.sessions import (
    Session,
    SessionId,
    SessionKind,
    SessionMode,
    SessionSource,
    SessionState,
)
from engine.domain.streams import SourceKind, Stream
from tests.helpers.waiting import wait_until

START = datetime(2026, 5, 1, 6, 0, tzinfo=UTC)
END = START + timedelta(minutes=1)


@dataclass
class Workstation:
    """One machine: its folder, its way to the queue, and its node while it is switched on."""

    dsn: str
    pool: ConnectionPool
    name: str
    folder: UUID = field(default_factory=uuid4)
    did: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    node: JobNode | None = None

    def __post_init__(self) -> None:
        self.go_on.set()
        self.queue = PostgresJobQueue(self.pool, home=lambda: self.folder)
        self.chunks = PostgresChunkRepository(self.pool, self.folder)
        self.sessions = PostgresSessionRepository(self.pool, lambda: self.folder)

    def switch_on(self) -> None:
        """Start its node; it has told where it works when this returns."""
        folders = PostgresMediaFolders(self.pool)
        home = MediaHome(folders, self.folder, self.name)
        self.node = JobNode(
            self.dsn, self.queue, dict.fromkeys(JobKind, self._work), home=home, name=self.name,
            heartbeat_s=0.2, stalled_after_s=2.0,
        )  # fmt: skip
        self.node.start()
        wait_until(lambda: any(f.id == self.folder and f.alive for f in folders.list()), 60.0)

    def switch_off(self) -> None:
        """Close it properly."""
        node, self.node = self.node, None
        if node is not None:
            assert node.stop(30.0) == ()

    def record(self, stream_id: StreamId, seconds: float, first_s: float = 0.0) -> Chunk:
        """One recording of this machine."""
        chunk_id = ChunkId(uuid4())
        start_at = START + timedelta(seconds=first_s)
        chunk = Chunk(
            chunk_id, stream_id, start_at, start_at + timedelta(seconds=seconds),
            f"recordings/{chunk_id}.mp4", "h264", 640, 360, ChunkState.COMPLETE, moving=True,
        )  # fmt: skip
        self.chunks.put(chunk)
        return chunk

    def _work(self, job: Job, context: JobContext) -> Mapping[str, object]:
        self.did.append(job.title)
        while not self.go_on.wait(0.01):
            if context.cancelled:
                raise JobCancelled
        return {"path": "exports/x"}


Barn = tuple[Workstation, Workstation]


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[Barn]:
    """The office and the stud; both have been on before, only the office is on now."""
    pool = open_pool(postgres_dsn)
    office, stud = Workstation(postgres_dsn, pool, "Office"), Workstation(
        postgres_dsn, pool, "Stud"
    )  # fmt: skip
    stud.switch_on()
    stud.switch_off()
    office.switch_on()
    yield office, stud
    for one in (office, stud):
        one.go_on.set()
        one.switch_off()
    pool.close()


def ended(queue: PostgresJobQueue, job: Job, state: JobState = JobState.DONE) -> Callable[[], bool]:
    return lambda: queue.get(job.id).state is state


def clip(*streams: StreamId, kind: ExportKind = ExportKind.CLIP) -> dict[str, object]:
    return export_arguments(ExportRequest(kind, START, END, streams))


def a_table(office: Workstation) -> None:
    """Something any node may do was done by the office: it has had the chance to take more."""
    last = PostgresJobQueue(office.pool).submit(JobKind.EXPORT, "last", {}, "Anna")
    wait_until(ended(office.queue, last))


def test_a_job_waits_for_the_workstation_that_has_the_recordings(barn: Barn) -> None:
    office, stud = barn
    camera = new_stream_id()
    stud.record(camera, 30)
    job = office.queue.submit(JobKind.EXPORT, "Clip", clip(camera), "Anna")
    a_table(office)
    waiting = office.queue.get(job.id)
    assert waiting.state is JobState.QUEUED and waiting.workstation == "Stud"
    assert waiting.message == "waits for Stud, which has the recordings"
    assert [one.message for one in office.queue.list(active_only=True)] == [waiting.message]
    stud.switch_on()
    wait_until(ended(office.queue, job))
    assert stud.did == ["Clip"] and "Clip" not in office.did
    assert office.queue.get(job.id).message == ""


def test_a_waiting_job_is_cancelled_at_once(barn: Barn) -> None:
    office, stud = barn
    chunk = stud.record(new_stream_id(), 10)
    job = office.queue.submit(JobKind.REANALYSE, "Again", {"chunk_id": str(chunk.id)}, "Anna")
    assert office.queue.cancel(job.id, "Ben").state is JobState.CANCELLED
    stud.switch_on()
    after = office.queue.submit(JobKind.EXPORT, "Clip", clip(chunk.stream_id), "Anna")
    wait_until(ended(office.queue, after))
    assert stud.did == ["Clip"]


def test_recordings_of_both_are_looked_at_by_both(barn: Barn) -> None:
    office, stud = barn
    before, after = new_stream_id(), new_stream_id()
    stud.record(before, 40)
    office.record(before, 10, 40)
    office.record(after, 5)
    request = ReprocessRequest(START, END, (before, after))
    first = office.queue.submit(JobKind.REPROCESS, "Night", reprocess_arguments(request), "Anna")
    assert first.title == "Night · Stud (1 of 2)" and first.part_of is None
    other = next(one for one in office.queue.list() if one.part_of == first.id)
    assert other.title == "Night · Office (2 of 2)" and other.arguments == first.arguments
    wait_until(ended(office.queue, other))
    assert office.queue.get(first.id).message == "waits for Stud, which has the recordings"
    stud.switch_on()
    wait_until(ended(office.queue, first))
    assert (office.did, stud.did) == ([other.title], [first.title])


def test_a_packet_is_one_document_made_where_most_lies(barn: Barn) -> None:
    office, stud = barn
    camera = new_stream_id()
    office.record(camera, 10)
    stud.record(camera, 20, 10)
    packet = clip(camera, kind=ExportKind.PACKET)
    job = office.queue.submit(JobKind.EXPORT, "Packet", packet, "Anna")
    assert job.workstation == "Stud" and len(office.queue.list()) == 1


def test_tables_are_made_where_they_were_asked_for(barn: Barn) -> None:
    office, stud = barn
    table = clip(new_stream_id(), kind=ExportKind.CSV)
    job = stud.queue.submit(JobKind.EXPORT, "Table", table, "Ben")
    a_table(office)
    assert office.queue.get(job.id).message == "waits for Stud, where it was asked for"
    anywhere = PostgresJobQueue(office.pool).submit(JobKind.EXPORT, "Anywhere", table, "Anna")
    assert anywhere.workstation == ""
    wait_until(ended(office.queue, anywhere))
    assert office.queue.get(anywhere.id).workstation == "Office"
    stud.switch_on()
    wait_until(ended(office.queue, job))
    assert stud.did == ["Table"]


def test_a_session_goes_to_its_video_or_its_recordings(barn: Barn) -> None:
    office, stud = barn
    camera = Stream(new_stream_id(), "Arena", SourceKind.RTSP, "rtsp://127.0.0.1/arena")
    box = CredentialBox.new_key()
    stored = PostgresStreamRepository(office.pool, box).ensure(camera)
    stud.record(stored.id, 30)

    def session(source: SessionSource, **fields: object) -> Session:
        made: dict[str, object] = {
            "id": SessionId(uuid4()), "farm_id": DEFAULT_FARM, "title": source.value,
            "kind": SessionKind.TROT_UP, "source": source, "mode": SessionMode.TRAINING,
            "state": SessionState.QUEUED, "start_at": START, "created_by": "Anna",
            "created_at": START, "stream_ids": (stored.id,),
        }  # fmt: skip
        return Session(**made | fields)  # type: ignore[arg-type]

    upload = stud.sessions.add(session(SessionSource.UPLOAD, video="sessions/x/video.mp4"))
    stretch = office.sessions.add(session(SessionSource.STRETCH, end_at=END))
    jobs = []
    for one in (upload, stretch):
        arguments = {"session_id": str(one.id)}
        job = office.queue.submit(JobKind.SESSION, one.title, arguments, "Anna")
        office.sessions.queued(one.id, job.id)
        jobs.append(job)
    a_table(office)
    told = office.sessions.get(upload.id)
    assert told.state is SessionState.QUEUED
    assert told.message == "waits for Stud, which has the recordings"
    stud.switch_on()
    for job in jobs:
        wait_until(ended(office.queue, job))
    assert stud.did == ["upload", "stretch"]


def test_what_a_dead_workstation_left_waits_for_it_and_comes_back(barn: Barn) -> None:
    office, stud = barn
    chunk = stud.record(new_stream_id(), 10)
    job = office.queue.submit(JobKind.EXPORT, "Clip", clip(chunk.stream_id), "Anna")
    taken_by_the_dead(stud, job)
    assert office.queue.get(job.id).state is JobState.RUNNING
    wait_until(ended(office.queue, job, JobState.QUEUED))
    assert office.queue.get(job.id).message == "waits for Stud, which has the recordings"
    stud.switch_on()
    wait_until(ended(office.queue, job))
    assert stud.did == ["Clip"] and "Clip" not in office.did


def test_a_job_of_a_dead_workstation_is_cancelled(barn: Barn) -> None:
    office, stud = barn
    chunk = stud.record(new_stream_id(), 10)
    job = office.queue.submit(JobKind.EXPORT, "Clip", clip(chunk.stream_id), "Anna")
    taken_by_the_dead(stud, job)
    office.queue.cancel(job.id, "Ben")

    def is_over() -> bool:
        office.queue.tidy()
        return office.queue.get(job.id).state is JobState.CANCELLED

    wait_until(is_over)
    stud.switch_on()
    after = office.queue.submit(JobKind.EXPORT, "After", clip(chunk.stream_id), "Anna")
    wait_until(ended(office.queue, after))
    assert stud.did == ["After"]


def taken_by_the_dead(stud: Workstation, job: Job) -> None:
    """As that workstation leaves things whose power went while it worked on the job."""
    assert stud.queue.begin(job.id, "dead") is not None
    with psycopg.connect(stud.dsn) as connection:
        worker = connection.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) "
            "VALUES (now() - interval '1 hour') RETURNING id"
        ).fetchone()
        assert worker is not None
        entry = connection.execute(
            "SELECT id FROM procrastinate_fetch_job_v2(%s::varchar[], %s)",
            ([queue_of(stud.folder)], worker[0]),
        ).fetchone()
        assert entry is not None and entry[0] is not None


def test_work_that_waits_for_another_keeps_no_node_from_its_own(barn: Barn) -> None:
    office, stud = barn
    theirs = stud.record(new_stream_id(), 10)
    stud.queue.submit(
        JobKind.REANALYSE, "theirs", {"chunk_id": str(theirs.id)}, NOBODY, None, False
    )
    assert office.queue.waiting_by_itself() == 0
    assert stud.queue.waiting_by_itself() == 1


def test_a_running_job_of_a_workstation_that_closes_waits_for_it(barn: Barn) -> None:
    office, stud = barn
    chunk = stud.record(new_stream_id(), 10)
    stud.go_on.clear()
    stud.switch_on()
    job = office.queue.submit(JobKind.EXPORT, "Clip", clip(chunk.stream_id), "Anna")
    wait_until(lambda: stud.did == ["Clip"])
    stud.switch_off()
    assert office.queue.get(job.id).message == "waits for Stud, which has the recordings"
    stud.go_on.set()
    stud.switch_on()
    wait_until(ended(office.queue, job))
    assert stud.did == ["Clip", "Clip"] and "Clip" not in office.did

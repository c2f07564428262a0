"""SessionRepository: sessions, what was found in them, and the archive."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from uuid import uuid4

import numpy as np
import pytest

from db.queue.jobs import PostgresJobQueue
from db.repositories.farms import DEFAULT_FARM
from db.repositories.sessions import PostgresSessionRepository
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.domain.motion import Asymmetry, Gait, Lead, Stride, StrideId
from engine.domain.recording import JobKind, JobState
from engine.domain.sessions import (
    HeatMap,
    HeatMapUnit,
    MetricValue,
    ScaleKind,
    Session,
    SessionId,
    SessionKind,
    SessionMetrics,
    SessionMode,
    SessionRepository,
    SessionResult,
    SessionScale,
    SessionSource,
    SessionState,
)
from tests.fixtures_identity import IdentityBarn, at


@pytest.fixture
def sessions(barn: IdentityBarn) -> SessionRepository:
    return PostgresSessionRepository(barn.pool)


def session(start_s: float = 0.0, **fields: object) -> Session:
    made = Session(
        SessionId(uuid4()), DEFAULT_FARM, "Trot up", SessionKind.TROT_UP, SessionSource.UPLOAD,
        SessionMode.TRAINING, SessionState.QUEUED, at(start_s), "Anna", at(0),
    )  # fmt: skip
    return replace(made, **fields)  # type: ignore[arg-type]


def stride(n: int) -> Stride:
    return Stride(
        StrideId(uuid4()), TrackId(uuid4()), StreamId(uuid4()), at(n), at(n + 0.75), Gait.TROT,
        Lead.NONE, 1.25, 2.5, 3.25, (0.5, 0.25, 0.5, 0.125), (0.0, 0.5, 0.5, math.nan),
        (0.0, 0.125), 0.875, Asymmetry(5.5, -2.0, 0.5, math.nan), True, 0.75, False,
    )  # fmt: skip


def result(session_id: SessionId, strides: int = 3) -> SessionResult:
    metrics = SessionMetrics(
        session_id,
        MappingProxyType(
            {
                "distance": MetricValue("distance", 12.5, "m", 9, 0.5),
                "hd_min": MetricValue("hd_min", None, "mm", 0, 0.0, None, "Too few strides."),
                "stride_rate_trot": MetricValue("stride_rate_trot", 1.25, "hz", 3, 0.25, 0.125),
            }
        ),
        SessionScale(ScaleKind.BODY, 0.0625, 1.625), 20.0, 10.0, at(100), 500, 25.0, 2, 1, False,
        ("a@1", "b@2"), ("The camera followed the horse.",),
    )  # fmt: skip
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    maps = (
        HeatMap(None, HeatMapUnit.SHARES, (0.0, 0.0, 1.0, 1.0), grid),
        HeatMap(StreamId(uuid4()), HeatMapUnit.METRES, (-1.0, 0.5, 1.0, 2.0), grid * 2),
    )
    return SessionResult(metrics, tuple(stride(n) for n in range(strides)), maps)


def test_a_session_reads_back_as_it_was(barn: IdentityBarn, sessions: SessionRepository) -> None:
    camera, bella = barn.camera("north"), barn.horse("Bella")
    one = session(
        horse_id=bella, stream_ids=(camera,), note="Stiff.", video="sessions/x/video.mp4",
        video_name="IMG.mp4", size_bytes=17, sha256="ab" * 32, end_at=at(9), locked=True,
    )  # fmt: skip
    assert sessions.add(one) == one
    assert sessions.get(one.id) == one
    with pytest.raises(Conflict):
        sessions.add(one)
    assert sessions.remove(one.id) == one
    for gone in (sessions.get, sessions.remove, sessions.metrics, sessions.strides):
        with pytest.raises(NotFound):
            gone(one.id)


def test_what_makes_no_sense_is_refused(sessions: SessionRepository) -> None:
    for wrong in (
        session(title="  "), session(note="x\0"), session(end_at=at(-1)),
        session(start_at=at(0).replace(tzinfo=None)),
    ):  # fmt: skip
        with pytest.raises(OperatorMistake):
            sessions.add(wrong)
    for foreign in (
        session(horse_id=HorseId(uuid4())), session(stream_ids=(StreamId(uuid4()),)),
        session(farm_id=FarmId(uuid4())),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            sessions.add(foreign)


def test_they_are_listed_newest_first_page_by_page(
    barn: IdentityBarn, sessions: SessionRepository
) -> None:
    bella = barn.horse("Bella")
    made = [sessions.add(session(n, horse_id=bella if n % 2 else None)) for n in range(5)]
    ids = [one.id for one in reversed(made)]
    assert [one.id for one in sessions.list()] == ids
    first = sessions.list(limit=2)
    assert [one.id for one in sessions.list(limit=9, after=first[-1].id)] == ids[2:]
    assert {one.id for one in sessions.list(horse_id=bella)} == {made[1].id, made[3].id}
    assert [one.id for one in sessions.list(start=at(1), end=at(3))] == [made[2].id, made[1].id]
    assert not sessions.list(states=(SessionState.DONE,))
    assert len(sessions.list(states=(SessionState.QUEUED, SessionState.DONE))) == 5
    assert not sessions.list(farm_id=FarmId(uuid4()))


def test_sessions_of_a_merged_horse_are_those_of_the_one_it_is(
    barn: IdentityBarn, sessions: SessionRepository
) -> None:
    bella, double = barn.horse("Bella"), barn.horse("Double")
    one = sessions.add(session(horse_id=double))
    barn.run("UPDATE horses SET status = 'merged', merged_into = %s WHERE id = %s", bella, double)
    assert sessions.get(one.id).horse_id == bella
    assert [found.id for found in sessions.list(horse_id=bella)] == [one.id]


def test_a_change_counts_once_and_the_second_hears_of_the_first(
    barn: IdentityBarn, sessions: SessionRepository
) -> None:
    one = sessions.add(session())
    changed = sessions.update(replace(one, title="Lunge", kind=SessionKind.LUNGING, note="Left."))
    assert (changed.title, changed.kind, changed.version) == ("Lunge", SessionKind.LUNGING, 2)
    with pytest.raises(Conflict, match="Lunge"):
        sessions.update(replace(one, title="Other"))
    with pytest.raises(NotFound):
        sessions.update(session())


def test_what_is_found_reads_back_and_replaces_what_was(sessions: SessionRepository) -> None:
    one = sessions.add(session())
    assert sessions.metrics(one.id) is None and not sessions.strides(one.id)
    found = result(one.id)
    done = sessions.finish(one.id, found, "sessions/x/report.pdf", at(20))
    assert done.state is SessionState.DONE and done.progress == 1.0
    assert done.end_at == at(20) and done.report == "sessions/x/report.pdf"
    assert sessions.metrics(one.id) == found.metrics
    assert [repr(s) for s in sessions.strides(one.id)] == [repr(s) for s in found.strides]
    assert len(sessions.strides(one.id, limit=2)) == 2
    for stored, told in zip(sessions.heat_maps(one.id), found.heat_maps, strict=True):
        assert (stored.stream_id, stored.unit, stored.bounds) == (
            told.stream_id, told.unit, told.bounds
        )  # fmt: skip
        np.testing.assert_array_equal(stored.seconds, told.seconds)
    sessions.finish(one.id, result(one.id, strides=1), "", None)
    assert len(sessions.strides(one.id)) == 1 and sessions.get(one.id).end_at == at(20)


def test_a_live_session_has_figures_before_its_end(sessions: SessionRepository) -> None:
    one = sessions.add(session(source=SessionSource.LIVE, state=SessionState.OPEN))
    told = replace(result(one.id).metrics, provisional=True)
    sessions.save_provisional(told)
    assert sessions.metrics(one.id) == told
    assert sessions.get(one.id).state is SessionState.OPEN
    stopped = sessions.update(replace(one, end_at=at(60), state=SessionState.QUEUED))
    assert stopped.state is SessionState.QUEUED and stopped.end_at == at(60)


def test_its_state_is_that_of_its_job(barn: IdentityBarn, sessions: SessionRepository) -> None:
    jobs = PostgresJobQueue(barn.pool)
    one = sessions.add(session())

    def submit() -> Session:
        sessions.queued(one.id, None)
        job = jobs.submit(JobKind.SESSION, "x", {"session_id": str(one.id)}, "Anna")
        return sessions.queued(one.id, job.id)

    queued = submit()
    assert queued.state is SessionState.QUEUED and queued.job_id is not None
    jobs.begin(queued.job_id, "node")
    jobs.advance(queued.job_id, "node", 0.5, "half")
    running = sessions.get(one.id)
    assert (running.state, running.progress, running.message) == (
        SessionState.RUNNING, 0.5, "half",
    )  # fmt: skip
    assert [found.id for found in sessions.list(states=(SessionState.RUNNING,))] == [one.id]
    jobs.end(queued.job_id, JobState.CANCELLED, "cancelled", {})
    assert sessions.get(one.id).state is SessionState.CANCELLED
    again = submit()
    assert again.state is SessionState.QUEUED and again.job_id != queued.job_id
    sessions.failed(one.id, "It is no video.")
    told = sessions.get(one.id)
    assert (told.state, told.message) == (SessionState.FAILED, "It is no video.")
    forgotten = submit()
    barn.run("DELETE FROM jobs WHERE id = %s", forgotten.job_id)
    assert sessions.get(one.id).state is SessionState.CANCELLED


def test_old_sessions_are_archived_and_locked_ones_stay(
    barn: IdentityBarn, sessions: SessionRepository
) -> None:
    jobs = PostgresJobQueue(barn.pool)
    old = sessions.add(session(0, video="sessions/x/video.mp4"))
    sessions.finish(old.id, result(old.id), "sessions/x/report.pdf", None)
    locked = sessions.add(session(1, locked=True, state=SessionState.DONE))
    working = sessions.add(session(2))
    job = jobs.submit(JobKind.SESSION, "x", {}, "Anna")
    sessions.queued(working.id, job.id)
    live = sessions.add(session(3, source=SessionSource.LIVE, state=SessionState.OPEN))
    young = sessions.add(session(500, state=SessionState.DONE))
    now = at(1000)
    due = sessions.due(at(400))
    assert [one.id for one in due] == [old.id]
    for one in (locked, working, live):
        assert sessions.archive(one.id, now) is None
    archived = sessions.archive(old.id, now)
    assert archived is not None
    assert (archived.archived_at, archived.video) == (now, "")
    assert archived.report == "sessions/x/report.pdf"
    assert not sessions.strides(old.id)
    assert sessions.metrics(old.id) == result(old.id).metrics
    assert sessions.heat_maps(old.id)
    assert sessions.archive(old.id, now + timedelta(days=1)) is None
    assert not sessions.due(at(400)) and sessions.get(young.id).archived_at is None

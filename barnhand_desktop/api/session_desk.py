"""What the routes about sessions and the calendar work with."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from psycopg_pool import ConnectionPool

from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.whereabouts import Whereabouts
from db.queue.jobs import PostgresJobQueue
from db.repositories.calendar import PostgresCalendarRepository
from db.repositories.horses import PostgresHorseRepository
from db.repositories.motion import PostgresMotionRepository
from db.repositories.sessions import PostgresSessionRepository
from engine.domain.errors import NotFound
from engine.domain.motion import DEFAULT_HEIGHT_M
from engine.domain.recording import JobKind
from engine.domain.sessions import Session, SessionMetrics, SessionSource, SessionState
from engine.sessions.layout import remove_files, session_file
from engine.sessions.stored import provisional_metrics

log = logging.getLogger(__name__)

AT_WORK = (SessionState.QUEUED, SessionState.RUNNING)


@dataclass(frozen=True, slots=True)
class SessionDesk:
    """Where this API has no media folder no videos are taken or given."""

    sessions: PostgresSessionRepository
    calendar: PostgresCalendarRepository
    horses: PostgresHorseRepository
    motion: PostgresMotionRepository
    jobs: PostgresJobQueue
    whereabouts: Whereabouts
    limit_bytes: int

    @property
    def media(self) -> Path | None:
        """The media folder, where there is one."""
        return self.whereabouts.media

    def folder(self) -> Path:
        """The media folder. Problem 404 where there is none."""
        if self.media is None:
            raise Problem(404, "not_found", "This server keeps no videos.")
        return self.media

    def folder_for_uploads(self) -> Path:
        """The media folder, where a workstation would look at a video in it. Problem 404 or 503
        otherwise."""
        media = self.folder()
        if not self.whereabouts.worked_on():
            raise Problem(
                503,
                "unavailable",
                "No workstation works on this server's media folder, so nobody would look at the "
                "video. Send it to the API of a workstation.",
            )
        return media

    def file(self, session: Session, path: str) -> Path:
        """A file of the session. Raises NotFound where it is gone; Problem 409 where another
        workstation has it."""
        try:
            return session_file(self.folder(), path)
        except (NotFound, Problem) as missing:
            elsewhere = self.whereabouts.session(session.id) if path else None
            raise elsewhere or missing from None

    def analyse(self, session: Session, actor: str) -> Session:
        """Queue its analysis. Problem 409 where its state does not allow it."""
        if session.state is SessionState.OPEN:
            raise Problem(409, "session_state", "The session goes on; stop it first.")
        if session.state in AT_WORK and session.job_id is not None:
            raise Problem(409, "session_state", "The session is being analysed already.")
        if session.archived_at is not None:
            raise Problem(409, "session_state", "The session is archived: its details are gone.")
        if session.source is SessionSource.UPLOAD and not session.video:
            raise Problem(409, "session_state", "The session's video is gone; upload it again.")
        self.sessions.queued(session.id, None)
        job = self.jobs.submit(
            JobKind.SESSION,
            f"Session {session.title}",
            {"session_id": str(session.id)},
            actor,
            session.farm_id,
        )
        return self.sessions.queued(session.id, job.id)

    def stop(self, session: Session, at: datetime, actor: str) -> Session:
        """End a live session and queue its analysis. Problem 409 where it does not go on."""
        if session.state is not SessionState.OPEN:
            raise Problem(409, "session_state", "The session does not go on.")
        ended = replace(session, end_at=max(at, session.start_at), state=SessionState.QUEUED)
        stopped = self.sessions.update(ended)
        summary = self.so_far(stopped, at)
        if summary is not None:
            self.sessions.save_provisional(summary)
        return self.analyse(stopped, actor)

    def so_far(self, session: Session, now: datetime) -> SessionMetrics | None:
        """What the live analysis says of a live session; None where nothing is known."""
        if session.horse_id is None:
            return None
        height_cm = self.horses.get(session.horse_id).profile.height_cm
        height_m = None if height_cm is None else height_cm / 100.0
        until = min(now, session.end_at or now)
        return provisional_metrics(session, self.motion, height_m, DEFAULT_HEIGHT_M, until)

    def remove(self, session: Session, actor: str) -> None:
        """Forget a session and all its files. Problem 409 for a locked one, and where another
        workstation that runs has the files; those of one that is away stay there."""
        if session.locked:
            raise Problem(409, "session_state", "The session is locked; unlock it first.")
        elsewhere = self.whereabouts.session_running(session.id)
        if elsewhere is not None:
            raise elsewhere
        if session.state in AT_WORK and session.job_id is not None:
            try:
                self.jobs.cancel(session.job_id, actor)
            except NotFound:
                log.info("the job of session %s was forgotten already", session.id)
        self.sessions.remove(session.id)
        if self.media is None:
            return
        try:
            remove_files(self.media, session.id)
        except OSError as error:
            log.warning("files of session %s stay: %s", session.id, error)


def session_desk(
    pool: ConnectionPool, jobs: PostgresJobQueue, whereabouts: Whereabouts, limit_bytes: int
) -> SessionDesk:
    """Over the API's own connections."""
    return SessionDesk(
        PostgresSessionRepository(pool, whereabouts.home),
        PostgresCalendarRepository(pool),
        PostgresHorseRepository(pool),
        PostgresMotionRepository(pool),
        jobs,
        whereabouts,
        limit_bytes,
    )

"""What the routes about sessions and the calendar work with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from engine.domain.errors import EnvironmentFault, NotFound
from engine.domain.sessions import Session, SessionMetrics
from engine.sessions.acts import NotNow, SessionActs
from engine.sessions.layout import session_file

log = logging.getLogger(__name__)


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
        with _told():
            return self._acts.analyse(session, actor)

    def stop(self, session: Session, at: datetime, actor: str) -> Session:
        """End a live session and queue its analysis. Problem 409 where it does not go on."""
        with _told():
            return self._acts.stop(session, at, actor)

    def so_far(self, session: Session, now: datetime) -> SessionMetrics | None:
        """What the live analysis says of a live session; None where nothing is known."""
        return self._acts.so_far(session, now)

    def remove(self, session: Session, actor: str) -> None:
        """Forget a session and all its files. Problem 409 for a locked one, and where another
        workstation that runs has the files; those of one that is away stay there."""
        elsewhere = None if session.locked else self.whereabouts.session_running(session.id)
        if elsewhere is not None:
            raise elsewhere
        try:
            with _told():
                self._acts.remove(session, actor)
        except EnvironmentFault as error:
            log.warning("%s", error)

    @property
    def _acts(self) -> SessionActs:
        return SessionActs(self.sessions, self.jobs, self.horses, self.motion, self.media)


@contextmanager
def _told() -> Iterator[None]:
    """What a session's state does not allow, as a problem document."""
    try:
        yield
    except NotNow as error:
        raise Problem(409, "session_state", str(error)) from error


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

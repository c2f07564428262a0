"""What people do with sessions, on the stores alone: analyse, stop a live one, remove.

The console's page and the API rest on it; every method may block.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from engine.domain.behaviour import MotionRepository
from engine.domain.errors import Conflict, EnvironmentFault, NotFound
from engine.domain.motion import DEFAULT_HEIGHT_M
from engine.domain.ports import HorseRepository
from engine.domain.recording import JobKind, JobQueue
from engine.domain.sessions import (
    Session,
    SessionMetrics,
    SessionRepository,
    SessionSource,
    SessionState,
)
from engine.sessions.layout import remove_files
from engine.sessions.stored import provisional_metrics

log = logging.getLogger(__name__)

AT_WORK = (SessionState.QUEUED, SessionState.RUNNING)


class NotNow(Conflict):
    """What a session's state does not allow."""


@dataclass(frozen=True, slots=True)
class SessionActs:
    """``motion`` None: live sessions have no figures before they are analysed. ``media`` None: the
    files of sessions are not on this machine."""

    sessions: SessionRepository
    jobs: JobQueue
    horses: HorseRepository
    motion: MotionRepository | None = None
    media: Path | None = None

    def analyse(self, session: Session, actor: str) -> Session:
        """Queue its analysis. Raises NotNow where its state does not allow it."""
        if session.state is SessionState.OPEN:
            raise NotNow("The session goes on.", "Stop it first.")
        if session.state in AT_WORK and session.job_id is not None:
            raise NotNow("The session is being analysed already.")
        if session.archived_at is not None:
            raise NotNow("The session is archived: its details are gone.")
        if session.source is SessionSource.UPLOAD and not session.video:
            raise NotNow("The session's video is gone.", "Make a new session of it.")
        self.sessions.queued(session.id, None)
        title, arguments = f"Session {session.title}", {"session_id": str(session.id)}
        job = self.jobs.submit(JobKind.SESSION, title, arguments, actor, session.farm_id)
        return self.sessions.queued(session.id, job.id)

    def cancel(self, session: Session, actor: str) -> Session:
        """End its analysis; what was found before stays."""
        if session.job_id is not None:
            self.jobs.cancel(session.job_id, actor)
        return self.sessions.get(session.id)

    def stop(self, session: Session, at: datetime, actor: str) -> Session:
        """End a live session, keep what the live analysis says of it, and queue its analysis.
        Raises NotNow where it does not go on."""
        if session.state is not SessionState.OPEN:
            raise NotNow("The session does not go on.")
        ended = replace(session, end_at=max(at, session.start_at), state=SessionState.QUEUED)
        stopped = self.sessions.update(ended)
        summary = self.so_far(stopped, at)
        if summary is not None:
            self.sessions.save_provisional(summary)
        return self.analyse(stopped, actor)

    def so_far(self, session: Session, now: datetime) -> SessionMetrics | None:
        """What the live analysis says of a live session; None where nothing is known."""
        if session.horse_id is None or self.motion is None:
            return None
        height_cm = self.horses.get(session.horse_id).profile.height_cm
        height_m = None if height_cm is None else height_cm / 100.0
        until = min(now, session.end_at or now)
        return provisional_metrics(session, self.motion, height_m, DEFAULT_HEIGHT_M, until)

    def remove(self, session: Session, actor: str) -> None:
        """Forget a session and all its files; its analysis is cancelled. Raises NotNow for a
        locked one."""
        if session.locked:
            raise NotNow("The session is locked.", "Unlock it first.")
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
            raise EnvironmentFault(
                f"Files of the removed session stay on the disk: {error.strerror or error}.",
                f"They lie in {self.media / 'sessions' / str(session.id)}.",
            ) from error

"""Sessions after six months: strides and video go, figures, map and report stay. And what was left
of videos whose copying ended with the program."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.domain.sessions import Session, SessionRepository
from engine.sessions.layout import PART, SESSIONS, remove_if_empty, remove_video, session_folder

log = logging.getLogger(__name__)

ARCHIVED_AFTER = timedelta(days=183)
"""Six months (specification: operations). Locked sessions stay as they are."""
UNFINISHED_AFTER = timedelta(days=1)
"""A video to which nothing was added for so long is not being copied any more."""
_BATCH = 100
_MOST_ROUNDS = 1000


def sweep_unfinished(
    media: Path, now: datetime, cancelled: Callable[[], bool]
) -> Mapping[str, int]:
    """Remove what was left of videos of sessions below ``media``; how many, as of an instant."""
    gone = 0
    for path in sorted((media / SESSIONS).glob(f"*/video*{PART}")):
        if cancelled():
            break
        try:
            added = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
            if path.is_symlink() or now - added < UNFINISHED_AFTER:
                continue
            path.unlink()
            gone += 1
            remove_if_empty(path.parent)
        except OSError as error:
            log.warning("the unfinished video %s stays: %s", path, error)
    return {"unfinished_videos": gone}


class OldSessions:
    """Archives what is due, on the machine that has the session's video; sessions without one
    anywhere."""

    def __init__(self, sessions: SessionRepository, media: Path) -> None:
        self._sessions = sessions
        self._media = media

    def archive_due(self, now: datetime, cancelled: Callable[[], bool]) -> Mapping[str, int]:
        """Archive as of an instant; how many. Asked between sessions whether to end early."""
        archived, passed_over = 0, set[object]()
        for _ in range(_MOST_ROUNDS):
            due = self._sessions.due(now - ARCHIVED_AFTER, _BATCH + len(passed_over))
            fresh = [session for session in due if session.id not in passed_over]
            for session in fresh:
                if cancelled():
                    return {"sessions": archived}
                if self._archive(session, now):
                    archived += 1
                else:
                    passed_over.add(session.id)
            if not fresh:
                break
        return {"sessions": archived}

    def _archive(self, session: Session, now: datetime) -> bool:
        if session.video and not session_folder(self._media, session.id).is_dir():
            return False  # another machine has it
        if self._sessions.archive(session.id, now) is None:
            return False
        try:
            remove_video(self._media, session)
        except OSError as error:
            log.warning("the video of session %s stays: %s", session.id, error)
        return True

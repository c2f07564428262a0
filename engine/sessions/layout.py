"""Where the files of sessions lie below the media folder, and under which names.

``sessions/<session id>/video.mp4`` (or the ending it was sent with), while it is received with
``.part`` at its end, and ``report.pdf`` beside it. Names are made here, never by a caller.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.domain.errors import NotFound
from engine.domain.sessions import Session, SessionId
from engine.recording.layout import inside

SESSIONS = "sessions"
PART = ".part"
REPORT = "report.pdf"
SPARE_BYTES = 1 << 30
"""So much of the media disk is left to the recordings."""
ENDINGS: dict[str, str] = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".ts": "video/mp2t",
    ".mts": "video/mp2t",
    ".gif": "image/gif",
}
"""Endings of videos that are taken, with the type they are sent as."""


def video_path(session_id: SessionId, ending: str) -> str:
    """The path of a session's video, relative to the media folder."""
    return f"{SESSIONS}/{session_id}/video{ending}"


def report_path(session_id: SessionId) -> str:
    """The path of a session's report, relative to the media folder."""
    return f"{SESSIONS}/{session_id}/{REPORT}"


def session_file(media: Path, path: str) -> Path:
    """The file that a session names. Raises NotFound where it is gone or leads elsewhere."""
    if not path:
        raise NotFound("That session has no such file.")
    found = inside(media, path)
    if not found.is_relative_to((media / SESSIONS).resolve()) or not found.is_file():
        raise NotFound("The file of that session is not on this machine.")
    return found


def session_folder(media: Path, session_id: SessionId) -> Path:
    """Where a session's files lie."""
    return media / SESSIONS / str(session_id)


def remove_video(media: Path, session: Session) -> None:
    """Take its video away, unfinished ones too; raises OSError."""
    for path in session_folder(media, session.id).glob("video*"):
        path.unlink(missing_ok=True)
    remove_if_empty(session_folder(media, session.id))


def remove_if_empty(folder: Path) -> None:
    """Take a session's folder away if nothing is left in it; raises OSError."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def remove_files(media: Path, session_id: SessionId) -> None:
    """Take everything of it away; raises OSError."""
    folder = session_folder(media, session_id)
    if folder.is_dir():
        shutil.rmtree(folder)

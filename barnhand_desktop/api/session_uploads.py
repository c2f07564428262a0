"""Uploads of videos for sessions: how long they may be, what is said of them, where they go.

Nothing looks into a video here: the job that analyses it does, in the engine's process, and says
clearly what is wrong with it.
"""

from __future__ import annotations

import shutil
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from starlette.requests import Request

from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.session_schemas import UploadDescription
from barnhand_desktop.api.upload_form import (
    ReceivedFile,
    UploadRules,
    form_document,
    received_file,
    sweep_uploads,
)
from engine.domain.errors import EnvironmentFault
from engine.domain.sessions import SessionId
from engine.sessions.layout import ENDINGS, SESSIONS, SPARE_BYTES, session_folder, video_path

TOTAL_S = 4 * 3600.0
"""Longest that an upload may take: 2 GiB at 1.2 Mbit/s."""
_PREFIX = "session-upload-"

ReceivedVideo = ReceivedFile[UploadDescription]

REQUEST_BODY = form_document(
    "title, and where known kind, mode, horse_id, recorded_at, stream_id, note, farm_id",
    f"the video ({', '.join(ENDINGS)})",
)


def make_room(request: Request, media: Path, limit_bytes: int) -> Path:
    """The folder for the upload in a request, on the media disk. Blocks; Problem 503 where the disk
    is too full for it."""
    folder = media / SESSIONS
    folder.mkdir(parents=True, exist_ok=True)
    sweep_uploads(folder, _PREFIX, 2 * TOTAL_S)
    length = request.headers.get("content-length", "0")
    wanted = int(length[:19]) if length.isascii() and length.isdigit() else limit_bytes
    if shutil.disk_usage(folder).free < wanted + SPARE_BYTES:
        raise Problem(503, "unavailable", "The disk of the media folder is too full for it.")
    return folder


def received_video(
    request: Request, folder: Path, limit_bytes: int
) -> AbstractAsyncContextManager[ReceivedVideo]:
    """The upload in a request, in a folder of the media disk while the block runs; gone after it
    unless it was kept (``keep``)."""
    rules = UploadRules(
        _PREFIX, UploadDescription, "session_description", limit_bytes, too_large, TOTAL_S
    )
    return received_file(request, folder, rules)


def ending_of(file_name: str) -> str:
    """The ending of an uploaded file's name. Problem 422 for one that no video has."""
    ending = Path(file_name.replace("\\", "/")).suffix.lower()
    if ending not in ENDINGS:
        raise Problem(
            422, "session_file_type", f"Videos end in {', '.join(ENDINGS)}; this one does not."
        )
    return ending


def keep(upload: ReceivedVideo, media: Path, session_id: SessionId, ending: str) -> str:
    """Move the file to where the session's video lies; its path below the media folder. Raises
    EnvironmentFault when the disk refuses."""
    path = video_path(session_id, ending)
    try:
        session_folder(media, session_id).mkdir(parents=True)
        upload.path.replace(media / path)
    except OSError as error:
        raise EnvironmentFault(
            f"The video could not be kept: {error.strerror or error}.",
            "Check that the media folder is writable and the disk is not full.",
        ) from error
    return path


def too_large(limit_bytes: int) -> Problem:
    """The refusal of a file over the limit."""
    return Problem(
        413,
        "session_too_large",
        f"Videos of at most {limit_bytes >> 20} MiB are taken. Cut it, or raise the setting "
        "api.session_upload_mb.",
    )

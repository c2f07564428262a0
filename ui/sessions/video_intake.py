"""A video of somebody's is copied to where its session's files lie, while a person watches."""

from __future__ import annotations

import hashlib
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.domain.sessions import SessionId
from engine.sessions.layout import (
    ENDINGS,
    PART,
    SESSIONS,
    SPARE_BYTES,
    remove_files,
    session_folder,
    video_path,
)

BLOCK_BYTES = 4 << 20


def _tr(text: str) -> str:
    return QCoreApplication.translate("Sessions", text)


@dataclass(frozen=True, slots=True)
class TakenVideo:
    """Where it lies below the media folder, and what it is."""

    path: str
    size_bytes: int
    sha256: str


class VideoIntake:
    """One copy. ``copy`` runs on a worker; ``share`` and ``cancel`` are for the window."""

    def __init__(self, media: Path, source: Path, session_id: SessionId) -> None:
        self._media = media
        self.source = source
        self._session_id = session_id
        self._cancelled = threading.Event()
        self._copied = 0
        self._size = 0

    @property
    def share(self) -> float:
        """How much of it is copied, 0..1."""
        return self._copied / self._size if self._size else 0.0

    @property
    def cancelled(self) -> bool:
        """Whether the person gave it up."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """End it soon; nothing of it is left."""
        self._cancelled.set()

    def copy(self) -> TakenVideo | None:
        """Copy it; None where it was given up. Raises OperatorMistake for what is no video by its
        name, EnvironmentFault when a disk refuses or is too full."""
        ending = checked_ending(self.source)
        done = False
        try:
            taken = self._copy(ending)
            done = taken is not None
            return taken
        except OSError as error:
            raise EnvironmentFault(
                _tr("The video could not be copied: {0}.").format(error.strerror or error),
                _tr("Check that it can be read and that the disk of the recordings has room."),
            ) from error
        finally:
            if not done:
                self.forget()

    def forget(self) -> None:
        """Take away what was copied."""
        try:
            remove_files(self._media, self._session_id)
        except OSError as error:
            raise EnvironmentFault(
                _tr("What was copied stays on the disk: {0}.").format(error.strerror or error)
            ) from error

    def _copy(self, ending: str) -> TakenVideo | None:
        self._size = self.source.stat().st_size
        if self._size == 0:
            raise OperatorMistake(_tr("“{0}” is empty.").format(self.source.name))
        (self._media / SESSIONS).mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._media).free < self._size + SPARE_BYTES:
            raise EnvironmentFault(
                _tr("The disk of the recordings is too full for this video."),
                _tr("A gigabyte is left to the recordings. Free some room first."),
            )
        session_folder(self._media, self._session_id).mkdir(parents=True, exist_ok=True)
        path = self._media / video_path(self._session_id, ending)
        part = path.with_name(path.name + PART)
        digest = hashlib.sha256()
        with self.source.open("rb") as given, part.open("wb") as kept:
            while block := given.read(BLOCK_BYTES):
                if self.cancelled:
                    return None
                digest.update(block)
                kept.write(block)
                self._copied += len(block)
        part.replace(path)
        return TakenVideo(video_path(self._session_id, ending), self._copied, digest.hexdigest())


def checked_ending(path: Path) -> str:
    """The ending of a video's name. Raises OperatorMistake for one that no video has."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise OperatorMistake(
            _tr("“{0}” is no video by its name.").format(path.name),
            _tr("Videos end in {0}.").format(", ".join(ENDINGS)),
        )
    return ending

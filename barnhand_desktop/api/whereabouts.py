"""Files that lie on another workstation: what is said of them instead of "not found"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from barnhand_desktop.api.problems import Problem
from db.repositories.media_folders import MediaFolder, PostgresMediaFolders
from engine.domain.recording import ChunkId, JobId
from engine.domain.sessions import SessionId
from engine.recording.layout import known_media_id

CODE = "on_other_workstation"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """``media``: the folder whose files this API gives; None: it has none."""

    folders: PostgresMediaFolders
    media: Path | None

    def home(self) -> UUID | None:
        """The mark of this API's own folder; None while no engine has worked in it."""
        try:
            return None if self.media is None else known_media_id(self.media)
        except OSError:
            return None

    def worked_on(self) -> bool:
        """Whether a node does the jobs of this API's folder. True as long as no workstation ever
        said where it works."""
        known, home = self.folders.list(), self.home()
        return not known or any(folder.id == home for folder in known)

    def chunk(self, chunk_id: ChunkId) -> Problem | None:
        """Problem 409 naming the workstation that has the recording; None where it is not away."""
        return self._elsewhere(self.folders.of_chunk(chunk_id), "That recording")

    def session(self, session_id: SessionId) -> Problem | None:
        """The same of a session's video and report."""
        return self._elsewhere(self.folders.of_session(session_id), "The file of that session")

    def session_running(self, session_id: SessionId) -> Problem | None:
        """The same, while that workstation runs: it can remove its own files."""
        folder = self.folders.of_session(session_id)
        return None if folder is None or not folder.alive else self.session(session_id)

    def job(self, job_id: JobId) -> Problem | None:
        """The same of what a job made."""
        return self._elsewhere(self.folders.of_job(job_id), "The file of that export")

    def _elsewhere(self, folder: MediaFolder | None, what: str) -> Problem | None:
        if folder is None or folder.id == self.home():
            return None
        where = f"{what} lies on {_named(folder)} and not on this one"
        then = "Ask the API there." if folder.alive else "Start Barnhand there and ask its API."
        return Problem(409, CODE, f"{where}. {then}")


def _named(folder: MediaFolder) -> str:
    if not folder.workstation:
        return "another workstation"
    away = "" if folder.alive else ", which does not run now,"
    return f"the workstation {folder.workstation}{away}"

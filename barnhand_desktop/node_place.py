"""Which data folder this is, so that the server knows a process that took a dead one's place."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

from barnhand_desktop.servers.folder import FolderLock, make_folder, write_private
from engine.domain.errors import OperatorMistake
from engine.domain.nodes import PlaceId


class NodePlace:
    """The lasting id of a data folder for the one process that uses it. A second process in the
    same folder gets an id of its own, so that neither takes the other for its dead predecessor."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "node"
        self._lock = FolderLock(self._folder)

    def take(self) -> PlaceId:
        """The id, made on first use; held until ``release`` or the end of the process."""
        make_folder(self._folder)
        try:
            self._lock.acquire()
        except OperatorMistake:
            return PlaceId(uuid4())
        path = self._folder / "id"
        try:
            return PlaceId(UUID(path.read_text("ascii").strip()))
        except (FileNotFoundError, ValueError):
            made = PlaceId(uuid4())
            write_private(path, str(made))
            return made

    def release(self) -> None:
        """Let another process be this place."""
        self._lock.release()

"""The media folder that a node works on, told to the others while the node runs."""

from __future__ import annotations

import logging
import time
from uuid import UUID

from db.repositories.media_folders import LIFE_S, PostgresMediaFolders
from engine.domain.errors import BarnhandError

log = logging.getLogger(__name__)


class MediaHome:
    """Its mark, and the name of its workstation. ``keep`` and ``leave`` belong to one thread."""

    def __init__(
        self, folders: PostgresMediaFolders, folder: UUID, workstation: str, life_s: float = LIFE_S
    ) -> None:
        self.folder = folder
        self.workstation = workstation
        self._folders = folders
        self._life_s = life_s
        self._told_mono_s: float | None = None

    def keep(self) -> None:
        """Tell that the node runs, where that was not told lately. Raises StoreUnavailable."""
        now = time.monotonic()
        if self._told_mono_s is not None and now - self._told_mono_s < self._life_s / 3:
            return
        self._told_mono_s = None
        self._folders.work(self.folder, self.workstation, self._life_s)
        self._told_mono_s = now

    def leave(self) -> None:
        """Tell that it ends. Where the server is away that shows by itself a while later."""
        if self._told_mono_s is None:
            return
        self._told_mono_s = None
        try:
            self._folders.leave(self.folder)
        except BarnhandError as error:
            log.info("nobody was told that the node ends: %s", error)

"""Where everything lies in the data folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from barnhand_desktop.settings.loader import data_dir, media_dir
from barnhand_desktop.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders of one installation; none of them is made by naming it.

    ``models`` is the user's cache of model files, ``model_search`` the further folders of
    BARNHAND_MODELS, which are only read.
    """

    data: Path
    media: Path
    model_search: tuple[Path, ...] = ()
    backup_choice: Path | None = None

    @property
    def backups(self) -> Path:
        """Backups of the database: where the settings say, else here."""
        return self.backup_choice or self.data / "backups"

    @property
    def postgres(self) -> Path:
        """The embedded database."""
        return self.data / "postgres"

    @property
    def valkey(self) -> Path:
        """The embedded live-state server."""
        return self.data / "valkey"

    @property
    def models(self) -> Path:
        """Fetched and imported models."""
        return self.data / "models"

    @property
    def spool(self) -> Path:
        """Rows that wait for the server."""
        return self.data / "spool"

    @property
    def logs(self) -> Path:
        """JSON logs."""
        return self.data / "logs"


def folders_of(settings: Settings, environment: Mapping[str, str] = os.environ) -> Folders:
    """The folders by the settings and BARNHAND_DATA_DIR, BARNHAND_MODELS."""
    search = environment.get("BARNHAND_MODELS", "")
    chosen = settings.backup.folder
    return Folders(
        data=data_dir(settings, environment),
        media=media_dir(settings, environment),
        backup_choice=None if chosen is None else chosen.expanduser().absolute(),
        model_search=tuple(
            Path(part).expanduser().absolute() for part in search.split(os.pathsep) if part
        ),
    )

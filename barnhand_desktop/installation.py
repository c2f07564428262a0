"""What a command line stands on: settings and folders. Light, so that every door opens quickly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from barnhand_desktop.settings.folders import Folders, folders_of
from barnhand_desktop.settings.loader import config_path, load_settings
from barnhand_desktop.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Installation:
    """One set of settings and where its files lie."""

    settings: Settings
    settings_path: Path
    folders: Folders
    environment: Mapping[str, str]

    @classmethod
    def read(cls, config: Path | None, environment: Mapping[str, str] = os.environ) -> Installation:
        """Load the settings; raises OperatorMistake naming what is wrong."""
        settings = load_settings(config, environment)
        path = config or config_path(environment)
        return cls(settings, path, folders_of(settings, environment), environment)

"""What the parts of the registry share."""

from __future__ import annotations

from dataclasses import dataclass

from ui.commands import CommandLog
from ui.registry.directory import HorseDirectory
from ui.registry.horse_model import HorseModel
from ui.registry.pictures import PictureShelf
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme


@dataclass
class RegistryContext:
    """Services, workers and the shared state of the registry. ``actor`` is who the history names;
    ``similarity_threshold`` is what the engine asks before it takes two for the same horse."""

    services: ConsoleServices
    requests: RequestRunner
    log: CommandLog
    directory: HorseDirectory
    shelf: PictureShelf
    model: HorseModel
    theme: Theme
    actor: str
    similarity_threshold: float = 0.75

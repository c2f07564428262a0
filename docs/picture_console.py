"""The console of the manual's pictures: that of a running barn, whose settings stay as they are."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from barnhand_desktop.desktop import barn_services
from barnhand_desktop.installation import Installation
from barnhand_desktop.settings.schema import Settings
from barnhand_desktop.wiring import Barn
from engine.domain.errors import OperatorMistake
from ui.engine_bridge import FacadeBridge
from ui.services import ConsoleServices


class PictureSettings:
    """Settings that cannot be stored: pictures change nothing."""

    def __init__(self, place: Installation, look: str) -> None:
        self.current: BaseModel = Settings.model_validate(
            {"console": {"theme": look, "synchronised_overlays": True}}
        )
        self.path = place.settings_path

    def save(self, changes: Mapping[str, object]) -> None:
        raise OperatorMistake("Settings are not stored while pictures are made.")


def console(barn: Barn, place: Installation, look: str) -> ConsoleServices:
    """The console's services on a running barn."""
    bridge = FacadeBridge(barn.engine, lambda: place.settings.engine)
    return barn_services(barn, PictureSettings(place, look), bridge)

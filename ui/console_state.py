"""What the console remembers about itself between runs: window, look, wall, keys. One small file
beside the application's settings; a damaged value is as good as none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError
from PySide6.QtCore import QByteArray, QSettings

from engine.domain.ids import StreamId
from ui.live.arrangement import Arrangement, Layout, Rect
from ui.live.overlay_paint import DEFAULT_SWITCHES, Switch


class _Stored(BaseModel):
    model_config = ConfigDict(extra="ignore")

    layout: Layout
    places: tuple[UUID | None, ...]
    free: tuple[tuple[int, int, int, int], ...] = ()


class ConsoleState:
    """Typed access to ``console.ini``."""

    def __init__(self, folder: Path) -> None:
        self.settings = QSettings(str(folder / "console.ini"), QSettings.Format.IniFormat)

    def flag(self, name: str, default: bool) -> bool:
        """A stored switch."""
        value = self.settings.value(f"flags/{name}")
        return default if value is None else str(value).lower() == "true"

    def set_flag(self, name: str, on: bool) -> None:
        """Store a switch."""
        self.settings.setValue(f"flags/{name}", on)

    @property
    def switches(self) -> frozenset[Switch]:
        """Overlays that were on."""
        stored = self.settings.value("overlays")
        if not isinstance(stored, str):
            return DEFAULT_SWITCHES
        names = set(stored.split(","))
        return frozenset(s for s in Switch if s.value in names)

    @switches.setter
    def switches(self, switches: frozenset[Switch]) -> None:
        self.settings.setValue("overlays", ",".join(sorted(s.value for s in switches)) or "none")

    def arrangement(self) -> Arrangement | None:
        """The wall as it was, None at the first start."""
        stored = self.settings.value("wall")
        if not isinstance(stored, str):
            return None
        try:
            wall = _Stored.model_validate_json(stored)
        except ValidationError:
            return None
        places = tuple(StreamId(p) if p is not None else None for p in wall.places)
        return Arrangement(wall.layout, places, 0, tuple(Rect(*r) for r in wall.free))

    def keep_arrangement(self, arrangement: Arrangement) -> None:
        """Remember the wall."""
        wall: dict[str, Any] = {
            "layout": int(arrangement.layout),
            "places": [str(p) if p is not None else None for p in arrangement.places],
            "free": self._rects(arrangement),
        }
        self.settings.setValue("wall", json.dumps(wall))

    def free_places(self, view_id: UUID) -> tuple[Rect, ...]:
        """The free layout of a saved view as it was arranged on this machine."""
        stored = self.settings.value(f"views/{view_id}")
        try:
            return tuple(Rect(*(int(v) for v in r)) for r in json.loads(str(stored or "[]")))
        except (ValueError, TypeError):
            return ()

    def keep_free_places(self, view_id: UUID, arrangement: Arrangement) -> None:
        """Remember the free layout of a saved view."""
        self.settings.setValue(f"views/{view_id}", json.dumps(self._rects(arrangement)))

    @staticmethod
    def _rects(arrangement: Arrangement) -> list[tuple[int, int, int, int]]:
        return [(r.x, r.y, r.width, r.height) for r in arrangement.free]

    @property
    def geometry(self) -> QByteArray | None:
        """Where the window was."""
        stored = self.settings.value("window")
        return stored if isinstance(stored, QByteArray) else None

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self.settings.setValue("window", value)

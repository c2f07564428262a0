"""Cameras that another workstation watches: asking for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QCoreApplication

from engine.domain.errors import Conflict
from engine.domain.ids import StreamId
from engine.domain.streams import Stream
from ui.live.wall import Wall


def is_elsewhere(wall: Wall, stream: Stream) -> bool:
    """True if the wall shows the camera as another workstation's."""
    tile = wall.tile_of(stream.id)
    return tile is not None and tile.health is not None and bool(tile.health.watched_by)


def asking(ask: Callable[[StreamId], bool], stream: Stream) -> Callable[[], None]:
    """Work that asks for a camera; it raises Conflict when nobody else has it."""
    return partial(_ask, ask, stream)


def _ask(ask: Callable[[StreamId], bool], stream: Stream) -> None:
    if not ask(stream.id):
        text = QCoreApplication.translate("Elsewhere", "No other workstation watches {0}.")
        raise Conflict(text.format(stream.name))

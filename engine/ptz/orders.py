"""What a camera's thread is given to do, and who watches over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.domain.errors import BarnhandError
from engine.domain.ids import StreamId
from engine.domain.ptz import PtzDriver


class Guard(Protocol):
    """Someone outside this process who stops cameras when it dies."""

    def moving(self, stream_id: StreamId) -> None:
        """A motion is about to be sent."""
        ...

    def still(self, stream_id: StreamId) -> None:
        """The camera has taken a stop."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """Something that ends by itself. ``run`` is called on the camera's thread; ``failed`` hears
    why it could not be done. ``travels``: the view moves by it; a newer motion drops it."""

    name: str
    run: Callable[[PtzDriver], None]
    failed: Callable[[BarnhandError], None] | None = None
    travels: bool = False
    preset: int | None = None

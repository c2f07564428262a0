"""From capture and analysis threads into one camera's recorder, never blocking them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.frames import FrameStamp, Picture
from engine.domain.packets import EncodedPacket, VideoCoding
from engine.domain.results import FrameResult
from engine.domain.streams import Stream
from engine.runtime.mailbox import Closed, Mailbox, Overflow

ROOM = 2048
"""40 s at 25 pictures a second: a disk that stalls longer costs a gap, and that is told."""
PICTURES_AT_ONCE = 24
"""Decoded pictures that wait to be encoded: at most 75 MB at 1080p."""
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Opened:
    """A source was opened. ``live``: its times have nothing to do with those before."""

    stream: Stream
    coding: VideoCoding | None
    offset_s: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture was decoded. ``picture``: to be encoded, None where its packet is recorded.
    ``analysed``: it goes to the analysis too."""

    stamp: FrameStamp
    picture: Picture | None
    analysed: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """The source was closed."""


@dataclass(frozen=True, slots=True)
class Item:
    """What the recorder takes next; ``lost``: so many before it were refused."""

    what: Opened | EncodedPacket | Shown | Gone | FrameResult
    lost: int = 0


class Intake:
    """A bounded queue that counts what it refused and says so with the next thing it takes.

    After a refusal packets are refused up to the next key packet, because nothing before it can be
    decoded. ``waits``: the sender may wait (recordings read at any speed).
    """

    def __init__(self, name: str) -> None:
        self.mailbox: Mailbox[Item] = Mailbox(name, ROOM, Overflow.BLOCK)
        self.waits = False
        self.lost = 0
        self._untold = 0
        self._broken = False
        self._pictures = 0

    def put(self, what: Opened | EncodedPacket | Shown | Gone | FrameResult) -> bool:
        """Offer it; False if it was refused. One thread offers packets and pictures."""
        if isinstance(what, EncodedPacket) and self._broken:
            if not what.is_key:
                return self._refuse()
            self._broken = False
        heavy = isinstance(what, Shown) and what.picture is not None
        if heavy and self._pictures >= PICTURES_AT_ONCE and not self.waits:
            return self._refuse()
        if self._offer(Item(what, self._untold)):
            self._untold = 0
            self._pictures += heavy
            return True
        self._broken = self._broken or isinstance(what, EncodedPacket)
        return isinstance(what, FrameResult) or self._refuse()

    def taken(self, item: Item) -> None:
        """The recorder is done with it."""
        if isinstance(item.what, Shown) and item.what.picture is not None:
            self._pictures -= 1

    def _offer(self, item: Item) -> bool:
        try:
            wait_s = _PATIENCE_S if self.waits and not isinstance(item.what, FrameResult) else 0.0
            return self.mailbox.put(item, wait_s) is None
        except Closed:
            return True

    def _refuse(self) -> bool:
        self.lost += 1
        self._untold += 1
        return False

"""Where the recorder listens to the captures."""

from __future__ import annotations

from typing import Protocol

from engine.domain.frames import FrameStamp, Picture
from engine.domain.ids import StreamId
from engine.domain.packets import EncodedPacket, VideoCoding
from engine.domain.streams import Stream
from engine.settings import RecordingSettings


class SourceTap(Protocol):
    """What listens to one opening of one source, on its capture thread. Every call returns at
    once, except for recordings read at any speed, which may wait."""

    def on_packet(self, packet: EncodedPacket) -> None: ...

    def on_picture(self, stamp: FrameStamp, picture: Picture, analysed: bool, copied: bool) -> None:
        """A decoded picture, before it goes to the analysis. ``copied``: its packet stands for
        it."""
        ...

    def on_closed(self) -> None:
        """The source was closed; nothing follows."""
        ...


class Tap(Protocol):
    """What wants to listen to sources."""

    def opened(
        self, stream: Stream, coding: VideoCoding | None, offset_s: float
    ) -> SourceTap | None:
        """A source was opened; stamps state ``pts_s`` of its packets plus ``offset_s``. None: not
        interested."""
        ...

    def forget(self, stream_id: StreamId) -> None:
        """The camera was removed."""
        ...

    def state_of(self, stream_id: StreamId) -> str:
        """What ``StreamHealth.recording`` says."""
        ...

    def apply(self, settings: RecordingSettings) -> None:
        """Use new settings, from each camera's next chunk on."""
        ...

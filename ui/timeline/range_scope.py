"""What an act on a marked range is about: the range, and whose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from engine.domain.ids import HorseId, StreamId
from ui.timeline.cursor import TimeRange, micros
from ui.timeline.words import length_words, span_words


@dataclass(frozen=True, slots=True)
class RangeScope:
    """A marked range with the selected lane. ``cameras``: all there are, by name, in their order;
    ``horses`` likewise. ``horse_id`` or ``stream_id``: whose lane is selected, if any."""

    range: TimeRange
    cameras: Mapping[StreamId, str] = field(default_factory=dict)
    horses: Mapping[HorseId, str] = field(default_factory=dict)
    horse_id: HorseId | None = None
    stream_id: StreamId | None = None

    @property
    def stream_ids(self) -> tuple[StreamId, ...]:
        """The cameras meant: the selected one, else all."""
        return (self.stream_id,) if self.stream_id is not None else tuple(self.cameras)

    @property
    def title(self) -> str:
        """Whose range it is, empty for everybody's."""
        if self.horse_id is not None:
            return self.horses.get(self.horse_id, "")
        return self.cameras.get(self.stream_id, "") if self.stream_id is not None else ""

    def words(self, zone: tzinfo | None = None) -> str:
        """``19 Nov 13:51:07–14:02:11 · 11 min 04 s``."""
        start_us, end_us = micros(self.range.start_at), micros(self.range.end_at)
        return f"{span_words(start_us, end_us, zone)} · {length_words(end_us - start_us)}"

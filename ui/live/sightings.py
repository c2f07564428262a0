"""When this console first and last saw each track, for the horse card. Bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Action
from engine.domain.results import FrameResult

KEPT_TRACKS = 4096


@dataclass(frozen=True, slots=True)
class Sighting:
    """First and last analysed picture of a track since the console opened, UTC; what it does, and
    since when."""

    first_at: datetime
    last_at: datetime
    action: Action = Action.UNKNOWN
    action_since: datetime | None = None


class SightingBook:
    """Remembers the last ``KEPT_TRACKS`` tracks."""

    def __init__(self) -> None:
        self._sightings: OrderedDict[TrackId, Sighting] = OrderedDict()
        self._newest: dict[StreamId, int] = {}

    def note(self, stream_id: StreamId, results: Sequence[FrameResult]) -> None:
        """Take in the results of a stream that were not noted before."""
        newest = self._newest.get(stream_id, -1)
        for result in results:
            if result.stamp.sequence <= newest:
                continue
            newest = result.stamp.sequence
            at = result.stamp.captured_at
            actions = None if result.motion is None else result.motion.actions
            for row, track_id in enumerate(result.tracks.track_ids):
                known = self._sightings.pop(track_id, None)
                action = Action.UNKNOWN if actions is None else Action(int(actions[row]))
                self._sightings[track_id] = _noted(known, at, action)
        self._newest[stream_id] = newest
        while len(self._sightings) > KEPT_TRACKS:
            self._sightings.popitem(last=False)

    def get(self, track_id: TrackId) -> Sighting | None:
        """The sighting of a track, None if it was never seen or is forgotten."""
        return self._sightings.get(track_id)


def _noted(known: Sighting | None, at: datetime, action: Action) -> Sighting:
    """A pause in knowing what a horse does is no change of it."""
    if known is None:
        return Sighting(at, at, action, at if action else None)
    if action in (Action.UNKNOWN, known.action):
        return replace(known, last_at=at)
    return Sighting(known.first_at, at, action, at)

"""Stretches of tracks as strips show them, from rows of tracks and spans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from engine.domain.identity import TrackStrip
from engine.domain.ids import HorseId, StreamId, TrackId


@dataclass(slots=True)
class Stretch:
    """A strip in the making. ``end`` is None while its track is open; ``whole`` when it is all of
    a finished track, whose count is known."""

    row: Mapping[str, Any]
    horse_id: HorseId | None
    start: datetime
    end: datetime | None
    whole: bool
    confidence: float
    decided_by: str

    def strip(self, detections: int, last_at: datetime | None) -> TrackStrip:
        """The finished strip; an open one ends at its last picture."""
        row = self.row
        return TrackStrip(
            track_id=TrackId(row["track_id"]),
            stream_id=StreamId(row["stream_id"]),
            stream_name=row["stream_name"],
            number=row["number"],
            horse_id=self.horse_id,
            start=self.start,
            end=self.end or last_at or self.start,
            detections=detections,
            confidence=self.confidence,
            decided_by=self.decided_by,
            has_crop=row["has_crop"],
        )


def stretch_of_span(row: Mapping[str, Any]) -> Stretch:
    """A horse's part of a track."""
    return Stretch(
        row,
        HorseId(row["horse_id"]),
        row["since"],
        row["until"],
        row["whole"],
        row["confidence"],
        row["decided_by"],
    )


def stretches_of_track(row: Mapping[str, Any]) -> Iterator[Stretch]:
    """The parts of a track in order of time: horses' ones, and nobody's in between."""
    at, until = row["started_at"], row["ended_at"]
    for span in row["spans"]:
        since = _instant(span["since"])
        start = at if since is None else max(since, at)
        end = _earlier(_instant(span["until"]), until)
        if (end is not None and end <= at) or (until is not None and start > until):
            continue
        if start > at:
            yield _nobodys(row, at, start)
        yield Stretch(
            row,
            HorseId(UUID(span["horse_id"])),
            start,
            end,
            start == row["started_at"] and until is not None and _instant(span["until"]) != end,
            span["confidence"],
            span["decided_by"],
        )
        if end is None or end == until:
            return
        at = end
    yield _nobodys(row, at, until)


def _nobodys(row: Mapping[str, Any], start: datetime, end: datetime | None) -> Stretch:
    whole = start == row["started_at"] and end is not None and end == row["ended_at"]
    return Stretch(row, None, start, end, whole, row["confidence"], "")


def _earlier(first: datetime | None, second: datetime | None) -> datetime | None:
    given = [instant for instant in (first, second) if instant is not None]
    return min(given) if given else None


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def partial(stretches: Sequence[Stretch]) -> dict[str, list[Any]]:
    """Columns of the stretches that must be counted, for ``seen_in_parts``."""
    rows = [(place, one) for place, one in enumerate(stretches) if not one.whole]
    return {
        "places": [place for place, _ in rows],
        "tracks": [one.row["track_id"] for _, one in rows],
        "since": [one.start for _, one in rows],
        "until": [
            None if one.end is None or one.end == one.row["ended_at"] else one.end
            for _, one in rows
        ],
    }

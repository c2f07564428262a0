"""Overlay words come from final bouts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from engine.domain.ids import TrackId, new_stream_id
from engine.domain.motion import Bout, BoutId, BoutKind, TrackMotion
from engine.reanalysis.final_words import put_final_words

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRACK, STREAM = TrackId(uuid4()), new_stream_id()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def bout(kind: BoutKind, value: str, start_s: float, end_s: float) -> Bout:
    return Bout(
        BoutId(uuid4()), TRACK, STREAM, kind, value, at(start_s), at(end_s), 0.9, provisional=False
    )


def entry(seconds: float, track_id: TrackId = TRACK, **words: str) -> dict[str, Any]:
    return {"at": at(seconds).isoformat(), "tracks": [{"id": str(track_id), **words}]}


def test_words_are_those_of_the_whole_and_none_where_nothing_is_known() -> None:
    motion = TrackMotion(
        TRACK, STREAM, at(0), at(10),
        (bout(BoutKind.GAIT, "unknown", 0, 1), bout(BoutKind.GAIT, "gallop", 1, 10),
         bout(BoutKind.ACTION, "running", 1, 9)),
        (),
    )  # fmt: skip
    entries = [
        entry(0.5, gait="standing", action="standing", posture="upright"),
        entry(1.0, gait="standing", action="standing"),
        entry(9.5, action="standing"),
        entry(5.0, TrackId(uuid4()), action="grazing"),
    ]
    put_final_words(entries, (motion,))
    told = [{k: v for k, v in e["tracks"][0].items() if k != "id"} for e in entries]
    assert told == [{}, {"gait": "gallop", "action": "running"}, {"gait": "gallop"},
                    {"action": "grazing"}]  # fmt: skip

"""Words of an overlay from final bouts: what was found out of the whole, not up to each picture."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.domain.motion import Bout, BoutKind, Gait, TrackMotion

_WORDS = {BoutKind.GAIT: "gait", BoutKind.ACTION: "action", BoutKind.POSTURE: "posture"}


def put_final_words(entries: Sequence[dict[str, Any]], motions: Sequence[TrackMotion]) -> None:
    """Give tracks of overlay entries (see ``recording.overlay``) the words of their final bouts at
    the entry's instant, and none where no bout is; tracks without final motion keep theirs."""
    lines = {str(motion.track_id): _lines(motion.bouts) for motion in motions}
    for entry in entries:
        at = datetime.fromisoformat(entry["at"])
        for track in entry["tracks"]:
            line = lines.get(track["id"])
            if line is not None:
                for kind, word in _WORDS.items():
                    _put(track, word, line.get(kind, ()), at)


def _lines(bouts: Sequence[Bout]) -> Mapping[BoutKind, tuple[Bout, ...]]:
    ordered = sorted(bouts, key=lambda bout: bout.start_at)
    return {kind: tuple(b for b in ordered if b.kind is kind) for kind in _WORDS}


def _put(track: dict[str, Any], word: str, line: Sequence[Bout], at: datetime) -> None:
    place = bisect_right(line, at, key=lambda bout: bout.start_at) - 1
    there = place >= 0 and at < line[place].end_at
    if there and line[place].value != Gait.UNKNOWN.label:
        track[word] = line[place].value
    else:
        track.pop(word, None)

"""Two records of one horse made one, unless they were seen to be two horses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from engine.domain.errors import OperatorMistake
from engine.domain.horses import HorseStatus
from engine.domain.identity import Merge
from engine.domain.ids import HorseId, StreamId
from engine.identity.changes import (
    Change,
    HorseChange,
    IdentityState,
    clock_words,
    contradicted,
    same_farm,
)
from engine.identity.profiles import merged
from engine.identity.spans import END, Meeting, Presences, meetings, presence


def merge_change(state: IdentityState, merge: Merge) -> Change:
    """All spans of the absorbed horse change hands as they are: what the engine decided stays the
    engine's, which may still learn better on an open track. Raises like ``change_of``."""
    horses = merged_records(state, merge)
    refuse_if_two(state, merge)
    ended = frozenset(state.spans_of(merge.absorbed))
    begun = frozenset(replace(span, horse_id=merge.kept) for span in ended)
    return Change(
        ended=ended,
        begun=begun,
        horses=horses,
        pairs_removed=contradicted(state, begun),
    )


def merged_records(state: IdentityState, merge: Merge) -> tuple[HorseChange, ...]:
    """How the records of both horses change; raises like ``change_of``."""
    if merge.kept == merge.absorbed:
        raise OperatorMistake("A horse cannot be merged with itself.")
    kept, absorbed = state.horse(merge.kept), state.horse(merge.absorbed)
    same_farm(kept, absorbed)
    records = [
        HorseChange(absorbed, replace(absorbed, status=HorseStatus.MERGED, merged_into=kept.id))
    ]
    after = merged(kept, absorbed, merge.fields)
    if after != kept:
        records.append(HorseChange(kept, after))
    return tuple(records)


def refuse_if_two(state: IdentityState, merge: Merge) -> None:
    """OperatorMistake when both were in view at once where one horse cannot be."""
    words = seen_at_once(state, merge.kept, merge.absorbed)[1]
    if words:
        raise OperatorMistake(words, TWO_HORSES_ADVICE)


TWO_HORSES_ADVICE = "Split or reassign the wrong tracks first."


def seen_at_once(state: IdentityState, first: HorseId, second: HorseId) -> tuple[float, str]:
    """Seconds that two horses were in view at once on cameras that do not overlap, and what
    proves them to be two, in words; (0.0, "") if nothing does."""
    cameras = {track.stream_id: track.camera for track in state.tracks.values()}
    numbers = {stream: number for number, stream in enumerate(cameras)}
    ours, theirs = (_presences(state, horse_id, numbers) for horse_id in (first, second))
    overlapping = {
        frozenset(numbers[stream] for stream in pair)
        for pair in state.overlapping
        if all(stream in numbers for stream in pair)
    }
    found = meetings(ours, theirs, overlapping)
    titles = state.horses[first].title, state.horses[second].title
    return proof(titles, found, ours, theirs, list(cameras.values()))


def proof(
    titles: tuple[str, str],
    found: Sequence[Meeting],
    first: Presences,
    second: Presences,
    cameras: Mapping[int, str] | Sequence[str],
) -> tuple[float, str]:
    """Seconds that two horses met, and in words why they are two; (0.0, "") for no meetings.

    ``cameras`` are names by the numbers in the presences.
    """
    if not found:
        return 0.0, ""
    seconds, longest = sum(meeting.seconds for meeting in found), found[0]
    began_s = max(first.starts_s[longest.first], second.starts_s[longest.second])
    at = datetime.fromtimestamp(float(began_s), UTC)
    names = {
        cameras[int(first.cameras[longest.first])],
        cameras[int(second.cameras[longest.second])],
    }
    often = "" if len(found) == 1 else f"{len(found)} times, the longest "
    length = "until now" if longest.seconds == float("inf") else f"for {longest.seconds:.0f} s"
    return seconds, (
        f"{titles[0]} and {titles[1]} were in view at once {often}{length} from {clock_words(at)} "
        f"on {' and '.join(sorted(names))}: they are two horses."
    )


def _presences(
    state: IdentityState, horse_id: HorseId, numbers: Mapping[StreamId, int]
) -> Presences:
    rows = []
    for span in state.spans_of(horse_id):
        track = state.track(span.track_id)
        seen = presence(span, track)
        if seen is not None:
            ends_s = np.inf if seen[1] == END else seen[1].timestamp()
            rows.append((numbers[track.stream_id], seen[0].timestamp(), ends_s))
    columns = np.array(sorted(rows), np.float64).reshape(-1, 3)
    return Presences(columns[:, 0].astype(np.int64), columns[:, 1], columns[:, 2])

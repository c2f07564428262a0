"""Corrections as pure functions: what is so and what a person says, to what changes.

``change_of`` never touches a store: it takes the spans, tracks and horses that a correction is
about and says which spans end, which begin and how horses' records change. ``invert`` gives the
exact opposite, so ``applied(applied(state, change), invert(change)) == state``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np

from engine.domain.errors import Bug, NotFound, OperatorMistake
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import (
    Accept,
    Correction,
    Merge,
    Reassign,
    Reject,
    Rename,
    Scope,
    Span,
    SpanId,
    Split,
    Swap,
)
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.identity.profiles import changed, merged
from engine.identity.spans import (
    BEGINNING,
    END,
    Meeting,
    Presences,
    Range,
    SeenTrack,
    around,
    common,
    limits,
    meetings,
    presence,
    range_of,
    seen_during,
    widened,
)

Pair = tuple[TrackId, HorseId]


@dataclass(frozen=True, slots=True)
class IdentityState:
    """What is so before a correction: everything about the horses and tracks it names.

    ``spans`` are current ones, no two of a track overlapping; ``overlapping`` holds pairs of
    cameras that see a common place.
    """

    spans: frozenset[Span]
    tracks: Mapping[TrackId, SeenTrack]
    horses: Mapping[HorseId, Horse]
    rejected: frozenset[Pair] = frozenset()
    overlapping: frozenset[frozenset[StreamId]] = frozenset()

    def horse(self, horse_id: HorseId) -> Horse:
        """A horse that can take part in a correction. Raises NotFound, or OperatorMistake for a
        record that was merged into another."""
        horse = self.horses.get(horse_id)
        if horse is None:
            raise NotFound(f"There is no horse {horse_id}.")
        if horse.status is HorseStatus.MERGED:
            into = self.horses.get(horse.merged_into) if horse.merged_into else None
            raise OperatorMistake(
                f"{horse.title} was merged into {into.title if into else 'another horse'}.",
                "Correct that horse instead, or undo the merge.",
            )
        return horse

    def track(self, track_id: TrackId) -> SeenTrack:
        """A track; NotFound."""
        track = self.tracks.get(track_id)
        if track is None:
            raise NotFound(f"There is no track {track_id}.")
        return track

    def spans_of(self, horse_id: HorseId) -> list[Span]:
        """The horse's current spans."""
        return [span for span in self.spans if span.horse_id == horse_id]


@dataclass(frozen=True, slots=True)
class HorseChange:
    """A horse's record before and after; None where it does not exist."""

    before: Horse | None
    after: Horse | None

    @property
    def horse_id(self) -> HorseId:
        """Whose record it is."""
        horse = self.before or self.after
        if horse is None:
            raise Bug("a change of a horse needs a horse")
        return horse.id


@dataclass(frozen=True, slots=True)
class Change:
    """What a correction does. ``approved`` are spans whose vectors a person vouches for,
    ``unapproved`` those whose vectors must identify nobody any more."""

    ended: frozenset[Span] = frozenset()
    begun: frozenset[Span] = frozenset()
    horses: tuple[HorseChange, ...] = ()
    pairs_added: frozenset[Pair] = frozenset()
    pairs_removed: frozenset[Pair] = frozenset()
    approved: frozenset[Span] = frozenset()
    unapproved: frozenset[Span] = frozenset()

    @property
    def horse_ids(self) -> frozenset[HorseId]:
        """Every horse whose record or spans change, or who takes part in a pair."""
        return frozenset(
            {span.horse_id for span in self.ended ^ self.begun}
            | {change.horse_id for change in self.horses}
            | {horse for _, horse in self.pairs_added | self.pairs_removed}
        )

    @property
    def moved(self) -> frozenset[Span]:
        """Stretches that change hands or that a person confirms: begun ones that are no remainder
        of an ended one, or the ended ones where nothing begins."""
        if not self.begun:
            return self.ended
        old: dict[Pair, list[Range]] = {}
        for span in self.ended:
            old.setdefault((span.track_id, span.horse_id), []).append(range_of(span))
        return self.approved | {
            span
            for span in self.begun
            if not any(
                common(whole, range_of(span)) == range_of(span)
                for whole in old.get((span.track_id, span.horse_id), ())
            )
        }

    @property
    def track_ids(self) -> frozenset[TrackId]:
        """Every track of which a part changes hands."""
        return frozenset(span.track_id for span in self.ended | self.begun)

    @property
    def created(self) -> tuple[HorseId, ...]:
        """Horses that come into being."""
        return tuple(change.horse_id for change in self.horses if change.before is None)


def invert(change: Change) -> Change:
    """The change that takes this one back exactly."""
    return Change(
        ended=change.begun,
        begun=change.ended,
        horses=tuple(HorseChange(one.after, one.before) for one in reversed(change.horses)),
        pairs_added=change.pairs_removed,
        pairs_removed=change.pairs_added,
        approved=change.unapproved,
        unapproved=change.approved,
    )


def applied(state: IdentityState, change: Change) -> IdentityState:
    """The state after a change. Raises Bug when the change is not one of this state."""
    if not change.ended <= state.spans or change.begun & state.spans:
        raise Bug("the change ends spans that are not there, or begins ones that are")
    horses = dict(state.horses)
    for one in change.horses:
        if horses.get(one.horse_id) != one.before:
            raise Bug(f"horse {one.horse_id} is not as the change found it")
        if one.after is None:
            del horses[one.horse_id]
        else:
            horses[one.horse_id] = one.after
    return replace(
        state,
        spans=(state.spans - change.ended) | change.begun,
        horses=horses,
        rejected=(state.rejected - change.pairs_removed) | change.pairs_added,
    )


def new_span_id() -> SpanId:
    """A fresh random span id."""
    return SpanId(uuid4())


@dataclass(frozen=True, slots=True)
class Correcting:
    """Who corrects, and with what a new horse and new spans are made.

    ``fresh`` is the record that a horse made by the correction gets; None where none may be made.
    """

    actor: str
    fresh: Horse | None = None
    new_id: Callable[[], SpanId] = field(default=new_span_id)


def change_of(state: IdentityState, correction: Correction, by: Correcting) -> Change:
    """What the correction changes.

    Raises NotFound for horses and tracks that do not exist and OperatorMistake, saying why, for a
    correction that makes no sense.
    """
    match correction:
        case Merge():
            return _merge(state, correction, by)
        case Split():
            return _split(state, correction, by)
        case Swap():
            return _swap(state, correction, by)
        case Reassign():
            return _reassign(state, correction, by)
        case Reject():
            return _reject(state, correction)
        case Rename():
            before = state.horse(correction.horse_id)
            return Change(horses=(HorseChange(before, changed(before, correction.changes)),))
        case Accept():
            return _accept(state, correction)


# --- merge -------------------------------------------------------------------------------------


def _merge(state: IdentityState, merge: Merge, by: Correcting) -> Change:
    horses = merged_records(state, merge)
    ended = frozenset(state.spans_of(merge.absorbed))
    refuse_if_two(state, merge)
    begun = frozenset(
        replace(span, id=by.new_id(), horse_id=merge.kept) for span in ended
    )  # engine's decisions stay the engine's: it may still learn better on an open track
    return Change(
        ended=ended,
        begun=begun,
        horses=horses,
        pairs_removed=_contradicted(state, begun),
    )


def merged_records(state: IdentityState, merge: Merge) -> tuple[HorseChange, ...]:
    """How the records of both horses change; raises like ``change_of``."""
    if merge.kept == merge.absorbed:
        raise OperatorMistake("A horse cannot be merged with itself.")
    kept, absorbed = state.horse(merge.kept), state.horse(merge.absorbed)
    _same_farm(kept, absorbed)
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
        f"{titles[0]} and {titles[1]} were in view at once {often}{length} from {_clock(at)} "
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


# --- split, swap, reassign, reject, accept --------------------------------------------------------


def _split(state: IdentityState, split: Split, by: Correcting) -> Change:
    _need_instants(split.at)
    horse = state.horse(split.horse_id)
    into, created = _target(state, split.into, horse, by)
    if split.scope is Scope.TRACK and split.track_id is None:
        raise OperatorMistake("A split of one track must say which track.")
    if split.scope is Scope.CAMERA and split.stream_id is None:
        raise OperatorMistake("A split on one camera must say which camera.")
    if split.track_id is not None:
        state.track(split.track_id)
    own = state.spans_of(horse.id)
    in_scope = [span for span in own if _in_scope(split, state.track(span.track_id))]
    moves = _later_parts(state, in_scope, split.at)
    if not moves:
        raise OperatorMistake(
            f"{horse.title} was not seen {_where(split.scope)} after {_clock(split.at)}.",
            "Choose an earlier instant or a wider scope.",
        )
    if len(moves) == len(own) and all(part == range_of(span) for span, part in moves):
        raise OperatorMistake(
            f"{horse.title} was not seen before {_clock(split.at)}: nothing would stay.",
            "Choose a later instant, or rename or merge the horse.",
        )
    ended, begun, moved = _moved(moves, lambda _: into.id, by)
    return Change(
        ended=ended,
        begun=begun,
        horses=created,
        pairs_removed=_contradicted(state, moved),
        approved=moved if split.scope is Scope.TRACK else frozenset(),
    )


def _in_scope(split: Split, track: SeenTrack) -> bool:
    if split.scope is Scope.TRACK:
        return track.id == split.track_id
    return split.scope is Scope.EVERYWHERE or track.stream_id == split.stream_id


def _where(scope: Scope) -> str:
    return {Scope.TRACK: "on that track", Scope.CAMERA: "on that camera"}.get(scope, "anywhere")


def _swap(state: IdentityState, swap: Swap, by: Correcting) -> Change:
    _need_instants(swap.at)
    if swap.first == swap.second:
        raise OperatorMistake("A horse cannot change places with itself.")
    first, second = state.horse(swap.first), state.horse(swap.second)
    _same_farm(first, second)
    other = {first.id: second.id, second.id: first.id}
    affected = [
        span
        for span in state.spans
        if span.horse_id in other
        and swap.stream_id in (None, state.track(span.track_id).stream_id)
        and (not swap.track_ids or span.track_id in swap.track_ids)
    ]
    moves = _later_parts(state, affected, swap.at)
    if not moves:
        raise OperatorMistake(
            f"Neither {first.title} nor {second.title} was seen there after {_clock(swap.at)}.",
            "Choose an earlier instant or another camera.",
        )
    ended, begun, moved = _moved(moves, lambda span: other[span.horse_id], by)
    return Change(
        ended=ended,
        begun=begun,
        pairs_removed=_contradicted(state, moved),
        approved=moved if swap.track_ids else frozenset(),
    )


def _reassign(state: IdentityState, reassign: Reassign, by: Correcting) -> Change:
    track = state.track(reassign.track_id)
    _need_instants(reassign.start, reassign.end)
    into, created = _target(state, reassign.horse_id, None, by)
    if into.farm_id != track.farm_id:
        raise OperatorMistake(f"{into.title} lives on another farm than that camera.")
    asked = (reassign.start or BEGINNING, reassign.end or END)
    if asked[0] >= asked[1]:
        raise OperatorMistake("The end of the range must be after its start.")
    if common(asked, seen_during(track)) is None:
        raise OperatorMistake("The track was not seen in that range.")
    wanted = widened(asked, track)
    overlapped = [
        (span, part)
        for span in state.spans
        if span.track_id == track.id and (part := common(range_of(span), wanted)) is not None
    ]
    settled = [
        span
        for span, part in overlapped
        if span.horse_id == into.id and _by_person(span) and part == wanted
    ]
    if settled:
        raise OperatorMistake(f"That track is {into.title}'s already.")
    ended, kept, _ = _moved(overlapped, lambda _: None, by)
    start, end = limits(*wanted)
    given = Span(by.new_id(), track.id, into.id, start, end, 1.0, by.actor)
    return Change(
        ended=ended,
        begun=kept | {given},
        horses=created,
        pairs_removed=_contradicted(state, (given,)),
        approved=frozenset((given,)),
    )


def _reject(state: IdentityState, reject: Reject) -> Change:
    track, horse = state.track(reject.track_id), state.horse(reject.horse_id)
    if horse.farm_id != track.farm_id:
        raise OperatorMistake(f"{horse.title} lives on another farm than that camera.")
    ended = frozenset(
        span for span in state.spans if span.track_id == track.id and span.horse_id == horse.id
    )
    pair = (track.id, horse.id)
    if not ended and pair in state.rejected:
        raise OperatorMistake(f"That track is known not to be {horse.title}.")
    return Change(
        ended=ended,
        pairs_added=frozenset((pair,)) - state.rejected,
        unapproved=ended,
    )


def _accept(state: IdentityState, accept: Accept) -> Change:
    horse = state.horse(accept.horse_id)
    status = HorseStatus.ACTIVE if accept.resident else HorseStatus.GUEST
    if horse.status is status:
        raise OperatorMistake(
            f"{horse.title} is a {'resident' if accept.resident else 'guest'} already."
        )
    return Change(horses=(HorseChange(horse, replace(horse, status=status)),))


# --- parts of the above --------------------------------------------------------------------------


def _target(
    state: IdentityState, into: HorseId | None, origin: Horse | None, by: Correcting
) -> tuple[Horse, tuple[HorseChange, ...]]:
    """The horse that gets the spans, and its making where it is a new one."""
    if into is None:
        if by.fresh is None:
            raise Bug("a correction that makes a horse needs its record")
        return by.fresh, (HorseChange(None, by.fresh),)
    target = state.horse(into)
    if origin is not None:
        if target.id == origin.id:
            raise OperatorMistake(f"{target.title} cannot be split into itself.")
        _same_farm(origin, target)
    return target, ()


def _later_parts(
    state: IdentityState, spans: Iterable[Span], at: datetime
) -> list[tuple[Span, Range]]:
    """The part of each span from ``at`` on, of those that were seen then; the whole span where its
    horse was first seen at or after ``at``."""
    parts = []
    for span in spans:
        seen = presence(span, state.track(span.track_id))
        if seen is None or seen[1] <= at:
            continue
        whole = range_of(span)
        parts.append((span, whole if at <= seen[0] else (at, whole[1])))
    return parts


def _moved(
    moves: Iterable[tuple[Span, Range]],
    owner: Callable[[Span], HorseId | None],
    by: Correcting,
) -> tuple[frozenset[Span], frozenset[Span], frozenset[Span]]:
    """Spans ended and begun when a part of each gets another owner (None: nobody), and of the
    begun ones those that changed hands."""
    ended, begun, moved = set(), set(), set()
    for span, part in moves:
        ended.add(span)
        for piece in around(range_of(span), part):
            start, end = limits(*piece)
            begun.add(replace(span, id=by.new_id(), start=start, end=end))
        new_owner = owner(span)
        if new_owner is not None:
            start, end = limits(*part)
            given = Span(by.new_id(), span.track_id, new_owner, start, end, 1.0, by.actor)
            moved.add(given)
    return frozenset(ended), frozenset(begun | moved), frozenset(moved)


def _contradicted(state: IdentityState, begun: Iterable[Span]) -> frozenset[Pair]:
    """Negative pairs that a person overrules by giving the track to that horse after all."""
    return frozenset((span.track_id, span.horse_id) for span in begun) & state.rejected


def _same_farm(first: Horse, second: Horse) -> None:
    if first.farm_id != second.farm_id:
        raise OperatorMistake(f"{first.title} and {second.title} live on different farms.")


def _by_person(span: Span) -> bool:
    return span.decided_by != "engine"


def _need_instants(*instants: datetime | None) -> None:
    if any(instant is not None and instant.tzinfo is None for instant in instants):
        raise OperatorMistake("An instant needs a time zone.")


def _clock(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"

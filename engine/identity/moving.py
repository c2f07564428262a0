"""Spans that get another owner: split, swap, reassign, reject."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from engine.domain.errors import Bug, OperatorMistake
from engine.domain.horses import Horse
from engine.domain.identity import Reassign, Reject, Scope, Span, Split, Swap
from engine.domain.ids import HorseId
from engine.identity.changes import (
    AlreadySo,
    Change,
    Correcting,
    HorseChange,
    IdentityState,
    clock_words,
    contradicted,
    same_farm,
)
from engine.identity.spans import (
    BEGINNING,
    END,
    Range,
    SeenTrack,
    around,
    common,
    limits,
    presence,
    range_of,
    seen_during,
    widened,
)


def split_change(state: IdentityState, split: Split, by: Correcting) -> Change:
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
            f"{horse.title} was not seen {_where(split.scope)} after {clock_words(split.at)}.",
            "Choose an earlier instant or a wider scope.",
        )
    if len(moves) == len(own) and all(part == range_of(span) for span, part in moves):
        raise OperatorMistake(
            f"{horse.title} was not seen before {clock_words(split.at)}: nothing would stay.",
            "Choose a later instant, or rename or merge the horse.",
        )
    ended, begun, moved = _moved(moves, lambda _: into.id, by)
    return Change(
        ended=ended,
        begun=begun,
        horses=created,
        pairs_removed=contradicted(state, moved),
        approved=moved if split.scope is Scope.TRACK else frozenset(),
    )


def _in_scope(split: Split, track: SeenTrack) -> bool:
    if split.scope is Scope.TRACK:
        return track.id == split.track_id
    return split.scope is Scope.EVERYWHERE or track.stream_id == split.stream_id


def _where(scope: Scope) -> str:
    return {Scope.TRACK: "on that track", Scope.CAMERA: "on that camera"}.get(scope, "anywhere")


def swap_change(state: IdentityState, swap: Swap, by: Correcting) -> Change:
    _need_instants(swap.at)
    if swap.first == swap.second:
        raise OperatorMistake("A horse cannot change places with itself.")
    first, second = state.horse(swap.first), state.horse(swap.second)
    same_farm(first, second)
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
            f"Neither {first.title} nor {second.title} was seen there after "
            f"{clock_words(swap.at)}.",
            "Choose an earlier instant or another camera.",
        )
    ended, begun, moved = _moved(moves, lambda span: other[span.horse_id], by)
    return Change(
        ended=ended,
        begun=begun,
        pairs_removed=contradicted(state, moved),
        approved=moved if swap.track_ids else frozenset(),
    )


def reassign_change(state: IdentityState, reassign: Reassign, by: Correcting) -> Change:
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
        raise AlreadySo(f"That track is {into.title}'s already.")
    ended, kept, _ = _moved(overlapped, lambda _: None, by)
    start, end = limits(*wanted)
    given = Span(by.new_id(), track.id, into.id, start, end, 1.0, by.actor)
    return Change(
        ended=ended,
        begun=kept | {given},
        horses=created,
        pairs_removed=contradicted(state, (given,)),
        approved=frozenset((given,)),
    )


def reject_change(state: IdentityState, reject: Reject) -> Change:
    track, horse = state.track(reject.track_id), state.horse(reject.horse_id)
    if horse.farm_id != track.farm_id:
        raise OperatorMistake(f"{horse.title} lives on another farm than that camera.")
    ended = frozenset(
        span for span in state.spans if span.track_id == track.id and span.horse_id == horse.id
    )
    pair = (track.id, horse.id)
    if not ended and pair in state.rejected:
        raise AlreadySo(f"That track is known not to be {horse.title}.")
    return Change(
        ended=ended,
        pairs_added=frozenset((pair,)) - state.rejected,
        unapproved=ended,
    )


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
        same_farm(origin, target)
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


def _by_person(span: Span) -> bool:
    return span.decided_by != "engine"


def _need_instants(*instants: datetime | None) -> None:
    if any(instant is not None and instant.tzinfo is None for instant in instants):
        raise OperatorMistake("An instant needs a time zone.")

"""What is so about identities, and what a correction changes of it, as values.

``invert`` gives the exact opposite of a change, so
``applied(applied(state, change), invert(change)) == state``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from engine.domain.errors import Bug, NotFound, OperatorMistake
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import Span, SpanId
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.identity.spans import Range, SeenTrack, common, range_of

Pair = tuple[TrackId, HorseId]


class AlreadySo(OperatorMistake):
    """What a person says is what they or somebody else said before."""


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


def contradicted(state: IdentityState, begun: Iterable[Span]) -> frozenset[Pair]:
    """Negative pairs that a person overrules by giving the track to that horse after all."""
    return frozenset((span.track_id, span.horse_id) for span in begun) & state.rejected


def same_farm(first: Horse, second: Horse) -> None:
    if first.farm_id != second.farm_id:
        raise OperatorMistake(f"{first.title} and {second.title} live on different farms.")


def clock_words(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"

"""Corrections as pure functions: what they change, what they refuse, and their exact inverses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.errors import Bug, NotFound, OperatorMistake
from engine.domain.horses import Horse, HorseStatus, Profile
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
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.identity.changes import Change, Correcting, IdentityState, applied, invert
from engine.identity.corrections import change_of
from engine.identity.spans import SeenTrack, common, range_of
from engine.identity.wording import summary

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FARM, OTHER_FARM = FarmId(UUID(int=1)), FarmId(UUID(int=2))
NORTH, SOUTH = StreamId(UUID(int=11)), StreamId(UUID(int=12))
BELLA, MAX, GUEST = HorseId(UUID(int=21)), HorseId(UUID(int=22)), HorseId(UUID(int=23))
AWAY, GONE, NEW = HorseId(UUID(int=24)), HorseId(UUID(int=25)), HorseId(UUID(int=26))


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def horse(horse_id: HorseId, name: str | None = None, **changes: object) -> Horse:
    number = horse_id.int - 20
    plain = Horse(
        horse_id, FARM, f"horse_{number:03d}", name, "#E5484D", HorseStatus.GUEST, None, None, 1,
        Profile(name=name),
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def track(number: int, camera: StreamId, start_s: float, end_s: float | None) -> SeenTrack:
    name = "north" if camera == NORTH else "south"
    return SeenTrack(
        TrackId(UUID(int=100 + number)), FARM, camera, at(start_s),
        None if end_s is None else at(end_s), number, name,
    )  # fmt: skip


def whole(number: int, horse_id: HorseId, decided_by: str = "engine") -> Span:
    return Span(
        SpanId(UUID(int=200 + number)), TrackId(UUID(int=100 + number)), horse_id, None, None,
        0.7, decided_by,
    )  # fmt: skip


def barn() -> IdentityState:
    """Bella on tracks 1 (north) and 2 (south), Max on 3 (north), a guest on 4 (south, open)."""
    tracks = [
        track(1, NORTH, 0, 100),
        track(2, SOUTH, 200, 300),
        track(3, NORTH, 400, 500),
        track(4, SOUTH, 600, None),
        track(5, NORTH, 700, 800),
    ]
    horses = [
        horse(BELLA, "Bella", status=HorseStatus.ACTIVE),
        horse(MAX, "Max"),
        horse(GUEST),
        horse(AWAY, "Away", farm_id=OTHER_FARM),
        horse(GONE, "Gone", status=HorseStatus.MERGED, merged_into=BELLA),
    ]
    return IdentityState(
        frozenset((whole(1, BELLA), whole(2, BELLA), whole(3, MAX), whole(4, GUEST))),
        {one.id: one for one in tracks},
        {one.id: one for one in horses},
    )


def correct(state: IdentityState, correction: Correction) -> tuple[Change, IdentityState]:
    change = change_of(state, correction, Correcting("Anna", horse(NEW)))
    after = applied(state, change)
    assert applied(after, invert(change)) == state
    assert invert(invert(change)) == change
    assert summary(state, correction, change)
    return change, after


def owners(state: IdentityState, number: int) -> list[tuple[datetime | None, HorseId]]:
    spans = [span for span in state.spans if span.track_id == TrackId(UUID(int=100 + number))]
    return [(span.start, span.horse_id) for span in sorted(spans, key=range_of)]


def test_a_merge_gives_all_spans_to_the_kept_horse_and_leaves_a_pointer() -> None:
    state = barn()
    change, after = correct(state, Merge(BELLA, GUEST))
    assert owners(after, 4) == [(None, BELLA)]
    assert after.horses[GUEST].merged_into == BELLA
    assert after.horses[GUEST].status is HorseStatus.MERGED
    assert after.horses[BELLA] == state.horses[BELLA]
    assert summary(state, Merge(BELLA, GUEST), change) == "merged horse_003 into Bella"
    assert {span.decided_by for span in change.begun} == {"engine"}


def test_a_merge_fills_empty_fields_and_takes_the_chosen_ones() -> None:
    state = barn()
    ours = Profile(name="Bella", breed="Arab", stall="4")
    theirs = Profile(name=None, breed="Welsh", sex="mare", stall="9")
    horses = dict(state.horses)
    horses[BELLA] = replace(horses[BELLA], profile=ours, status=HorseStatus.GUEST)
    horses[GUEST] = replace(horses[GUEST], profile=theirs, status=HorseStatus.ACTIVE)
    state = replace(state, horses=horses)
    _, after = correct(state, Merge(BELLA, GUEST, {"stall": "9"}))
    kept = after.horses[BELLA]
    assert kept.profile == Profile(name="Bella", breed="Arab", sex="mare", stall="9")
    assert (kept.name, kept.colour_hex, kept.status) == ("Bella", "#E5484D", HorseStatus.ACTIVE)
    with pytest.raises(OperatorMistake, match=r"Neither.*Cob"):
        correct(state, Merge(BELLA, GUEST, {"breed": "Cob"}))


@pytest.mark.parametrize(
    ("camera", "end_s", "overlapping", "words"),
    [
        (NORTH, 90.0, False, r"40 s from 2026-03-01 12:00:50 UTC on north: they are two horses"),
        (SOUTH, 90.0, False, r"on north and south"),
        (SOUTH, 90.0, True, None),
        (NORTH, 51.5, False, None),
        (NORTH, None, False, r"at once 2 times, the longest for 100 s .* on north and south"),
    ],
)
def test_two_horses_in_view_at_once_are_not_merged(
    camera: StreamId, end_s: float | None, overlapping: bool, words: str | None
) -> None:
    state = barn()
    beside = track(6, camera, 50, end_s)
    state = replace(
        state,
        spans=state.spans | {whole(6, GUEST)},
        tracks={**state.tracks, beside.id: beside},
        overlapping=frozenset((frozenset((NORTH, SOUTH)),)) if overlapping else frozenset(),
    )
    if words is None:
        correct(state, Merge(BELLA, GUEST))
    else:
        with pytest.raises(OperatorMistake, match=words):
            correct(state, Merge(BELLA, GUEST))


def test_a_split_everywhere_cuts_the_track_that_crosses_the_instant() -> None:
    _, after = correct(barn(), Split(BELLA, at(50), Scope.EVERYWHERE))
    assert owners(after, 1) == [(None, BELLA), (at(50), NEW)]
    assert owners(after, 2) == [(None, NEW)]
    assert after.horses[NEW].label == "horse_006"


def test_a_split_of_a_track_or_camera_stays_there() -> None:
    state = barn()
    tracks = list(state.tracks)
    change, after = correct(state, Split(BELLA, at(50), Scope.TRACK, tracks[0], into=MAX))
    assert owners(after, 1) == [(None, BELLA), (at(50), MAX)]
    assert owners(after, 2) == [(None, BELLA)]
    assert {span.horse_id for span in change.approved} == {MAX}
    change, after = correct(state, Split(BELLA, at(50), Scope.CAMERA, stream_id=SOUTH))
    assert owners(after, 1) == [(None, BELLA)]
    assert owners(after, 2) == [(None, NEW)]
    assert not change.approved


def test_a_swap_exchanges_from_the_instant_on() -> None:
    _, after = correct(barn(), Swap(BELLA, MAX, at(50)))
    assert owners(after, 1) == [(None, BELLA), (at(50), MAX)]
    assert owners(after, 2) == [(None, MAX)]
    assert owners(after, 3) == [(None, BELLA)]
    _, after = correct(barn(), Swap(BELLA, MAX, at(50), SOUTH))
    assert owners(after, 1) == [(None, BELLA)] and owners(after, 2) == [(None, MAX)]
    tracks = list(barn().tracks)
    change, after = correct(barn(), Swap(BELLA, MAX, at(50), None, (tracks[0], tracks[2])))
    assert owners(after, 2) == [(None, BELLA)] and owners(after, 3) == [(None, BELLA)]
    assert len(change.approved) == 2


def test_a_reassignment_of_a_part_keeps_the_rest() -> None:
    tracks = list(barn().tracks)
    change, after = correct(barn(), Reassign(tracks[0], MAX, at(20), at(60)))
    assert owners(after, 1) == [(None, BELLA), (at(20), MAX), (at(60), BELLA)]
    assert {(span.start, span.decided_by) for span in change.moved} == {(at(20), "Anna")}
    _, after = correct(barn(), Reassign(tracks[0], None))
    assert owners(after, 1) == [(None, NEW)]
    _, after = correct(barn(), Reassign(tracks[4], MAX, at(0), at(9000)))
    assert owners(after, 5) == [(None, MAX)]


def test_a_confirmation_turns_the_engine_s_decision_into_a_person_s() -> None:
    tracks = list(barn().tracks)
    change, after = correct(barn(), Reassign(tracks[0], BELLA))
    assert [(s.decided_by, s.confidence) for s in change.begun] == [("Anna", 1.0)]
    assert change.approved == change.begun == change.moved
    with pytest.raises(OperatorMistake, match="already"):
        correct(after, Reassign(tracks[0], BELLA))


def test_a_rejection_leaves_the_track_to_nobody_and_is_remembered() -> None:
    tracks = list(barn().tracks)
    change, after = correct(barn(), Reject(tracks[0], BELLA))
    assert owners(after, 1) == []
    assert after.rejected == {(tracks[0], BELLA)}
    assert change.unapproved == change.moved == change.ended
    with pytest.raises(OperatorMistake, match="known not to be"):
        correct(after, Reject(tracks[0], BELLA))
    again, undecided = correct(after, Reassign(tracks[0], BELLA))
    assert again.pairs_removed == {(tracks[0], BELLA)} and not undecided.rejected


def test_profiles_and_residents() -> None:
    state = barn()
    change, after = correct(state, Rename(MAX, {"name": "  Maxi  ", "height_cm": 150}))
    assert (after.horses[MAX].name, after.horses[MAX].profile.height_cm) == ("Maxi", 150)
    assert summary(state, Rename(MAX, {}), change) == "named Max Maxi"
    _, after = correct(state, Rename(MAX, {"name": ""}))
    assert after.horses[MAX].name is None
    _, after = correct(state, Accept(MAX))
    assert after.horses[MAX].status is HorseStatus.ACTIVE


T1 = TrackId(UUID(int=101))
UNKNOWN_TRACK, UNKNOWN_HORSE = TrackId(UUID(int=999)), HorseId(UUID(int=998))
NONSENSE: Mapping[str, tuple[Correction, type[Exception], str]] = {
    "merge with itself": (Merge(MAX, MAX), OperatorMistake, "itself"),
    "merge of farms": (Merge(MAX, AWAY), OperatorMistake, "different farms"),
    "merge into a merged one": (Merge(GONE, MAX), OperatorMistake, "was merged into Bella"),
    "merge of a merged one": (Merge(MAX, GONE), OperatorMistake, "was merged into Bella"),
    "merge of nobody": (Merge(MAX, UNKNOWN_HORSE), NotFound, "no horse"),
    "merge with a field that is none": (
        Merge(MAX, GUEST, {"wings": 2}), OperatorMistake, "no field wings"),
    "split before it was seen": (
        Split(BELLA, at(-9), Scope.EVERYWHERE), OperatorMistake, "not seen before"),
    "split after it was seen": (
        Split(BELLA, at(999), Scope.EVERYWHERE), OperatorMistake, "not seen anywhere after"),
    "split elsewhere": (
        Split(MAX, at(450), Scope.CAMERA, stream_id=SOUTH), OperatorMistake, "on that camera"),
    "split without a track": (Split(BELLA, at(50), Scope.TRACK), OperatorMistake, "which track"),
    "split without a camera": (Split(BELLA, at(50), Scope.CAMERA), OperatorMistake, "camera"),
    "split into itself": (
        Split(BELLA, at(50), Scope.EVERYWHERE, into=BELLA), OperatorMistake, "into itself"),
    "split to another farm": (
        Split(BELLA, at(50), Scope.EVERYWHERE, into=AWAY), OperatorMistake, "different farms"),
    "split without a time zone": (
        Split(BELLA, NOON.replace(tzinfo=None), Scope.EVERYWHERE), OperatorMistake, "time zone"),
    "split of an unknown track": (
        Split(BELLA, at(50), Scope.TRACK, UNKNOWN_TRACK), NotFound, "no track"),
    "swap with itself": (Swap(MAX, MAX, at(0)), OperatorMistake, "itself"),
    "swap of the past": (Swap(BELLA, MAX, at(999)), OperatorMistake, "Neither"),
    "swap of farms": (Swap(BELLA, AWAY, at(0)), OperatorMistake, "different farms"),
    "reassign to another farm": (Reassign(T1, AWAY), OperatorMistake, "another farm"),
    "reassign to a merged one": (Reassign(T1, GONE), OperatorMistake, "was merged into Bella"),
    "reassign nothing": (Reassign(T1, MAX, at(50), at(50)), OperatorMistake, "after its start"),
    "reassign elsewhen": (Reassign(T1, MAX, at(500)), OperatorMistake, "not seen in that range"),
    "reassign an unknown track": (Reassign(UNKNOWN_TRACK, MAX), NotFound, "no track"),
    "reject of another farm": (Reject(T1, AWAY), OperatorMistake, "another farm"),
    "rename to the same": (Rename(MAX, {"name": "Max "}), OperatorMistake, "already"),
    "rename to a number": (Rename(MAX, {"name": 7}), OperatorMistake, "must be text"),
    "too tall": (Rename(MAX, {"height_cm": 400}), OperatorMistake, "30 to 250"),
    "accept a resident": (Accept(BELLA), OperatorMistake, "resident already"),
    "dismiss a guest": (Accept(MAX, False), OperatorMistake, "guest already"),
    "accept a merged one": (Accept(GONE), OperatorMistake, "was merged into Bella"),
}  # fmt: skip


@pytest.mark.parametrize("case", NONSENSE)
def test_nonsense_is_refused_in_words(case: str) -> None:
    correction, family, words = NONSENSE[case]
    with pytest.raises(family, match=words):
        correct(barn(), correction)


def test_a_change_of_another_state_is_a_bug() -> None:
    change, after = correct(barn(), Merge(BELLA, GUEST))
    with pytest.raises(Bug):
        applied(after, change)


HORSES = st.sampled_from([BELLA, MAX, GUEST, GONE, NEW])
TRACKS = st.sampled_from(sorted(barn().tracks))
INSTANTS = st.integers(-2, 90).map(lambda step: at(step * 10.0))
CAMERAS = st.sampled_from([NORTH, SOUTH])
CORRECTIONS: st.SearchStrategy[Correction] = st.one_of(
    st.builds(Merge, HORSES, HORSES),
    st.builds(Split, HORSES, INSTANTS, st.sampled_from(Scope), TRACKS, CAMERAS, st.none() | HORSES),
    st.builds(Swap, HORSES, HORSES, INSTANTS, st.none() | CAMERAS),
    st.builds(Reassign, TRACKS, st.none() | HORSES, st.none() | INSTANTS, st.none() | INSTANTS),
    st.builds(Reject, TRACKS, HORSES),
    st.builds(Rename, HORSES, st.just({"stall": "7"})),
    st.builds(Accept, HORSES, st.booleans()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CORRECTIONS, max_size=8))
def test_any_sequence_and_all_its_inverses_change_nothing(corrections: list[Correction]) -> None:
    state, past = barn(), []
    for correction in corrections:
        fresh = None if NEW in state.horses else horse(NEW)
        try:
            change = change_of(state, correction, Correcting("Anna", fresh))
        except (OperatorMistake, Bug):
            continue
        past.append((state, change))
        state = applied(state, change)
        spans = sorted(state.spans, key=lambda span: (span.track_id, range_of(span)))
        for one, following in pairwise(spans):
            if one.track_id == following.track_id:
                assert common(range_of(one), range_of(following)) is None
        for span in state.spans:
            assert state.horses[span.horse_id].status is not HorseStatus.MERGED
    for before, change in reversed(past):
        state = applied(state, invert(change))
        assert state == before

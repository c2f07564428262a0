"""The IdentityRepository contract on PostgreSQL."""

from __future__ import annotations

import json
from uuid import uuid4

import psycopg
import pytest

from db.repositories.identity_state import StateReader
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.horses import HorseStatus
from engine.domain.identity import (
    Accept,
    CommandId,
    Merge,
    Reassign,
    Reject,
    Rename,
    ReviewId,
    ReviewKind,
    Scope,
    Split,
    Swap,
    Verdict,
)
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.identity.changes import Correcting, IdentityState, applied
from engine.identity.corrections import change_of
from engine.runtime.worker import StopToken, Worker
from tests.fixtures_identity import IdentityBarn, at

# --- merge ---------------------------------------------------------------------------------------


def test_a_merge_moves_spans_and_its_undo_puts_everything_back(barn: IdentityBarn) -> None:
    camera = barn.camera("north")
    bella = barn.horse("Bella", "active", breed="Arab")
    guest = barn.horse(breed="Haflinger", sex="mare")
    first = barn.track(camera, 0, 50, bella)
    second = barn.track(camera, 100, 150, guest)
    barn.settle()
    before = barn.dump()
    effect = barn.identity.preview(Merge(bella, guest))
    assert (effect.horses, effect.spans, effect.tracks, effect.detections) == (2, 1, 1, 5)
    assert (effect.seen_s, effect.overlap_s, effect.forbidden) == (50.0, 0.0, "")
    assert effect.expected == {bella: 1, guest: 1}
    record = barn.identity.apply(
        Merge(bella, guest), "Anna", "same blaze", expected=effect.expected
    )
    assert (record.kind, record.summary) == ("merge", "merged horse_002 into Bella")
    assert (record.spans, record.detections, record.created) == (1, 5, ())
    assert (record.actor, record.reason, record.undone_at) == ("Anna", "same blaze", None)
    assert set(record.horse_ids) == {bella, guest}
    assert barn.owners(second) == [(None, bella)]
    kept, absorbed = barn.horses.get(bella), barn.horses.get(guest)
    assert (kept.total_detections, kept.last_seen_at, kept.version) == (10, at(150), 2)
    assert (kept.profile.sex, kept.profile.breed) == ("mare", "Arab")
    assert (absorbed.status, absorbed.merged_into) == (HorseStatus.MERGED, bella)
    undone = barn.identity.undo(record.id, "Ben")
    assert (undone.id, undone.undone_by) == (record.id, "Ben")
    assert barn.dump() == before
    assert barn.horses.get(bella).version == 3
    assert barn.owners(first) == [(None, bella)] and barn.owners(second) == [(None, guest)]


def test_the_merge_of_the_store_is_the_pure_one(barn: IdentityBarn) -> None:
    """Spans are moved without being read; the result is that of the pure function."""
    camera, other = barn.camera("north"), barn.camera("south")
    bella, guest, third = barn.horse("Bella"), barn.horse(stall="4"), barn.horse()
    tracks = [
        barn.track((camera, other)[place % 2], place * 100.0, place * 100.0 + 50, horse)
        for place, horse in enumerate((bella, guest, guest, third, guest, bella))
    ]
    barn.identity.apply(Split(guest, at(130), Scope.TRACK, tracks[1], into=third), "Anna")
    barn.identity.apply(Reject(tracks[2], bella), "Anna")
    barn.identity.apply(Reassign(tracks[4], guest), "Anna")
    merge = Merge(bella, guest)
    before = whole_state(barn, tracks)
    wanted = applied(before, change_of(before, merge, Correcting("Anna")))
    barn.identity.apply(merge, "Anna")
    after = whole_state(barn, tracks)
    assert after.spans == wanted.spans
    assert after.rejected == wanted.rejected
    for horse_id in (bella, guest, third):
        found, due = after.horses[horse_id], wanted.horses[horse_id]
        assert (found.profile, found.status, found.merged_into) == (
            due.profile, due.status, due.merged_into,
        )  # fmt: skip


def whole_state(barn: IdentityBarn, tracks: list[TrackId]) -> IdentityState:
    """Everything there is, as the pure functions take it."""
    horses = [horse.id for horse in barn.horses.list()]
    with barn.pool.connection() as connection:
        reader = StateReader(connection)
        state = reader.state_for(Swap(horses[0], horses[1], at(0), track_ids=tuple(tracks)))
        spans = set(state.spans)
        for horse_id in horses[2:]:
            more = reader.state_for(Swap(horse_id, horse_id, at(0)))
            spans |= more.spans
        found = reader.horses(horses)
    return IdentityState(frozenset(spans), state.tracks, found, state.rejected)


def test_horses_in_view_at_once_are_not_merged(barn: IdentityBarn) -> None:
    north = barn.camera("north")
    south = barn.camera("south", distances_m={str(north): 0})
    east = barn.camera("east", distances_m={str(north): 12.5})
    bella, guest = barn.horse("Bella"), barn.horse()
    barn.track(north, 0, 100, bella)
    barn.track(south, 20, 80, guest)
    assert barn.identity.preview(Merge(bella, guest)).forbidden == ""
    barn.track(east, 90, 130, guest)
    effect = barn.identity.preview(Merge(bella, guest))
    assert (effect.overlap_s, effect.spans) == (10.0, 2)
    assert "in view at once for 10 s" in effect.forbidden
    assert "on east and north: they are two horses" in effect.forbidden
    before = barn.dump()
    with pytest.raises(OperatorMistake, match="two horses"):
        barn.identity.apply(Merge(bella, guest), "Anna")
    assert barn.dump() == before and not barn.identity.history()


def test_links_to_merged_horses_lead_on_through_chains(barn: IdentityBarn) -> None:
    camera = barn.camera("north")
    first, second, third = (barn.horse() for _ in range(3))
    track = barn.track(camera, 0, 50, first)
    one = barn.identity.apply(Merge(second, first), "Anna")
    two = barn.identity.apply(Merge(third, second), "Anna")
    assert barn.owners(track) == [(None, third)]
    resolved = barn.ask("SELECT resolved_horse(%s) AS horse", first)
    assert resolved[0]["horse"] == third
    with pytest.raises(Conflict, match="merged horse_002 into horse_003"):
        barn.identity.undo(one.id, "Ben")
    with pytest.raises(OperatorMistake, match="was merged into horse_003"):
        barn.identity.apply(Rename(second, {"name": "B"}), "Anna")
    barn.identity.undo(two.id, "Ben")
    barn.identity.undo(one.id, "Ben")
    assert barn.owners(track) == [(None, first)]


def test_the_engine_s_late_decision_joins_the_merge(barn: IdentityBarn) -> None:
    camera, bella, guest = barn.camera("north"), barn.horse("Bella"), barn.horse()
    record = barn.identity.apply(Merge(bella, guest), "Anna")
    late = barn.track(camera, 0, 50, guest)
    assert barn.owners(late) == [(None, bella)]
    barn.identity.undo(record.id, "Anna")
    assert barn.owners(late) == [(None, guest)]


# --- what people say is not overruled ------------------------------------------------------------


def test_the_engine_replaces_its_own_decisions_and_no_person_s(barn: IdentityBarn) -> None:
    camera, bella, other = barn.camera("north"), barn.horse("Bella"), barn.horse()
    track = barn.track(camera, 0, 50, bella)
    barn.engine_decides(track, other)
    assert barn.owners(track) == [(None, other)]
    record = barn.identity.apply(Reassign(track, bella), "Anna")
    barn.engine_decides(track, other)
    assert barn.owners(track) == [(None, bella)]
    barn.identity.undo(record.id, "Anna")
    assert barn.owners(track) == [(None, other)]
    barn.identity.apply(Reject(track, other), "Anna")
    barn.engine_decides(track, other)
    assert barn.owners(track) == []
    barn.engine_decides(track, bella)
    assert barn.owners(track) == [(None, bella)]


def test_vectors_are_approved_by_people_and_the_undo_takes_exactly_that_back(
    barn: IdentityBarn,
) -> None:
    camera, bella = barn.camera("north"), barn.horse("Bella")
    track = barn.track(camera, 0, 100, bella)
    barn.features(track, [[1, 0]], approved=True, at_s=[10])
    barn.features(track, [[0, 1], [1, 1]], approved=False, at_s=[20, 80])
    before = barn.dump()

    def approved() -> list[bool]:
        return [
            row["approved"] for row in barn.ask("SELECT approved FROM horse_features ORDER BY at")
        ]

    part = barn.identity.apply(Reassign(track, bella, None, at(50)), "Anna")
    assert approved() == [True, True, False]
    rejected = barn.identity.apply(Reject(track, bella), "Anna")
    assert approved() == [False, False, False]
    barn.identity.undo(rejected.id, "Anna")
    assert approved() == [True, True, False]
    barn.identity.undo(part.id, "Anna")
    assert approved() == [True, False, False]
    assert barn.dump() == before


def test_a_horse_that_a_correction_makes_gets_a_number_a_colour_and_goes_with_the_undo(
    barn: IdentityBarn,
) -> None:
    camera, bella = barn.camera("north"), barn.horse("Bella")
    track = barn.track(camera, 0, 100, bella, crop=b"jpeg", crop_score=5.0)
    second = barn.track(camera, 200, 300, bella)
    barn.settle()
    before = barn.dump()
    record = barn.identity.apply(Split(bella, at(150), Scope.EVERYWHERE), "Anna")
    made = barn.horses.get(record.created[0])
    assert (made.label, made.status, made.total_detections) == ("horse_002", HorseStatus.GUEST, 5)
    assert made.colour_hex != barn.horses.get(bella).colour_hex
    assert barn.owners(second) == [(None, made.id)] and barn.owners(track) == [(None, bella)]
    seen_since = barn.track(camera, 400, 450, made.id)
    barn.identity.undo(record.id, "Anna")
    with pytest.raises(NotFound):
        barn.horses.get(made.id)
    assert barn.owners(seen_since) == [(None, bella)]
    barn.run("DELETE FROM identity_spans WHERE track_id = %s", seen_since)
    barn.run("DELETE FROM tracks WHERE id = %s", seen_since)
    barn.settle()
    assert barn.dump() == before
    again = barn.identity.redo(record.id, "Anna")
    assert again.created == (made.id,)
    assert barn.horses.get(made.id).colour_hex == made.colour_hex


def test_a_made_horse_that_was_named_since_is_not_taken_back(barn: IdentityBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse("Bella")
    track = barn.track(camera, 0, 100, bella)
    record = barn.identity.apply(Split(bella, at(50), Scope.TRACK, track), "Anna")
    named = barn.identity.apply(Rename(record.created[0], {"name": "Max"}), "Ben")
    with pytest.raises(Conflict, match="Ben named horse_002 Max"):
        barn.identity.undo(record.id, "Anna")
    barn.identity.undo(named.id, "Ben")
    barn.run(
        "INSERT INTO areas (farm_id, name, kind, expected_horse_id) "
        "SELECT farm_id, 'Stall 4', 'stall', id FROM horses WHERE id = %s",
        record.created[0],
    )
    with pytest.raises(Conflict, match="expected in Stall 4"):
        barn.identity.undo(record.id, "Anna")
    barn.run("DELETE FROM areas")
    barn.identity.undo(record.id, "Anna")
    assert barn.owners(track) == [(None, bella)]


# --- two operators -------------------------------------------------------------------------------


def test_the_second_operator_is_told_of_the_first_one_s_change(barn: IdentityBarn) -> None:
    bella, guest = barn.horse("Bella"), barn.horse()
    seen = barn.identity.preview(Merge(bella, guest)).expected
    first = barn.identity.apply(Merge(bella, guest), "Anna", expected=seen)
    with pytest.raises(Conflict, match=r"Anna merged horse_002 into Bella"):
        barn.identity.apply(Rename(bella, {"name": "B"}), "Ben", expected={bella: seen[bella]})
    barn.identity.undo(first.id, "Clara")
    with pytest.raises(Conflict, match="Clara undid that Anna merged"):
        barn.identity.apply(Rename(bella, {"name": "B"}), "Ben", expected={bella: seen[bella]})
    with pytest.raises(Conflict, match="taken back"):
        barn.identity.apply(Rename(bella, {"name": "B"}), "Ben", expected={HorseId(uuid4()): 1})
    now = barn.identity.preview(Rename(bella, {"name": "B"})).expected
    barn.identity.apply(Rename(bella, {"name": "B"}), "Ben", expected=now)


def test_of_two_operators_at_the_same_moment_one_wins(barn: IdentityBarn) -> None:
    bella = barn.horse("Bella")
    expected = barn.identity.preview(Rename(bella, {"name": "x"})).expected
    outcomes: list[str] = []

    def rename(name: str) -> None:
        try:
            barn.identity.apply(Rename(bella, {"name": name}), name, expected=expected)
            outcomes.append(name)
        except Conflict as conflict:
            outcomes.append(str(conflict))

    def work(name: str) -> Worker:
        def run(token: StopToken) -> None:
            rename(name)

        return Worker(f"operator {name}", run)

    workers = [work("Anna"), work("Ben")]
    for worker in workers:
        worker.start()
    for worker in workers:
        assert worker.join(60)
    winner = barn.horses.get(bella).name
    assert winner in ("Anna", "Ben") and winner in outcomes
    (told,) = [words for words in outcomes if words != winner]
    assert f"{winner} named Bella {winner}" in told
    assert len(barn.identity.history()) == 1


def test_undone_twice_and_done_twice_are_conflicts(barn: IdentityBarn) -> None:
    bella = barn.horse("Bella")
    record = barn.identity.apply(Rename(bella, {"name": "B"}), "Anna")
    with pytest.raises(Conflict, match="in effect"):
        barn.identity.redo(record.id, "Anna")
    barn.identity.undo(record.id, "Ben")
    with pytest.raises(Conflict, match="Ben undid that already"):
        barn.identity.undo(record.id, "Anna")
    barn.identity.apply(Rename(bella, {"name": "C"}), "Clara")
    with pytest.raises(Conflict, match="Clara named Bella C"):
        barn.identity.redo(record.id, "Anna")
    for call in (barn.identity.undo, barn.identity.redo):
        with pytest.raises(NotFound):
            call(CommandId(uuid4()), "Anna")


def test_a_correction_that_makes_no_sense_any_more_is_not_done_again(barn: IdentityBarn) -> None:
    camera, bella, guest = barn.camera("north"), barn.horse("Bella"), barn.horse()
    track = barn.track(camera, 0, 50, guest)
    merge = barn.identity.apply(Merge(bella, guest), "Anna")
    barn.identity.undo(merge.id, "Anna")
    barn.track(camera, 0, 50, bella)
    with pytest.raises(Conflict, match=r"cannot be done again.*two horses"):
        barn.identity.redo(merge.id, "Anna")
    assert barn.owners(track) == [(None, guest)]


# --- history, farms, notifications ---------------------------------------------------------------


def test_history_is_paged_by_farm_and_horse_newest_first(barn: IdentityBarn) -> None:
    farm = FarmId(uuid4())
    barn.run("INSERT INTO farms (id, name) VALUES (%s, 'Other')", farm)
    bella, stranger = barn.horse("Bella"), barn.horse("Away", farm_id=farm)
    records = [
        barn.identity.apply(Rename(bella, {"stall": str(number)}), "Anna") for number in range(5)
    ]
    away = barn.identity.apply(Accept(stranger), "Anna")
    assert barn.identity.history() == (away, *reversed(records))
    assert barn.identity.history(farm) == (away,)
    assert barn.identity.history(horse_id=bella, limit=2) == (records[4], records[3])
    assert barn.identity.history(horse_id=bella, before=records[2].id) == (records[1], records[0])
    with pytest.raises(OperatorMistake):
        barn.identity.history(limit=0)
    with pytest.raises(OperatorMistake, match="different farms"):
        barn.identity.apply(Merge(bella, stranger), "Anna")
    assert "different farms" in barn.identity.preview(Merge(bella, stranger)).forbidden


def test_unknown_horses_and_tracks_are_not_found(barn: IdentityBarn) -> None:
    bella = barn.horse("Bella")
    for correction in (Merge(bella, HorseId(uuid4())), Reject(TrackId(uuid4()), bella)):
        for call in (barn.identity.preview, lambda c: barn.identity.apply(c, "Anna")):
            with pytest.raises(NotFound):
                call(correction)
    assert not barn.identity.history()


def test_every_change_is_told(barn: IdentityBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse("Bella")
    track = barn.track(camera, 0, 50)
    asked = review(barn, ReviewKind.MATCH, camera, track, bella)
    with psycopg.connect(barn.dsn, autocommit=True) as connection:
        connection.execute("LISTEN barnhand_identity")
        record = barn.identity.apply(Rename(bella, {"name": "B"}), "Anna")
        barn.identity.undo(record.id, "Anna")
        barn.identity.redo(record.id, "Anna")
        barn.identity.decide(asked, Verdict.LATER, "Anna")
        told = [json.loads(note.payload) for note in connection.notifies(timeout=60, stop_after=4)]
    command = [str(record.id)] * 3
    assert [one["command_id"] for one in told] == [*command, None]
    assert [one["change"] for one in told] == ["applied", "undone", "redone", "deferred"]
    assert {one["farm_id"] for one in told} == {str(record.farm_id)}
    assert all(one["horse_ids"] == [str(bella)] for one in told)


# --- reviews -------------------------------------------------------------------------------------


def review(
    barn: IdentityBarn,
    kind: ReviewKind,
    camera: StreamId,
    track: TrackId,
    horse: HorseId,
    other: TrackId | None = None,
    at_s: float = 5.0,
) -> ReviewId:
    review_id = ReviewId(uuid4())
    barn.run(
        "INSERT INTO reviews (id, farm_id, kind, track_id, other_track_id, horse_id, similarity, "
        "at) SELECT %s, farm_id, %s, %s, %s, %s, 0.7, %s FROM streams WHERE id = %s",
        review_id,
        kind.value,
        track,
        other,
        horse,
        at(at_s),
        camera,
    )
    return review_id


def test_a_match_is_confirmed_rejected_or_put_off(barn: IdentityBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse("Bella")
    tracks = [barn.track(camera, 100.0 * place, 100.0 * place + 50) for place in range(3)]
    barn.features(tracks[0], [[1, 0]])
    asked = [
        review(barn, ReviewKind.MATCH, camera, track, bella, at_s=100.0 * place + 5)
        for place, track in enumerate(tracks)
    ]
    before = barn.dump()
    assert [one.id for one in barn.identity.reviews()] == asked
    first = barn.identity.reviews(limit=1)[0]
    assert (first.track_id, first.horse_id, first.stream_id) == (tracks[0], bella, camera)
    assert first.similarity == pytest.approx(0.7) and not first.deferred

    same = barn.identity.decide(asked[0], Verdict.SAME, "Anna")
    assert same is not None and same.kind == "reassign"
    assert barn.owners(tracks[0]) == [(None, bella)]
    assert barn.ask("SELECT FROM horse_features WHERE approved")
    different = barn.identity.decide(asked[1], Verdict.DIFFERENT, "Anna")
    assert different is not None and different.kind == "reject"
    assert [one.id for one in barn.identity.reviews()] == [asked[2]]
    with pytest.raises(Conflict, match="Anna answered that already"):
        barn.identity.decide(asked[0], Verdict.DIFFERENT, "Ben")
    barn.identity.undo(different.id, "Ben")
    barn.identity.undo(same.id, "Ben")
    assert barn.dump() == before
    assert barn.identity.decide(asked[0], Verdict.LATER, "Anna") is None
    listed = barn.identity.reviews()
    assert [one.id for one in listed] == [asked[1], asked[2], asked[0]]
    assert listed[-1].deferred
    with pytest.raises(NotFound):
        barn.identity.decide(ReviewId(uuid4()), Verdict.SAME, "Anna")


def test_what_a_person_settled_otherwise_is_not_asked(barn: IdentityBarn) -> None:
    camera, bella, other = barn.camera("north"), barn.horse("Bella"), barn.horse()
    track = barn.track(camera, 0, 50, bella)
    asked = review(barn, ReviewKind.MATCH, camera, track, bella)
    record = barn.identity.apply(Reassign(track, other), "Anna")
    assert not barn.identity.reviews()
    barn.identity.undo(record.id, "Anna")
    assert [one.id for one in barn.identity.reviews()] == [asked]
    barn.identity.apply(Merge(other, bella), "Anna")
    assert [one.horse_id for one in barn.identity.reviews()] == [other]
    barn.identity.apply(Reject(track, other), "Anna")
    assert not barn.identity.reviews()
    assert not barn.identity.reviews(FarmId(uuid4()))


def test_a_confirmed_review_of_a_track_that_is_the_person_s_already(barn: IdentityBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse("Bella")
    track = barn.track(camera, 0, 50)
    asked = [review(barn, ReviewKind.MATCH, camera, track, bella) for _ in range(2)]
    assert barn.identity.decide(asked[0], Verdict.SAME, "Anna") is not None
    assert barn.identity.decide(asked[1], Verdict.SAME, "Ben") is None
    states = barn.ask("SELECT state, command_id IS NULL AS free FROM reviews ORDER BY decided_at")
    assert [(row["state"], row["free"]) for row in states] == [("same", False), ("same", True)]


def test_a_crossing_swaps_only_the_two_tracks(barn: IdentityBarn) -> None:
    camera, first, second = barn.camera("north"), barn.horse("A"), barn.horse("B")
    one = barn.track(camera, 0, 50, first)
    two = barn.track(camera, 0, 50, second)
    later = barn.track(camera, 100, 150, first)
    for at_s in (20.0, 30.0):
        review(barn, ReviewKind.CROSSING, camera, one, first, two, at_s)
    kept, swapped = (question.id for question in barn.identity.reviews())
    assert barn.identity.decide(kept, Verdict.SAME, "Anna") is None
    assert barn.owners(one) == [(None, first)]
    record = barn.identity.decide(swapped, Verdict.DIFFERENT, "Anna")
    assert record is not None and record.kind == "swap"
    assert barn.owners(one) == [(None, first), (at(30), second)]
    assert barn.owners(two) == [(None, second), (at(30), first)]
    assert barn.owners(later) == [(None, first)]
    barn.identity.undo(record.id, "Anna")
    assert [question.id for question in barn.identity.reviews()] == [swapped]
    barn.identity.apply(Reassign(two, first), "Ben")
    with pytest.raises(Conflict, match="no longer of two horses"):
        barn.identity.decide(swapped, Verdict.DIFFERENT, "Anna")

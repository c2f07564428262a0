"""Each rule of live identity, with synthetic appearance vectors."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.detections import SubjectClass
from engine.domain.horses import HorseStatus
from engine.domain.identity import (
    Area,
    FeaturesSeen,
    HorseFound,
    ReviewKind,
    ReviewRaised,
    SpanDecided,
    SpanWithdrawn,
)
from engine.domain.ids import HorseId, new_stream_id
from tests.helpers.herd import (
    LEFT,
    MIDDLE,
    RIGHT,
    Scene,
    Subject,
    between,
    known,
    look,
    snapshot,
)

CAMERA, OTHER_CAMERA = new_stream_id(), new_stream_id()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_known_horse_is_recognised_from_several_good_crops(scene: Scene) -> None:
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    subject = Subject(look(1))
    assert scene.show(CAMERA, [subject], 0.5) == (None,)
    assert scene.show(CAMERA, [subject], 1.5) == (bella.horse.id,)
    (decided,) = scene.of_kind(SpanDecided)
    assert decided.span.track_id == subject.track_id
    assert (decided.span.start, decided.span.end, decided.span.decided_by) == (None, None, "engine")
    assert decided.similarity > 0.75
    assert not scene.of_kind(HorseFound)


def test_nothing_is_decided_before_a_registry_came(scene: Scene) -> None:
    assert scene.show(CAMERA, [Subject(look(1))], 5.0) == (None,)
    assert scene.events == []


def test_poor_crops_decide_nothing(scene: Scene) -> None:
    scene.load(snapshot(known(look(1))))
    assert scene.show(CAMERA, [Subject(look(1), quality=0.2)], 10.0) == (None,)
    assert scene.events == []


def test_without_appearance_nobody_is_guessed(scene: Scene) -> None:
    scene.load(snapshot(known(look(1))))
    sight = scene._sight(CAMERA, [Subject(look(1))])
    for _ in range(50):
        blind = type(sight)(sight.stamp, sight.size_px, sight.tracks, None, sight.qualities)
        assert scene.resolver.observe(blind) == (None,)
    assert scene.events == []


def test_a_stranger_becomes_a_guest_once(scene: Scene) -> None:
    bella = known(look(1))
    scene.load(snapshot(bella))
    stranger = Subject(look(9))
    (guest,) = scene.show(CAMERA, [stranger], 6.0)
    assert guest is not None and guest != bella.horse.id
    (found,) = scene.of_kind(HorseFound)
    assert found.horse_id == guest and found.stream_id == CAMERA
    (features,) = scene.of_kind(FeaturesSeen)
    assert features.approved and features.track_id == stranger.track_id
    assert np.allclose(np.linalg.norm(features.vectors, axis=1), 1.0, atol=1e-5)
    scene.now_s += 60
    assert scene.show(CAMERA, [Subject(look(9))], 3.0) == (guest,)
    assert len(scene.of_kind(HorseFound)) == 1


def test_a_guest_is_never_forced_onto_the_nearest_resident(scene: Scene) -> None:
    """Between the limits nobody is named and nobody is new: a person is asked, once."""
    bella = known(look(1))
    scene.load(snapshot(bella))
    like_bella = Subject(between(look(1), look(2), 0.57))
    assert scene.show(CAMERA, [like_bella], 20.0) == (None,)
    assert not scene.of_kind(SpanDecided) and not scene.of_kind(HorseFound)
    (asked,) = scene.of_kind(ReviewRaised)
    assert asked.review.kind is ReviewKind.MATCH
    assert (asked.review.track_id, asked.review.horse_id) == (like_bella.track_id, bella.horse.id)
    assert not any(event.approved for event in scene.of_kind(FeaturesSeen))


def test_two_equally_similar_horses_leave_it_uncertain(scene: Scene) -> None:
    one, two = known(look(1)), known(between(look(1), look(2), 0.05))
    scene.load(snapshot(one, two))
    assert scene.show(CAMERA, [Subject(between(look(1), look(2), 0.025))], 10.0) == (None,)
    assert len(scene.of_kind(ReviewRaised)) == 1
    assert not scene.of_kind(SpanDecided) and not scene.of_kind(HorseFound)


def test_two_tracks_of_one_picture_are_never_the_same_horse(scene: Scene) -> None:
    bella = known(look(1))
    scene.load(snapshot(bella))
    twins = [Subject(look(1), LEFT), Subject(between(look(1), look(2), 0.1), RIGHT)]
    first, second = scene.show(CAMERA, twins, 10.0)
    assert first == bella.horse.id
    assert second not in (None, bella.horse.id)  # two bodies: proven to be another horse
    assert len(scene.of_kind(HorseFound)) == 1


def test_the_better_claim_takes_the_horse_over(scene: Scene) -> None:
    """An impostor that came first loses the name when the horse itself comes beside it."""
    bella = known(look(1))
    scene.load(snapshot(bella))
    impostor = Subject(between(look(1), look(2), 0.46), LEFT)
    assert scene.show(CAMERA, [impostor], 3.0) == (bella.horse.id,)
    owners = scene.show(CAMERA, [impostor, Subject(look(1), RIGHT)], 10.0)
    assert owners[1] == bella.horse.id and owners[0] != bella.horse.id
    assert [e.track_id for e in scene.of_kind(SpanWithdrawn)] == [impostor.track_id]


def test_a_horse_is_not_on_two_cameras_at_once(scene: Scene) -> None:
    bella = known(look(1))
    scene.load(snapshot(bella))
    there, here = Subject(look(1)), Subject(look(1))
    scene.show(CAMERA, [there], 3.0)
    for _ in range(100):
        scene.show(CAMERA, [there], 0.1)
        assert scene.show(OTHER_CAMERA, [here], 0.1) == (None,)
    assert [e.review.track_id for e in scene.of_kind(ReviewRaised)] == [here.track_id]
    assert not scene.of_kind(HorseFound)


def test_cameras_that_overlap_may_share_a_horse(scene: Scene) -> None:
    bella = known(look(1))
    scene.load(snapshot(bella, distances_m={frozenset((CAMERA, OTHER_CAMERA)): 0.0}))
    there, here = Subject(look(1)), Subject(look(1))
    for _ in range(30):
        scene.show(CAMERA, [there], 0.1)
        owners = scene.show(OTHER_CAMERA, [here], 0.1)
    assert owners == (bella.horse.id,)


@pytest.mark.parametrize(("gap_s", "same"), [(2.0, False), (30.0, True)])
def test_no_horse_travels_faster_than_it_can(scene: Scene, gap_s: float, same: bool) -> None:
    bella = known(look(1))
    scene.load(snapshot(bella, distances_m={frozenset((CAMERA, OTHER_CAMERA)): 120.0}))
    scene.show(CAMERA, [Subject(look(1))], 3.0)
    scene.now_s += gap_s
    owners = scene.show(OTHER_CAMERA, [Subject(look(1))], 3.0)
    assert owners == ((bella.horse.id,) if same else (None,))


def test_no_horse_jumps_across_a_picture(scene: Scene) -> None:
    bella = known(look(1))
    scene.load(snapshot(bella))
    small = (0.0, 100.0, 40.0, 130.0)
    scene.show(CAMERA, [Subject(look(1), small)], 3.0)
    scene.now_s += 0.3
    assert scene.show(CAMERA, [Subject(look(1), (900.0, 100.0, 940.0, 130.0))], 3.0) == (None,)


def test_a_rejected_pair_is_never_proposed_again(scene: Scene) -> None:
    bella = known(look(1))
    subject = Subject(look(1))
    scene.load(snapshot(bella))
    assert scene.show(CAMERA, [subject], 3.0) == (bella.horse.id,)
    pair = (subject.track_id, bella.horse.id)
    scene.load(snapshot(bella, rejected=frozenset((pair,))))
    owners = scene.show(CAMERA, [subject], 10.0)
    assert owners != (bella.horse.id,)
    assert not any(e.review.horse_id == bella.horse.id for e in scene.of_kind(ReviewRaised))


def test_the_expected_horse_has_the_benefit_of_its_stall(scene: Scene) -> None:
    one, two = known(look(1)), known(between(look(1), look(2), 0.05))
    stall = np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]], np.float32)
    area = Area("Stall 1", "stall", CAMERA, stall, two.horse.id)
    rules = scene.resolver.rules
    scene.load(snapshot(one, two, areas=(area,)))
    alike = between(look(1), look(2), 0.035)
    assert scene.show(CAMERA, [Subject(alike, LEFT)], 3.0) == (two.horse.id,)
    # Outside the stall the same look stays uncertain, and a stall alone names nobody.
    fresh = Scene(rules)
    fresh.load(snapshot(one, two, areas=(area,)))
    assert fresh.show(CAMERA, [Subject(alike, RIGHT)], 5.0) == (None,)
    assert fresh.show(CAMERA, [Subject(look(9), LEFT)], 5.0) != (two.horse.id,)


def test_horses_that_changed_places_when_they_met_are_put_right(scene: Scene) -> None:
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    one, two = Subject(look(1), LEFT), Subject(look(2), RIGHT)
    assert scene.show(CAMERA, [one, two], 3.0) == (bella.horse.id, rusty.horse.id)
    one.box, two.box = MIDDLE, (360, 100, 560, 300)
    scene.show(CAMERA, [one, two], 1.0)
    met_at = scene.now
    one.box, two.box = LEFT, RIGHT
    one.mean, two.mean = look(2), look(1)  # the tracker followed the wrong ones
    assert scene.show(CAMERA, [one, two], 3.0) == (rusty.horse.id, bella.horse.id)
    last = scene.of_kind(SpanDecided)[-2:]
    assert {e.span.track_id for e in last} == {one.track_id, two.track_id}
    first_after = met_at + timedelta(seconds=0.1)
    assert all(e.span.start is not None and e.span.start == first_after for e in last)


def test_whom_a_horse_met_is_forgotten_with_the_other_track(scene: Scene) -> None:
    scene.load(snapshot(known(look(1))))
    stays = Subject(look(1), LEFT)
    scene.show(CAMERA, [stays], 2.0)
    for seed in range(2, 12):
        passes = Subject(look(seed), (60, 100, 260, 300))
        scene.show(CAMERA, [stays, passes], 1.0)
        case = scene.resolver._cases[stays.track_id]
        assert set(case.meetings) == {passes.track_id}
        scene.resolver.closed(passes.track_id)
    assert not case.meetings


def test_who_stood_beside_whom_is_forgotten_with_the_horses(scene: Scene) -> None:
    bella, rusty, luna = known(look(1)), known(look(2)), known(look(3))
    scene.load(snapshot(bella, rusty, luna))
    all_three = [Subject(look(1), LEFT), Subject(look(2), MIDDLE), Subject(look(3), RIGHT)]
    scene.show(CAMERA, all_three, 10.0)
    assert len(scene.resolver._herd._apart) == 3
    scene.load(snapshot(bella, rusty))
    assert scene.resolver._herd._apart == {frozenset((bella.horse.id, rusty.horse.id))}


def test_a_doubtful_crossing_is_asked(scene: Scene) -> None:
    bella, rusty = known(look(1)), known(between(look(1), look(2), 0.55))
    scene.load(snapshot(bella, rusty))
    one = Subject(look(1), LEFT)
    two = Subject(between(look(1), look(2), 0.55), RIGHT)
    assert scene.show(CAMERA, [one, two], 3.0) == (bella.horse.id, rusty.horse.id)
    one.box, two.box = MIDDLE, (360, 100, 560, 300)
    scene.show(CAMERA, [one, two], 1.0)
    one.box, two.box = LEFT, RIGHT
    one.mean, two.mean = between(look(1), look(2), 0.42), between(look(1), look(2), 0.1)
    owners = scene.show(CAMERA, [one, two], 2.0)
    assert owners == (bella.horse.id, rusty.horse.id)
    (asked,) = [e.review for e in scene.of_kind(ReviewRaised)]
    assert asked.kind is ReviewKind.CROSSING
    assert {asked.track_id, asked.other_track_id} == {one.track_id, two.track_id}


def test_an_identified_track_changes_hands_only_after_several_checks(scene: Scene) -> None:
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    subject = Subject(look(1))
    scene.show(CAMERA, [subject], 6.0)
    subject.mean, changed_at = look(2), scene.now
    assert scene.show(CAMERA, [subject], 1.5) == (bella.horse.id,)
    assert scene.show(CAMERA, [subject], 15.0) == (rusty.horse.id,)
    before, after = (event.span for event in scene.of_kind(SpanDecided))
    assert (before.horse_id, after.horse_id) == (bella.horse.id, rusty.horse.id)
    assert after.start is not None, "what was before stays Bella's"
    assert abs((after.start - changed_at).total_seconds()) < 0.5


def test_two_cameras_that_each_show_the_others_horse_are_put_right(scene: Scene) -> None:
    """At a gate one horse comes in as another goes out, and both trackers follow the wrong one."""
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    inside, outside = Subject(look(1)), Subject(look(2))

    def watch(pictures: int) -> tuple[HorseId | None, ...]:
        for _ in range(pictures):
            first = scene.show(CAMERA, [inside], 0.1)
            second = scene.show(OTHER_CAMERA, [outside], 0.1)
        return (*first, *second)

    assert watch(30) == (bella.horse.id, rusty.horse.id)
    inside.mean, outside.mean = look(2), look(1)
    assert watch(60) == (rusty.horse.id, bella.horse.id)


def test_a_name_is_taken_back_when_nobody_known_comes_out_of_a_meeting(scene: Scene) -> None:
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    one, two = Subject(look(1), LEFT), Subject(look(2), RIGHT)
    assert scene.show(CAMERA, [one, two], 3.0) == (bella.horse.id, rusty.horse.id)
    one.box, two.box = MIDDLE, (360, 100, 560, 300)
    scene.show(CAMERA, [one, two], 1.0)
    one.box, two.box = LEFT, RIGHT
    one.mean = look(7)  # the tracker follows a stranger now
    owners = scene.show(CAMERA, [one, two], 10.0)
    assert owners[1] == rusty.horse.id and owners[0] != bella.horse.id
    (taken_back,) = scene.of_kind(SpanWithdrawn)
    assert taken_back.track_id == one.track_id and taken_back.since is not None
    (found,) = scene.of_kind(HorseFound)
    assert owners[0] == found.horse_id, "and met as somebody new"
    assert scene.of_kind(SpanDecided)[-1].span.start == taken_back.since


def test_people_relabel_live_tracks_at_once_and_the_engine_obeys(scene: Scene) -> None:
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    subject = Subject(look(1))
    scene.show(CAMERA, [subject], 3.0)
    owners = {subject.track_id: (rusty.horse.id, "ann")}
    scene.load(snapshot(bella, rusty, owners=owners))
    assert scene.show(CAMERA, [subject], 0.1) == (rusty.horse.id,)
    assert scene.show(CAMERA, [subject], 40.0) == (rusty.horse.id,)
    undone = {subject.track_id: (bella.horse.id, "engine")}
    scene.load(snapshot(bella, rusty, owners=undone))
    assert scene.show(CAMERA, [subject], 0.1) == (bella.horse.id,)


def test_a_merged_horse_goes_on_as_the_kept_one(scene: Scene) -> None:
    bella, guest = known(look(1)), known(look(2), status=HorseStatus.GUEST)
    scene.load(snapshot(bella, guest))
    subject = Subject(look(2))
    assert scene.show(CAMERA, [subject], 3.0) == (guest.horse.id,)
    scene.load(snapshot(bella, merged={guest.horse.id: bella.horse.id}))
    assert scene.show(CAMERA, [subject], 0.1) == (bella.horse.id,)


def test_a_founded_guest_survives_a_registry_that_does_not_know_it_yet(scene: Scene) -> None:
    scene.load(snapshot())
    subject = Subject(look(3))
    (guest,) = scene.show(CAMERA, [subject], 6.0)
    scene.load(snapshot())
    assert scene.show(CAMERA, [subject], 0.1) == (guest,)
    scene.now_s += 60
    assert scene.show(CAMERA, [Subject(look(3))], 3.0) == (guest,)


def test_nobody_is_new_while_the_registry_is_still_being_read(scene: Scene) -> None:
    scene.load(snapshot(known(look(1)), complete=False))
    subject = Subject(look(9))
    assert scene.show(CAMERA, [subject], 6.0) == (None,)
    scene.load(snapshot(known(look(1))))
    (guest,) = scene.show(CAMERA, [subject], 3.0)
    assert guest is not None


def test_people_and_dogs_are_never_registered(scene: Scene) -> None:
    scene.load(snapshot(known(look(1))))
    subjects = [
        Subject(look(1), LEFT, kind=SubjectClass.PERSON),
        Subject(look(9), RIGHT, kind=SubjectClass.DOG),
    ]
    assert scene.show(CAMERA, subjects, 8.0) == (None, None)
    assert scene.events == []


def test_guests_do_not_explode(scene: Scene) -> None:
    """A camera that never shows more than one horse cannot meet fifty new ones in an hour."""
    scene.load(snapshot())
    for seed in range(100, 150):
        scene.show(CAMERA, [Subject(look(seed))], 4.0, 0.2)
        scene.now_s += 10
    founded = len(scene.of_kind(HorseFound))
    assert founded == 1 + scene.resolver.rules.guests_spare
    assert scene.of_kind(ReviewRaised)


def test_a_guest_that_turns_out_to_look_like_a_resident_is_suggested(scene: Scene) -> None:
    guest_id = HorseId(uuid4())
    bella = known(look(1))
    guest = known(between(look(1), look(2), 0.02), guest_id, HorseStatus.GUEST)
    subject = Subject(between(look(1), look(2), 0.02))
    owners = {subject.track_id: (guest_id, "ann")}
    scene.load(snapshot(bella, guest, owners=owners))
    scene.show(CAMERA, [subject], 25.0)
    (asked,) = [e.review for e in scene.of_kind(ReviewRaised)]
    assert (asked.kind, asked.horse_id) == (ReviewKind.MATCH, bella.horse.id)


def test_only_sure_tracks_teach_the_gallery(scene: Scene) -> None:
    bella = known(look(1))
    scene.load(snapshot(bella))
    barely = Subject(between(look(1), look(2), 0.495))
    assert scene.show(CAMERA, [barely], 30.0) == (bella.horse.id,)
    assert scene.of_kind(FeaturesSeen)
    assert not any(event.approved for event in scene.of_kind(FeaturesSeen))

"""To the picture: from when on a track shows which horse."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from engine.domain.identity import HorseFound, SpanDecided, SpanWithdrawn
from engine.domain.ids import new_stream_id, new_track_id
from engine.identity.trails import LONGEST, Trails, change_point
from tests.helpers.herd import (
    BEGIN_AT,
    LEFT,
    MIDDLE,
    RIGHT,
    Scene,
    Subject,
    between,
    crops,
    known,
    look,
    snapshot,
)

CAMERA = new_stream_id()
STEP = timedelta(seconds=0.1)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    ("lean", "cut"),
    [
        ([-0.4, -0.3, 0.5, 0.4], 2),
        ([-0.4, 0.1, -0.3, 0.5, -0.1, 0.4], 3),
        ([0.3, 0.2], 0),
        ([-0.3, -0.2], 2),
    ],
)
def test_a_series_is_cut_where_it_turns(lean: list[float], cut: int) -> None:
    assert change_point(np.array(lean, np.float32)) == cut


def test_the_first_pictures_of_a_track_may_be_somebody_elses(scene: Scene) -> None:
    """A track begun by one horse's detection and continued by another's."""
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    subject = Subject(look(2))
    scene.show(CAMERA, [subject], 0.2)
    subject.mean, turned_at = look(1), scene.now + STEP
    assert scene.show(CAMERA, [subject], 5.0) == (bella.horse.id,)
    (decided,) = scene.of_kind(SpanDecided)
    assert decided.span.start == turned_at


def test_a_poor_first_picture_is_still_the_horses(scene: Scene) -> None:
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    subject = Subject(between(look(1), look(2), 0.53))
    scene.show(CAMERA, [subject], 0.1)
    subject.mean = look(1)
    assert scene.show(CAMERA, [subject], 3.0) == (bella.horse.id,)
    (decided,) = scene.of_kind(SpanDecided)
    assert decided.span.start is None


def test_another_horse_that_comes_out_of_a_short_gap_is_told_soon(scene: Scene) -> None:
    """One leaves at the edge, another comes in there: the tracker goes on with its track."""
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    subject, beside = Subject(look(1), LEFT), Subject(look(3), RIGHT)
    scene.show(CAMERA, [subject, beside], 6.0)
    scene.show(CAMERA, [beside], 0.5)
    subject.mean, came_at = look(2), scene.now + STEP
    owners = scene.show(CAMERA, [subject, beside], 2.5)
    assert owners[0] == rusty.horse.id
    last = scene.of_kind(SpanDecided)[-1].span
    assert (last.track_id, last.start) == (subject.track_id, came_at)


def test_a_stranger_that_comes_out_of_a_short_gap_takes_no_name_along(scene: Scene) -> None:
    """It looks more like the horse than strangers do, but not at all as that horse did before."""
    bella = known(look(1))
    scene.load(snapshot(bella))
    subject, beside = Subject(look(1), LEFT), Subject(look(3), RIGHT)
    scene.show(CAMERA, [subject, beside], 6.0)
    scene.show(CAMERA, [beside], 0.5)
    subject.mean, came_at = between(look(7), look(1), 0.44), scene.now + STEP
    assert scene.show(CAMERA, [subject, beside], 3.0)[0] != bella.horse.id
    withdrawn = scene.of_kind(SpanWithdrawn)[-1]
    assert (withdrawn.track_id, withdrawn.since) == (subject.track_id, came_at)


def test_poor_pictures_of_a_stranger_are_taken_back_with_the_good_ones(scene: Scene) -> None:
    bella = known(look(1))
    scene.load(snapshot(bella))
    subject, beside = Subject(look(1), LEFT), Subject(look(3), RIGHT)
    scene.show(CAMERA, [subject, beside], 6.0)
    scene.show(CAMERA, [beside], 0.5)
    subject.mean, subject.quality, came_at = look(7), 0.2, scene.now + STEP
    scene.show(CAMERA, [subject, beside], 0.6)
    subject.quality = 0.9
    assert scene.show(CAMERA, [subject, beside], 3.0)[0] != bella.horse.id
    assert scene.of_kind(SpanWithdrawn)[-1].since == came_at


def test_poor_pictures_together_tell_that_two_changed_places(scene: Scene) -> None:
    """Narrow and half covered, the two never give a good crop, yet all their pictures agree."""
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    one, two = Subject(look(1), LEFT), Subject(look(2), RIGHT)
    assert scene.show(CAMERA, [one, two], 3.0) == (bella.horse.id, rusty.horse.id)
    one.quality = two.quality = 0.2
    one.box, two.box = MIDDLE, (420, 100, 620, 300)
    scene.show(CAMERA, [one, two], 2.0)
    one.mean, two.mean, turned_at = look(2), look(1), scene.now + STEP
    assert scene.show(CAMERA, [one, two], 4.0) == (rusty.horse.id, bella.horse.id)
    last = scene.of_kind(SpanDecided)[-2:]
    assert {e.span.track_id for e in last} == {one.track_id, two.track_id}
    assert [e.span.start for e in last] == [turned_at, turned_at]
    assert not scene.of_kind(SpanWithdrawn)


def test_a_horse_shown_beside_is_not_taken_from_who_looks_like_it(scene: Scene) -> None:
    bella, rusty = known(look(1)), known(look(2))
    scene.load(snapshot(bella, rusty))
    one, two = Subject(look(1), LEFT), Subject(look(2), RIGHT)
    scene.show(CAMERA, [one, two], 3.0)
    one.quality = two.quality = 0.2
    one.box, two.box = MIDDLE, (420, 100, 620, 300)
    one.mean = look(2)  # its box shows the other horse, who stands there in full
    assert scene.show(CAMERA, [one, two], 6.0) == (bella.horse.id, rusty.horse.id)


def test_who_cannot_be_known_again_is_not_founded(scene: Scene) -> None:
    scene.load(snapshot())
    subject = Subject(look(9), quality=0.45)
    assert scene.show(CAMERA, [subject], 10.0) == (None,)
    assert not scene.of_kind(HorseFound)
    subject.quality = 0.8
    assert scene.show(CAMERA, [subject], 5.0) != (None,)


def test_trails_end_with_their_tracks_and_unconfirmed_ones_are_swept() -> None:
    trails, kept, ghost = Trails(), new_track_id(), new_track_id()
    vectors, good = crops(look(1), 1), np.ones(1, np.float32)
    trails.note(CAMERA, [ghost], vectors, good, BEGIN_AT, 0.0)
    for second in range(60):
        trails.note(CAMERA, [kept], vectors, good, BEGIN_AT, float(second))
    assert len(trails) == 1
    trails.forget(kept)
    assert len(trails) == 0


def test_a_turn_before_what_is_remembered_is_guessed() -> None:
    trails, track_id = Trails(), new_track_id()
    vectors = crops(look(2), LONGEST + 10)
    for index, vector in enumerate(vectors):
        at = BEGIN_AT + index * STEP
        trails.note(CAMERA, [track_id], vector[None], np.ones(1, np.float32), at, index / 10.0)
    guess = BEGIN_AT + STEP
    mine, theirs = crops(look(1), 4), crops(look(2), 4)
    assert trails.turned(track_id, mine, theirs, None, guess) == guess
    assert trails.turned(track_id, theirs, mine, None, guess) == guess

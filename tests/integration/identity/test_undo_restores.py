"""Whatever people correct, undoing it all restores every identity table exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.errors import Conflict, OperatorMistake
from engine.domain.identity import (
    Accept,
    CommandRecord,
    Correction,
    Merge,
    Reassign,
    Reject,
    Rename,
    Scope,
    Split,
    Swap,
)
from engine.domain.ids import HorseId, StreamId, TrackId
from tests.fixtures_identity import IdentityBarn, at

HORSES, TRACKS, CAMERAS = 4, 7, 2


class Scene:
    """Four horses and seven tracks on two cameras, and corrections by their numbers."""

    def __init__(self, dsn: str) -> None:
        self.barn = IdentityBarn(dsn)
        self.cameras: list[StreamId] = [self.barn.camera(name) for name in ("north", "south")]
        self.horses: list[HorseId] = [
            self.barn.horse("Bella", "active", breed="Arab"),
            self.barn.horse(None, "guest", breed="Welsh", sex="mare"),
            self.barn.horse("Max", "guest"),
            self.barn.horse(None, "archived"),
        ]
        owners = (0, 0, 1, 2, 1, None, 2)
        self.tracks: list[TrackId] = []
        for index, owner in enumerate(owners):
            start_s = index * 40.0
            self.tracks.append(
                self.barn.track(
                    self.cameras[index % CAMERAS],
                    start_s,
                    None if index == TRACKS - 1 else start_s + 60.0,
                    None if owner is None else self.horses[owner],
                    rows=3 + index,
                    crop=f"crop {index}".encode(),
                    crop_score=float(10 * (index % 4) + index),
                )
            )
            self.barn.features(
                self.tracks[-1], [[1, index], [index, 1]], index % 2 == 0, [start_s, start_s + 50]
            )
        self.barn.settle()

    def everyone(self) -> list[HorseId]:
        """All horses there are now, those that corrections made included."""
        rows = self.barn.ask("SELECT id FROM horses ORDER BY tracking_number")
        return [HorseId(row["id"]) for row in rows]


def corrections(scene: Scene, data: st.DataObject) -> Correction:
    """Any correction of what is there now."""
    horses = st.sampled_from(scene.everyone())
    tracks = st.sampled_from(scene.tracks)
    instants = st.integers(-1, 36).map(lambda step: at(step * 10.0))
    maybe_horse = st.none() | horses
    maybe_camera = st.none() | st.sampled_from(scene.cameras)
    kinds: list[st.SearchStrategy[Correction]] = [
        st.builds(Merge, horses, horses),
        st.builds(
            Split, horses, instants, st.sampled_from(Scope), tracks,
            st.sampled_from(scene.cameras), maybe_horse,
        ),
        st.builds(Swap, horses, horses, instants, maybe_camera),
        st.builds(Reassign, tracks, maybe_horse, st.none() | instants, st.none() | instants),
        st.builds(Reject, tracks, horses),
        st.builds(Rename, horses, st.dictionaries(
            st.sampled_from(["name", "stall"]), st.none() | st.sampled_from(["x", "y"]),
            min_size=1)),
        st.builds(Accept, horses, st.booleans()),
    ]  # fmt: skip
    return data.draw(st.one_of(kinds))


def attempt(scene: Scene, correction: Correction) -> CommandRecord | None:
    """Apply it; None when it makes no sense. Both ways to ask agree on that."""
    effect = scene.barn.identity.preview(correction)
    try:
        record = scene.barn.identity.apply(correction, "Anna", expected=effect.expected)
    except OperatorMistake as mistake:
        assert effect.forbidden == str(mistake)
        return None
    assert effect.forbidden == ""
    assert (record.spans, record.detections) == (effect.spans, effect.detections)
    return record


def assert_sound(scene: Scene) -> None:
    """No instant of a track belongs to two horses, and no span to a merged one."""
    assert not scene.barn.ask(
        "SELECT FROM identity_spans a JOIN identity_spans b ON a.track_id = b.track_id "
        "AND a.id < b.id AND a.valid_from < b.valid_to AND b.valid_from < a.valid_to "
        "WHERE a.superseded_at IS NULL AND b.superseded_at IS NULL"
    )
    assert not scene.barn.ask(
        "SELECT FROM identity_spans i JOIN horses h ON h.id = i.horse_id "
        "WHERE i.superseded_at IS NULL AND h.status = 'merged'"
    )


@pytest.fixture
def scene(postgres_dsn: str) -> Iterator[Scene]:
    scene = Scene(postgres_dsn)
    scene.barn.save()
    yield scene
    scene.barn.close()


FEW = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FEW
@given(data=st.data())
def test_any_corrections_and_all_undos_leave_everything_as_it_was(
    scene: Scene, data: st.DataObject
) -> None:
    scene.barn.reset()
    dumps, commands = [scene.barn.dump()], []
    for _ in range(data.draw(st.integers(3, 9))):
        record = attempt(scene, corrections(scene, data))
        if record is not None:
            commands.append(record)
            dumps.append(scene.barn.dump())
            assert_sound(scene)
    for record in reversed(commands):
        assert scene.barn.dump() == dumps.pop()
        scene.barn.identity.undo(record.id, "Ben")
    assert scene.barn.dump() == dumps.pop()


@FEW
@given(data=st.data())
def test_undos_in_any_order_leave_everything_as_it_was(scene: Scene, data: st.DataObject) -> None:
    """What depends on a later correction is refused and changes nothing; all the rest may go in
    any order, and so in the end everything has."""
    scene.barn.reset()
    before = scene.barn.dump()
    for turn in range(2):
        commands = [
            record
            for _ in range(data.draw(st.integers(2, 7)))
            if (record := attempt(scene, corrections(scene, data))) is not None
        ]
        while commands:
            left = []
            for record in data.draw(st.permutations(commands)):
                now = scene.barn.dump()
                try:
                    scene.barn.identity.undo(record.id, "Ben")
                except Conflict as conflict:
                    assert "later correction depends on it: Anna" in conflict.message
                    assert scene.barn.dump() == now
                    left.append(record)
                assert_sound(scene)
            assert len(left) < len(commands), "two corrections each wait for the other"
            commands = left
        assert scene.barn.dump() == before, f"round {turn}"


@FEW
@given(data=st.data())
def test_what_was_undone_can_be_done_again(scene: Scene, data: st.DataObject) -> None:
    scene.barn.reset()
    before = scene.barn.dump()
    commands = [
        record
        for _ in range(data.draw(st.integers(2, 6)))
        if (record := attempt(scene, corrections(scene, data))) is not None
    ]
    done = essence(scene)
    back = data.draw(st.integers(0, len(commands)))
    for record in reversed(commands[back:]):
        scene.barn.identity.undo(record.id, "Ben")
    for record in commands[back:]:
        again = scene.barn.identity.redo(record.id, "Ben")
        assert (again.id, again.actor, again.created, again.undone_at) == (
            record.id, "Anna", record.created, None,
        )  # fmt: skip
        assert (again.spans, again.detections) == (record.spans, record.detections)
    assert essence(scene) == done
    for record in reversed(commands):
        scene.barn.identity.undo(record.id, "Ben")
    assert scene.barn.dump() == before


def essence(scene: Scene) -> list[tuple[object, ...]]:
    """What is so now, without the ids and times of making that a repetition gives anew."""
    questions = (
        "SELECT 'span', track_id, horse_id, valid_from::text, valid_to::text, decided_by, "
        "confidence FROM identity_spans WHERE superseded_at IS NULL",
        "SELECT 'horse', id, (to_jsonb(h) - 'version' - 'updated_at' - 'created_at')::text "
        "FROM horses h",
        "SELECT 'pair', track_id, horse_id FROM not_same",
        "SELECT 'vector', id, approved FROM horse_features",
    )
    rows = [tuple(row.values()) for question in questions for row in scene.barn.ask(question)]
    return sorted(rows, key=str)


@FEW
@given(data=st.data())
def test_what_the_engine_decided_meanwhile_stays_as_if_nobody_had_corrected(
    scene: Scene, data: st.DataObject
) -> None:
    """Corrections and decisions of the engine in turn, then every undo: the spans are those that
    the engine's decisions alone would have made, as far as they were taken."""
    scene.barn.reset()
    taken: list[Callable[[], object]] = []
    commands: list[CommandRecord] = []
    for _ in range(data.draw(st.integers(2, 10))):
        if data.draw(st.booleans()):
            record = attempt(scene, corrections(scene, data))
            commands += [] if record is None else [record]
            continue
        track = data.draw(st.sampled_from(scene.tracks))
        horse = data.draw(st.none() | st.sampled_from(scene.horses))
        if horse is None:
            ranges = withdraw(scene, track, "{[-infinity,infinity)}")
            taken += [partial(withdraw, scene, track, one) for one in ranges]
        else:
            since = data.draw(st.none() | st.integers(0, 30).map(lambda step: at(step * 10.0)))
            if decide(scene, track, horse, since):
                taken.append(partial(decide, scene, track, horse, since))
        assert_sound(scene)
    for record in reversed(commands):
        scene.barn.identity.undo(record.id, "Ben")
        assert_sound(scene)
    left = who_is_where(scene)
    scene.barn.reset()
    for again in taken:
        again()
    assert left == who_is_where(scene)


def decide(scene: Scene, track: TrackId, horse: HorseId, since: datetime | None) -> bool:
    """A decision of the engine as its writer stores it; True when it was taken."""
    return bool(
        scene.barn.ask(
            "INSERT INTO identity_spans (track_id, horse_id, valid_from, confidence) "
            "VALUES (%s, %s, coalesce(%s, '-infinity'::timestamptz), 0.6) RETURNING id",
            track,
            horse,
            since,
        )
    )


def withdraw(scene: Scene, track: TrackId, when: str) -> list[str]:
    """The engine takes back what it decided on the track in a multirange of time; the ranges in
    which there was something to take back."""
    rows = scene.barn.ask(
        "UPDATE identity_spans SET superseded_at = clock_timestamp() WHERE track_id = %s "
        "AND superseded_at IS NULL AND decided_by = 'engine' "
        "AND tstzmultirange(tstzrange(valid_from, valid_to)) && %s::tstzmultirange "
        "RETURNING id, tstzmultirange(tstzrange(valid_from, valid_to))::text AS range",
        track,
        when,
    )
    for row in rows:
        scene.barn.run(
            "INSERT INTO identity_spans (track_id, horse_id, valid_from, valid_to) "
            "SELECT track_id, horse_id, lower(r), upper(r) FROM identity_spans i, "
            "unnest(tstzmultirange(tstzrange(valid_from, valid_to)) - %s::tstzmultirange) r "
            "WHERE i.id = %s",
            when,
            row["id"],
        )
    return [row["range"] for row in rows]


def who_is_where(scene: Scene) -> list[tuple[object, ...]]:
    """Every track's owners in order of time, neighbouring stretches of one horse as one."""
    rows = scene.barn.ask(
        "SELECT track_id, horse_id, unnest(range_agg(tstzrange(valid_from, valid_to)))::text AS "
        "stretch FROM identity_spans WHERE superseded_at IS NULL GROUP BY 1, 2 ORDER BY 1, 3, 2"
    )
    return [tuple(row.values()) for row in rows]

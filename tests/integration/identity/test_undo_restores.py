"""Whatever people correct, undoing it all restores every identity table exactly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.errors import OperatorMistake
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
    max_examples=12,
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

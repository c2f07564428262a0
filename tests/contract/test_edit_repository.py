"""EditRepository: edits of detections in a chunk, what they reach, and their exact undoing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from db import keypoints
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.edits import PostgresEditRepository
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.identity import CommandId, CommandRecord, Reassign
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.recording import (
    AddBox,
    AssignTrack,
    Chunk,
    ChunkId,
    ChunkState,
    DeleteBox,
    EditId,
    EditRepository,
    Extent,
    MoveBox,
)
from tests.fixtures_identity import IdentityBarn, at

BOX = (100.0, 50.0, 220.0, 160.0)


class Stable:
    """A camera with one chunk of 10 s and a track of Bella's through it, a picture a second."""

    def __init__(self, barn: IdentityBarn) -> None:
        self.barn = barn
        self.camera: StreamId = barn.camera("north")
        self.bella: HorseId = barn.horse("Bella", "active")
        self.juno: HorseId = barn.horse("Juno", "active")
        self.track: TrackId = barn.track(self.camera, 0, 20, self.bella, rows=21)
        barn.features(self.track, [[1.0, 0.0], [0.8, 0.6]], at_s=[2, 15])
        self.chunk = Chunk(
            ChunkId(uuid4()), self.camera, at(0), at(10), "recordings/a.mp4", "h264", 640, 360,
            ChunkState.COMPLETE,
        )  # fmt: skip
        PostgresChunkRepository(barn.pool).put(self.chunk)

    def rows(self) -> list[dict[str, Any]]:
        return self.barn.ask("SELECT * FROM detections ORDER BY track_id, time")

    def everything(self) -> dict[str, object]:
        """All that an undo must bring back, except the history of what was done."""
        identity = {
            table: rows
            for table, rows in self.barn.dump().items()
            if table in ("horses", "not_same", "horse_features", "identity_spans")
        }
        return {"detections": [str(row) for row in self.rows()], **identity}


@pytest.fixture
def stable(barn: IdentityBarn) -> Stable:
    stable = Stable(barn)
    barn.settle()
    return stable


@pytest.fixture
def told() -> list[tuple[CommandRecord, str]]:
    return []


@pytest.fixture
def edits(barn: IdentityBarn, told: list[tuple[CommandRecord, str]]) -> EditRepository:
    return PostgresEditRepository(barn.pool, lambda record, act: told.append((record, act)))


def flags_of(stable: Stable) -> list[int]:
    return [row["flags"] for row in stable.rows() if row["track_id"] == stable.track]


@pytest.mark.parametrize(
    ("extent", "deleted"),
    [(Extent.FRAME, {4}), (Extent.FROM_HERE, {4, 5, 6, 7, 8, 9}), (Extent.CHUNK, set(range(10)))],
)
def test_boxes_are_deleted_as_far_as_asked_and_come_back(
    stable: Stable, edits: EditRepository, extent: Extent, deleted: set[int]
) -> None:
    before = stable.everything()
    edit = DeleteBox(stable.track, at(4), extent)
    effect = edits.preview(stable.chunk.id, [edit])
    assert (effect.detections, effect.tracks, effect.horses) == (len(deleted), 1, 0)
    assert stable.everything() == before
    record = edits.apply(stable.chunk.id, [edit], "Anna", "a shadow")
    assert record.detections == len(deleted) and "deleted" in record.summary
    assert {n for n, flags in enumerate(flags_of(stable)) if flags & 4} == deleted
    undone = edits.undo(record.id, "Ben")
    assert undone.undone_by == "Ben" and undone.undone_at is not None
    assert stable.everything() == before
    assert list(edits.history(stable.chunk.id)) == [undone]


def test_a_picture_without_a_row_is_edited_too(stable: Stable, edits: EditRepository) -> None:
    before = stable.everything()
    record = edits.apply(
        stable.chunk.id,
        [DeleteBox(stable.track, at(4.5)), MoveBox(stable.track, at(5.5), BOX)],
        "Anna",
    )
    rows = {(row["time"] - at(0)).total_seconds(): row for row in stable.rows()}
    assert rows[4.5]["flags"] == 6 and rows[5.5]["flags"] == 2
    assert [rows[5.5][name] for name in ("x1", "y1", "x2", "y2")] == list(BOX)
    edits.undo(record.id, "Anna")
    assert stable.everything() == before


def test_a_moved_box_keeps_the_keypoints_that_lie_in_it(
    stable: Stable, edits: EditRepository
) -> None:
    barn = stable.barn
    barn.run("INSERT INTO skeletons (name, landmarks) VALUES ('two', ARRAY['nose', 'tail'])")
    old = np.array([[100, 100, 300, 200]], np.int16)
    points = np.array([[[120.0, 110.0], [290.0, 190.0]]], np.float32)
    packed = keypoints.pack(points, np.array([[0.9, 0.8]], np.float32), old).tobytes()
    barn.run(
        "UPDATE detections SET x1 = 100, y1 = 100, x2 = 300, y2 = 200, keypoints = %s, "
        "skeleton_key = 1 WHERE time = %s",
        packed,
        at(3),
    )
    before = stable.everything()
    record = edits.apply(stable.chunk.id, [MoveBox(stable.track, at(3), BOX)], "Anna")
    row = next(row for row in stable.rows() if row["time"] == at(3))
    found, scores = keypoints.unpack(
        np.frombuffer(row["keypoints"], np.uint8)[None], np.array([BOX], np.int16)
    )
    assert scores[0, 0] == pytest.approx(0.9, abs=0.01) and scores[0, 1] == 0
    assert found[0, 0] == pytest.approx([120.0, 110.0], abs=0.2)
    edits.undo(record.id, "Anna")
    assert stable.everything() == before


def test_a_box_is_added_to_the_horse_s_own_track_where_there_is_one(
    stable: Stable, edits: EditRepository
) -> None:
    record = edits.apply(stable.chunk.id, [AddBox(at(4.5), BOX, stable.bella)], "Anna")
    added = [row for row in stable.rows() if row["time"] == at(4.5)]
    assert [row["track_id"] for row in added] == [stable.track]
    with pytest.raises(OperatorMistake, match="has a box"):
        edits.apply(stable.chunk.id, [AddBox(at(4.5), BOX, stable.bella)], "Anna")
    edits.undo(record.id, "Anna")
    assert not [row for row in stable.rows() if row["time"] == at(4.5)]


@pytest.mark.parametrize("known", [True, False])
def test_a_horse_that_was_not_found_gets_a_track(
    stable: Stable, edits: EditRepository, told: list[tuple[CommandRecord, str]], known: bool
) -> None:
    before = stable.everything()
    horse_id = stable.juno if known else None
    edit = AddBox(at(4), BOX, horse_id)
    assert edits.preview(stable.chunk.id, [edit]).horses == 1
    record = edits.apply(stable.chunk.id, [edit], "Anna")
    row = next(row for row in stable.rows() if row["track_id"] != stable.track)
    owners = stable.barn.owners(row["track_id"])
    assert len(owners) == 1 and (owners[0][1] == stable.juno) is known
    guests = [
        horse for horse in stable.barn.horses.list() if horse.id not in (stable.bella, stable.juno)
    ]
    assert len(guests) == (0 if known else 1)
    edits.undo(record.id, "Anna")
    after = stable.everything()
    assert after["detections"] == before["detections"]
    assert stable.barn.owners(row["track_id"]) == []
    assert len(stable.barn.horses.list()) == 2
    assert [act for _, act in told] == ["applied", "undone"]


@pytest.mark.parametrize(
    ("extent", "owners"),
    [
        (Extent.FROM_HERE, ["Bella", "Juno", "Bella"]),
        (Extent.CHUNK, ["Juno", "Bella"]),
        (Extent.FRAME, ["Bella", "Juno", "Bella"]),
    ],
)
def test_a_track_is_given_to_a_horse_and_teaches_it_once(
    stable: Stable, edits: EditRepository, extent: Extent, owners: list[str]
) -> None:
    before = stable.everything()
    edit = AssignTrack(stable.track, at(2), stable.juno, extent)
    record = edits.apply(stable.chunk.id, [edit], "Anna")
    names = {stable.bella: "Bella", stable.juno: "Juno"}
    assert [names[horse] for _, horse in stable.barn.owners(stable.track)] == owners
    approved = stable.barn.ask("SELECT at FROM horse_features WHERE approved ORDER BY at")
    assert [row["at"] for row in approved] == [at(2)]
    assert edits.preview(stable.chunk.id, [edit]).refused.keys() == {0}
    edits.undo(record.id, "Ben")
    assert stable.barn.owners(stable.track) == [(None, stable.bella)]
    features = stable.barn.ask("SELECT * FROM horse_features WHERE approved")
    assert features == []
    assert stable.everything()["detections"] == before["detections"]


def test_several_edits_are_one_act(stable: Stable, edits: EditRepository) -> None:
    before = stable.everything()
    record = edits.apply(
        stable.chunk.id,
        [
            DeleteBox(stable.track, at(1)),
            DeleteBox(stable.track, at(2)),
            MoveBox(stable.track, at(2), BOX),
            AssignTrack(stable.track, at(3), None, Extent.CHUNK),
        ],
        "Anna",
    )
    assert "(2 times)" in record.summary
    edits.undo(record.id, "Anna")
    assert stable.everything()["detections"] == before["detections"]


def test_all_are_done_or_none(stable: Stable, edits: EditRepository) -> None:
    before = stable.everything()
    wrong = [
        MoveBox(stable.track, at(3), (10, 10, 11, 11)),
        MoveBox(stable.track, at(3), (700, 10, 800, 90)),
        MoveBox(stable.track, at(3), (float("nan"), 10, 11, 11)),
        DeleteBox(TrackId(uuid4()), at(3)),
        DeleteBox(stable.track, at(30)),
        DeleteBox(stable.track, at(3).replace(tzinfo=None)),
        AddBox(at(3), BOX, HorseId(uuid4())),
        AssignTrack(stable.track, at(3), HorseId(uuid4())),
    ]
    good = DeleteBox(stable.track, at(1))
    effect = edits.preview(stable.chunk.id, [good, *wrong])
    assert effect.detections == 1
    assert set(effect.refused) == set(range(1, len(wrong) + 1))
    assert all(effect.refused.values())
    for bad in wrong:
        with pytest.raises(OperatorMistake, match="Edit 2 of 2"):
            edits.apply(stable.chunk.id, [good, bad], "Anna")
    assert stable.everything() == before
    assert not edits.history(stable.chunk.id)
    with pytest.raises(OperatorMistake):
        edits.apply(stable.chunk.id, [], "Anna")


def test_unknown_chunks_and_edits_are_not_found(edits: EditRepository, stable: Stable) -> None:
    edit = DeleteBox(stable.track, at(1))
    with pytest.raises(NotFound):
        edits.preview(ChunkId(uuid4()), [edit])
    with pytest.raises(NotFound):
        edits.apply(ChunkId(uuid4()), [edit], "Anna")
    with pytest.raises(NotFound):
        edits.undo(EditId(uuid4()), "Anna")


def test_later_acts_are_in_the_way_of_an_undo(stable: Stable, edits: EditRepository) -> None:
    first = edits.apply(stable.chunk.id, [MoveBox(stable.track, at(3), BOX)], "Anna")
    second = edits.apply(stable.chunk.id, [DeleteBox(stable.track, at(3))], "Ben")
    with pytest.raises(Conflict, match="Ben deleted a box"):
        edits.undo(first.id, "Anna")
    edits.undo(second.id, "Ben")
    edits.undo(first.id, "Anna")
    with pytest.raises(Conflict, match="Anna undid that already"):
        edits.undo(first.id, "Ben")


def test_a_later_correction_of_identity_is_in_the_way_too(
    stable: Stable, edits: EditRepository
) -> None:
    assigned = edits.apply(
        stable.chunk.id, [AssignTrack(stable.track, at(2), stable.juno, Extent.CHUNK)], "Anna"
    )
    command = stable.barn.identity.apply(Reassign(stable.track, stable.bella, at(1), at(5)), "Ben")
    with pytest.raises(Conflict, match="Ben"):
        edits.undo(assigned.id, "Anna")
    stable.barn.identity.undo(command.id, "Ben")
    edits.undo(assigned.id, "Anna")
    assert stable.barn.owners(stable.track) == [(None, stable.bella)]


def test_what_the_history_of_identities_undid_already_does_not_stop_the_undo(
    stable: Stable, edits: EditRepository, told: list[tuple[CommandRecord, str]]
) -> None:
    record = edits.apply(
        stable.chunk.id,
        [DeleteBox(stable.track, at(1)), AssignTrack(stable.track, at(2), stable.juno)],
        "Anna",
    )
    stable.barn.identity.undo(CommandId(told[0][0].id), "Ben")
    edits.undo(record.id, "Anna")
    assert not any(flags_of(stable))

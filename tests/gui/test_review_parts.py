"""Parts of the Review page by themselves: the buffer of pictures, edits on a picture, a player."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from engine.domain.identity import TrackStrip
from engine.domain.ids import HorseId, TrackId, new_stream_id, new_track_id
from engine.domain.recording import (
    AddBox,
    AssignTrack,
    Chunk,
    ChunkId,
    ChunkState,
    DeleteBox,
    EditId,
    Extent,
    MoveBox,
)
from engine.recording.overlay import Overlay, OverlayEntry, OverlayTrack
from tests.gui.recorded_review import FPS, write_chunk
from tests.helpers.chunk_store import MemoryChunks
from tests.helpers.waiting import wait_until
from ui.review.decoder import with_owners
from ui.review.frames import GAP_US, Absence, FrameBuffer, ReviewFrame
from ui.review.pending import NEW_GUEST, PendingEdits, with_edits
from ui.review.player import Player
from ui.review.recordings import CameraRecordings
from ui.timeline.cursor import instant, micros

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
START_US = micros(START)


def a_chunk(path: str = "recordings/a.mp4", seconds: float = 3.0, at_s: float = 0.0) -> Chunk:
    start = START + timedelta(seconds=at_s)
    end = start + timedelta(seconds=seconds)
    return Chunk(
        ChunkId(uuid4()), new_stream_id(), start, end, path, "h264", 384, 216,
        ChunkState.COMPLETE,
    )  # fmt: skip


def a_frame(at_us: int) -> ReviewFrame:
    bgra = np.zeros((2, 2, 4), np.uint8)
    return ReviewFrame(at_us, at_us + 40_000, bgra, a_chunk(), 0.0, 1, 1, None, None, (2, 2))


def a_track(track_id: TrackId, left: float = 10.0) -> OverlayTrack:
    return OverlayTrack(track_id, 7, None, 0, 1, 3, 0.9, 0.8, (left, 20.0, left + 40.0, 60.0))


def test_a_picture_stays_until_the_next_but_not_over_a_gap() -> None:
    buffer = FrameBuffer(10)
    for at_us in (0, 40_000, 80_000, 80_000 + 2 * GAP_US):
        buffer.add(a_frame(at_us), 0, 0)
    for target_us, shown_us in ((0, 0), (39_999, 0), (40_000, 40_000), (119_999, 80_000)):
        found = buffer.at(target_us)
        assert isinstance(found, ReviewFrame) and found.at_us == shown_us
    gap = buffer.at(80_000 + GAP_US)
    assert isinstance(gap, Absence)
    assert gap.before_us == 120_000 and gap.after_us == 80_000 + 2 * GAP_US
    assert buffer.at(-1) is None and buffer.at(80_000 + 4 * GAP_US) is None


def test_the_buffer_keeps_little_behind_the_cursor() -> None:
    buffer = FrameBuffer(10)
    for number in range(30):
        buffer.add(a_frame(number * 40_000), number * 40_000, 120_000)
    assert len(buffer) <= 6 and buffer.newest_us == 29 * 40_000
    buffer.add(a_frame(0), 0, 0)
    assert buffer.newest_us == 29 * 40_000


@pytest.mark.parametrize(
    ("extent", "gone"),
    [(Extent.FRAME, [1]), (Extent.FROM_HERE, [1, 2]), (Extent.CHUNK, [0, 1, 2])],
)
def test_deleting_reaches_as_far_as_asked(extent: Extent, gone: list[int]) -> None:
    track_id = new_track_id()
    edit = DeleteBox(track_id, instant(START_US + 40_000), extent)
    shown = []
    for number in range(3):
        entry = OverlayEntry(number / 25, instant(START_US + number * 40_000), (a_track(track_id),))
        edited = with_edits(entry, [edit])
        if not edited.entry.tracks:
            shown.append(number)
            assert edited.gone[0].id == track_id
    assert shown == gone


def test_edits_show_in_their_order() -> None:
    track_id, juno = new_track_id(), HorseId(uuid4())
    entry = OverlayEntry(0.0, START, (a_track(track_id),))
    box = (1.0, 2.0, 30.0, 40.0)
    edited = with_edits(
        entry,
        [
            DeleteBox(track_id, START),
            MoveBox(track_id, START, box),
            AssignTrack(track_id, START, juno),
            AddBox(START, box),
        ],
    )
    assert not edited.gone and len(edited.entry.tracks) == 2
    kept, added = edited.entry.tracks
    assert kept.box_xyxy_px == box and kept.horse_id == juno
    assert added.horse_id == NEW_GUEST and added.number == -4
    assert edited.changed == {kept.id, added.id}


def test_pending_edits_wait_by_recording_and_outlive_being_applied(qapp: QApplication) -> None:
    assert qapp is not None
    pending, chunk, other = PendingEdits(), ChunkId(uuid4()), ChunkId(uuid4())
    track_id, edit_id = new_track_id(), EditId(uuid4())
    pending.add(chunk, MoveBox(track_id, START, (0.0, 0.0, 9.0, 9.0)))
    pending.add(chunk, MoveBox(track_id, START, (0.0, 0.0, 8.0, 8.0)))
    pending.add(other, DeleteBox(track_id, START))
    assert [len(pending.of(c)) for c in (chunk, other)] == [1, 1] and pending.count == 2
    done = pending.of(chunk)
    pending.add(chunk, DeleteBox(track_id, START))
    pending.applied(chunk, edit_id, done)
    # What was added meanwhile still waits; what is stored shows until the overlay has it.
    assert len(pending.of(chunk)) == 1 and len(pending.shown(chunk)) == 2
    pending.undone(chunk, edit_id)
    assert len(pending.shown(chunk)) == 1
    pending.clear(chunk)
    assert pending.chunks == (other,)


def test_tracks_belong_to_whom_they_belong_now() -> None:
    track_id, bella, juno = new_track_id(), HorseId(uuid4()), HorseId(uuid4())
    stream = new_stream_id()
    entries = tuple(
        OverlayEntry(float(s), START + timedelta(seconds=s), (a_track(track_id),)) for s in range(3)
    )
    overlay = Overlay(ChunkId(uuid4()), stream, START, 384, 216, {}, entries)
    strips = [
        TrackStrip(track_id, stream, "Yard", 7, horse, START + timedelta(seconds=a),
                   START + timedelta(seconds=b), 1, 0.9, "person", False)
        for horse, a, b in ((bella, 0.0, 0.9), (juno, 0.9, 9.0))
    ]  # fmt: skip
    owned = with_owners(overlay, strips)
    assert [entry.tracks[0].horse_id for entry in owned.entries] == [bella, juno, juno]
    assert with_owners(overlay, ()) is overlay


# --- a player ----------------------------------------------------------------------------------


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    stream = new_stream_id()
    store = MemoryChunks()
    for place, (at_s, state) in enumerate(
        (
            (0.0, ChunkState.COMPLETE),
            (3.0, ChunkState.RESCUED),
            (60.0, ChunkState.REMOVED),
            (90.0, ChunkState.OPEN),
        )
    ):
        chunk = a_chunk(f"recordings/{place}.mp4", 3.0, at_s)
        if state is not ChunkState.REMOVED:
            part = ".part" if state is ChunkState.OPEN else ""
            write_chunk(tmp_path / (chunk.path + part), range(75 * place, 75 * place + 75))
        store.put(
            Chunk(
                chunk.id, stream, chunk.start_at, chunk.end_at, chunk.path, "h264", 384, 216, state
            )
        )
    player = Player("test", stream, CameraRecordings(stream, store, tmp_path))
    yield player
    player.close()
    assert player.join(5.0)


def shown(player: Player, seconds: float) -> ReviewFrame | Absence:
    player.show(START + timedelta(seconds=seconds), (384, 216))
    wait_until(lambda: player.ready)
    found = player.frame()
    assert found is not None
    return found


def test_every_picture_is_found_forwards_and_backwards(player: Player) -> None:
    for number in (*range(0, 150, 7), *range(149, -1, -23)):
        frame = shown(player, number / FPS + 0.001)
        assert isinstance(frame, ReviewFrame)
        assert frame.at_us == START_US + round(number / FPS * 1e6)
        assert frame.number == number % 75 + 1 and frame.count == 75
        bits = [int(frame.bgra[10, bit * 32 + 16, 1]) > 128 for bit in range(12)]
        assert sum(bit << place for place, bit in enumerate(bits)) == number


def test_neighbours_reach_over_the_seam(player: Player) -> None:
    last = START + timedelta(seconds=74 / FPS)
    wait_until(lambda: player.neighbour(last, 1) is not None)
    assert player.neighbour(last, 1) == START + timedelta(seconds=3)
    wait_until(lambda: player.neighbour(START + timedelta(seconds=3), -1) == last)
    assert player.neighbour(START, -1) is None


def test_what_is_gone_says_why(player: Player) -> None:
    gap = shown(player, 30.0)
    assert isinstance(gap, Absence) and not gap.reason
    assert gap.before_us == START_US + 6_000_000
    removed = shown(player, 61.0)
    assert isinstance(removed, Absence) and "removed" in removed.reason


def test_what_is_being_written_is_shown_as_far_as_it_is(player: Player) -> None:
    frame = shown(player, 92.0)
    assert isinstance(frame, ReviewFrame) and frame.number == 51
    assert frame.chunk.state is ChunkState.OPEN
    beyond = shown(player, 94.0)
    assert isinstance(beyond, Absence) and "Not written yet" in beyond.reason

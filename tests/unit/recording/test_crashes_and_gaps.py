"""What a crash, a store that is away, a slow disk and a bad stream leave behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.domain.errors import NotFound, SourceEnded, SourceUnreadable
from engine.domain.packets import EncodedPacket
from engine.domain.recording import ChunkState
from engine.domain.streams import StreamState
from engine.recording.copying import CopyTrack, Ending, Step
from engine.recording.fragments import read_fragments
from engine.recording.intake import ROOM, Gone, Intake
from engine.recording.layout import PART, inside
from engine.recording.open_chunk import Beginning
from engine.recording.overlay import read_overlay
from engine.recording.reader import ChunkReader
from engine.recording.rescue import sha256_of
from engine.runtime.clock import SystemClock
from engine.settings import CaptureSettings
from engine.sources.container import ContainerSource
from engine.sources.registry import open_source
from tests.helpers.recordings import RecordedBarn, write_video
from tests.helpers.streams import stream_of
from tests.helpers.waiting import wait_until

PLAIN = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
NewBarn = Callable[..., RecordedBarn]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a media folder in the middle of a recording, as it was on disk at one moment."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "media").mkdir()
    barn = RecordedBarn(folder / "media", segment_s=20.0).start()
    camera = barn.camera(write_video(folder / "clip.mp4", 200, options=PLAIN), loop=False)
    wait_until(lambda: camera.seen > 45)
    shutil.copytree(barn.media, folder / "left")
    assert not barn.stop()
    return folder / "left"


@pytest.fixture
def left(killed: Path, tmp_path: Path) -> Path:
    """What a kill -9 would have left, for one test."""
    shutil.copytree(killed, tmp_path / "left")
    return tmp_path / "left"


def test_what_was_written_is_closed_at_the_next_start(left: Path) -> None:
    (part,) = left.rglob(f"*{PART}")
    on_disk = read_fragments(part)
    assert on_disk.duration_s >= 2.0
    again = RecordedBarn(left).start()
    again.settle()
    (chunk,) = again.chunks.list()
    assert not again.stop()
    assert chunk.state is ChunkState.RESCUED
    assert chunk.duration_s == pytest.approx(on_disk.duration_s)
    file = left / chunk.path
    assert (chunk.sha256, chunk.size_bytes) == (sha256_of(file), file.stat().st_size)
    with ChunkReader(file) as reader:
        times = {picture.pts_s for picture in reader.pictures()}
    overlay = read_overlay(left / chunk.overlay_path)
    assert len(overlay.entries) > 10 and {e.pts_s for e in overlay.entries} <= times
    assert chunk.horses == 1
    assert not list(left.rglob(f"*{PART}")) and not list(left.rglob("*.overlay.jsonl"))
    assert not list((left / "recordings/.journal").iterdir())


@pytest.mark.parametrize("journal", [True, False], ids=["journal", "no journal"])
def test_a_file_cut_anywhere_is_rescued_to_its_last_whole_fragment(
    left: Path, journal: bool
) -> None:
    (part,) = left.rglob(f"*{PART}")
    whole = read_fragments(part)
    size = whole.fragments[-1].offset + whole.fragments[-1].size // 2
    os.truncate(part, size)
    if not journal:
        shutil.rmtree(left / "recordings/.journal")
    again = RecordedBarn(left).start()
    again.settle()
    (chunk,) = again.chunks.list()
    assert not again.stop()
    assert (chunk.state, chunk.codec) == (ChunkState.RESCUED, "h264")
    assert (chunk.width_px, chunk.height_px) == (320, 180)
    assert chunk.size_bytes == whole.fragments[-1].offset
    with ChunkReader(left / chunk.path) as reader:
        assert sum(1 for _ in reader.pictures()) == len(reader.times_s) > 20


def test_a_file_without_a_whole_fragment_goes_away(left: Path) -> None:
    (part,) = left.rglob(f"*{PART}")
    os.truncate(part, read_fragments(part).init_size + 10)
    again = RecordedBarn(left).start()
    wait_until(lambda: not again.recorder.journal.waiting())
    assert not again.stop() and not again.chunks.list()
    assert not [p for p in left.rglob("*") if p.is_file() and not p.name.startswith(".")]


def test_rows_wait_for_a_store_that_is_away(barn: RecordedBarn, tmp_path: Path) -> None:
    barn.chunks.away = True
    path = write_video(tmp_path / "clip.mp4", 130, options=PLAIN)
    camera = barn.camera(path, loop=False, realtime=False)
    wait_until(lambda: StreamState.ENDED in camera.states)
    wait_until(lambda: "recording.rows" in {n.key for n in barn.notices if n.active})
    wait_until(lambda: len(list(barn.media.rglob("*.mp4"))) == 2)
    assert len(list((barn.media / "recordings/.journal").glob("*.json"))) == 2
    barn.chunks.away = False
    barn.settle()
    assert [c.state for c in barn.chunks.list()] == [ChunkState.COMPLETE] * 2
    wait_until(lambda: not barn.notices[-1].active)
    assert not list((barn.media / "recordings/.journal").iterdir())


def test_rows_that_waited_over_a_restart_are_stored(new_barn: NewBarn, tmp_path: Path) -> None:
    barn = new_barn().start()
    barn.chunks.away = True
    path = write_video(tmp_path / "clip.mp4", 60, options=PLAIN)
    camera = barn.camera(path, loop=False, realtime=False)
    wait_until(lambda: StreamState.ENDED in camera.states)
    wait_until(lambda: bool(list(barn.media.rglob("*.overlay.json"))))
    assert not barn.stop() and not barn.chunks.rows
    again = new_barn().start()
    again.settle()
    assert [c.state for c in again.chunks.list()] == [ChunkState.COMPLETE]


def test_files_and_rows_are_reconciled_at_start(new_barn: NewBarn, tmp_path: Path) -> None:
    barn = new_barn().start()
    lost, unknown, removed = barn.record_whole(
        write_video(tmp_path / "clip.mp4", 300, options=PLAIN)
    )
    assert not barn.stop()
    (barn.media / lost.path).unlink()
    for file in (barn.media / unknown.path, barn.media / removed.path):
        os.utime(file, (1_700_000_000, 1_700_000_000))
    again = new_barn()
    again.chunks.rows = {c.id: c for c in barn.chunks.rows.values() if c.id != unknown.id}
    assert again.chunks.retire(removed.id)
    again.start()
    wait_until(lambda: len(again.chunks.list()) == 2)
    wait_until(lambda: not (barn.media / removed.path).exists())
    states = {c.path: c.state for c in again.chunks.list()}
    assert states == {lost.path: ChunkState.DAMAGED, unknown.path: ChunkState.RESCUED}
    found = next(c for c in again.chunks.list() if c.path == unknown.path)
    assert found.sha256 == unknown.sha256 and found.overlay_path == unknown.overlay_path
    assert abs((found.start_at - unknown.start_at).total_seconds()) < 60


def packets_of(path: Path) -> ContainerSource:
    """The file as a source that hands over its packets."""
    source = open_source(stream_of(path), CaptureSettings())
    assert isinstance(source, ContainerSource)
    return source


def steps_of(
    path: Path, segment_s: float, spoil: Callable[[int], bool] = lambda _: False
) -> list[Step]:
    """The steps of a file's packets; ``spoil`` names packets that are lost on the way."""
    source = packets_of(path)
    assert source.coding is not None
    track = CopyTrack(source.coding, 0.0, segment_s, SystemClock().now, lambda *_: None)
    steps: list[Step] = []
    numbers = iter(range(10**6))
    source.tap(lambda packet: steps.extend([] if spoil(next(numbers)) else track.feed(packet)))
    with pytest.raises(SourceEnded):
        while True:
            source.read()
    source.close()
    return [*steps, *track.flush()]


def test_a_jump_in_time_ends_the_chunk(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", 300, options=PLAIN)
    steps = steps_of(path, 60.0, lambda number: 60 <= number < 160)
    kinds = [type(step) for step in steps if isinstance(step, Beginning | Ending)]
    assert kinds == [Beginning, Ending, Beginning]
    begins = [step for step in steps if isinstance(step, Beginning)]
    assert begins[1].first_source_s == pytest.approx(175 / 25)  # the next key picture


def test_a_short_hole_does_not_end_the_chunk(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", 100, options=PLAIN)
    steps = steps_of(path, 60.0, lambda number: 30 <= number < 35)
    assert sum(isinstance(step, Beginning | Ending) for step in steps) == 1


def test_another_size_begins_another_chunk(barn: RecordedBarn, tmp_path: Path) -> None:
    small = write_video(tmp_path / "a.ts", 60, options=PLAIN)
    large = write_video(tmp_path / "b.ts", 60, size=(640, 360), options=PLAIN)
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    chunks = barn.record_whole(both)
    assert [(c.width_px, c.height_px) for c in chunks] == [(320, 180), (640, 360)]
    for chunk in chunks:
        with ChunkReader(barn.media / chunk.path) as reader:
            sizes = {(p.picture.width_px, p.picture.height_px) for p in reader.pictures()}
        assert sizes == {(chunk.width_px, chunk.height_px)}


def test_damaged_packets_are_kept_and_harm_nobody(barn: RecordedBarn, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.ts", 200, options=PLAIN)
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 3, len(data) // 2, 977):
        data[at] ^= 0xFF
    path.write_bytes(data)
    chunks = barn.record_whole(path)
    pictures = 0
    for chunk in chunks:
        with ChunkReader(barn.media / chunk.path) as reader:
            pictures += sum(1 for _ in reader.pictures())
    assert pictures > 100


def test_an_intake_that_is_full_says_what_it_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", 60, options=PLAIN)
    found: list[EncodedPacket] = []
    source = packets_of(path)
    source.tap(found.append)
    with pytest.raises(SourceEnded):
        while True:
            source.read()
    source.close()
    intake = Intake("slow")
    for _ in range(ROOM):
        assert intake.put(Gone())
    assert not intake.put(found[1])
    intake.mailbox.take(10)
    assert not intake.put(found[2]), "a packet that nothing can decode was taken"
    key = next(p for p in found[3:] if p.is_key)
    assert intake.put(key) and intake.lost == 2
    last = list(iter(lambda: intake.mailbox.get(0.0), None))[-1]
    assert (last.what, last.lost) == (key, 2)


def test_lost_packets_close_the_chunk_and_are_told(barn: RecordedBarn, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", 400, options=PLAIN)
    camera = barn.camera(path, loop=False)
    wait_until(lambda: camera.seen > 20)
    intake = barn.recorder._cameras[camera.stream.id][0].intake
    intake._refuse()
    wait_until(lambda: any(n.key.startswith("recording.lost") for n in barn.notices))
    seen = camera.seen
    wait_until(lambda: camera.seen > seen + 20)  # a key picture comes every second
    camera.capture.ask_to_stop()
    assert camera.capture.join(5.0)
    barn.settle()
    one, two = barn.of(camera)[:2]
    assert one.duration_s < 4.0 and two.start_at >= one.end_at
    wait_until(lambda: not barn.notices[-1].active)
    assert "1 packets" in next(n.message for n in barn.notices if n.active)


def test_paths_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    for path in ("../x", "/etc/passwd", "a/../../x", "a\x00b"):
        with pytest.raises(NotFound):
            inside(tmp_path / "media", path)


def test_what_is_no_recording_is_said_to_be_none(tmp_path: Path) -> None:
    for content in (b"", b"no video at all", b"\x00\x00\x00\x08moov", os.urandom(4000)):
        file = tmp_path / "x.mp4"
        file.write_bytes(content)
        with pytest.raises(SourceUnreadable):
            read_fragments(file)
        with pytest.raises(SourceUnreadable):
            ChunkReader(file)
        overlay = tmp_path / "x.overlay.json"
        overlay.write_bytes(content)
        with pytest.raises(SourceUnreadable):
            read_overlay(overlay)

"""The Review page over real recordings: every picture is known by the number painted in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from db.repositories.chunks import PostgresChunkRepository
from engine.domain.identity import Reassign, Rename
from engine.domain.ids import new_track_id
from engine.domain.recording import DeleteBox, Extent, JobKind, JobState
from tests.gui.recorded_review import (
    HEIGHT,
    WIDTH,
    RecordedCamera,
    ReviewBench,
    number_in,
    open_review,
    record,
    square,
    ten_minutes_ago,
)
from tests.gui.stored_barn import StoredBarn
from ui.actions import ActionEntry
from ui.review.wall import ReviewWall
from ui.theme import load_theme
from ui.timeline.cursor import micros

LEFT = Qt.MouseButton.LeftButton
Key = Qt.Key


@pytest.fixture
def close() -> Iterator[Callable[[ReviewBench], ReviewBench]]:
    opened: list[ReviewBench] = []

    def keep(bench: ReviewBench) -> ReviewBench:
        opened.append(bench)
        return bench

    yield keep
    for bench in opened:
        bench.window.close()
        bench.window.deleteLater()


@pytest.fixture
def bench(
    barn: StoredBarn,
    tmp_path: Path,
    dressed: QApplication,
    qtbot: QtBot,
    close: Callable[[ReviewBench], ReviewBench],
) -> ReviewBench:
    """Two chunks of "Yard" and "Aisle" that follow each other; Yard has a third after a gap."""

    def recorded(chunks: PostgresChunkRepository, media: Path) -> Mapping[str, RecordedCamera]:
        bella = barn.horse("Bella")
        barn.horse("Juno")
        begin = ten_minutes_ago()
        yard = (range(75), range(75, 150), range(500, 575))
        aisle = (range(75), range(75, 150))
        return {
            "Yard": record(barn, chunks, media, "Yard", bella, begin, yard),
            "Aisle": record(barn, chunks, media, "Aisle", None, begin, aisle),
        }

    bench = close(open_review(barn, tmp_path, qtbot, recorded))
    bench.page.setFocus()
    return bench


def press(bench: ReviewBench, key: Key, *modifiers: Qt.KeyboardModifier) -> None:
    held = Qt.KeyboardModifier.NoModifier
    for modifier in modifiers:
        held |= modifier
    QTest.keyClick(bench.page, key, held)


def test_seeking_and_stepping_show_exactly_the_picture(bench: ReviewBench) -> None:
    bench.go(40)
    area = bench.view().area
    assert area.entry is not None and area.entry.analysed
    assert area.entry.tracks[0].box_xyxy_px == pytest.approx(square(40))
    assert bench.view().number.text() == "picture 41 of 75"
    for number in range(41, 47):
        press(bench, Key.Key_Period)
        bench.qtbot.waitUntil(lambda n=number: bench.number() == n)
    # Between two analysed pictures the box lies between theirs.
    press(bench, Key.Key_Comma)
    bench.qtbot.waitUntil(lambda: bench.number() == 45)
    assert area.entry is not None and not area.entry.analysed
    assert area.entry.tracks[0].box_xyxy_px == pytest.approx(square(45), abs=0.01)


def test_steps_go_on_over_the_ends_of_recordings(bench: ReviewBench) -> None:
    bench.go(74)
    press(bench, Key.Key_Period)
    bench.qtbot.waitUntil(lambda: bench.number() == 75)
    press(bench, Key.Key_Comma)
    bench.qtbot.waitUntil(lambda: bench.number() == 74)
    bench.go(149)
    press(bench, Key.Key_Period)
    bench.qtbot.waitUntil(lambda: bench.number() == 500)
    press(bench, Key.Key_Comma)
    bench.qtbot.waitUntil(lambda: bench.number() == 149)


def test_two_cameras_play_in_step_and_nothing_is_left_out(bench: ReviewBench) -> None:
    page = bench.page
    page.set_places(2)
    bench.go(20)
    bench.qtbot.waitUntil(lambda: bench.number(1) == 20)
    pairs: list[tuple[int, int]] = []

    def seen() -> bool:
        frames = [bench.view(place).frame for place in (0, 1)]
        if None not in frames and (not pairs or pairs[-1][0] != bench.number(0)):
            pairs.append((bench.number(0), bench.number(1)))
        return bench.number(0) >= 90

    press(bench, Key.Key_Space)
    assert page.head.playing
    bench.qtbot.waitUntil(seen, timeout=20_000)
    press(bench, Key.Key_Space)
    assert not page.head.playing
    assert max(abs(one - two) for one, two in pairs) <= 1
    numbers = [one for one, _ in pairs]
    assert numbers == sorted(numbers) and len(numbers) >= 5
    # The overlay that is drawn is that of the painted picture, over the seam of two recordings too.
    bench.qtbot.waitUntil(lambda: bench.number(0) == bench.number(1))
    for place in (0, 1):
        entry = bench.view(place).area.entry
        if entry is not None:
            drawn = entry.tracks[0].box_xyxy_px
            assert drawn == pytest.approx(square(bench.number(place)), abs=0.01)


def test_playing_backwards_and_looping_stay_in_the_recording(bench: ReviewBench) -> None:
    bench.go(60)
    page = bench.page
    press(bench, Key.Key_J)
    bench.qtbot.waitUntil(lambda: 0 <= bench.number() < 50, timeout=15_000)
    press(bench, Key.Key_K)
    assert page.playback.backwards == 0 and not page.head.playing
    yard = bench.cameras["Yard"]
    page.head.mark(yard.at(10), yard.at(16))
    press(bench, Key.Key_End)
    bench.qtbot.waitUntil(lambda: bench.number() == 16)
    press(bench, Key.Key_Home)
    bench.qtbot.waitUntil(lambda: bench.number() == 10)
    press(bench, Key.Key_R)
    press(bench, Key.Key_L)
    moves: list[bool] = []
    page.head.moved.connect(lambda at: moves.append(at == yard.at(10)))
    bench.qtbot.waitUntil(lambda: any(moves), timeout=15_000)
    press(bench, Key.Key_K)
    assert yard.at(10) <= page.head.at <= yard.at(17)


def test_where_nothing_is_recorded_it_says_so_and_leads_to_what_is(bench: ReviewBench) -> None:
    bench.page.head.move_to(bench.cameras["Yard"].at(300))
    area = bench.view().area
    bench.qtbot.waitUntil(lambda: area.absence is not None)
    assert area.words[0] == "No recording at this time"
    bench.qtbot.waitUntil(lambda: area.words[1] == "The camera was not being recorded then.")
    assert "Recorded until" in area.words[2] and "again from" in area.words[2]
    area.grab()
    QTest.mouseClick(area, LEFT, pos=area.link_rect(True).center())
    bench.qtbot.waitUntil(lambda: bench.number() == 500)
    press(bench, Key.Key_PageUp)
    bench.qtbot.waitUntil(lambda: bench.number() == 75)
    # A click on the bar below jumps, too.
    bar = bench.page.coverage
    x = round(bar.x_of(micros(bench.cameras["Yard"].at(30))))
    QTest.mouseClick(bar, LEFT, pos=bar.rect().topLeft() + QPoint(x, 10))
    bench.qtbot.waitUntil(lambda: 25 <= bench.number() <= 35)


def test_a_broken_recording_says_why_and_holds_nobody_up(bench: ReviewBench) -> None:
    page, aisle = bench.page, bench.cameras["Aisle"]
    (bench.media / aisle.chunks[0].path).write_bytes(b"this is no video")
    page.set_places(2)
    page.head.move_to(bench.cameras["Yard"].at(30))
    broken = bench.view(1)
    bench.qtbot.waitUntil(lambda: bench.number() == 30 and broken.area.absence is not None)
    assert "cannot be read" in broken.area.words[1]
    page.head.play()
    bench.qtbot.waitUntil(lambda: bench.number() >= 80, timeout=20_000)
    # Where its next recording begins it is there again.
    bench.qtbot.waitUntil(lambda: broken.frame is not None, timeout=15_000)


def test_the_exact_picture_is_kept_and_the_layout_remembered(
    bench: ReviewBench, tmp_path: Path
) -> None:
    bench.go(33)
    for number in (1, 2, 3, 4):
        QTest.keyClick(bench.page, Key(Key.Key_0 + number))
    assert not bench.page.switches
    frame = bench.view().frame
    assert frame is not None
    bench.page.keeper.write(frame, tmp_path / "one.png")
    bench.qtbot.waitUntil(lambda: "Saved" in bench.window.toast.text)
    image = QImage(str(tmp_path / "one.png"))
    assert (image.width(), image.height()) == (WIDTH, HEIGHT)
    bits = [image.pixelColor(bit * 32 + 16, 12).lightness() > 128 for bit in range(12)]
    assert sum(bit << place for place, bit in enumerate(bits)) == 33
    press(bench, Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    bench.qtbot.waitUntil(lambda: "Copied" in bench.window.toast.text)
    assert QApplication.clipboard().image().width() == WIDTH
    press(bench, Key.Key_4, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier)
    assert [v.isVisible() for v in bench.page.wall.views] == [True] * 4
    again = ReviewWall(
        bench.page.head, lambda _id: None, bench.window.state.settings, load_theme("dark")
    )
    assert again.count == 4
    again.deleteLater()


def test_no_key_of_the_page_is_taken(bench: ReviewBench) -> None:
    heard = [e for e in bench.window.actions_book if reaches_review(e)]
    taken = [keys.toString() for entry in heard for keys in entry.action.shortcuts()]
    assert len(taken) > 40 and len(taken) == len(set(taken))


def reaches_review(entry: ActionEntry) -> bool:
    everywhere = entry.action.shortcutContext() is Qt.ShortcutContext.WindowShortcut
    return everywhere or entry.id.startswith("review.")


# --- correcting ----------------------------------------------------------------------------------


def rows(bench: ReviewBench) -> list[tuple[object, ...]]:
    with bench.barn.pool.connection() as connection:
        return connection.execute(
            "SELECT time, x1, y1, x2, y2, flags FROM detections d JOIN streams s "
            "ON s.key = d.stream_key WHERE s.name = 'Yard' ORDER BY time, d.track_id"
        ).fetchall()


def drag(bench: ReviewBench, start: QPoint, end: QPoint) -> None:
    area = bench.view().area
    QTest.mousePress(area, LEFT, pos=start)
    QTest.mouseMove(area, (start + end) / 2)
    QTest.mouseMove(area, end)
    QTest.mouseRelease(area, LEFT, pos=end)


def pending_words(bench: ReviewBench) -> list[str]:
    listed = bench.page.inspector.edits.pending
    found = []
    for place in range(listed.count()):
        labels = listed.itemWidget(listed.item(place)).findChildren(QLabel)
        found.append(labels[0].text())
    return found


def test_a_box_is_moved_applied_undone_and_redone(bench: ReviewBench) -> None:
    page, inspector, area = bench.page, bench.page.inspector, bench.view().area
    bench.go(50)
    before = rows(bench)
    bench.qtbot.waitUntil(lambda: inspector.table.rowCount() == 1)
    texts = [inspector.table.item(0, column).text() for column in range(6)]
    assert texts[:4] == ["#1", "Bella", "horse", "0.91"] and "walk" in texts[5]
    x1, y1, x2, y2 = square(50)
    QTest.mouseClick(area, LEFT, pos=bench.point((x1 + x2) / 2, (y1 + y2) / 2))
    bench.qtbot.waitUntil(lambda: inspector.delete.isEnabled())
    drag(bench, bench.point(x2, y2), bench.point(x2 + 30, y2 + 20))
    assert "move the box of Bella (#1)" in pending_words(bench)[0]
    moved = area.box_of(area.selected)
    assert moved == pytest.approx((x1, y1, x2 + 30, y2 + 20), abs=1.5)
    bench.qtbot.waitUntil(lambda: "1 detection" in inspector.edits.effect.text())
    assert rows(bench) == before
    # Removed from the list it is as it was; the way there and back leaves nothing.
    QTest.mouseClick(inspector.edits.remove_button(0), LEFT)
    assert area.box_of(area.selected) == pytest.approx((x1, y1, x2, y2)) and not page.pending.count
    inspector.choose_extent(Extent.CHUNK)
    press(bench, Key.Key_Delete)
    assert area.entry is not None and not area.entry.tracks
    assert "the whole recording" in pending_words(bench)[0]
    inspector.edits.reprocess.setChecked(False)
    bench.qtbot.waitUntil(
        lambda: inspector.edits.apply.isEnabled() and inspector.edits.effect.text() != ""
    )
    QTest.mouseClick(inspector.edits.apply, LEFT)
    bench.qtbot.waitUntil(lambda: len(inspector.edits.records) == 1)
    assert not page.pending.count and rows(bench) != before
    assert "deleted" in inspector.edits.records[0].summary
    # Until the recording is analysed again the picture shows what is stored.
    bench.qtbot.waitUntil(lambda: area.entry is not None and not area.entry.tracks)
    press(bench, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    bench.qtbot.waitUntil(lambda: rows(bench) == before)
    bench.qtbot.waitUntil(lambda: area.entry is not None and len(area.entry.tracks) == 1)
    press(bench, Key.Key_Z, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier)
    bench.qtbot.waitUntil(lambda: rows(bench) != before)
    bench.qtbot.waitUntil(lambda: len(inspector.edits.records) == 2)


def test_a_missed_horse_is_drawn_named_and_kept_while_one_is_elsewhere(bench: ReviewBench) -> None:
    page, inspector, area = bench.page, bench.page.inspector, bench.view().area
    bench.go(10)
    bench.qtbot.waitUntil(lambda: inspector.table.rowCount() == 1)
    drag(bench, bench.point(250, 60), bench.point(330, 150))
    assert "add a box of a new guest" in pending_words(bench)[0]
    bench.qtbot.waitUntil(lambda: inspector.table.rowCount() == 2)
    dialog = page.corrector.assign()
    assert dialog is not None
    QTest.keyClicks(dialog.picker.search, "juno")
    QTest.keyClick(dialog.picker.search, Key.Key_Return)
    bench.qtbot.waitUntil(lambda: "add a box of Juno" in pending_words(bench)[0])
    bench.window.show_page("live")
    assert "1 correction waits" in bench.window.toast.text
    bench.window.show_page("review")
    bench.window.activateWindow()
    bench.qtbot.waitUntil(page.hasFocus)
    assert page.pending.count == 1 and area.frame is not None
    bench.qtbot.waitUntil(lambda: "1 horse" in inspector.edits.effect.text())
    press(bench, Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    bench.qtbot.waitUntil(lambda: len(inspector.edits.records) == 1)
    stored = [row for row in rows(bench) if row[5] == 2]
    assert len(stored) == 1 and list(stored[0][1:5]) == pytest.approx([250, 60, 330, 150], abs=2)
    # The recording waits to be analysed again.
    assert page.services.jobs is not None
    bench.qtbot.waitUntil(lambda: len(page.services.jobs.list()) == 1)
    job = page.services.jobs.list()[0]
    assert job.kind is JobKind.REPROCESS
    bench.qtbot.waitUntil(lambda: len(bench.window.jobs.watch.active) == 1)
    # Once that is done what the recording says counts, and here nothing was analysed.
    chunk_id = bench.cameras["Yard"].chunks[0].id
    assert len(page.pending.shown(chunk_id)) == 1
    page.on_job_ended(replace(job, state=JobState.DONE))
    assert not page.pending.shown(chunk_id)


def test_corrections_of_others_show_and_what_cannot_be_is_refused(bench: ReviewBench) -> None:
    page, inspector, area = bench.page, bench.page.inspector, bench.view().area
    yard = bench.cameras["Yard"]
    bench.go(20)
    bench.qtbot.waitUntil(
        lambda: inspector.table.rowCount() == 1 and inspector.table.item(0, 1).text() == "Bella",
        timeout=20_000,
    )
    juno = next(h for h in bench.barn.horses.list() if h.name == "Juno")
    bench.barn.identity.apply(Reassign(yard.track_id, juno.id), "Anna", "", {})
    bench.barn.announce()
    bench.qtbot.waitUntil(lambda: inspector.table.item(0, 1).text() == "Juno", timeout=10_000)
    bench.barn.identity.apply(Rename(juno.id, {"name": "June"}), "Anna", "", {})
    bench.barn.announce()
    bench.qtbot.waitUntil(lambda: inspector.table.item(0, 1).text() == "June", timeout=10_000)
    page.pending.add(yard.chunks[0].id, DeleteBox(new_track_id(), yard.at(20)))
    bench.qtbot.waitUntil(lambda: "no such track" in inspector.edits.problem.text())
    assert not inspector.edits.apply.isEnabled()
    QTest.mouseClick(inspector.edits.clear, LEFT)
    assert not page.pending.count and area.entry is not None


def test_other_pages_open_it_at_the_instant_and_camera(bench: ReviewBench) -> None:
    window, page = bench.window, bench.page
    yard, aisle = bench.cameras["Yard"], bench.cameras["Aisle"]
    window.show_page("live")
    window.show_moment(aisle.at(66), aisle.stream_id)
    assert window.page == "review" and page.wall.stream_ids == (aisle.stream_id,)
    bench.qtbot.waitUntil(lambda: bench.number() == 66)
    window.show_page("timeline")
    page.head.mark(yard.at(5), yard.at(25))
    bella = next(h for h in bench.barn.horses.list() if h.name == "Bella")
    bench.qtbot.waitUntil(lambda: len(window.timeline.lanes.rows) > 2)
    window.timeline.lanes.select(bella.id)
    window.timeline.acts.review()
    # Of the two cameras that could be meant only this one saw her.
    bench.qtbot.waitUntil(lambda: page.wall.stream_ids == (yard.stream_id,))
    assert window.page == "review" and page.head.range is not None
    bench.qtbot.waitUntil(lambda: bench.number() == 5)
    dialog = page.acts.export()
    assert dialog is not None and dialog.request().stream_ids == (yard.stream_id,)
    dialog.reject()
    window.choose_theme("light")
    assert number_in(bench.view().area) == 5

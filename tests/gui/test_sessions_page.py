"""The Sessions page over a real store: the list, one with what was found, new ones, two side by
side, and the calendar."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QDialog, QMessageBox
from pytestqt.qtbot import QtBot

from db.queue.jobs import PostgresJobQueue
from db.repositories.calendar import PostgresCalendarRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.motion import PostgresMotionRepository
from db.repositories.sessions import PostgresSessionRepository
from engine.domain.errors import NotFound
from engine.domain.recording import JobKind, JobState
from engine.domain.sessions import (
    CalendarEntry,
    CalendarEntryId,
    Session,
    SessionKind,
    SessionMode,
    SessionSource,
    SessionState,
)
from engine.sessions.layout import report_path, session_folder
from tests.gui.console_bench import make_bench
from tests.gui.stored_barn import StoredBarn
from tests.gui.stored_sessions import found, made_session
from ui.main_window import MainWindow
from ui.row_list import VALUE
from ui.sessions.calendar_view import days_of
from ui.sessions.dialogs import EditDialog, LiveDialog, StretchDialog, VideoDialog
from ui.sessions.entry_dialog import EntryDialog
from ui.timeline.cursor import TimeRange
from ui.timeline.range_scope import RangeScope

LEFT = Qt.MouseButton.LeftButton
SLOW_MS = 20_000

D = TypeVar("D", bound=QDialog)


@dataclass
class SessionBench:
    """A window over a stored barn, and the stores of its sessions."""

    window: MainWindow
    barn: StoredBarn
    sessions: PostgresSessionRepository
    calendar: PostgresCalendarRepository
    jobs: PostgresJobQueue
    media: Path
    qtbot: QtBot

    def wait(self, condition: Callable[[], object]) -> None:
        """Until it holds, within a bounded time."""
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=SLOW_MS)

    def done(
        self, title: str, days_ago: float = 0.0, speed: float = 1.0, **fields: object
    ) -> Session:
        """A session that was analysed."""
        session = self.sessions.add(made_session(title, days_ago, **fields))
        folder = session_folder(self.media, session.id)
        folder.mkdir(parents=True)
        (folder / "report.pdf").write_bytes(b"%PDF-1.4 a report")
        result = found(session, seed=len(title), speed=speed)
        end = session.start_at + timedelta(seconds=60)
        return self.sessions.finish(session.id, result, report_path(session.id), end)

    def shown(self) -> list[str]:
        """Titles of the list."""
        model = self.window.sessions.list.model
        return [model.index(row).data(VALUE).title for row in range(model.rowCount())]

    def read(self, count: int) -> None:
        """Open the page and wait for so many rows."""
        self.window.directory.refresh()
        self.window.show_page("sessions")
        horses = len(self.barn.horses.list())
        self.wait(lambda: len(self.window.directory.horses) == horses)
        self.wait(lambda: self.window.sessions.feed.loaded and len(self.shown()) == count)

    def detailed(self, title: str) -> None:
        """Wait until what was found of one is shown."""
        detail = self.window.sessions.list.detail
        self.wait(lambda: detail.reading is not None and detail.reading.session.title == title)

    def click(self, button: QAbstractButton) -> None:
        """A click where a person clicks."""
        self.wait(lambda: button.isVisible() and button.isEnabled())
        QTest.mouseClick(button, LEFT)

    def dialog(self, kind: type[D]) -> D:
        """The dialog that is open."""
        self.wait(lambda: any(d.isVisible() for d in self.window.findChildren(kind)))
        return next(d for d in self.window.findChildren(kind) if d.isVisible())

    def undo(self) -> None:
        """Ctrl+Z, once the window has the keyboard again."""
        action = self.window.actions_book["undo"]
        self.wait(lambda: action.isEnabled() and not self.window.requests.pending)
        self.window.activateWindow()
        self.wait(self.window.isActiveWindow)
        QTest.keyClick(self.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    def choose(self, title: str) -> None:
        """Click a row."""
        view = self.window.sessions.list.view
        row = self.shown().index(title)
        place = view.visualRect(view.model().index(row, 0)).center()
        QTest.mouseClick(view.viewport(), LEFT, pos=place)


@pytest.fixture
def page(barn: StoredBarn, tmp_path: Path, dressed: object, qtbot: QtBot) -> Iterator[SessionBench]:
    bench = make_bench(tmp_path)
    sessions, jobs = PostgresSessionRepository(barn.pool), PostgresJobQueue(barn.pool)
    calendar, media = PostgresCalendarRepository(barn.pool), tmp_path / "media"
    media.mkdir()
    services = replace(
        bench.services,
        farm_id=DEFAULT_FARM,
        horses=barn.horses,
        identity=barn.identity,
        sessions=sessions,
        calendar=calendar,
        jobs=jobs,
        motion=PostgresMotionRepository(barn.pool),
        media_folder=media,
    )
    window = MainWindow(services)
    window.resize(1440, 900)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield SessionBench(window, barn, sessions, calendar, jobs, media, qtbot)
    window.close()
    window.deleteLater()


# --- the list and one of it --------------------------------------------------------------------


def test_an_empty_page_says_how_to_make_one(page: SessionBench) -> None:
    page.read(0)
    words = page.window.sessions.list.empty
    page.wait(lambda: "mark a stretch" in words.text())
    page.click(page.window.sessions.list.new_video)
    page.dialog(VideoDialog).reject()


def test_one_shows_its_figures_with_what_they_rest_on(page: SessionBench) -> None:
    bella = page.barn.horse("Bella")
    page.done("Trot up", 1.0, horse_id=bella)
    page.sessions.add(made_session("Waits", 0.5))
    page.read(2)
    assert page.shown() == ["Waits", "Trot up"]
    page.choose("Trot up")
    page.detailed("Trot up")
    detail = page.window.sessions.list.detail
    assert "Bella" in detail.about.text() and "1 min 00 s" in detail.about.text()
    table = detail.figures.model()
    rows = {
        table.index(r, 0).data(): (table.index(r, 1).data(), table.index(r, 2).data())
        for r in range(table.rowCount())
    }
    assert (
        rows["Stride rate, trot"][0].startswith("1.3")
        and "26 strides" in rows["Stride rate, trot"][1]
    )
    assert rows["Speed, gallop"] == ("not told", "Too little gallop was seen.")
    assert "walk 33\u00a0%" in detail.gaits.words
    assert "metres on the ground, 20.0 by 12.0 m" in detail.heat.note.text()
    assert "±\u00a06\u00a0%" in detail.remarks.text()
    assert "■ trot" in detail.speed.note.text()


def test_strides_sort_by_a_click_on_a_head(page: SessionBench) -> None:
    page.done("Lunge")
    page.read(1)
    page.detailed("Lunge")
    detail = page.window.sessions.list.detail
    page.click(detail.tab_buttons.button(1))
    head = detail.strides.horizontalHeader()
    for _click in range(2):
        at = QPoint(head.sectionViewportPosition(5) + 10, head.height() // 2)
        QTest.mouseClick(head.viewport(), LEFT, pos=at)
    speeds = [
        float(detail.strides.model().index(row, 5).data())
        for row in range(detail.strides.model().rowCount())
    ]
    assert len(speeds) > 70 and speeds == sorted(speeds, reverse=True)


def test_search_and_state_narrow_the_list(page: SessionBench) -> None:
    bella, atlas = page.barn.horse("Bella"), page.barn.horse("Atlas")
    page.done("Morning ride", 2.0, horse_id=bella)
    page.done("Evening ride", 1.0, horse_id=atlas)
    page.sessions.add(made_session("Waits", horse_id=bella))
    page.read(3)
    part = page.window.sessions.list
    QTest.keyClicks(part.search, "bella")
    page.wait(lambda: page.shown() == ["Waits", "Morning ride"])
    part.search.clear()
    part.which.setCurrentIndex(part.which.findData("done"))
    page.wait(lambda: page.shown() == ["Evening ride", "Morning ride"])
    part.horse.setCurrentIndex(part.horse.findData(str(atlas)))
    page.wait(lambda: page.shown() == ["Evening ride"])
    QTest.keyClicks(part.search, "nothing like it")
    page.wait(lambda: "No session matches" in part.empty.text())


def test_an_archived_one_says_what_is_gone(page: SessionBench) -> None:
    session = page.done("Old", 200.0, video="sessions/x/video.mp4")
    page.sessions.archive(session.id, datetime.now(UTC))
    page.read(1)
    page.detailed("Old")
    detail = page.window.sessions.list.detail
    assert "stride table and the video are gone" in detail.gone.text()
    assert not detail.acts["analyse"].isVisible() and not detail.acts["play"].isVisible()
    assert "archived" in detail.speed.note.text()


# --- new ones ----------------------------------------------------------------------------------


def test_a_video_is_copied_and_queued(page: SessionBench, tmp_path: Path) -> None:
    bella = page.barn.horse("Bella")
    film = tmp_path / "bella trots.MP4"
    film.write_bytes(bytes(range(256)) * 4096)
    page.read(0)
    page.click(page.window.sessions.video)
    dialog = page.dialog(VideoDialog)
    page.click(dialog.confirm)
    assert dialog.problem == "Choose the video."
    QTest.keyClicks(dialog.file, str(tmp_path / "notes.txt"))
    (tmp_path / "notes.txt").write_text("no video")
    page.click(dialog.confirm)
    assert "no video by its name" in dialog.problem
    dialog.title.clear()
    dialog.show_file(str(film))  # as the machine's own file dialog does
    assert dialog.title.text() == "bella trots"
    dialog.horse.setCurrentIndex(dialog.horse.findData(str(bella)))
    dialog.mode.setCurrentIndex(dialog.mode.findData(SessionMode.PREVIEW))
    page.click(dialog.confirm)
    page.wait(lambda: page.shown() == ["bella trots"])
    (stored,) = page.sessions.list()
    assert (stored.source, stored.mode) == (SessionSource.UPLOAD, SessionMode.PREVIEW)
    assert stored.horse_id == bella and stored.state is SessionState.QUEUED
    kept = page.media / stored.video
    assert kept.read_bytes() == film.read_bytes()
    assert stored.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    assert [path.name for path in kept.parent.iterdir()] == ["video.mp4"]
    job = page.jobs.get(stored.job_id)
    assert (job.kind, job.arguments) == (JobKind.SESSION, {"session_id": str(stored.id)})
    detail = page.window.sessions.list.detail
    page.wait(lambda: detail.acts["cancel"].isVisible())
    page.click(detail.acts["cancel"])
    page.wait(lambda: page.sessions.get(stored.id).state is SessionState.CANCELLED)


def test_a_copy_that_is_given_up_leaves_nothing(page: SessionBench, tmp_path: Path) -> None:
    film = tmp_path / "long.mp4"
    with film.open("wb") as file:
        file.truncate(64 << 20)
    page.read(0)
    page.click(page.window.sessions.video)
    dialog = page.dialog(VideoDialog)
    dialog.show_file(str(film))
    page.click(dialog.confirm)
    page.window.sessions.desk.intake.cancel()
    page.wait(lambda: page.window.sessions.desk.intake is None)
    assert page.sessions.list() == ()
    assert list((page.media / "sessions").iterdir()) == []
    assert "cancelled" in page.window.toast.text


def test_a_marked_range_becomes_a_session_and_can_be_undone(page: SessionBench) -> None:
    bella, yard = page.barn.horse("Bella"), page.barn.camera("Yard")
    page.read(0)
    start = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
    marked = TimeRange(start, start + timedelta(minutes=11))
    scope = RangeScope(marked, {yard.id: "Yard"}, {bella: "Bella"}, horse_id=bella)
    acts = page.window.timeline.acts
    acts._scope = lambda: scope
    acts.session()
    dialog = page.dialog(StretchDialog)
    assert dialog.title.text() == "Bella" and dialog.horse.currentText() == "Bella"
    QTest.keyClicks(dialog.title, "Bella, morning")
    dialog.kind.setCurrentIndex(dialog.kind.findData(SessionKind.LUNGING))
    page.click(dialog.confirm)
    page.wait(lambda: page.shown() == ["Bella, morning"])
    (stored,) = page.sessions.list()
    assert (stored.start_at, stored.end_at) == (marked.start_at, marked.end_at)
    assert stored.stream_ids == (yard.id,) and stored.kind is SessionKind.LUNGING
    assert page.jobs.get(stored.job_id).state is JobState.QUEUED
    page.undo()
    page.wait(lambda: page.shown() == [])
    assert page.jobs.get(stored.job_id).state is JobState.CANCELLED


def test_a_live_session_is_started_and_stopped(page: SessionBench) -> None:
    page.barn.horse("Bella")
    yard = page.barn.camera("Yard")
    page.read(0)
    page.window.sessions.follow({yard.id: "Yard"})
    page.click(page.window.sessions.live)
    dialog = page.dialog(LiveDialog)
    assert dialog.horse.currentText() == "Bella"
    page.click(dialog.confirm)
    page.wait(lambda: page.shown() == ["Live session"])
    detail = page.window.sessions.list.detail
    page.wait(lambda: detail.acts["stop"].isVisible())
    assert "goes on" in detail.state.text()
    page.click(detail.acts["stop"])
    page.wait(lambda: not detail.acts["stop"].isVisible())
    page.wait(lambda: "Stopped after" in page.window.toast.text)
    (stored,) = page.sessions.list()
    assert stored.state is SessionState.QUEUED and stored.end_at is not None
    summary = page.sessions.metrics(stored.id)
    assert summary is not None and summary.provisional


# --- one that is there -------------------------------------------------------------------------


def test_a_change_can_be_undone(page: SessionBench) -> None:
    bella = page.barn.horse("Bella")
    session = page.done("Ride")
    page.read(1)
    detail = page.window.sessions.list.detail
    page.click(detail.acts["edit"])
    dialog = page.dialog(EditDialog)
    dialog.title.selectAll()
    QTest.keyClicks(dialog.title, "Evening ride")
    QTest.keyClicks(dialog.note, "Tired at the end.")
    dialog.horse.setCurrentIndex(dialog.horse.findData(str(bella)))
    page.click(dialog.confirm)
    page.wait(lambda: detail.title.text() == "Evening ride" and "Bella" in detail.about.text())
    assert page.sessions.get(session.id).note == "Tired at the end."
    page.undo()
    page.wait(lambda: detail.title.text() == "Ride")
    assert page.sessions.get(session.id).horse_id is None
    page.click(detail.acts["lock"])
    page.wait(lambda: detail.acts["lock"].text() == "Unlock")
    assert page.sessions.get(session.id).locked and not detail.acts["remove"].isEnabled()


def test_removing_asks_first_and_takes_the_files(page: SessionBench) -> None:
    session = page.done("Ride")
    page.read(1)
    detail = page.window.sessions.list.detail
    page.click(detail.acts["remove"])
    box = page.dialog(QMessageBox)
    assert "for good" in box.informativeText()
    box.button(QMessageBox.StandardButton.Cancel).click()
    assert page.sessions.get(session.id).title == "Ride"
    page.click(detail.acts["remove"])
    box = page.dialog(QMessageBox)
    button = next(b for b in box.buttons() if b.text() == "Remove")
    page.click(button)
    page.wait(lambda: page.shown() == [])
    with pytest.raises(NotFound):
        page.sessions.get(session.id)
    assert not session_folder(page.media, session.id).exists()


def test_report_and_video_open_and_are_saved(page: SessionBench, tmp_path: Path) -> None:
    session = page.done("Ride")
    folder = session_folder(page.media, session.id)
    (folder / "video.mp4").write_bytes(b"film")
    page.sessions.uploaded(session.id, f"sessions/{session.id}/video.mp4", 4, "ab" * 32)
    page.read(1)
    opened: list[Path] = []

    def opener(path: Path) -> bool:
        opened.append(path)
        return True

    page.window.sessions.desk.open_file = opener
    detail = page.window.sessions.list.detail
    page.click(detail.acts["report"])
    page.wait(lambda: opened == [folder / "report.pdf"])
    page.click(detail.acts["play"])
    page.wait(lambda: opened[1:] == [folder / "video.mp4"])
    page.window.sessions.desk.copy_report(session, tmp_path / "kept.pdf")
    page.wait(lambda: (tmp_path / "kept.pdf").exists())
    assert (tmp_path / "kept.pdf").read_bytes().startswith(b"%PDF")


def test_recordings_are_played_in_review(page: SessionBench) -> None:
    yard = page.barn.camera("Yard")
    start = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
    page.done(
        "Ride", source=SessionSource.STRETCH, start_at=start, end_at=start, stream_ids=(yard.id,)
    )
    page.read(1)
    page.click(page.window.sessions.list.detail.acts["play"])
    assert page.window.page == "review"
    assert page.window.time_cursor.at == start


# --- two side by side --------------------------------------------------------------------------


def test_two_are_compared_with_a_verdict_where_both_have_strides(page: SessionBench) -> None:
    bella = page.barn.horse("Bella")
    page.done("Before", 8.0, speed=0.8, horse_id=bella)
    page.done("After", 1.0, horse_id=bella)
    page.read(2)
    page.detailed("After")
    page.click(page.window.sessions.list.detail.acts["compare"])
    view = page.window.sessions.compare
    page.wait(lambda: view.table.differences.rowCount() > 0)
    assert "Before" in view.a.currentText() and "After" in view.b.currentText()
    rows = {one.name: one for one in view.table.differences.rows}
    length = rows["stride_length_trot"]
    assert length.verdict == "higher" and length.difference > 0
    assert rows["stride_rate_trot"].verdict in ("alike", "higher", "lower")
    assert not rows["distance"].verdict and "no mean of strides" in rows["distance"].reason
    top = view.table.differences.index(0, 4).data()
    assert top.startswith(("▲", "▼", "="))
    before = length.difference
    page.click(view.swap)
    page.wait(
        lambda: (
            {o.name: o for o in view.table.differences.rows}["stride_length_trot"].difference
            == pytest.approx(-before)
        )
    )


def test_one_alone_cannot_be_compared(page: SessionBench) -> None:
    page.done("Only one")
    page.read(1)
    page.click(page.window.sessions.tabs.button(1))
    page.wait(
        lambda: "Two analysed sessions are needed" in page.window.sessions.compare.words.text()
    )


# --- the calendar ------------------------------------------------------------------------------


def test_a_double_click_plans_and_undo_takes_it_back(page: SessionBench) -> None:
    bella = page.barn.horse("Bella")
    page.read(0)
    page.click(page.window.sessions.tabs.button(2))
    view = page.window.sessions.calendar
    day = view.grid.first + timedelta(days=16)
    QTest.mouseDClick(view.grid, LEFT, pos=view.grid.cell(day).center().toPoint())
    dialog = page.dialog(EntryDialog)
    page.click(dialog.confirm)
    assert dialog.problem == "Give the entry a title."
    QTest.keyClicks(dialog.title, "Lunging")
    dialog.horse.setCurrentIndex(dialog.horse.findData(str(bella)))
    page.click(dialog.confirm)
    page.wait(lambda: len(view.cards) == 1)
    (entry,) = page.calendar.list()
    assert entry.horse_id == bella and entry.start_at.astimezone().date() == day
    assert "○ 09:00 Lunging" in view.grid.accessibleName()
    page.click(view.cards[0].acts["done"])
    page.wait(lambda: page.calendar.get(entry.id).done)
    page.wait(lambda: "✓" in view.grid.accessibleName())
    page.undo()
    page.wait(lambda: not page.calendar.get(entry.id).done)
    page.wait(lambda: "○" in view.grid.accessibleName())
    page.click(view.cards[0].acts["remove"])
    page.wait(lambda: not view.cards)
    page.undo()
    page.wait(lambda: len(view.cards) == 1)
    assert page.calendar.get(entry.id).title == "Lunging"


def test_keys_walk_the_calendar_and_whole_days_stay_whole(page: SessionBench) -> None:
    page.read(0)
    page.click(page.window.sessions.tabs.button(2))
    grid = page.window.sessions.calendar.grid
    grid.setFocus()
    began = grid.day
    QTest.keyClick(grid, Qt.Key.Key_Down)
    QTest.keyClick(grid, Qt.Key.Key_Right)
    assert grid.day == began + timedelta(days=8)
    QTest.keyClick(grid, Qt.Key.Key_PageDown)
    QTest.keyClick(grid, Qt.Key.Key_PageUp)
    QTest.keyClick(grid, Qt.Key.Key_Return)
    dialog = page.dialog(EntryDialog)
    QTest.keyClicks(dialog.title, "Show")
    dialog.whole_day.setChecked(True)
    dialog.last.setDate(dialog.first.date().addDays(1))
    page.click(dialog.confirm)
    view = page.window.sessions.calendar
    page.wait(lambda: len(view.cards) == 1)
    (entry,) = page.calendar.list()
    day = grid.day
    assert entry.whole_day and days_of(entry, day, day + timedelta(days=9)) == [
        day,
        day + timedelta(days=1),
    ]
    page.click(view.cards[0].acts["edit"])
    again = page.dialog(EntryDialog)
    assert again.first.date().toPython() == day and again.whole_day.isChecked()
    again.reject()


def test_an_entry_opens_the_session_it_is_linked_to(page: SessionBench) -> None:
    session = page.done("Ride", 1.0)
    page.calendar.add(
        CalendarEntry(
            CalendarEntryId(uuid4()),
            DEFAULT_FARM,
            "Hack",
            SessionKind.FREE,
            session.start_at,
            session.start_at,
            "Anna",
            session.start_at,
            done=True,
            session_id=session.id,
        )
    )
    page.read(1)
    page.click(page.window.sessions.tabs.button(2))
    view = page.window.sessions.calendar
    view.grid.choose(session.start_at.astimezone().date())
    page.wait(lambda: len(view.cards) == 1)
    assert view.cards[0].acts["session"].text() == "Open “Ride”"
    page.click(view.cards[0].acts["session"])
    assert page.window.sessions.parts.currentIndex() == 0
    page.detailed("Ride")

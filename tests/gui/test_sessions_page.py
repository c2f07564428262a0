"""The Sessions page over a real store: the list, one with what was found, new ones, two side by
side, and the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from db.queue.jobs import PostgresJobQueue
from db.repositories.calendar import PostgresCalendarRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.motion import PostgresMotionRepository
from db.repositories.sessions import PostgresSessionRepository
from engine.domain.sessions import (
    Session,
)
from engine.sessions.layout import report_path, session_folder
from tests.gui.console_bench import make_bench
from tests.gui.stored_barn import StoredBarn
from tests.gui.stored_sessions import found, made_session
from ui.main_window import MainWindow
from ui.sessions.session_rows import SESSION

LEFT = Qt.MouseButton.LeftButton
SLOW_MS = 20_000


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

    def wait(self, condition: object) -> None:
        """Until it holds, within a bounded time."""
        self.qtbot.waitUntil(condition, timeout=SLOW_MS)

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
        return [model.index(row).data(SESSION).title for row in range(model.rowCount())]

    def read(self, count: int) -> None:
        """Open the page and wait for so many rows."""
        self.window.directory.refresh()
        self.window.show_page("sessions")
        self.wait(lambda: self.window.directory.loaded)
        self.wait(lambda: self.window.sessions.feed.loaded and len(self.shown()) == count)

    def detailed(self, title: str) -> None:
        """Wait until what was found of one is shown."""
        detail = self.window.sessions.list.detail
        self.wait(lambda: detail.reading is not None and detail.reading.session.title == title)

    def click(self, button: QPushButton) -> None:
        """A click where a person clicks."""
        assert button.isVisible() and button.isEnabled()
        QTest.mouseClick(button, LEFT)

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
    dialogs = page.window.findChildren(type(page.window.sessions.desk.ask_video()))
    assert dialogs
    for dialog in dialogs:
        dialog.close()


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
    assert "walk 33%" in detail.gaits.words
    assert "metres on the ground, 20.0 by 12.0 m" in detail.heat.note.text()
    assert "± 6%" in detail.remarks.text()
    assert "■ trot" in detail.speed.note.text()


def test_strides_sort_by_a_click_on_a_head(page: SessionBench) -> None:
    page.done("Lunge")
    page.read(1)
    page.detailed("Lunge")
    detail = page.window.sessions.list.detail
    detail.tabs.setCurrentIndex(1)
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

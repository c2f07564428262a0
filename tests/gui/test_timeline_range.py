"""What is done with a marked range, on a real database: exports, bookmarks, locks, jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from db.pool import open_pool
from db.queue.jobs import PostgresJobQueue
from db.repositories.bookmarks import PostgresBookmarkRepository
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.horses import PostgresHorseRepository
from db.repositories.media_folders import PostgresMediaFolders
from db.repositories.motion import PostgresMotionRepository
from db.repositories.timeline import PostgresTimelineRepository
from engine.domain.behaviour import LaneKind
from engine.domain.ids import StreamId
from engine.domain.job_arguments import export_arguments, export_request, reprocess_request
from engine.domain.recording import (
    Chunk,
    ChunkId,
    ChunkState,
    ExportKind,
    ExportRequest,
    Job,
    JobKind,
    JobState,
)
from tests.gui.console_bench import make_bench
from tests.gui.timeline_bench import (
    CAMERAS,
    HORSES,
    LEFT,
    NAMES,
    TimelineBench,
    camera_names,
    made_up,
    open_timeline,
)
from tests.helpers.generated_days import GeneratedDays
from tests.helpers.stored_days import store_days
from ui.actions import ActionBook
from ui.jobs.desk import JobsDesk
from ui.jobs.panel import JobCard
from ui.services import ConsoleServices
from ui.timeline.axis import HOUR_US
from ui.timeline.cursor import instant, micros
from ui.timeline.lane_tile import KINDS
from ui.timeline.range_dialogs import BookmarkDialog, ExportDialog, ReprocessDialog


@pytest.fixture
def days() -> GeneratedDays:
    return made_up(2.0, 40)


@pytest.fixture
def services(postgres_dsn: str, tmp_path: Path, days: GeneratedDays) -> Iterator[ConsoleServices]:
    with psycopg.connect(postgres_dsn) as connection:
        store_days(connection, days, NAMES)
    pool = open_pool(postgres_dsn, max_size=6)
    chunks = PostgresChunkRepository(pool)
    for camera in CAMERAS:
        for minute in range(0, 60, 10):
            chunks.put(recorded(camera, days.end - timedelta(minutes=70 - minute)))
    yield replace(
        make_bench(tmp_path).services,
        horses=PostgresHorseRepository(pool),
        timeline=PostgresTimelineRepository(pool),
        motion=PostgresMotionRepository(pool),
        chunks=chunks,
        bookmarks=PostgresBookmarkRepository(pool),
        jobs=PostgresJobQueue(pool),
        media_folder=tmp_path / "media",
    )
    pool.close()


def recorded(camera: StreamId, start: datetime) -> Chunk:
    """Ten minutes on disk."""
    chunk_id = ChunkId(uuid4())
    end, path = start + timedelta(minutes=10), f"recordings/{chunk_id}.mp4"
    return Chunk(
        chunk_id, camera, start, end, path, "h264", 1280, 720, ChunkState.COMPLETE, 1000, "a" * 64
    )


@pytest.fixture
def bench(
    tmp_path: Path, qtbot: QtBot, dressed: QApplication, services: ConsoleServices
) -> Iterator[TimelineBench]:
    one = open_timeline(tmp_path, qtbot, services, camera_names())
    yield one
    one.close()


def mark(bench: TimelineBench, title: str | None = None) -> None:
    """Mark most of the last hour with the mouse, on the ruler."""
    if title is not None:
        QTest.mouseClick(bench.port, LEFT, pos=bench.at(0.1, title))
    bench.page.show_last(2 * HOUR_US)
    bench.settle()
    bench.drag(bench.at(0.45), bench.at(0.9))
    assert bench.page.head.range is not None


def press(bench: TimelineBench, action: str, kind: type[QWidget]) -> QWidget:
    """Press a button of the bar over the lanes; the dialog that opens."""
    tool = next(
        w
        for w in bench.page.bar.findChildren(QWidget)
        if getattr(w, "defaultAction", lambda: None)() is bench.book[action]
    )
    QTest.mouseClick(tool, LEFT)
    bench.wait(lambda: bench.page.findChild(kind) is not None)
    found = bench.page.findChild(kind)
    assert isinstance(found, kind)
    return found


def test_lanes_read_from_the_database_agree_with_what_was_stored(
    bench: TimelineBench, days: GeneratedDays
) -> None:
    page = bench.page
    page.who.opened = set(HORSES)
    page.who.refresh()
    compared = 0
    for number, name in enumerate(NAMES):
        for kind in (LaneKind.GAIT, LaneKind.ACTION, LaneKind.POSTURE, LaneKind.SEEN):
            lane = days.lanes_of[HORSES[number]][kind]
            for share in (0.1, 0.3, 0.45, 0.6, 0.75, 0.9):
                at = page.lanes.place().at_us(bench.at(share).x())
                if at >= micros(days.end):
                    continue
                index = int(lane.bounds_us.searchsorted(at, "right")) - 1
                found = page.lanes.hit(bench.row(name, kind), at)
                if found is not None and not found.start_us <= at < found.end_us:
                    found = None  # a neighbour within reach of the mouse
                assert (found is not None) == (lane.value[index] >= 0), (name, kind, share)
                if found is not None:
                    assert found.start_us <= lane.bounds_us[index]
                    assert found.end_us >= lane.bounds_us[index + 1]
                compared += 1
    assert compared > 50 and len(KINDS) == 8


def test_an_export_is_asked_for_and_queued(bench: TimelineBench, services: ConsoleServices) -> None:
    mark(bench, "Juno")
    dialog = press(bench, "timeline.export", ExportDialog)
    assert isinstance(dialog, ExportDialog)
    assert dialog.horse.currentText() == "Juno"
    dialog.kind.setCurrentIndex(dialog.kind.findData(ExportKind.CSV))
    dialog.tables["bouts"].setChecked(False)
    QTest.mouseClick(dialog.confirm, LEFT)
    assert dialog.isVisible() and "Tick what" in dialog._problem.text()
    dialog.tables["strides"].setChecked(True)
    dialog.cameras.item(1).setCheckState(Qt.CheckState.Unchecked)
    QTest.keyClicks(dialog.file_name, "../juno.csv")
    QTest.mouseClick(dialog.confirm, LEFT)
    assert "no folders" in dialog._problem.text()
    dialog.file_name.setText("juno.csv")
    QTest.mouseClick(dialog.confirm, LEFT)
    bench.wait(lambda: bool(bench.submitted))
    assert services.jobs is not None
    job = services.jobs.get(bench.submitted[0].id)
    request, marked = export_request(job.arguments), bench.page.head.range
    assert marked is not None and job.kind is JobKind.EXPORT and "Juno" in job.title
    assert (request.start_at, request.end_at) == (marked.start_at, marked.end_at)
    assert (request.kind, request.tables) == (ExportKind.CSV, ("strides",))
    assert (request.horse_id, request.stream_ids) == (HORSES[0], (CAMERAS[0],))
    assert any("Queued" in words for words in bench.said)


def test_a_packet_for_the_vet_needs_a_horse(bench: TimelineBench) -> None:
    mark(bench, "Yard")
    dialog = press(bench, "timeline.export", ExportDialog)
    assert isinstance(dialog, ExportDialog)
    dialog.kind.setCurrentIndex(dialog.kind.findData(ExportKind.PACKET))
    QTest.mouseClick(dialog.confirm, LEFT)
    assert "one horse" in dialog._problem.text()
    assert [dialog.cameras.item(n).checkState() for n in range(2)].count(
        Qt.CheckState.Checked
    ) == 1  # the selected camera's lane
    dialog.reject()


def test_reprocessing_is_queued(bench: TimelineBench, services: ConsoleServices) -> None:
    mark(bench)
    dialog = press(bench, "timeline.reprocess", ReprocessDialog)
    assert isinstance(dialog, ReprocessDialog)
    QTest.mouseClick(dialog.confirm, LEFT)
    bench.wait(lambda: bool(bench.submitted))
    job = bench.submitted[0]
    assert job.kind is JobKind.REPROCESS
    assert set(reprocess_request(job.arguments).stream_ids) == set(CAMERAS)


def locks(services: ConsoleServices) -> dict[StreamId, list[bool]]:
    assert services.chunks is not None
    return {c: [k.locked for k in services.chunks.list([c])] for c in CAMERAS}


def test_locking_is_undone_exactly(bench: TimelineBench, services: ConsoleServices) -> None:
    assert services.chunks is not None
    first = services.chunks.list([CAMERAS[0]])
    services.chunks.lock_one(first[3].id, True)
    before = locks(services)
    mark(bench, "Aisle")
    bench.key(Qt.Key.Key_L)
    bench.wait(lambda: locks(services) != before)
    after = locks(services)
    assert after[CAMERAS[1]] == before[CAMERAS[1]]
    assert after[CAMERAS[0]].count(True) > 1
    bench.wait(lambda: bench.log.stack.count() == 1)
    bench.log.stack.undo()
    bench.wait(lambda: locks(services) == before)
    assert not bench.errors


def test_a_range_without_recordings_says_so(bench: TimelineBench) -> None:
    page = bench.page
    page.head.mark(
        instant(page.view.now_us - 20 * HOUR_US), instant(page.view.now_us - 19 * HOUR_US)
    )
    bench.book["timeline.unlock"].trigger()
    bench.wait(lambda: bool(bench.errors))
    assert "Nothing was recorded" in str(bench.errors[0])


def test_a_bookmark_is_kept_and_undone(bench: TimelineBench, services: ConsoleServices) -> None:
    assert services.bookmarks is not None
    mark(bench, "Atlas")
    dialog = press(bench, "timeline.bookmark", BookmarkDialog)
    assert isinstance(dialog, BookmarkDialog)
    dialog.title.clear()
    QTest.mouseClick(dialog.confirm, LEFT)
    assert "title" in dialog._problem.text()
    QTest.keyClicks(dialog.title, "Lame after the ride?")
    dialog.note.setPlainText("left front")
    QTest.mouseClick(dialog.confirm, LEFT)
    bench.wait(lambda: bool(services.bookmarks and services.bookmarks.list()))
    (kept,) = services.bookmarks.list()
    marked = bench.page.head.range
    assert marked is not None
    assert (kept.title, kept.note, kept.horse_id) == (
        "Lame after the ride?",
        "left front",
        HORSES[1],
    )
    assert (kept.start_at, kept.end_at) == (marked.start_at, marked.end_at)
    bench.wait(lambda: bool(bench.page.lanes.bookmarks))
    bench.log.stack.undo()
    bench.wait(lambda: not bench.page.lanes.bookmarks)
    assert not services.bookmarks.list()


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_a_bookmark_is_removed_from_the_ruler_and_that_undone(
    bench: TimelineBench, services: ConsoleServices
) -> None:
    assert services.bookmarks is not None
    mark(bench, "Atlas")
    dialog = press(bench, "timeline.bookmark", BookmarkDialog)
    assert isinstance(dialog, BookmarkDialog)
    QTest.mouseClick(dialog.confirm, LEFT)
    bench.wait(lambda: bool(bench.page.lanes.bookmarks))
    (kept,) = bench.page.lanes.bookmarks
    menu = bench.page.open_menu(bench.port.mapToGlobal(QPoint(300, 5)), kept)
    first = menu.actions()[0]
    assert first.text() == f"Remove bookmark “{kept.title}”"
    first.trigger()
    menu.close()
    bench.wait(lambda: not bench.page.lanes.bookmarks)
    assert not services.bookmarks.list()
    bench.log.stack.undo()
    bench.wait(lambda: bool(bench.page.lanes.bookmarks))


def test_times_are_copied_exactly(bench: TimelineBench) -> None:
    mark(bench)
    bench.key(Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    marked = bench.page.head.range
    assert marked is not None
    assert [datetime.fromisoformat(line) for line in lines] == [marked.start_at, marked.end_at]


def test_what_is_not_there_is_said(bench: TimelineBench) -> None:
    bench.book["timeline.export"].trigger()
    assert "Mark a range first" in bench.said[-1]
    mark(bench)
    bench.book["timeline.session"].trigger()
    assert "Sessions need the database" in bench.said[-1]
    bench.key(Qt.Key.Key_R)
    assert "Review" in bench.said[-1]
    heard: list[tuple[object, ...]] = []

    class Viewer:
        def open_range(self, *what: object) -> None:
            heard.append(what)

    bench.page.acts.viewer = Viewer()
    bench.key(Qt.Key.Key_R)
    assert heard and heard[0][0] == bench.page.head.range


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_the_menu_offers_the_same_acts(bench: TimelineBench) -> None:
    mark(bench)
    menu = bench.page.open_menu(bench.port.mapToGlobal(QPoint(300, 100)), None)
    assert [a.text() for a in menu.actions()[:3]] == ["Export…", "Bookmark…", "Lock recordings"]
    menu.close()


# --- the panel of jobs --------------------------------------------------------------------------


@pytest.fixture
def desk(
    bench: TimelineBench, services: ConsoleServices
) -> Iterator[tuple[JobsDesk, list[tuple[str, str, object, bool]]]]:
    book: ActionBook = bench.book
    one = JobsDesk(services, bench.requests, book, bench.page.lanes.painter.theme, bench.host)
    told: list[tuple[str, str, object, bool]] = []
    one.told.connect(lambda *what: told.append(what))
    bench.page.submitted.connect(one.watch.expect)
    one.watch.start()
    yield one, told
    one.watch.stop()


def card(desk: JobsDesk, job: Job, wait: Callable[[Callable[[], bool]], None]) -> JobCard:
    wait(lambda: job.id in desk.panel.cards)
    return desk.panel.cards[job.id]


def test_jobs_show_progress_end_and_the_way_to_the_file(
    bench: TimelineBench,
    services: ConsoleServices,
    desk: tuple[JobsDesk, list[tuple[str, str, object, bool]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, told = desk
    queue = services.jobs
    assert isinstance(queue, PostgresJobQueue)
    job = queue.submit(JobKind.EXPORT, "Clip · Juno", {}, "Anna")
    QTest.mouseClick(one.button, LEFT)
    shown = card(one, job, bench.wait)
    assert one.panel.isVisible() and shown.cancel.isVisible()
    queue.begin(job.id, "node 1")
    queue.advance(job.id, "node 1", 0.41, "12 of 30 s")
    bench.wait(lambda: shown.bar.value() == 410)
    assert "41 %" in one.button.text() and "12 of 30 s" in shown.state_words(shown.job)
    file = tmp_path / "media" / "exports" / "juno.mp4"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    queue.end(job.id, JobState.DONE, "", {"path": "exports/juno.mp4"})
    bench.wait(lambda: bool(told))
    words, act, then, warns = told[0]
    assert words == "Export ready: Clip · Juno" and act == "Show in folder" and not warns
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) is None
    )
    assert callable(then)
    then()
    bench.wait(lambda: shown.open.isVisible())
    QTest.mouseClick(shown.open, LEFT)
    assert opened == [str(file.parent)] * 2


def test_a_job_is_cancelled_from_the_panel(
    bench: TimelineBench,
    services: ConsoleServices,
    desk: tuple[JobsDesk, list[tuple[str, str, object, bool]]],
) -> None:
    one, told = desk
    assert services.jobs is not None
    job = services.jobs.submit(JobKind.REPROCESS, "Reprocess", {}, "Anna")
    one.panel.toggle()
    shown = card(one, job, bench.wait)
    QTest.mouseClick(shown.cancel, LEFT)
    bench.wait(lambda: bool(told))
    assert services.jobs.get(job.id).state is JobState.CANCELLED
    assert not shown.cancel.isVisible() and told[0][0] == "Cancelled: Reprocess"
    QTest.keyClick(one.panel, Qt.Key.Key_Escape)
    assert not one.panel.isVisible()


def test_a_result_that_is_elsewhere_is_said(
    services: ConsoleServices,
    bench: TimelineBench,
    desk: tuple[JobsDesk, list[tuple[str, str, object, bool]]],
) -> None:
    one, told = desk
    queue = services.jobs
    assert isinstance(queue, PostgresJobQueue)
    heard: list[object] = []
    one.failed.connect(heard.append)
    job = queue.submit(JobKind.EXPORT, "Clip", {}, "Anna")
    card(one, job, bench.wait)
    queue.begin(job.id, "office")
    queue.end(job.id, JobState.DONE, "", {"path": "../../etc/passwd"})
    bench.wait(lambda: bool(told))
    assert told[0][1] == ""
    one.panel.open_folder(queue.get(job.id))
    assert "not on this machine" in str(heard[0])


def test_a_job_waits_for_and_lies_on_another_workstation(
    postgres_dsn: str,
    days: GeneratedDays,
    request: pytest.FixtureRequest,
    bench: TimelineBench,
    desk: tuple[JobsDesk, list[tuple[str, str, object, bool]]],
) -> None:
    one, told = desk
    pool = open_pool(postgres_dsn, max_size=2)
    request.addfinalizer(pool.close)
    stud, folders = uuid4(), PostgresMediaFolders(pool)
    folders.work(stud, "Stud")
    theirs = PostgresJobQueue(pool, home=lambda: stud)
    table = ExportRequest(ExportKind.CSV, days.end - timedelta(minutes=1), days.end)
    job = theirs.submit(JobKind.EXPORT, "Table", export_arguments(table), "Ben")
    folders.leave(stud)
    one.panel.toggle()
    shown = card(one, job, bench.wait)
    bench.wait(lambda: "waits for Stud, where it was asked for" in shown.state_words(shown.job))
    assert shown.cancel.isVisible()
    theirs.begin(job.id, "stud:1")
    theirs.end(job.id, JobState.DONE, "", {"path": "exports/table.csv"})
    bench.wait(lambda: bool(told))
    assert told[0][:2] == ("Export ready on Stud: Table", "")
    assert "lies on Stud" in shown.state_words(shown.job) and not shown.open.isVisible()


def test_without_a_queue_the_panel_says_so(bench: TimelineBench, tmp_path: Path) -> None:
    host = QWidget(bench.host)
    stored = QSettings(str(tmp_path / "other.ini"), QSettings.Format.IniFormat)
    book = ActionBook(host, stored)
    plain = make_bench(tmp_path).services
    one = JobsDesk(plain, bench.requests, book, bench.page.lanes.painter.theme, host)
    assert "without a job queue" in one.panel.words

"""The timeline page alone on a bench, over generated days or a real database, with hands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

from PySide6.QtCore import QEvent, QPoint, QPointF, QSettings, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse, HorseStatus
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.recording import Job
from tests.gui.console_bench import make_bench
from tests.helpers.generated_days import SPACE, GeneratedDays
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.registry.directory import HorseDirectory
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import load_theme
from ui.timeline.cursor import TimeCursor
from ui.timeline.lane_paint import RULER_PX
from ui.timeline.lanes import LaneRow
from ui.timeline.timeline_page import TimelinePage

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
PLAIN, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
SLOW_MS = 30_000
FARM = FarmId(UUID(int=1))
NAMES = ("Juno", "Atlas", "Belle")
HORSES = tuple(HorseId(uuid5(SPACE, name)) for name in NAMES)
CAMERAS = tuple(StreamId(uuid5(SPACE, f"camera {n}")) for n in range(2))


def made_up(days: float = 3.0, per_day: int = 60) -> GeneratedDays:
    """Three horses and two cameras over some days."""
    return GeneratedDays(datetime.now(UTC), HORSES, CAMERAS, days, per_day)


def known_horses(now: datetime) -> list[Horse]:
    """The horses of the days as the registry knows them."""
    hexes = load_theme().tracks.hex
    return [
        Horse(h, FARM, f"horse_{n:03d}", NAMES[n], hexes[n], HorseStatus.ACTIVE, now, now, 1)
        for n, h in enumerate(HORSES)
    ]


@dataclass
class TimelineBench:
    """The page with what the window would give it."""

    host: QWidget
    page: TimelinePage
    log: CommandLog
    book: ActionBook
    requests: RequestRunner
    wait: Callable[[Callable[[], bool]], None]
    listeners: list[Callable[[], None]]
    errors: list[BarnhandError] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    submitted: list[Job] = field(default_factory=list)

    @property
    def port(self) -> QWidget:
        """Where the lanes are painted."""
        return self.page.lanes.viewport()

    def settle(self) -> None:
        """Wait until everything wanted has come."""
        page = self.page
        self.wait(
            lambda: (
                not page.reader.wanting
                and not page.reader.tiles.busy
                and not page.plots.series.busy
                and not page.plots.strides.busy
                and not self.requests.pending
            )
        )

    def row(self, title: str, kind: object = None) -> LaneRow:
        """A lane by its name, or one of its rows."""
        rows = [r for r in self.page.lanes.rows if r.subject and r.subject.title == title]
        return next(r for r in rows if (not r.sub if kind is None else r.row == kind))

    def at(self, share: float, title: str | None = None) -> QPoint:
        """A place within the window of time: on a lane, or on the ruler."""
        place = self.page.lanes.place()
        x = round(place.left + (place.right - place.left) * share)
        if title is None:
            return QPoint(x, RULER_PX - 12)
        row = self.row(title)
        return QPoint(x, row.bar_y + row.bar_px // 2 + RULER_PX - self.page.lanes.scroll_y)

    def drag(
        self,
        start: QPoint,
        end: QPoint,
        modifier: Qt.KeyboardModifier = PLAIN,
        widget: QWidget | None = None,
    ) -> None:
        """Press, move in steps as a hand does, release."""
        over = widget or self.port
        QTest.mousePress(over, LEFT, modifier, start)
        for step in range(1, 9):
            at = QPointF(start + (end - start) * step / 8)
            spot = QPointF(over.mapToGlobal(at))
            move = QMouseEvent(QEvent.Type.MouseMove, at, spot, NONE, LEFT, modifier)
            QApplication.sendEvent(over, move)
        QTest.mouseRelease(over, LEFT, modifier, end)

    def wheel(self, at: QPoint, notches: int, modifier: Qt.KeyboardModifier = PLAIN) -> None:
        """Turn the wheel over the lanes."""
        event = QWheelEvent(
            QPointF(at),
            QPointF(self.port.mapToGlobal(at)),
            QPoint(),
            QPoint(0, 120 * notches),
            NONE,
            modifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self.port, event)

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = PLAIN) -> None:
        """Press a key on the lanes."""
        QTest.keyClick(self.page.lanes, key, modifier)

    def close(self) -> None:
        """End everything."""
        self.page.stop()
        self.page.directory.stop()
        self.host.hide()
        assert self.requests.close(5.0) == ()


def open_timeline(
    folder: Path, qtbot: QtBot, services: ConsoleServices, cameras: dict[StreamId, str]
) -> TimelineBench:
    """Open the page over services and wait until it shows the last day."""
    host = QWidget()
    qtbot.addWidget(host)
    host.resize(1280, 800)
    requests = RequestRunner(host)
    log = CommandLog(requests, host)
    book = ActionBook(host, QSettings(str(folder / "keys.ini"), QSettings.Format.IniFormat))
    directory = HorseDirectory(services, requests, host)
    page = TimelinePage(
        services, requests, log, directory, book, TimeCursor(host), load_theme("dark")
    )
    layout = QVBoxLayout(host)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(page)
    bench = TimelineBench(
        host,
        page,
        log,
        book,
        requests,
        lambda condition: qtbot.waitUntil(condition, timeout=SLOW_MS),
        [],
    )
    page.failed.connect(bench.errors.append)
    log.failed.connect(bench.errors.append)
    page.said.connect(lambda text, _warns: bench.said.append(text))
    page.submitted.connect(bench.submitted.append)
    with qtbot.waitActive(host):
        host.show()
        host.activateWindow()
    page.follow(cameras)
    directory.refresh()
    bench.wait(lambda: directory.loaded)
    page.take_focus()
    bench.settle()
    return bench


def generated_services(folder: Path, days: GeneratedDays | None) -> ConsoleServices:
    """Services over made-up days; None: a store without timelines."""
    bench = make_bench(folder)
    if days is not None:
        bench.horses.rows = known_horses(days.end)
    return replace(bench.services, timeline=days, motion=days, on_registry_changed=lambda _f: None)


def camera_names() -> dict[StreamId, str]:
    """The cameras by name."""
    return dict(zip(CAMERAS, ("Aisle", "Yard"), strict=True))

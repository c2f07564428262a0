"""The registry page alone on a bench, over a stored farm, with hands that drag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QPointF, QSettings, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from engine.domain.errors import BarnhandError
from engine.domain.ids import HorseId
from engine.domain.ports import HorseRepository, IdentityRepository
from tests.gui.console_bench import make_bench
from tests.gui.stored_barn import StoredBarn
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.registry.correction_panel import CorrectionPanel
from ui.registry.directory import HorseDirectory
from ui.registry.registry_page import RegistryPage
from ui.requests import RequestRunner
from ui.theme import load_theme

LEFT = Qt.MouseButton.LeftButton
SLOW_MS = 15_000


@dataclass
class RegistryBench:
    """The page with what the window would give it. ``wait`` waits for a condition."""

    barn: StoredBarn
    host: QWidget
    page: RegistryPage
    log: CommandLog
    book: ActionBook
    requests: RequestRunner
    wait: Callable[[Callable[[], bool]], None]
    errors: list[BarnhandError] = field(default_factory=list)

    def card(self, horse_id: HorseId) -> QPoint:
        """The middle of a card, in the gallery's viewport."""
        self.page.gallery.scrollTo(self.page.horses.index_of(horse_id))
        place = self.page.gallery.card_of(horse_id)
        assert not place.isEmpty(), "the horse has no card on show"
        return place.center()

    def click(self, horse_id: HorseId) -> None:
        """Click a card."""
        QTest.mouseClick(self.page.gallery.viewport(), LEFT, pos=self.card(horse_id))

    def drag_card(self, horse_id: HorseId, onto: HorseId) -> None:
        """Drag one card onto another."""
        view = self.page.gallery.viewport()
        drag(view, self.card(horse_id), view, self.card(onto))

    def panel(self) -> CorrectionPanel:
        """The correction on show, once it knows what it would change."""
        self.wait(lambda: self.page.side.correction is not None)
        panel = self.page.side.correction
        assert panel is not None
        self.wait(lambda: panel.effect is not None)
        return panel

    def confirm(self) -> None:
        """Press the panel's button and wait until it is done."""
        panel, many = self.panel(), self.log.stack.count()
        assert panel.confirm.isEnabled(), panel.words.text()
        QTest.mouseClick(panel.confirm, LEFT)
        self.wait(lambda: self.log.stack.count() == many + 1)
        self.settle()

    def open_profile(self, horse_id: HorseId, days: int = 0) -> None:
        """Open a profile by double click, with all of its tracks."""
        spot = self.card(horse_id)
        view = self.page.gallery.viewport()
        QTest.mouseClick(view, LEFT, pos=spot)
        QTest.mouseDClick(view, LEFT, pos=spot)
        profile = self.page.side.profile
        QTest.mouseClick(profile.ranges.button(days), LEFT)
        self.wait(lambda: bool(profile.strips.strips))

    def undo(self) -> None:
        """Take the last act back and wait for it."""
        heard: list[bool] = []
        self.log.changed.connect(lambda: heard.append(True))
        self.log.stack.undo()
        self.wait(lambda: bool(heard))
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is under way and the page shows what is stored."""
        self.wait(lambda: not self.requests.pending)
        heard: list[bool] = []
        self.page.directory.refreshed.connect(lambda: heard.append(True))
        self.page.directory.refresh()
        self.wait(lambda: bool(heard) and not self.requests.pending)


def drag(source: QWidget, start: QPoint, over: QWidget, end: QPoint, drop: bool = True) -> None:
    """Press, move in steps as a hand does, release. ``end`` lies in ``over``; all events go to
    ``source``, which holds the mouse."""
    there = source.mapFromGlobal(over.mapToGlobal(end))
    QTest.mousePress(source, LEFT, pos=start)
    for step in range(1, 7):
        at = QPointF(start + (there - start) * step / 6)
        move = QMouseEvent(
            QEvent.Type.MouseMove,
            at,
            QPointF(source.mapToGlobal(at)),
            Qt.MouseButton.NoButton,
            LEFT,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(source, move)
    if drop:
        QTest.mouseRelease(source, LEFT, pos=there)


def make_registry(
    barn: StoredBarn,
    folder: Path,
    qtbot: QtBot,
    horses: HorseRepository | None = None,
    identity: IdentityRepository | None = None,
) -> RegistryBench:
    """Open the page over a stored farm; the repositories can be replaced."""
    services = replace(
        make_bench(folder).services,
        horses=horses or barn.horses,
        identity=identity or barn.identity,
        on_registry_changed=barn.on_changed,
    )
    host = QWidget()
    qtbot.addWidget(host)
    host.resize(1300, 820)
    requests = RequestRunner(host)
    log = CommandLog(requests, host)
    book = ActionBook(host, QSettings(str(folder / "keys.ini"), QSettings.Format.IniFormat))
    book.add("go.live", "Go to", "Live")
    directory = HorseDirectory(services, requests, host)
    page = RegistryPage(services, requests, log, directory, book, load_theme("dark"))
    QVBoxLayout(host).addWidget(page)
    page.follow({stream.id: stream.name for stream in barn.cameras.values()})
    bench = RegistryBench(
        barn,
        host,
        page,
        log,
        book,
        requests,
        lambda condition: qtbot.waitUntil(condition, timeout=SLOW_MS),
    )
    log.failed.connect(bench.errors.append)
    page.failed.connect(bench.errors.append)
    with qtbot.waitActive(host):
        host.show()
        host.activateWindow()
    directory.refresh()
    bench.wait(lambda: directory.loaded or directory.problem is not None)
    bench.wait(lambda: not requests.pending)
    return bench

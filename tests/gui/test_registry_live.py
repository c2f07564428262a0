"""Known horses on the wall: names on boxes, and the card's acts, through the whole window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.domain.ids import HorseId, TrackId
from tests.gui.console_bench import Bench, BenchCamera, Scene, make_bench
from tests.gui.registry_bench import LEFT, SLOW_MS
from tests.gui.stored_barn import StoredBarn
from ui.live.overlay_paint import row_label
from ui.main_window import MainWindow
from ui.registry.live_identity import CorrectionDialog
from ui.registry.track_panels import MovePanel, RejectPanel

CTRL = Qt.KeyboardModifier.ControlModifier


@dataclass
class Watched:
    """A window that shows one horse on camera Yard; its track is stored as Juno's."""

    window: MainWindow
    bench: Bench
    barn: StoredBarn
    camera: BenchCamera
    track: TrackId
    juno: HorseId
    belle: HorseId

    def play(self, horse_id: HorseId | None) -> None:
        """Pictures and results in which the engine says whose track it is."""
        Scene("stall", horses=1).play(self.camera, 6.0, 8, every=1, latency_s=0.0)
        self.camera.results = [
            replace(
                result,
                tracks=replace(result.tracks, track_ids=(self.track,), horse_ids=(horse_id,)),
            )
            for result in self.camera.results
        ]
        self.window.live.wall.tick()

    def click_horse(self) -> None:
        """Open the card of the horse on the wall."""
        wall = self.window.live.wall
        tile = wall.tile_at(0)
        assert tile is not None and tile.overlay is not None
        placement = tile.placement(1.0)
        assert placement is not None
        box = placement.box(tile.overlay.boxes_xyxy_px[0].tolist())
        QTest.mouseClick(wall, LEFT, pos=box.center().toPoint())


@pytest.fixture
def watched(
    barn: StoredBarn, tmp_path: Path, dressed: QApplication, qtbot: QtBot
) -> Iterator[Watched]:
    juno = barn.horse("Juno", seen_at=barn.now)
    belle = barn.horse("Belle", seen_at=barn.now)
    track = barn.track(juno, "Yard", barn.now - timedelta(minutes=5), 5)
    bench = make_bench(tmp_path)
    camera = bench.engine.add("Yard")
    stream = barn.cameras["Yard"]
    camera.stream = stream
    camera.health = replace(camera.health, stream_id=stream.id)
    bench.engine.cameras = {stream.id: camera}
    services = replace(
        bench.services,
        horses=barn.horses,
        identity=barn.identity,
        on_registry_changed=barn.on_changed,
    )
    window = MainWindow(services)
    window.resize(1440, 860)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    qtbot.waitUntil(lambda: window.directory.loaded, timeout=SLOW_MS)
    yield Watched(window, bench, barn, camera, track, juno, belle)
    window.close()
    window.deleteLater()


def dialog_of(watched: Watched, qtbot: QtBot) -> CorrectionDialog:
    def there() -> bool:
        dialog = watched.window.live_identity.dialog
        return dialog is not None and dialog.panel.effect is not None

    qtbot.waitUntil(there, timeout=SLOW_MS)
    dialog = watched.window.live_identity.dialog
    assert dialog is not None
    return dialog


def test_a_known_horse_carries_its_name_on_the_wall(watched: Watched, qtbot: QtBot) -> None:
    wall = watched.window.live.wall
    watched.play(watched.juno)
    tile = wall.tile_at(0)
    assert tile is not None and tile.overlay is not None
    names = wall._painter.overlay.names
    assert row_label(tile.overlay, 0, wall.switches, names) == "Juno"
    watched.play(None)
    assert tile.overlay is not None
    assert row_label(tile.overlay, 0, wall.switches, names).startswith("#")
    with watched.barn.pool.connection() as connection:
        connection.execute("UPDATE horses SET name = 'Junia' WHERE id = %s", (watched.juno,))
    watched.barn.announce()
    qtbot.waitUntil(
        lambda: wall._painter.overlay.names.get(watched.juno) == "Junia", timeout=SLOW_MS
    )


def test_the_card_leads_to_the_profile(watched: Watched, qtbot: QtBot) -> None:
    watched.play(watched.juno)
    watched.click_horse()
    card = watched.window.live.card
    assert card._title.text() == "Juno"
    assert card.text_of("state") == "horse_001 · resident"
    QTest.mouseClick(card.profile, LEFT)
    assert watched.window.page == "registry"
    profile = watched.window.registry.side.profile
    assert profile.horse is not None and profile.horse.id == watched.juno
    assert watched.window.registry.side.on_profile


def test_this_is_somebody_else_said_from_the_wall_and_undone_by_key(
    watched: Watched, qtbot: QtBot
) -> None:
    watched.play(watched.juno)
    watched.click_horse()
    QTest.mouseClick(watched.window.live.card.assign, LEFT)
    qtbot.waitUntil(lambda: watched.window.live_identity.dialog is not None, timeout=SLOW_MS)
    open_dialog = watched.window.live_identity.dialog
    assert open_dialog is not None and isinstance(open_dialog.panel, MovePanel)
    QTest.keyClicks(open_dialog.panel.picker.search, "bel")
    dialog = dialog_of(watched, qtbot)
    QTest.mouseClick(dialog.panel.confirm, LEFT)
    qtbot.waitUntil(lambda: watched.barn.owner(watched.track) == [watched.belle], timeout=SLOW_MS)
    qtbot.waitUntil(watched.window.log.stack.canUndo, timeout=SLOW_MS)

    def active() -> bool:
        watched.window.activateWindow()
        return QApplication.activeWindow() is watched.window

    qtbot.waitUntil(active)
    QTest.keyClick(watched.window, Qt.Key.Key_Z, CTRL)
    qtbot.waitUntil(lambda: watched.barn.owner(watched.track) == [watched.juno], timeout=SLOW_MS)


def test_not_this_horse_said_from_the_wall(watched: Watched, qtbot: QtBot) -> None:
    watched.play(watched.juno)
    watched.click_horse()
    QTest.mouseClick(watched.window.live.card.reject, LEFT)
    dialog = dialog_of(watched, qtbot)
    assert isinstance(dialog.panel, RejectPanel)
    QTest.mouseClick(dialog.panel.confirm, LEFT)
    qtbot.waitUntil(lambda: watched.barn.owner(watched.track) == [], timeout=SLOW_MS)


def test_a_horse_that_is_not_identified_says_so(watched: Watched, qtbot: QtBot) -> None:
    watched.play(None)
    watched.click_horse()
    card = watched.window.live.card
    assert card.text_of("state") == "not identified yet"
    assert card.assign.isEnabled()
    assert not card.reject.isEnabled() and not card.profile.isEnabled()
    assert "not identified" in card.profile.toolTip()


def test_a_track_that_is_not_stored_yet_says_to_wait(watched: Watched, qtbot: QtBot) -> None:
    with watched.barn.pool.connection() as connection:
        connection.execute("DELETE FROM identity_spans")
        connection.execute("UPDATE tracks SET class_id = 1")
    watched.play(None)
    watched.click_horse()
    QTest.mouseClick(watched.window.live.card.assign, LEFT)
    errors = watched.window.errors
    qtbot.waitUntil(lambda: errors.dialog is not None, timeout=SLOW_MS)
    assert errors.dialog is not None and "not stored yet" in errors.dialog.text()
    errors.dialog.close()


def test_the_palette_reaches_the_registry_from_any_page(watched: Watched, qtbot: QtBot) -> None:
    window = watched.window
    palette = window.open_palette()
    QTest.keyClicks(palette._field, "review")
    row = palette.shown.index("registry.review")
    for _ in range(row):
        QTest.keyClick(palette._field, Qt.Key.Key_Down)
    QTest.keyClick(palette._field, Qt.Key.Key_Return)
    assert window.page == "registry"
    assert window.registry.review.isVisible()
    QTest.keyClick(window.registry.review, Qt.Key.Key_Escape)
    assert window.registry.gallery.isVisible()

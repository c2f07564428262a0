"""The window over the real engine: simulated cameras in, pictures with boxes on the wall out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.domain.ids import new_stream_id
from engine.domain.streams import SourceKind, Stream, StreamState
from engine.models.manifest import read_manifest
from engine.models.model_set import load_models
from engine.models.store import ModelStore
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings
from tests.gui.console_bench import make_bench
from ui.main_window import MainWindow

facade = pytest.importorskip("engine.facade", reason="the engine's facade is not built yet")

MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"
SLOW_MS = 60_000


@pytest.fixture
def window(tmp_path: Path, dressed: QApplication, qtbot: QtBot) -> Iterator[MainWindow]:
    from ui.engine_bridge import FacadeBridge

    settings = EngineSettings()
    store = ModelStore(read_manifest(MODELS / "manifest.toml"), tmp_path, (), MODELS)
    engine = facade.Engine(settings, load_models(settings, store, SystemClock()), ())
    engine.start()
    bench = make_bench(tmp_path)
    services = replace(bench.services, engine=FacadeBridge(engine, lambda: settings))
    window = MainWindow(services)
    window.resize(1280, 760)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield window
    window.close()
    window.deleteLater()
    assert engine.stop(5.0) == ()


def test_the_tour_shows_horses_with_boxes(window: MainWindow, qtbot: QtBot) -> None:
    QTest.mouseClick(window.live.guide.tour, Qt.MouseButton.LeftButton)
    wall = window.live.wall

    def pictures() -> bool:
        tiles = [wall.tile_at(p) for p in wall.rects]
        return len(tiles) == 4 and all(t is not None and t.has_picture for t in tiles)

    def boxes() -> bool:
        tiles = [wall.tile_at(p) for p in wall.rects]
        return any(t is not None and t.overlay is not None and len(t.overlay) for t in tiles)

    qtbot.waitUntil(pictures, timeout=SLOW_MS)
    qtbot.waitUntil(boxes, timeout=SLOW_MS)
    tile = wall.tile_at(0)
    assert tile is not None and tile.frame is not None and tile.asked_px is not None
    height_px, width_px = tile.frame.bgra.shape[:2]
    assert abs(width_px - tile.asked_px[0]) <= 1
    assert abs(height_px - tile.asked_px[1]) <= 1
    qtbot.waitUntil(lambda: tile.state is StreamState.ACTIVE, timeout=SLOW_MS)


def test_the_test_picture_comes_from_the_source_itself(window: MainWindow, qtbot: QtBot) -> None:
    dialog = window.live.ask_for_camera("simulated:stall")
    QTest.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "960 × 540 px" in dialog.facts.text(), timeout=SLOW_MS)
    dialog.reject()


def test_a_picture_renamed_to_a_video_gives_one_clear_message(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    broken = tmp_path / "walk.mp4"
    broken.write_bytes(b"this is no video at all" * 100)
    dialog = window.live.ask_for_camera(str(broken))
    QTest.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.problem.isVisible, timeout=SLOW_MS)
    assert "walk.mp4" in dialog.problem.text()
    dialog.reject()


def test_a_camera_that_is_not_there_is_said_to_be_offline_or_wrong(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    window._services.engine.set_streams(
        [Stream(new_stream_id(), "Nowhere", SourceKind.FILE, str(tmp_path / "nothing.mp4"))]
    )
    window.follow_engine()
    wall = window.live.wall

    def told() -> bool:
        tile = wall.tile_at(0)
        return tile is not None and tile.health is not None and bool(tile.health.reason)

    qtbot.waitUntil(told, timeout=SLOW_MS)
    tile = wall.tile_at(0)
    assert tile is not None and not tile.has_picture

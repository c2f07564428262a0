"""Renders the console's views on real data to PNG, for the manual.

    python3 docs/pictures.py [--out docs/pictures] [--videos FOLDER] [--look dark|light]

A real engine with the models of this machine watches the simulated barn, or every video of a
folder; the window is drawn offscreen after results have come in. Nothing on the pictures is
invented; what no model or server is there for is shown as missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
from pydantic import BaseModel
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from barnhand_desktop.settings.schema import Settings
from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.ids import FarmId, StreamId, new_stream_id
from engine.domain.ports import WallView
from engine.domain.streams import SourceKind, Stream
from engine.facade import Engine
from engine.models.manifest import read_manifest
from engine.models.model_set import load_models
from engine.models.store import ModelStore
from engine.runtime.clock import SystemClock
from ui.app import make_application
from ui.engine_bridge import FacadeBridge
from ui.live.camera_dialog import CameraDialog
from ui.live.live_page import TOUR
from ui.main_window import MainWindow
from ui.services import ConsoleServices, Level, PartState, SystemStatus
from ui.theme import apply_theme, load_theme

RESOURCES = Path(__file__).resolve().parents[1] / "resources"
VIDEOS = (".mp4", ".gif", ".mkv", ".mov", ".avi")


class SessionStreams:
    """A StreamRepository that lives as long as this script."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._rows = {s.id: s for s in streams}

    def list(self, farm_id: FarmId | None = None) -> Sequence[Stream]:
        return tuple(self._rows.values())

    def get(self, stream_id: StreamId) -> Stream:
        if stream_id not in self._rows:
            raise NotFound("There is no such camera.")
        return self._rows[stream_id]

    def add(self, stream: Stream, farm_id: FarmId | None = None) -> Stream:
        self._rows[stream.id] = stream
        return stream

    def update(self, stream: Stream) -> Stream:
        self.get(stream.id)
        self._rows[stream.id] = stream
        return stream

    def remove(self, stream_id: StreamId) -> None:
        self.get(stream_id)
        del self._rows[stream_id]


class SessionViews:
    """A ViewRepository that lives as long as this script."""

    def __init__(self) -> None:
        self._rows: dict[UUID, WallView] = {}

    def list(self) -> Sequence[WallView]:
        return tuple(self._rows.values())

    def save(self, view: WallView) -> None:
        self._rows[view.id] = view

    def remove(self, view_id: UUID) -> None:
        self._rows.pop(view_id, None)


class SessionSettings:
    """Settings that cannot be stored: pictures change nothing."""

    def __init__(self, folder: Path, look: str) -> None:
        self.current: BaseModel = Settings.model_validate(
            {"console": {"theme": look, "synchronised_overlays": True}}
        )
        self.path = folder / "settings.toml"

    def save(self, changes: Mapping[str, object]) -> None:
        raise OperatorMistake("Settings are not stored while pictures are made.")


def system() -> SystemStatus:
    """What is true while this script runs: no server beside it."""
    none = PartState(Level.DEGRADED, "not running")
    return SystemStatus(
        database=none,
        live=none,
        api=none,
        disk=PartState(Level.OK, "ok"),
        writer=none,
        api_url="",
        rows_written=0,
        rows_spooled=0,
        media_free_bytes=psutil.disk_usage(str(Path.home())).free,
        cpu_percent=psutil.cpu_percent(),
    )


def sources(videos: Path | None) -> list[Stream]:
    """The tour, or every video of a folder."""
    if videos is None:
        return [
            Stream(new_stream_id(), name.capitalize(), SourceKind.SIMULATED, f"simulated:{name}")
            for name in TOUR
        ]
    files = sorted(p for p in videos.iterdir() if p.suffix.lower() in VIDEOS)
    return [Stream(new_stream_id(), p.stem, SourceKind.FILE, str(p)) for p in files[:16]]


def wait(app: QApplication, condition: Callable[[], bool], at_most_s: float) -> None:
    """Run the window until a condition holds or the time is up."""
    end_s = time.monotonic() + at_most_s
    while time.monotonic() < end_s and not condition():
        app.processEvents()
        time.sleep(0.005)


def save(app: QApplication, widget: QWidget, folder: Path, name: str) -> None:
    """Draw a widget into a PNG."""
    app.processEvents()
    path = folder / f"{name}.png"
    if not widget.grab().save(str(path)):
        raise OSError(f"{path} cannot be written")
    print(path)


def render(app: QApplication, window: MainWindow, out: Path, seconds: float) -> None:
    """Every view, one after the other."""
    wall = window.live.wall

    def seen() -> bool:
        tiles = [wall.tile_at(p) for p in wall.rects]
        return all(t is None or (t.overlay is not None and len(t.overlay)) for t in tiles)

    wait(app, lambda: False, seconds)
    wait(app, seen, 20.0)
    wall.select(0)
    window.follow_engine()
    save(app, window, out, "live")
    tile = wall.tile_at(0)
    placement = tile.placement(wall.devicePixelRatioF()) if tile is not None else None
    overlay = tile.overlay if tile is not None else None
    if placement is not None and overlay is not None and len(overlay):
        box = placement.box(overlay.boxes_xyxy_px[0].tolist())
        QTest.mouseClick(wall, Qt.MouseButton.LeftButton, pos=box.center().toPoint())
        save(app, window, out, "horse-card")
        window.live.card.dismiss()
    if tile is not None:
        wall.maximise(tile.stream.id)
        wait(app, lambda: False, 1.5)
        save(app, window, out, "live-one")
        wall.maximise(None)
    for page in ("registry", "timeline", "review", "alerts", "sessions", "settings", "health"):
        window.show_page(page)
        wait(app, lambda: False, 0.3)
        save(app, window, out, page)
    window.show_page("live")
    dialogs: dict[str, Callable[[], QWidget]] = {
        "palette": window.open_palette,
        "keys": window.open_keys,
        "add-camera": lambda: window.live.ask_for_camera("simulated:paddock"),
    }
    for name, open_one in dialogs.items():
        dialog = open_one()
        if isinstance(dialog, CameraDialog):
            dialog.start_test()
            wait(app, dialog.test.isVisible, 10.0)
        save(app, dialog, out, name)
        dialog.close()


def main() -> int:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--look", choices=("dark", "light"), default="dark")
    parser.add_argument("--seconds", type=float, default=6.0, help="watch this long first")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    app = make_application(sys.argv[:1])
    apply_theme(app, load_theme(options.look))
    with tempfile.TemporaryDirectory() as folder:
        settings = SessionSettings(Path(folder), options.look)
        engine_settings = Settings().engine
        extra = [Path(p) for p in os.environ.get("BARNHAND_MODELS", "").split(os.pathsep) if p]
        store = ModelStore(
            read_manifest(RESOURCES / "models" / "manifest.toml"),
            Path(folder),
            extra,
            RESOURCES / "models",
        )
        engine = Engine(engine_settings, load_models(engine_settings, store, SystemClock()), ())
        streams = sources(options.videos)
        engine.start()
        engine.set_streams(streams)
        window = MainWindow(
            ConsoleServices(
                engine=FacadeBridge(engine, lambda: engine_settings),
                streams=SessionStreams(streams),
                views=SessionViews(),
                settings=settings,
                system=system,
                log_lines=lambda: (),
                version="0.1.0",
            )
        )
        window.resize(1600, 940)
        window.show()
        render(app, window, options.out, options.seconds)
        window.close()
        survivors = engine.stop()
    if survivors:
        print("still running:", ", ".join(survivors))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Renders the console's views on real data to PNG, for the manual.

    python3 docs/pictures.py [--out docs/pictures] [--videos FOLDER] [--look dark|light]
                             [--only live pages registry timeline ...]

The whole machine (servers, engine with the models of this machine, console) runs in a folder of
its own and watches the simulated barn, or every video of a folder; the window is drawn offscreen
after results have come in. Nothing on the pictures is invented: horses, tracks and corrections
are those that the machine found and stored while it watched.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from barnhand_desktop import lifecycle
from barnhand_desktop.installation import Installation
from barnhand_desktop.wiring import Servers, build
from db.repositories.calendar import PostgresCalendarRepository
from docs.past_pictures import render_past
from docs.picture_console import console
from docs.ptz_pictures import render_steering
from docs.registry_pictures import render_registry
from docs.review_pictures import render_review
from docs.session_pictures import render_sessions
from docs.simulated_past import SEED, Past, store_horses, store_past
from docs.timeline_pictures import render_timeline
from engine.domain.ids import new_stream_id
from engine.domain.sessions import CalendarRepository
from engine.domain.streams import SourceKind, Stream
from engine.simulation.days import day
from ui.app import make_application
from ui.live.camera_dialog import CameraDialog
from ui.live.live_page import TOUR
from ui.main_window import MainWindow
from ui.theme import apply_theme, load_theme

ALONE = ("past", "sessions")
"""Groups that are drawn in a barn of their own."""
GROUPS = ("live", "pages", "registry", "timeline", "review", "steering", "dialogs", *ALONE)
"""What can be drawn alone with ``--only``; ``past`` needs the simulated farm."""

Wait = Callable[[Callable[[], bool], float], None]
Save = Callable[[str], None]
SaveOne = Callable[[QWidget, str], None]
LIGHT_BYTES = 400_000
VIDEOS = (".mp4", ".gif", ".mkv", ".mov", ".avi")


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
        app.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # an event loop does it by itself
        time.sleep(0.005)


def save(app: QApplication, widget: QWidget, folder: Path, name: str) -> None:
    """Draw a widget into a PNG."""
    app.processEvents()
    path = folder / f"{name}.png"
    if not widget.grab().save(str(path)):
        raise OSError(f"{path} cannot be written")
    if path.stat().st_size > LIGHT_BYTES:
        _lighten(path)
    print(path)


def _lighten(path: Path) -> None:
    """Keep the colours that tell most, as few as it takes; hardly to be seen."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    for colours in (256, 128, 64):
        picture.quantize(colours, Image.Quantize.MEDIANCUT).save(path, optimize=True)
        if path.stat().st_size <= LIGHT_BYTES:
            return


def render(
    app: QApplication,
    window: MainWindow,
    past: Past | None,
    calendar: CalendarRepository,
    out: Path,
    seconds: float,
    groups: Sequence[str],
) -> None:
    """These groups of views, one after the other; ``past`` where it was stored."""
    wait_for = partial(wait, app)

    def save_one(widget: QWidget, name: str) -> None:
        save(app, widget, out, name)

    def save_window(name: str) -> None:
        save(app, window, out, name)

    views: dict[str, Callable[[], None]] = {
        "live": lambda: _render_live(window, wait_for, save_window),
        "pages": lambda: _render_pages(window, wait_for, save_window),
        "registry": lambda: render_registry(window, wait_for, save_window),
        "timeline": lambda: render_timeline(window, wait_for, save_window),
        "review": lambda: render_review(window, wait_for, save_window),
        "steering": lambda: render_steering(window, wait_for, save_one),
        "dialogs": lambda: _render_dialogs(window, wait_for, save_one),
        "sessions": lambda: render_sessions(window, calendar, wait_for, save_window),
    }
    wait(app, lambda: False, seconds)
    for name in groups:
        if name in views:
            views[name]()
    if past is not None:
        render_past(window, past, wait_for, save_one)


def _render_live(window: MainWindow, wait: Wait, save: Save) -> None:
    wall = window.live.wall

    def seen() -> bool:
        tiles = [wall.tile_at(p) for p in wall.rects]
        return all(t is None or (t.overlay is not None and len(t.overlay)) for t in tiles)

    wait(seen, 20.0)
    wall.select(0)
    window.follow_engine()
    save("live")
    tile = wall.tile_at(0)
    placement = tile.placement(wall.devicePixelRatioF()) if tile is not None else None
    overlay = tile.overlay if tile is not None else None
    if placement is not None and overlay is not None and len(overlay):
        box = placement.box(overlay.boxes_xyxy_px[0].tolist())
        QTest.mouseClick(wall, Qt.MouseButton.LeftButton, pos=box.center().toPoint())
        save("horse-card")
        window.live.card.dismiss()
    if tile is not None:
        wall.maximise(tile.stream.id)
        wait(lambda: False, 1.5)
        save("live-one")
        wall.maximise(None)


def _render_pages(window: MainWindow, wait: Wait, save: Save) -> None:
    for page in ("settings", "health"):
        window.show_page(page)
        wait(lambda: False, 0.3)
        save(page)


def _render_dialogs(window: MainWindow, wait: Wait, save: SaveOne) -> None:
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
            wait(dialog.test.isVisible, 10.0)
        save(dialog, name)
        dialog.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--look", choices=("dark", "light"), default="dark")
    parser.add_argument("--seconds", type=float, default=20.0, help="watch this long first")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=[], help="these views only")
    options = parser.parse_args(arguments)
    if options.videos is not None:
        options.only = [name for name in options.only or GROUPS if name != "past"]
    options.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.WARNING)
    app = make_application(sys.argv[:1])
    apply_theme(app, load_theme(options.look))
    chosen = options.only or GROUPS
    rounds = [[name for name in chosen if name not in ALONE]]
    # In barns of their own, whose registries begin with their horses.
    rounds += [[name] for name in ALONE if name in chosen]
    for groups in rounds:
        if groups:
            _run(app, options, groups)
    return 0


def _run(app: QApplication, options: argparse.Namespace, groups: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # the database's own user passes through
        config = Path(folder) / "settings.toml"
        config.write_text("[api]\nenabled = false\n", encoding="utf-8")
        environment = {**os.environ, "BARNHAND_DATA_DIR": str(Path(folder) / "data")}
        place = Installation.read(config, environment)
        barn = build(place, Servers.start(place))
        cameras = [] if list(groups) == ["sessions"] else sources(options.videos)
        past = None
        try:
            if "past" in groups:
                past = store_past(barn, cameras)
            if "sessions" in groups:
                store_horses(barn, day(SEED, (), 3, compress=1.0))
            lifecycle.start(barn, cameras)
            window = MainWindow(console(barn, place, options.look))
            window.resize(1600, 940)
            window.show()
            calendar = PostgresCalendarRepository(barn.pool)
            seconds = options.seconds if cameras else 1.0
            render(app, window, past, calendar, options.out, seconds, groups)
            window.close()
        finally:
            survivors = lifecycle.stop(barn)
    if survivors:
        print("still running:", ", ".join(survivors))


if __name__ == "__main__":
    raise SystemExit(main())

"""The Review page for the manual, on recordings of real clips.

    python3 docs/review_pictures.py --videos FOLDER [--out docs/pictures] [--seconds 60]

The whole machine (servers, engine with the models of this machine, recorder) watches three looped
clips and records them; then its recordings are played, inspected and corrected in the window.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from barnhand_desktop import lifecycle
from barnhand_desktop.installation import Installation
from barnhand_desktop.wiring import Servers, build
from docs.picture_console import console
from engine.domain.ids import new_stream_id
from engine.domain.recording import ChunkState
from engine.domain.streams import SourceKind, Stream
from engine.recording.overlay import read_overlay
from ui.app import make_application
from ui.main_window import MainWindow
from ui.review.recordings import instant_of
from ui.review.review_page import ReviewPage
from ui.theme import apply_theme, load_theme

CLIPS = (
    "pasture_two_horses_fence.mp4",
    "corral_two_horses_walk.mp4",
    "riders_gallop_portrait_720.mp4",
)
PATIENCE_S = 30.0
LEFT = Qt.MouseButton.LeftButton

Wait = Callable[[Callable[[], bool], float], None]
Save = Callable[[str], None]


def render_review(window: MainWindow, wait: Wait, save: Save) -> None:
    """Every view of the Review page, on what was recorded so far."""
    page = window.review
    page.head.pause()
    window.show_page("review")
    wait(lambda: bool(page.wall.stream_ids), PATIENCE_S)
    page.set_places(1)
    if not _find_picture(page, wait):
        save("review")
        return
    _select_first(page)
    wait(lambda: False, 1.5)
    save("review")
    _correct(page, wait)
    save("review-correct")
    page.corrector.clear()
    window.actions_book["review.inspector"].setChecked(False)
    page.set_places(4)
    page.head.mark(page.head.at - timedelta(seconds=4), page.head.at + timedelta(seconds=5))
    wait(lambda: all(v.frame is not None for v in page.wall.shown if v.player), PATIENCE_S)
    _most_analysed(page, wait)
    wait(lambda: False, 1.5)
    save("review-four")
    page.head.clear_range()
    page.head.move_to(page.head.at - timedelta(minutes=20))
    wait(lambda: page.wall.selected.area.absence is not None, PATIENCE_S)
    wait(lambda: False, 0.5)
    save("review-nothing")
    window.actions_book["review.inspector"].setChecked(True)


def _find_picture(page: ReviewPage, wait: Wait) -> bool:
    """Go to a picture of a closed recording in which the analysis saw horses."""
    chunks = page.services.chunks
    if chunks is None:
        return False
    shown = page.wall.selected.stream_id
    states = (ChunkState.COMPLETE, ChunkState.RESCUED)
    found = chunks.list([shown] if shown else (), states=states, newest_first=True, limit=20)
    for chunk in found:
        path = page.services.media_folder
        if path is None or not chunk.overlay_path:
            continue
        entries = [e for e in read_overlay(path / chunk.overlay_path).entries if e.tracks]
        entries = [e for e in entries if 2.0 < e.pts_s < chunk.duration_s - 2.0]
        if entries:
            entry = max(entries, key=lambda e: len(e.tracks))
            page.head.move_to(instant_of(chunk, entry.pts_s))
            wait(partial(_shows, page, entry.pts_s), PATIENCE_S)
            return True
    return False


def _shows(page: ReviewPage, pts_s: float) -> bool:
    view = page.wall.selected
    return view.settled and view.frame is not None and view.frame.pts_s == pts_s


def _most_analysed(page: ReviewPage, wait: Wait) -> None:
    """Go to the instant near by at which the analysis knows most of the players' pictures."""
    here = page.head.at
    counts: dict[int, int] = {}
    for step in range(-30, 16):
        page.head.move_to(here + timedelta(seconds=0.2 * step))
        wait(lambda: False, 0.4)
        counts[step] = sum(bool(v.area.entry and v.area.entry.tracks) for v in page.wall.shown)
        if counts[step] == len(page.wall.shown):
            return
    best = max(counts, key=lambda step: counts[step])
    page.head.move_to(here + timedelta(seconds=0.2 * best))


def _select_first(page: ReviewPage) -> None:
    area = page.wall.selected.area
    entry = area.entry
    if entry is None or not entry.tracks:
        return
    box = area.placement().box(entry.tracks[0].box_xyxy_px)
    QTest.mouseClick(area, LEFT, pos=box.center().toPoint())


def _correct(page: ReviewPage, wait: Wait) -> None:
    """Move a corner, give it away, draw a box."""
    area = page.wall.selected.area
    box = area.box_of(area.selected)
    if box is None:
        return
    corner = area.placement().box(box).bottomRight().toPoint()
    _drag(page, corner, corner - QPoint(24, 18))
    page.corrector.make_guest()
    rect = area.picture_rect()
    start = QPoint(round(rect.right() - 160), round(rect.top() + 30))
    if area.track_at(start.toPointF()) is None:
        _drag(page, start, start + QPoint(110, 90))
    wait(
        lambda: bool(page.inspector.edits.effect.text() or page.inspector.edits.problem.text()),
        PATIENCE_S,
    )
    wait(lambda: False, 0.6)


def _drag(page: ReviewPage, start: QPoint, end: QPoint) -> None:
    area = page.wall.selected.area
    QTest.mousePress(area, LEFT, pos=start)
    for part in (0.3, 0.6, 1.0):
        QTest.mouseMove(area, start + (end - start) * part)
    QTest.mouseRelease(area, LEFT, pos=end)


def main(arguments: Sequence[str] | None = None) -> int:
    """Record, then make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--look", choices=("dark", "light"), default="dark")
    parser.add_argument("--seconds", type=float, default=60.0, help="record this long first")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.WARNING)
    app = make_application(sys.argv[:1])
    apply_theme(app, load_theme(options.look))
    clips = [options.videos / name for name in CLIPS]
    cameras = [
        Stream(new_stream_id(), name, SourceKind.FILE, str(clip))
        for name, clip in zip(("Pasture", "Corral", "Arena"), clips, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # the database's own user passes through
        config = Path(folder) / "settings.toml"
        config.write_text("[api]\nenabled = false\n", encoding="utf-8")
        environment = {**os.environ, "BARNHAND_DATA_DIR": str(Path(folder) / "data")}
        place = Installation.read(config, environment)
        barn = build(place, Servers.start(place))
        try:
            lifecycle.start(barn, cameras)
            window = MainWindow(console(barn, place, options.look))
            window.resize(1600, 940)
            window.show()
            _wait(app, lambda: False, options.seconds)
            render_review(
                window,
                lambda condition, at_most_s: _wait(app, condition, at_most_s),
                lambda name: _save(app, window, options.out / f"{name}.png"),
            )
            window.close()
        finally:
            survivors = lifecycle.stop(barn)
    if survivors:
        print("still running:", ", ".join(survivors))
    return 0


def _wait(app: QApplication, condition: Callable[[], bool], at_most_s: float) -> None:
    end_s = time.monotonic() + at_most_s
    while time.monotonic() < end_s and not condition():
        app.processEvents()
        time.sleep(0.005)


def _save(app: QApplication, window: MainWindow, path: Path) -> None:
    app.processEvents()
    if not window.grab().save(str(path)):
        raise OSError(f"{path} cannot be written")
    print(path)


if __name__ == "__main__":
    raise SystemExit(main())

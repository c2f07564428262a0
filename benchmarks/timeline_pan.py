"""The timeline's frames while a hand pans and zooms through 90 days of a million bouts.

The days lie in a database of its own (PostgreSQL, started here) and are read through the real
repositories by the real page; ``--store generated`` puts the same bouts behind the port without a
database. A hand drags 60 times a second at three zooms and turns the wheel from 90 days to single
pictures and back. A frame is everything the window does for one movement of the hand: the event,
what follows from it, and painting lanes, overview and plots. The wall clock and this thread's
processor time are both told: other programs on a machine spoil the first.

    python3 benchmarks/timeline_pan.py [--bouts 1000000] [--store postgres|generated] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid5

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import psycopg
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from db.migrate import migrate
from db.pool import open_pool
from db.repositories.horses import PostgresHorseRepository
from db.repositories.motion import PostgresMotionRepository
from db.repositories.timeline import PostgresTimelineRepository
from engine.domain.horses import Horse, HorseStatus
from engine.domain.ids import FarmId, HorseId, StreamId
from tests.gui.console_bench import Bench, make_bench
from tests.helpers.generated_days import DAY_US, SPACE, GeneratedDays
from tests.helpers.stored_days import COLOURS, store_days
from ui.actions import ActionBook
from ui.app import make_application
from ui.commands import CommandLog
from ui.console_state import ConsoleState
from ui.loop_meter import LoopMeter
from ui.registry.directory import HorseDirectory
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import apply_theme, load_theme
from ui.timeline.cursor import TimeCursor
from ui.timeline.lane_paint import NAMES_PX
from ui.timeline.tile_grid import covering, level_for
from ui.timeline.timeline_page import TimelinePage

NAMES = ("Juno", "Atlas", "Belle", "Karl", "Annie", "Rex", "Luna", "Max", "Nora", "Odin", "Pia",
         "Zoe")  # fmt: skip
CAMERAS, DAYS = 4, 90.0
SIZE_PX = (1600, 900)
FRAME_S = 1 / 60
BAR_MS = 16.0
LEFT = Qt.MouseButton.LeftButton


@dataclass
class Leg:
    """Frames of one kind of movement: milliseconds by the wall clock and of this thread."""

    name: str
    wall_ms: list[float] = field(default_factory=list)
    own_ms: list[float] = field(default_factory=list)
    sharp: int = 0

    def figures(self) -> dict[str, object]:
        """What is told of it."""

        def quantiles(values: list[float]) -> dict[str, float]:
            points = np.percentile(values, (50, 95, 99))
            names = ("p50", "p95", "p99")
            return {n: round(float(v), 2) for n, v in zip(names, points, strict=True)}

        return {
            "frames": len(self.wall_ms),
            "wall_ms": quantiles(self.wall_ms),
            "own_ms": quantiles(self.own_ms),
            "sharp_share": round(self.sharp / max(len(self.wall_ms), 1), 3),
        }


class Hand:
    """Moves the mouse on the lanes, 60 times a second, and times what follows."""

    def __init__(self, app: QApplication, page: TimelinePage) -> None:
        self._app, self._page = app, page

    def pan(self, leg: Leg, length_us: int, frames: int) -> None:
        """Drag to and fro through all days at one zoom, a whole window in about 30 frames."""
        page = self._page
        page.view.show_last(length_us)
        self.settle()
        port = page.lanes.viewport()
        y, left, right = 120, NAMES_PX + 20, port.width() - 40
        step = (right - left) // 30
        x, back = left, False
        self._mouse(QEvent.Type.MouseButtonPress, QPoint(x, y))
        for _ in range(frames):
            x += -step if back else step
            if not left <= x <= right:
                self._mouse(QEvent.Type.MouseButtonRelease, QPoint(min(max(x, left), right), y))
                oldest_us = page.view.now_us - round(DAYS * DAY_US)
                if page.view.start_us < oldest_us:
                    back = True  # to the newer days
                elif page.view.end_us > page.view.now_us:
                    back = False
                x = right if back else left
                self._mouse(QEvent.Type.MouseButtonPress, QPoint(x, y))
                continue
            self._frame(leg, partial(self._mouse, QEvent.Type.MouseMove, QPoint(x, y)))
        self._mouse(QEvent.Type.MouseButtonRelease, QPoint(x, y))

    def zoom(self, leg: Leg, rounds: int) -> None:
        """Turn the wheel from 90 days to single pictures and back."""
        page = self._page
        for _ in range(rounds):
            page.view.show_last(round(DAYS * DAY_US))
            self.settle()
            middle = QPointF(page.lanes.viewport().width() * 0.6, 150.0)
            for turn in [120] * 80 + [-120] * 80:
                self._frame(leg, partial(self._wheel, middle, turn))

    def settle(self) -> None:
        """Wait until everything wanted has come."""
        end_s = time.monotonic() + 60.0
        while time.monotonic() < end_s:
            self._app.processEvents()
            page = self._page
            if not (page.reader.tiles.busy or page.plots.series.busy or page.reader.wanting):
                return
            time.sleep(0.002)
        raise TimeoutError("the timeline did not come to rest within a minute")

    def _frame(self, leg: Leg, act: Callable[[], None]) -> None:
        began_s, own_s = time.perf_counter(), time.thread_time()
        act()
        self._app.processEvents()
        leg.own_ms.append((time.thread_time() - own_s) * 1000.0)
        leg.wall_ms.append((time.perf_counter() - began_s) * 1000.0)
        leg.sharp += self._sharp()
        while (rest_s := began_s + FRAME_S - time.perf_counter()) > 0:
            time.sleep(min(rest_s, 0.004))
            self._app.processEvents()

    def _sharp(self) -> bool:
        """Whether the window was painted from tiles of its own level (or whole ones) alone."""
        page = self._page
        level = level_for(page.lanes.place().us_per_px)
        keys = covering(level, page.view.start_us, page.view.end_us)
        return all(page.reader.tiles.has(key) for key in keys)

    def _mouse(self, kind: QEvent.Type, at: QPoint) -> None:
        port = self._page.lanes.viewport()
        held = LEFT if kind != QEvent.Type.MouseButtonRelease else Qt.MouseButton.NoButton
        which = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else LEFT
        point = QPointF(at)
        event = QMouseEvent(
            kind,
            point,
            QPointF(port.mapToGlobal(at)),
            which,
            held,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(port, event)

    def _wheel(self, at: QPointF, turned: int) -> None:
        port = self._page.lanes.viewport()
        event = QWheelEvent(
            at,
            QPointF(port.mapToGlobal(at)),
            QPoint(),
            QPoint(0, turned),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(port, event)


def generated(bouts: int) -> GeneratedDays:
    """90 days that hold about so many bouts."""
    per_day = max(round(bouts / (3 * 0.93 * DAYS * len(NAMES))), 4)
    horses = [HorseId(uuid5(SPACE, name)) for name in NAMES]
    cameras = [StreamId(uuid5(SPACE, f"camera {n}")) for n in range(CAMERAS)]
    return GeneratedDays(datetime.now(UTC), horses, cameras, DAYS, per_day)


@contextmanager
def stores(kind: str, days: GeneratedDays, bench: Bench) -> Iterator[tuple[ConsoleServices, int]]:
    """The console's services over the days, and how many bouts there are."""
    for camera in days.cameras:
        stream = bench.engine.add(f"Camera {len(bench.engine.cameras) + 1}").stream
        bench.engine.cameras[camera] = replace_stream(bench, stream.id, camera)
    if kind == "generated":
        now = days.end
        bench.horses.rows = [
            Horse(h, FarmId(UUID(int=1)), f"horse_{n:03d}", name, COLOURS[n % len(COLOURS)],
                  HorseStatus.ACTIVE, now, now, 1)
            for n, (h, name) in enumerate(zip(days.horses, NAMES, strict=True))
        ]  # fmt: skip
        yield replace(bench.services, timeline=days, motion=days), days.bouts_stored
        return
    folder = Path(tempfile.mkdtemp(prefix="barnhand-bench-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres")
    try:
        dsn = server.start()
        migrate(dsn)
        with psycopg.connect(dsn) as connection:
            count = store_days(connection, days, NAMES)
        pool = open_pool(dsn, max_size=4)
        try:
            yield (
                replace(
                    bench.services,
                    horses=PostgresHorseRepository(pool),
                    timeline=PostgresTimelineRepository(pool),
                    motion=PostgresMotionRepository(pool),
                ),
                count,
            )
        finally:
            pool.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def replace_stream(bench: Bench, old: StreamId, new: StreamId) -> object:
    """The camera of the bench under the id that the store knows."""
    camera = bench.engine.cameras.pop(old)
    camera.stream = replace(camera.stream, id=new)
    camera.health = replace(camera.health, stream_id=new)
    return camera


def measure(services: ConsoleServices, bench: Bench, seconds: float) -> dict[str, object]:
    """Open the page and move about."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    host = QWidget()
    host.resize(*SIZE_PX)
    requests = RequestRunner(host)
    state = ConsoleState(services.settings.path.parent)
    book = ActionBook(host, state.settings)
    directory = HorseDirectory(services, requests, host)
    page = TimelinePage(
        services,
        requests,
        CommandLog(requests, host),
        directory,
        book,
        TimeCursor(host),
        load_theme(),
    )
    QVBoxLayout(host).addWidget(page)
    page.follow({s.id: s.name for s in bench.engine.streams()})
    directory.refresh()
    host.show()
    hand = Hand(app, page)
    began_s = time.perf_counter()
    while not directory.loaded:
        app.processEvents()
    hand.settle()
    opened_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    page.view.show_last(round(DAYS * DAY_US))
    hand.settle()
    first_s = time.perf_counter() - began_s
    page.reader.tiles.reset(forget=True)
    began_s = time.perf_counter()
    page.view.pan(1)
    hand.settle()
    again_s = time.perf_counter() - began_s
    meter = LoopMeter(host)
    meter.start()
    frames = round(seconds / FRAME_S)
    legs = [Leg("pan 1 d"), Leg("pan 7 d"), Leg("pan 30 d"), Leg("zoom 90 d to a picture")]
    for leg, days in zip(legs, (1, 7, 30), strict=False):
        hand.pan(leg, days * DAY_US, frames)
    hand.zoom(legs[-1], max(round(frames / 160), 1))
    meter.stop()
    delay, paint = meter.delay_ms.quantiles(), page.lanes.paint_ms.quantiles()
    figures: dict[str, object] = {
        "open_24h_s": round(opened_s, 2),
        "first_90d_s": round(first_s, 2),
        "again_90d_s": round(again_s, 2),
        "lanes": len(page.lanes.rows),
        "legs": {leg.name: leg.figures() for leg in legs},
        "loop_delay_ms": {"p50": delay.p50, "p95": delay.p95, "p99": delay.p99},
        "lane_paint_ms": {"p50": paint.p50, "p95": paint.p95},
    }
    page.stop()
    directory.stop()
    host.hide()
    requests.close(5.0)
    return figures


def main() -> int:
    """Measure and print; returns 1 when frames miss the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bouts", type=int, default=1_000_000)
    parser.add_argument("--store", choices=("postgres", "generated"), default="postgres")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each movement")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    app = make_application(sys.argv[:1])
    apply_theme(app, load_theme())
    days = generated(options.bouts)
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder))
        with stores(options.store, days, bench) as (services, count):
            print(f"{count} bouts of {len(NAMES)} horses in {DAYS:.0f} days ({options.store})")
            figures = measure(services, bench, options.seconds) | {"bouts": count}
    print(f"first sight: 24 h {figures['open_24h_s']} s, 90 d {figures['first_90d_s']} s "
          f"(again {figures['again_90d_s']} s)")  # fmt: skip
    missed = False
    for name, leg in figures["legs"].items():
        own, wall = leg["own_ms"], leg["wall_ms"]
        missed = missed or own["p99"] >= BAR_MS
        print(
            f"{name:24s} {leg['frames']:5d} frames  own ms p50 {own['p50']:.1f} "
            f"p95 {own['p95']:.1f} p99 {own['p99']:.1f}   wall ms p50 {wall['p50']:.1f} "
            f"p95 {wall['p95']:.1f} p99 {wall['p99']:.1f}   sharp {leg['sharp_share']:.0%}"
        )
    delay = figures["loop_delay_ms"]
    print(f"event loop delay ms: p50 {delay['p50']:.1f}, p95 {delay['p95']:.1f}, "
          f"p99 {delay['p99']:.1f}")  # fmt: skip
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The wall's cost: painting 12 tiles with overlays, and the delay of the window's event loop.

Two bars (specification: quality, Speed): median paint of all 12 tiles at most 4 ms; 99 % of event
loop delays under 16 ms while 12 tiles at 25 fps are shown with boxes, numbers and skeletons. The
pictures come from the simulated barn, two horses a tile; a feeder thread plays the engine's part.

    python3 benchmarks/wall_paint.py [--seconds 10] [--width 1920 --height 1080] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QImage

from engine.domain.frames import WallFrame
from engine.domain.results import FrameResult
from engine.runtime.meters import Distribution
from tests.gui.console_bench import FPS, BenchCamera, Scene, make_bench
from ui.app import make_application
from ui.live.arrangement import Layout
from ui.live.wall import Wall
from ui.loop_meter import LoopMeter
from ui.theme import apply_theme, load_theme

LAG_PICTURES = 4
"""Analysis is this many pictures behind, and analyses every second one."""
TILES, PLACES = 12, ("paddock", "arena", "aisle", "stall")


def paint_times_ms(wall: Wall, repeats: int) -> list[float]:
    """Painting of the whole wall into an image of its size, milliseconds of this
    thread's processor time each (a shared machine's wall clock means little)."""
    target = QImage(wall.size(), QImage.Format.Format_RGB32)
    times = []
    for _ in range(repeats):
        began_s = time.thread_time()
        wall.render(target)
        times.append((time.thread_time() - began_s) * 1000.0)
    return times


class Feeder(threading.Thread):
    """Plays recorded pictures round and round, as the capture workers would."""

    def __init__(self, cameras: list[BenchCamera]) -> None:
        super().__init__(name="bench.feeder", daemon=True)
        self.stopping = threading.Event()
        self._cameras = [(c, list(c.frames), list(c.results)) for c in cameras]

    def run(self) -> None:
        began, turn = time.monotonic(), 0
        live = [(deque(maxlen=18), deque(maxlen=30)) for _ in self._cameras]
        while not self.stopping.wait(max(began + turn / FPS - time.monotonic(), 0.0)):
            now = time.monotonic()
            for (camera, frames, results), (shown, known) in zip(self._cameras, live, strict=True):
                shown.append(_shown_again(frames[turn % len(frames)], turn, now))
                earlier = turn - LAG_PICTURES
                if turn % 2 == 0 and earlier >= 0:
                    result = results[(earlier % len(frames)) // 2]
                    known.append(_known_again(result, earlier, now - LAG_PICTURES / FPS))
                camera.frames, camera.results = list(shown), list(known)
            turn += 1


def _shown_again(frame: WallFrame, sequence: int, at_mono_s: float) -> WallFrame:
    stamp = replace(frame.stamp, sequence=sequence, captured_mono_s=at_mono_s, pts_s=None)
    return replace(frame, stamp=stamp)


def _known_again(result: FrameResult, sequence: int, at_mono_s: float) -> FrameResult:
    stamp = replace(result.stamp, sequence=sequence, captured_mono_s=at_mono_s, pts_s=None)
    return replace(result, stamp=stamp, completed_mono_s=at_mono_s + LAG_PICTURES / FPS)


def tick_times_ms(wall: Wall, repeats: int) -> list[float]:
    """Choosing pictures and matching overlays for all tiles, processor time as above."""
    times = []
    for _ in range(repeats):
        for tile in map(wall.tile_at, wall.rects):
            if tile is not None:
                tile.frame = None
        began_s = time.thread_time()
        wall.tick()
        times.append((time.thread_time() - began_s) * 1000.0)
    return times


def main() -> int:
    """Measure and print; returns 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    app = make_application(sys.argv[:1])
    theme = load_theme()
    apply_theme(app, theme)
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder))
    cameras = [bench.engine.add(f"Camera {n + 1}") for n in range(TILES)]
    wall = Wall(bench.engine, theme)
    wall.set_streams(bench.engine.streams())
    wall.set_health(bench.engine.report().streams)
    wall.set_layout(Layout.SIXTEEN)
    wall.resize(options.width, options.height)
    wall.show()
    app.processEvents()
    for number, camera in enumerate(cameras):
        scene = Scene(PLACES[number % len(PLACES)], seed=number, horses=2)
        scene.play(camera, 6.0, 24, pose=True)
    wall.tick()
    shown = sum(len(t.overlay) for t in map(wall.tile_at, range(TILES)) if t and t.overlay)
    times = sorted(paint_times_ms(wall, 200))
    median, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    ticks = sorted(tick_times_ms(wall, 200))

    feeder, meter, loop = Feeder(cameras), LoopMeter(), QEventLoop()
    wall.paint_ms = Distribution(keep=4096)
    feeder.start()
    meter.start()
    QTimer.singleShot(round(options.seconds * 1000), loop.quit)
    loop.exec()
    meter.stop()
    feeder.stopping.set()
    feeder.join(2.0)
    delay, live = meter.delay_ms.quantiles(), wall.paint_ms.quantiles()
    wall.stop()
    wall.close()
    figures = {
        "tiles": TILES,
        "horses": shown,
        "wall_px": [options.width, options.height],
        "paint_all_ms": {"p50": median, "p95": p95},
        "loop_delay_ms": {"p50": delay.p50, "p95": delay.p95, "p99": delay.p99},
        "paint_event_ms": {"p50": live.p50, "p95": live.p95, "count": live.count},
    }
    print(f"paint of {TILES} tiles, {shown} horses: p50 {median:.2f}, p95 {p95:.2f} ms (bar: 4)")
    print(f"choose and match: p50 {ticks[len(ticks) // 2]:.2f} ms")
    print(f"event loop delay: p50 {delay.p50:.2f}, p99 {delay.p99:.2f} ms (bar: p99 under 16)")
    print(f"{live.count} paint events: p50 {live.p50:.2f}, p95 {live.p95:.2f} ms")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if median <= 4.0 and delay.p99 < 16.0 else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Half an hour with cameras coming and going: memory slope about 0, descriptors and threads flat.

    BARNHAND_SOAK_S=1800 python3 -m pytest -p no:logging tests/faults/test_soak.py -m slow

Without the variable it lasts two minutes, which shows leaks of a turn and not those of a day.
Without ``-p no:logging`` pytest keeps every line that is logged, with what its traceback holds.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from barnhand_desktop.headless import streams_of
from engine.domain.streams import Stream, StreamState
from engine.facade import Engine
from engine.runtime.allocator import bound_arenas
from tests.faults.conftest import Say
from tests.helpers.cameras import RtspServer
from tests.helpers.demo import installation, running
from tests.helpers.movies import write_movie
from tests.helpers.streams import stream_of
from tests.helpers.waiting import wait_until

DURATION_S = float(os.environ.get("BARNHAND_SOAK_S", "120"))
TURN_S = 6.0
WARM_UP = 0.3
"""Share of the time that is not judged: caches fill, models and pools grow to their size."""
SLOPE_AT_MOST_MB_H = 30.0
"""What a slope may be over half an hour, when noise is small: half a MB a minute."""
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the process."""

    at_s: float
    rss: int
    descriptors: int
    threads: int


def look() -> Sample:
    """This process now."""
    gc.collect()
    me = psutil.Process()
    return Sample(
        time.monotonic(), me.memory_info().rss, me.num_fds(), threading.active_count()
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(DURATION_S + 300)
def test_cameras_come_and_go_and_nothing_grows(servers_dir: Path, tmp_path: Path, say: Say) -> None:
    bound_arenas()  # as the program's door does
    write_movie(tmp_path / "clip.mp4", frames=50)
    server = RtspServer(tmp_path)
    server.start()
    place = installation(servers_dir / f"soak-{tmp_path.name}", tmp_path / "settings.toml")
    steady = streams_of(("simulated:stall", "simulated:arena"))
    dropped = stream_of(server.url("clip.mp4"), name="drops")
    samples: list[Sample] = []
    try:
        with running(place, [*steady, dropped]) as barn:
            wait_until(lambda: barn.writer.rows_written > 20, 60.0)
            known = list(barn.engine.streams())
            leaving = known[1]
            end_s, turn = time.monotonic() + DURATION_S, 0
            while time.monotonic() < end_s:
                _turn(barn.engine, known, leaving, server)
                turn += 1
                samples.append(look())
            rows = barn.writer.rows_written
            assert barn.engine.health().failed_workers == ()
    finally:
        server.kill()
    _judge(samples, turn, rows, say)


def _turn(engine: Engine, known: list[Stream], leaving: Stream, server: RtspServer) -> None:
    """A camera is removed and added again, another is stopped and started, a third drops."""
    pause = threading.Event()
    began_s = time.monotonic()
    engine.set_streams([stream for stream in known if stream is not leaving])
    engine.stop_stream(known[0].id)
    server.kill()
    pause.wait(1.0)
    engine.set_streams(known)
    engine.start_stream(known[0].id)
    server.start()

    def all_back() -> bool:
        return all(h.state is StreamState.ACTIVE for h in engine.health().streams)

    wait_until(all_back, 60.0)
    pause.wait(max(TURN_S - (time.monotonic() - began_s), 0.0))


def _judge(samples: list[Sample], turns: int, rows: int, say: Say) -> None:
    late = samples[int(len(samples) * WARM_UP) :]
    hours = np.array([sample.at_s - samples[0].at_s for sample in late]) / 3600.0
    rss = np.array([sample.rss for sample in late]) / MB
    slope = float(np.polyfit(hours, rss, 1)[0])
    descriptors = [sample.descriptors for sample in late]
    threads = [sample.threads for sample in late]
    say(
        f"{DURATION_S:.0f} s, {turns} turns, {rows} rows: RSS {rss[0]:.0f} -> {rss[-1]:.0f} MB, "
        f"slope {slope:.1f} MB/h; descriptors {min(descriptors)}..{max(descriptors)} "
        f"({descriptors[0]} -> {descriptors[-1]}), threads {min(threads)}..{max(threads)} "
        f"({threads[0]} -> {threads[-1]})"
    )
    tenths = [
        part[-1].rss / MB for k in range(10) if (part := samples[: len(samples) * (k + 1) // 10])
    ]
    say("RSS after each tenth: " + ", ".join(f"{value:.0f}" for value in tenths) + " MB")
    half = len(late) // 2
    assert np.median(descriptors[half:]) <= np.median(descriptors[:half]) + 4
    assert np.median(threads[half:]) <= np.median(threads[:half]) + 3
    if DURATION_S >= 1200:
        assert slope < SLOPE_AT_MOST_MB_H

"""A barn that runs as in use: embedded servers, the API child, simulated cameras."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from barnhand_desktop import lifecycle
from barnhand_desktop.installation import Installation
from barnhand_desktop.wiring import Barn, Servers, build
from engine.domain.ids import StreamId
from engine.domain.streams import Stream
from engine.runtime.worker import StopToken, Worker

QUIET = """
[api]
port = 0
[engine.analysis]
motion_gate = false
fps = 5.0
[engine.pose]
enabled = false
[engine.recording]
segment_s = 4.0
min_free_gb = 0.0
"""
"""Settings for small machines: five analysed pictures a second, no skeletons."""


def installation(data: Path, config: Path, settings: str = QUIET) -> Installation:
    """An installation whose settings file is written to ``config``."""
    config.write_text(settings)
    return Installation.read(config, {"BARNHAND_DATA_DIR": str(data)})


@contextmanager
def running(place: Installation, cameras: Sequence[Stream]) -> Iterator[Barn]:
    """The whole application with these cameras; what does not end in order fails."""
    barn = build(place, Servers.start(place))
    lifecycle.start(barn, list(cameras))
    try:
        yield barn
    finally:
        survivors = lifecycle.stop(barn, 30.0)
    assert survivors == ()


def ask(dsn: str, statement: str) -> tuple[object, ...]:
    """One row of the database, asked over a connection of its own."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return tuple(row)


@dataclass
class Pauses:
    """The longest time each camera's newest picture and newest result stood still, in seconds.

    Looked at every 20 ms on a thread of its own.
    """

    barn: Barn
    pictures_s: dict[StreamId, float] = field(default_factory=dict)
    results_s: dict[StreamId, float] = field(default_factory=dict)

    @contextmanager
    def watched(self) -> Iterator[Pauses]:
        """Look until the end of the block."""
        worker = Worker("watch for pauses", self._look)
        worker.start()
        try:
            yield self
        finally:
            worker.ask_to_stop()
            assert worker.join(5.0)

    def _look(self, token: StopToken) -> None:
        engine = self.barn.engine
        while not token.wait(0.02):
            now_s = time.monotonic()
            for stream in engine.streams():
                newest = engine.latest_picture(stream.id)
                if newest is not None:
                    age_s = now_s - newest[0].captured_mono_s
                    self.pictures_s[stream.id] = max(self.pictures_s.get(stream.id, 0.0), age_s)
                results = engine.results(stream.id)[-1:]
                for result in results:
                    age_s = now_s - result.stamp.captured_mono_s
                    self.results_s[stream.id] = max(self.results_s.get(stream.id, 0.0), age_s)


def seconds_until(condition: Callable[[], object], within_s: float = 60.0) -> float:
    """How long a condition took to come true; fails after ``within_s``."""
    began_s, pause = time.monotonic(), threading.Event()
    while not condition():
        assert time.monotonic() - began_s < within_s, "the condition did not come true in time"
        pause.wait(0.01)
    return time.monotonic() - began_s

"""What metering and tracing cost one batch: bare, with no tracing, with tracing of a share.

    python benchmarks/tracing_cost.py

One process per way, interleaved; prints microseconds a batch (8 pictures, all stages) as the median
of the runs with the 5 and 95 % points.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime

import numpy as np

RUNS, BATCHES = 15, 2000
WAYS = ("bare", "off", "0.1", "1.0")
"""``bare``: the meters of the stages alone, as they were before there were traces."""


def measure(way: str) -> float:
    """Microseconds a batch, in a process of its own: a tracer is set once."""
    from engine.domain.frames import FrameStamp
    from engine.domain.ids import new_stream_id
    from engine.pipeline.stages import STAGES, StageMeters
    from engine.runtime.clock import SystemClock

    if way not in ("bare", "off"):
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

        from barnhand_desktop.telemetry.traces import FollowLinks, SpanQueue

        class Nowhere(SpanExporter):
            def export(self, spans: object) -> SpanExportResult:
                return SpanExportResult.SUCCESS

        provider = TracerProvider(FollowLinks(float(way)), shutdown_on_exit=False)
        queue = SpanQueue(Nowhere())
        queue.begin()
        provider.add_span_processor(queue)
        trace.set_tracer_provider(provider)
    clock = SystemClock()
    meters = StageMeters(clock)
    stamps = [FrameStamp(new_stream_id(), 1, datetime.now(UTC), 1.0, None) for _ in range(8)]

    def bare() -> None:
        meters.batch_sizes.add(8.0)
        meters.batches.add(8.0)
        stages()

    def stages() -> None:
        for stage in STAGES:
            with meters.measure(stage):
                pass

    def whole() -> None:
        with meters.batch(stamps, 0):
            stages()

    once = bare if way == "bare" else whole
    for _ in range(200):
        once()
    began_s = time.perf_counter()
    for _ in range(BATCHES):
        once()
    return (time.perf_counter() - began_s) / BATCHES * 1e6


def main() -> None:
    """Interleave the ways and print the table."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(RUNS):
        for way in WAYS:
            done = subprocess.run(
                [sys.executable, __file__, way], capture_output=True, text=True, check=True
            )
            found[way].append(json.loads(done.stdout))
    for way, values in found.items():
        low, middle, high = np.percentile(values, (5, 50, 95))
        print(f"{way:>5}: {middle:7.1f} us a batch ({low:.1f} .. {high:.1f})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()

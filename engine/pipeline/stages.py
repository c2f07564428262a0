"""What the stages of the analysis cost: times, rates and batches for people, spans for traces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span

from engine.domain.frames import FrameStamp
from engine.domain.ports import Clock
from engine.runtime.meters import Distribution, Histogram, RateMeter

STAGES = ("gate", "detect", "pose", "embed", "track", "identify", "analyse", "fan_out")
STAGE_BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
BATCH_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class StageMeters:
    """Time and rate of each stage, fed by the analysis thread.

    One trace a batch: a root span "batch" with a child for each stage. Without a tracing SDK
    that costs nothing; a batch that is not sampled costs one empty span.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tracer = trace.get_tracer("barnhand.engine")
        self._traced = False
        self._dropped_before = 0
        self.time_ms = {name: Distribution(512) for name in STAGES}
        self.time_s = {name: Histogram(STAGE_BOUNDS_S) for name in STAGES}
        self.rate = {name: RateMeter() for name in STAGES}
        self.batch_sizes = Distribution(512)
        self.batches = Histogram(BATCH_BOUNDS)

    @contextmanager
    def batch(self, stamps: Sequence[FrameStamp], dropped: int) -> Iterator[None]:
        """One batch of pictures. ``dropped`` counts pictures that never came into a batch."""
        self.batch_sizes.add(float(len(stamps)))
        self.batches.add(float(len(stamps)))
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            yield  # nobody traces
            return
        with self._span("batch") as span:
            self._traced = span.is_recording()
            if self._traced:
                span.set_attributes(
                    {
                        "barnhand.batch.size": len(stamps),
                        "barnhand.batch.dropped": dropped - self._dropped_before,
                        "barnhand.stream.ids": [str(stamp.stream_id) for stamp in stamps],
                        "barnhand.batch.waited_s": max(
                            self._clock.mono_s() - stamp.captured_mono_s for stamp in stamps
                        ),
                    }
                )
            self._dropped_before = dropped
            try:
                yield
            finally:
                self._traced = False

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time one batch in one stage."""
        if not self._traced:
            yield from self._time(stage)
            return
        with self._span(stage):
            yield from self._time(stage)

    def _time(self, stage: str) -> Iterator[None]:
        began_s = self._clock.mono_s()
        yield
        ended_s = self._clock.mono_s()
        self.time_ms[stage].add((ended_s - began_s) * 1000.0)
        self.time_s[stage].add(ended_s - began_s)
        self.rate[stage].add(ended_s)

    def _span(self, name: str) -> AbstractContextManager[Span]:
        """A span that keeps no exception: what that says may hold an address with a password."""
        return self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        )

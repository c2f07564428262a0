"""Spans on their way to a collector: bounded, counted, never in the way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Event

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link

from barnhand_desktop.telemetry import traces
from barnhand_desktop.telemetry.traces import FollowLinks, SpanQueue
from tests.helpers.waiting import wait_until


class Collector(SpanExporter):
    """Takes spans, or does not; may be held up."""

    def __init__(self) -> None:
        self.took: list[str] = []
        self.answers = True
        self.tries = 0
        self.free = Event()
        self.free.set()
        self.closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.tries += 1
        assert self.free.wait(10.0)
        if not self.answers:
            return SpanExportResult.FAILURE
        self.took += [span.name for span in spans]
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.closed = True


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    monkeypatch.setattr(traces, "EXPORT_EVERY_S", 0.01)
    return Collector()


def provider(queue: SpanQueue, share: float = 1.0) -> TracerProvider:
    made = TracerProvider(FollowLinks(share), shutdown_on_exit=False)
    made.add_span_processor(queue)
    return made


def test_everything_is_sent_by_the_end(collector: Collector) -> None:
    queue = SpanQueue(collector)
    tracer = provider(queue).get_tracer("test")
    queue.begin()
    for number in range(50):
        with tracer.start_as_current_span(f"span {number}"):
            pass
    assert queue.end(10.0) == ()
    assert sorted(collector.took) == sorted(f"span {n}" for n in range(50))
    assert (queue.sent, queue.given_up) == (50, 0)
    assert collector.closed


def test_a_collector_that_stands_still_holds_nobody_up(collector: Collector) -> None:
    queue = SpanQueue(collector, room=8)
    tracer = provider(queue).get_tracer("test")
    collector.free.clear()
    queue.begin()
    for number in range(100):
        with tracer.start_as_current_span(f"span {number}"):
            pass
    assert queue.given_up >= 100 - 2 * 8
    collector.free.set()
    assert queue.end(10.0) == ()
    assert queue.sent + queue.given_up == 100


def test_a_collector_that_is_away_is_one_line(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.answers = False
    queue = SpanQueue(collector)
    tracer = provider(queue).get_tracer("test")
    with caplog.at_level(logging.INFO, "barnhand_desktop.telemetry.traces"):
        queue.begin()
        for tries in range(1, 4):
            tracer.start_span("lost").end()
            wait_until(lambda tries=tries: collector.tries >= tries)
        wait_until(lambda: queue.given_up == 3)
        collector.answers = True
        tracer.start_span("seen").end()
        wait_until(lambda: queue.sent == 1)
        assert queue.end(10.0) == ()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_spans_after_the_end_are_counted(collector: Collector) -> None:
    queue = SpanQueue(collector)
    tracer = provider(queue).get_tracer("test")
    queue.begin()
    assert queue.end(10.0) == ()
    tracer.start_span("late").end()
    assert queue.given_up == 1


def test_a_share_is_sampled_and_what_is_linked_follows(collector: Collector) -> None:
    queue = SpanQueue(collector)
    tracer = provider(queue, share=0.1).get_tracer("test")
    roots = [tracer.start_span("batch") for _ in range(3000)]
    sampled = [span for span in roots if span.is_recording()]
    assert 200 < len(sampled) < 420
    silent = next(span for span in roots if not span.is_recording())
    context = sampled[0].get_span_context()
    assert all(tracer.start_span("write", links=[Link(context)]).is_recording() for _ in range(50))
    followed = [
        tracer.start_span("write", links=[Link(silent.get_span_context())]).is_recording()
        for _ in range(300)
    ]
    assert sum(followed) < 90


def test_nothing_answers_at_the_collectors_address(caplog: pytest.LogCaptureFixture) -> None:
    """The real exporter against a closed port: it gives up within its time and says it once."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    queue = SpanQueue(OTLPSpanExporter("http://127.0.0.1:9/v1/traces", timeout=0.5))
    tracer = provider(queue).get_tracer("test")
    queue.begin()
    tracer.start_span("lost").end()
    wait_until(lambda: queue.given_up == 1, 20.0)
    assert queue.end(10.0) == ()
    lines = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert [r.name for r in lines] == ["barnhand_desktop.telemetry.traces"]

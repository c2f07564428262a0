"""Traces to an OpenTelemetry collector (OTLP over HTTP), when the settings ask for them.

The parts that make spans know the API of OpenTelemetry only, which does nothing until ``start``
was called here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

from engine.runtime.mailbox import Closed, Mailbox, Overflow
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

ROOM_SPANS = 4096
_AT_ONCE = 512
EXPORT_EVERY_S = 1.0
_ANSWER_S = 3.0


class Traces:
    """Tracing of this process; ``stop`` sends what waits."""

    def __init__(self, provider: TracerProvider, queue: SpanQueue) -> None:
        self._provider = provider
        self._queue = queue

    def counts(self) -> tuple[int, int]:
        """Spans sent, and spans given up."""
        return self._queue.sent, self._queue.given_up

    def stop(self, deadline_s: float = 3.0) -> tuple[str, ...]:
        """Send what waits and end; the name of the thread if it did not."""
        return self._queue.end(deadline_s)


def start(endpoint: str, share: float, service: str, version: str, node: str) -> Traces:
    """Trace ``share`` of this process's batches and requests from now on.

    ``endpoint`` is the collector's address without a path (``http://127.0.0.1:4318``).
    """
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)  # said here, once
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_ANSWER_S)
    resource = Resource.create(
        {"service.name": service, "service.version": version, "service.instance.id": node}
    )
    provider = TracerProvider(FollowLinks(share), resource, shutdown_on_exit=False)
    queue = SpanQueue(exporter)
    provider.add_span_processor(queue)
    trace.set_tracer_provider(provider)
    queue.begin()
    return Traces(provider, queue)


class FollowLinks(Sampler):
    """A share of the traces, and whatever is linked to one of them: the writing of rows belongs to
    the batches that they came from."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._inner = ParentBased(TraceIdRatioBased(share))

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See the SDK."""
        linked = any(link.context.trace_flags.sampled for link in links or ())
        inner: Sampler = ALWAYS_ON if linked else self._inner
        return inner.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """See the SDK."""
        return f"FollowLinks({self._share})"


class SpanQueue(SpanProcessor):
    """Ended spans on their way to the collector: a bounded queue and one thread.

    Spans that come while it is full, and those that the collector does not take, are given up and
    counted; nothing waits for them.
    """

    def __init__(self, exporter: SpanExporter, room: int = ROOM_SPANS) -> None:
        self._exporter = exporter
        self._mailbox: Mailbox[ReadableSpan] = Mailbox("trace spans", room, Overflow.REJECT)
        self._worker = Worker("trace export", self._run, restart_budget=1000)
        self._refused = 0
        self._away = False
        self.sent = 0

    @property
    def given_up(self) -> int:
        """Spans that nobody will see."""
        return self._refused + self._mailbox.dropped

    def begin(self) -> None:
        """Start the thread."""
        self._worker.start()

    def end(self, deadline_s: float) -> tuple[str, ...]:
        """Send what waits, once, and end; the name of the thread if it did not."""
        self._mailbox.close()
        self._worker.ask_to_stop()
        return () if self._worker.join(deadline_s) else (self._worker.name,)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span of a sampled trace; on the thread that ended it."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        try:
            self._mailbox.put(span)
        except Closed:
            self._refused += 1

    def _run(self, token: StopToken) -> None:
        while not token.wait(EXPORT_EVERY_S):
            self._send_waiting()
        self._send_waiting()
        self._exporter.shutdown()

    def _send_waiting(self) -> None:
        while len(self._mailbox):
            spans = self._mailbox.take(_AT_ONCE, 0.0)
            taken = self._exporter.export(spans) is SpanExportResult.SUCCESS
            if taken:
                self.sent += len(spans)
            else:
                self._refused += len(spans)
            if taken is self._away:
                self._away = not taken
                log.log(
                    logging.INFO if taken else logging.WARNING,
                    "the trace collector answers again"
                    if taken
                    else "the trace collector does not take spans; they are given up",
                )
            if not taken:
                return

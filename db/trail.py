"""Ties the writing of rows to the traces of the batches of pictures that they came from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext

LINKS_AT_MOST = 64
"""A write holds the results of 250 ms."""


class Trail:
    """Traces whose results wait to be written. Nothing where nothing is traced."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("barnhand.db")
        self._waiting: deque[SpanContext] = deque(maxlen=LINKS_AT_MOST)

    def mark(self) -> None:
        """The calling thread's trace hands over a result; on the engine's thread."""
        context = trace.get_current_span().get_span_context()
        if context.trace_flags.sampled and (not self._waiting or self._waiting[-1] != context):
            self._waiting.append(context)

    @contextmanager
    def follow(self, rows: int) -> Iterator[None]:
        """A span "writer copy" around a write, linked to the traces since the last one."""
        links = []
        while self._waiting:
            links.append(Link(self._waiting.popleft()))
        if not links:
            yield
            return
        with self._tracer.start_as_current_span(
            "writer copy",
            links=links,
            attributes={"barnhand.rows": rows},
            record_exception=False,
            set_status_on_exception=False,
        ):
            yield

"""What a trace collector hears of a running demo."""

from __future__ import annotations

from collections import Counter

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.helpers.waiting import wait_until
from tests.integration.operation.conftest import CANARY, Collector, Demo

pytestmark = pytest.mark.timeout(300)  # the first of them waits for the demo
STAGES = {"gate", "detect", "pose", "embed", "track", "identify", "analyse", "fan_out"}


def attributes(span: Span) -> dict[str, object]:
    return {
        one.key: (
            [value.string_value for value in one.value.array_value.values]
            if one.value.HasField("array_value")
            else getattr(one.value, str(one.value.WhichOneof("value")))
        )
        for one in span.attributes
    }


def test_a_batch_is_one_trace_with_a_span_a_stage(
    demo: Demo, exposition: str, collector: Collector
) -> None:
    engine = [span for service, span in collector.known() if service == "barnhand-engine"]
    batches = [span for span in engine if span.name == "batch"]
    assert batches and all(span.parent_span_id == b"" for span in batches)
    assert len({span.trace_id for span in batches}) == len(batches)
    children: dict[bytes, set[str]] = {}
    for span in engine:
        if span.parent_span_id:
            children.setdefault(span.parent_span_id, set()).add(span.name)
    whole = [span for span in batches if children.get(span.span_id) == STAGES]
    assert whole, children
    by_id = {span.span_id: span for span in batches}
    for span in engine:
        if span.parent_span_id in by_id:
            root = by_id[span.parent_span_id]
            assert span.trace_id == root.trace_id
            assert root.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= root.end_time_unix_nano
    told = attributes(whole[0])
    ids = told["barnhand.stream.ids"]
    assert isinstance(ids, list) and told["barnhand.batch.size"] == len(ids) >= 1
    assert isinstance(told["barnhand.batch.dropped"], int)


def test_rows_are_linked_to_the_batches_they_came_from(
    exposition: str, collector: Collector
) -> None:
    known = [span for _, span in collector.known()]
    handed_on = {span.span_id: span.trace_id for span in known if span.name == "fan_out"}
    writes = [span for span in known if span.name == "writer copy"]
    links = [link for span in writes for link in span.links]
    assert writes and links
    assert any(handed_on.get(link.span_id) == link.trace_id for link in links)
    assert any(attributes(span)["barnhand.rows"] for span in writes)


def test_requests_are_traced_by_route_and_not_by_path(demo: Demo, collector: Collector) -> None:
    demo.scrape()

    def told() -> bool:
        names = Counter(
            span.name for service, span in collector.known() if service == "barnhand-api"
        )
        return names["GET /metrics"] > 0

    wait_until(told)
    span = next(s for _, s in collector.known() if s.name == "GET /metrics")
    assert span.kind == Span.SPAN_KIND_SERVER
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.route": "/metrics",
        "http.response.status_code": 200,
    }


def test_no_secret_is_in_a_trace(exposition: str, collector: Collector) -> None:
    for _, span in collector.known():
        assert CANARY.encode() not in span.SerializeToString()

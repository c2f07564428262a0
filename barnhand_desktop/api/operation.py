"""Metrics of the nodes and of the shared stores, read at each scrape."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from barnhand_desktop.api.metrics import ApiMetrics
from barnhand_desktop.telemetry.catalogue import (
    API_PREFIX,
    BY_NAME,
    FARM,
    NODE,
    Family,
    Figures,
    Kind,
    Value,
)
from barnhand_desktop.telemetry.document import decode, encode
from barnhand_desktop.telemetry.farm import farm_figures
from barnhand_desktop.telemetry.process import ProcessMeter
from db.live.node_figures import NodeFigures
from db.repositories.operation import OperationRepository
from engine.domain.errors import BarnhandError
from engine.domain.health import HistogramCounts

log = logging.getLogger(__name__)

Sample = tuple[tuple[str, ...], Value]


class NodeCollector(Collector):
    """The figures that every node publishes, this API process's own beside them."""

    def __init__(self, nodes: NodeFigures) -> None:
        self._nodes = nodes
        self._process = ProcessMeter("api")
        self._name = socket.gethostname()

    def collect(self) -> Iterable[Metric]:
        """One family a name of the catalogue, with the label ``node`` before its own."""
        figures = self._read()
        yield metric(BY_NAME["barnhand_nodes"], [((), float(len(figures)))])
        every = [*figures.items(), (self._name, self._process.figures())]
        for family in NODE:
            samples = [
                ((node, *labels), value)
                for node, found in every
                for labels, value in found.get(family.name, {}).items()
            ]
            yield metric(family, samples, ("node", *family.labels))

    def _read(self) -> dict[str, Figures]:
        try:
            return {
                node: decode(document)
                for node, document in self._nodes.read().items()
                if not node.startswith(API_PREFIX)
            }
        except BarnhandError as error:
            log.info("no figures of the nodes in the metrics: %s", error)
            return {}


class FarmCollector(Collector):
    """What the database knows: alerts, jobs, leases, its size."""

    def __init__(self, store: OperationRepository) -> None:
        self._store = store

    def collect(self) -> Iterable[Metric]:
        """Families of the stores; without the database only that it is away."""
        found = farm_figures(self._store)
        for family in FARM:
            if family.name in found:
                yield metric(family, list(found[family.name].items()))


TELL_EVERY_S = 2.0


async def tell_figures(nodes: NodeFigures, metrics: ApiMetrics) -> None:
    """Tell the consoles for ever how this API process does; its end is found by silence."""
    name = f"{API_PREFIX}{socket.gethostname()}:{os.getpid()}"
    process = ProcessMeter("api")
    while True:
        try:
            document = encode({**process.figures(), **metrics.figures()})
            await asyncio.to_thread(nodes.write, name, document)
        except BarnhandError as error:
            log.debug("the figures were not told: %s", error)
        await asyncio.sleep(TELL_EVERY_S)


def metric(
    family: Family, samples: Iterable[Sample], labels: tuple[str, ...] | None = None
) -> Metric:
    """A family of the catalogue with its samples, as the client library writes it."""
    names = family.labels if labels is None else labels
    if family.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(family.name, family.text, labels=names)
        for values, value in samples:
            if isinstance(value, HistogramCounts):
                histogram.add_metric(values, _buckets(value), value.total)
        return histogram
    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    plain = kind(family.name, family.text, labels=names)
    for values, value in samples:
        if not isinstance(value, HistogramCounts):
            plain.add_metric(values, value)
    return plain


def _buckets(counts: HistogramCounts) -> list[tuple[str, int]]:
    """Prometheus counts what is at most each bound; the last bucket has no bound."""
    bounds = [*(f"{bound:g}" for bound in counts.bounds), "+Inf"]
    return list(zip(bounds, accumulate(counts.counts), strict=True))

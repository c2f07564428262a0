"""Figures of the shared stores, and all figures together for the console."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from barnhand_desktop.telemetry.catalogue import API_PREFIX, Value
from barnhand_desktop.telemetry.document import decode
from barnhand_desktop.telemetry.reporter import NodeReporter
from db.live.node_figures import NodeFigures
from db.repositories.operation import OperationRepository
from engine.domain.errors import BarnhandError

log = logging.getLogger(__name__)

SHARED_EVERY_S = 5.0

Found = dict[str, dict[tuple[str, ...], Value]]


def farm_figures(store: OperationRepository) -> Found:
    """What the database knows: alerts, jobs, leases, its size; only that it is away where it is."""
    try:
        figures = store.figures()
    except BarnhandError as error:
        log.info("no figures of the database: %s", error)
        return {"barnhand_database_up": {(): 0.0}}
    queued = [job for job in figures.jobs if job.state == "queued"]
    return {
        "barnhand_database_up": {(): 1.0},
        "barnhand_database_bytes": {(): float(figures.database_bytes)},
        "barnhand_alerts_unacknowledged": {
            (a.kind, a.severity): float(a.unacknowledged) for a in figures.alerts
        },
        "barnhand_alerts_raised": {(a.kind, a.severity): float(a.raised) for a in figures.alerts},
        "barnhand_jobs": {(j.kind, j.state): float(j.jobs) for j in figures.jobs},
        "barnhand_jobs_queued": {(): float(sum(job.jobs for job in queued))},
        "barnhand_job_oldest_seconds": {(): max((job.oldest_s for job in queued), default=0.0)},
        "barnhand_node_leases": {(name,): float(count) for name, count in figures.leases},
    }


class Overview:
    """Everything a console shows: this node's figures, the stores', the API processes'.

    A console asks every second. What is counted in the stores, among it the size of every file of
    the database, is asked there every ``SHARED_EVERY_S`` only.
    """

    def __init__(
        self,
        reporter: NodeReporter,
        nodes: NodeFigures,
        store: OperationRepository,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reporter = reporter
        self._nodes = nodes
        self._store = store
        self._mono_s = mono_s
        self._shared: Found = {}
        self._asked_mono_s = -math.inf

    def figures(self) -> Found:
        """By the names of the catalogue; blocks, so call it on a worker, one at a time."""
        found = {name: dict(values) for name, values in self._reporter.newest.items()}
        if self._mono_s() - self._asked_mono_s >= SHARED_EVERY_S:
            self._shared = self._of_all()
            self._asked_mono_s = self._mono_s()
        for name, values in self._shared.items():
            found[name] = {**found.get(name, {}), **values}
        return found

    def _of_all(self) -> Found:
        """The stores' figures and those of the other processes."""
        found = farm_figures(self._store)
        try:
            others = self._nodes.read()
        except BarnhandError as error:
            log.info("no figures of the other processes: %s", error)
            return found
        apis = [decode(told) for name, told in others.items() if name.startswith(API_PREFIX)]
        found["barnhand_nodes"] = {(): float(len(others) - len(apis))}
        for figures in apis:
            for name, values in figures.items():
                sums = found.setdefault(name, {})
                for labels, value in values.items():
                    before = sums.get(labels, 0.0)
                    if isinstance(value, float) and isinstance(before, float):
                        sums[labels] = before + value
        return found

    def close(self) -> None:
        """Close the connections."""
        self._nodes.close()

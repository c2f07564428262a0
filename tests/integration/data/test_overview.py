"""The console's figures: the shared stores are asked now and then, this node's are always new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg_pool import ConnectionPool

from barnhand_desktop.servers.valkey import EmbeddedValkey
from barnhand_desktop.telemetry.farm import SHARED_EVERY_S, Overview
from barnhand_desktop.telemetry.reporter import NodeReporter
from db.live.node_figures import NodeFigures
from db.pool import open_pool
from db.queue.jobs import PostgresJobQueue
from db.repositories.operation import OperationRepository
from engine.domain.recording import JobKind

QUEUED, WAITING = "barnhand_jobs_queued", "barnhand_queue_pictures"


@pytest.fixture
def pool(postgres_dsn: str) -> Iterator[ConnectionPool]:
    with open_pool(postgres_dsn, 2) as opened:
        yield opened


def test_the_stores_are_asked_every_few_seconds_and_this_node_always(
    pool: ConnectionPool, valkey_server: EmbeddedValkey, tmp_path: Path
) -> None:
    now_s = [100.0]
    reporter = NodeReporter("here", valkey_server.url, dict, tmp_path / "alive")
    store, nodes = OperationRepository(pool), NodeFigures(valkey_server.url)
    overview = Overview(reporter, nodes, store, lambda: now_s[0])
    reporter.newest = {WAITING: {(): 1.0}}
    assert overview.figures()[QUEUED] == {(): 0.0}
    PostgresJobQueue(pool).submit(JobKind.EXPORT, "x", {}, "Anna")
    now_s[0] += SHARED_EVERY_S - 0.1
    reporter.newest = {WAITING: {(): 2.0}}
    soon = overview.figures()
    assert (soon[QUEUED], soon[WAITING]) == ({(): 0.0}, {(): 2.0})
    now_s[0] += 0.2
    assert overview.figures()[QUEUED] == {(): 1.0}
    overview.close()

"""Slow or hostile WebSocket clients: dropped; memory bounded.

Messages that are too long, too many or no JSON, missing tokens and the limits of sockets are in
tests/integration/api/test_api_websocket.py; here the API runs as a process of its own, so that its
memory can be weighed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from barnhand_desktop.api.config import SocketLimits
from barnhand_desktop.servers.api_process import ApiProcess
from tests.faults.conftest import Say
from tests.fixtures_api import World
from tests.integration.api.conftest import api_config, api_database, api_url, wait_until, world
from tests.integration.api.test_api_websocket import (
    Publisher,
    clients,
    dropped_as_slow,
    publisher,
    stalled,
)

__all__ = ["api_config", "api_database", "api_url", "publisher", "wait_until", "world"]

STALLED = 12
PAD_BYTES = 60_000
MB = 1_000_000


@pytest.fixture
def child(world: World) -> Iterator[ApiProcess]:
    """An API process with the product's limits."""
    limits = SocketLimits(farewell_s=0.5)
    process = ApiProcess(world.config.model_copy(update={"sockets": limits}))
    process.start()
    yield process
    process.stop()


def rss(process: psutil.Process) -> int:
    """Resident bytes."""
    return int(process.memory_info().rss)


def test_stalled_clients_are_dropped_and_their_memory_is_bounded(
    world: World, child: ApiProcess, publisher: Publisher, say: Say
) -> None:
    assert child.pid is not None
    process, url = psutil.Process(child.pid), child.url
    before_dropped = dropped_as_slow(world, url)
    empty = rss(process)
    highest = empty
    sent = 0
    with ExitStack() as stack:
        for _ in range(STALLED):
            stack.enter_context(stalled(world, url))
        end_s = time.monotonic() + 90.0
        while dropped_as_slow(world, url) < before_dropped + STALLED:
            assert time.monotonic() < end_s, "stalled clients were not dropped"
            for _ in range(10):
                publisher.publish(world.granted, pad=PAD_BYTES)
                sent += 1
            highest = max(highest, rss(process))
        while clients(world, url):
            assert time.monotonic() < end_s, "dropped clients were not forgotten"
        flood = sent
        while sent < 3 * flood:
            publisher.publish(world.granted, pad=PAD_BYTES)
            sent += 1
        highest = max(highest, rss(process))
    after = rss(process)
    limits = SocketLimits()
    bound = STALLED * limits.queue_bytes + limits.replay_bytes
    say(
        f"{STALLED} stalled clients, {sent} events of {PAD_BYTES // 1000} kB: RSS "
        f"{empty / MB:.0f} MB before, {highest / MB:.0f} at most, {after / MB:.0f} after"
    )
    assert highest - empty < 3 * bound, "some copies of what the limits allow, and no more"
    assert world.request(None, "GET", f"{url}/healthz").status_code == 200

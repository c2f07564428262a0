"""Mailboxes overflow as stated, workers restart within their budget, meters count."""

from __future__ import annotations

import pytest

from engine.runtime.mailbox import Closed, Mailbox, Overflow
from engine.runtime.meters import Distribution, RateMeter
from engine.runtime.worker import StopToken, Worker, WorkerState, stop_all


def test_drop_oldest_keeps_the_newest_and_counts() -> None:
    box: Mailbox[int] = Mailbox("live", 2, Overflow.DROP_OLDEST)
    assert [box.put(n) for n in range(4)] == [None, None, 0, 1]
    assert box.take(9, 0.0) == [2, 3]
    assert (box.dropped, box.accepted) == (2, 4)


def test_reject_gives_the_item_back() -> None:
    box: Mailbox[int] = Mailbox("jobs", 1, Overflow.REJECT)
    assert [box.put(1), box.put(2)] == [None, 2]
    assert (box.get(0.0), box.get(0.0)) == (1, None)
    assert (box.dropped, box.accepted) == (1, 1)


def test_block_waits_and_loses_nothing() -> None:
    box: Mailbox[int] = Mailbox("film", 1, Overflow.BLOCK)

    def send(token: StopToken) -> None:
        for number in range(20):
            box.put(number)

    sender = Worker("sender", send)
    sender.start()
    assert [box.get(10.0) for _ in range(20)] == list(range(20))
    assert sender.join(10.0)
    assert box.dropped == 0
    box.put(1)
    assert box.put(2, timeout_s=0.0) == 2


def test_a_closed_mailbox_refuses_and_can_be_emptied() -> None:
    box: Mailbox[int] = Mailbox("end", 2, Overflow.REJECT)
    box.put(1)
    box.close()
    with pytest.raises(Closed):
        box.put(2)
    assert box.get() == 1
    with pytest.raises(Closed):
        box.get()


def test_a_failing_worker_spends_its_budget_and_tells() -> None:
    told: list[str] = []
    runs: list[int] = []

    def body(token: StopToken) -> None:
        runs.append(1)
        raise RuntimeError("on purpose")

    worker = Worker(
        "bad",
        body,
        restart_budget=2,
        restart_delay_s=0.0,
        on_failed=lambda name, error: told.append(f"{name}: {error}"),
    )
    worker.start()
    assert worker.join(10.0)
    assert (len(runs), worker.failures) == (3, 3)
    assert worker.state is WorkerState.FAILED
    assert told == ["bad: on purpose"]


def test_closed_is_an_orderly_end() -> None:
    def body(token: StopToken) -> None:
        raise Closed("box")

    worker = Worker("reader", body)
    worker.start()
    assert worker.join(10.0)
    assert (worker.state, worker.failures) == (WorkerState.STOPPED, 0)


def test_stop_all_ends_resting_workers() -> None:
    def rest(token: StopToken) -> None:
        token.wait(60.0)

    workers = [Worker(f"w{n}", rest) for n in range(2)]
    for worker in workers:
        worker.start()
    assert stop_all(workers, 10.0) == ()
    assert all(worker.state is WorkerState.STOPPED for worker in workers)


def test_a_rate_is_over_its_window() -> None:
    meter = RateMeter(3.0)
    for step in range(100):
        meter.add(step / 10)
    assert meter.per_second(9.9) == pytest.approx(10.0, rel=0.05)
    assert meter.per_second(20.0) == 0.0
    assert meter.total == 100


def test_quantiles_are_of_the_kept_values() -> None:
    spread = Distribution(keep=3)
    assert spread.quantiles() is None
    for value in (1000.0, 1.0, 2.0, 3.0):
        spread.add(value)
    found = spread.quantiles()
    assert found is not None
    assert (found.count, found.p50) == (3, 2.0)

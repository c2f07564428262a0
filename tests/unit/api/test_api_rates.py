"""Rate limits: the decision, memory, and what happens when Redis is away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from barnhand_desktop.api.rates import MemoryRates, Rate, Rates, decide

THREE_A_MINUTE = Rate(count=3, per_s=60)


class Time:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_is_allowed_and_the_next_request_waits() -> None:
    rates = MemoryRates(Time())
    assert [rates.wait_s("a", THREE_A_MINUTE) for _ in range(4)] == [0.0, 0.0, 0.0, 20.0]


def test_the_wait_that_was_told_is_enough_and_no_longer() -> None:
    time = Time()
    rates = MemoryRates(time)
    for _ in range(3):
        rates.wait_s("a", THREE_A_MINUTE)
    time.now_s += 19.9
    assert rates.wait_s("a", THREE_A_MINUTE) > 0.0
    time.now_s += 0.1
    assert rates.wait_s("a", THREE_A_MINUTE) == 0.0
    assert rates.wait_s("a", THREE_A_MINUTE) > 0.0


def test_subjects_do_not_share_an_allowance() -> None:
    rates = MemoryRates(Time())
    for _ in range(4):
        rates.wait_s("a", THREE_A_MINUTE)
    assert rates.wait_s("b", THREE_A_MINUTE) == 0.0


@given(
    st.lists(st.floats(0, 30), min_size=1, max_size=60),
    st.integers(1, 10),
    st.floats(1, 100),
)
def test_no_window_of_the_period_ever_holds_twice_the_count(
    steps_s: list[float], count: int, per_s: float
) -> None:
    rate = Rate(count=count, per_s=per_s)
    now_s, due_s, allowed = 0.0, 0.0, []
    for step_s in steps_s:
        now_s += step_s
        decision = decide(due_s, now_s, rate)
        due_s = decision.due_s
        if decision.wait_s == 0.0:
            allowed.append(now_s)
    for start_s in allowed:
        assert sum(start_s <= at_s < start_s + per_s for at_s in allowed) <= 2 * count


def test_limits_hold_while_redis_is_away() -> None:
    # Port 1 on loopback refuses at once.
    with Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=1) as redis:
        rates = Rates(redis, Time())
        waits = [rates.wait_s("a", THREE_A_MINUTE) for _ in range(4)]
    assert waits == [0.0, 0.0, 0.0, 20.0]
    assert rates.degraded

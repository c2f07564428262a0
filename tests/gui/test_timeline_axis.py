"""Ticks at local times, clocks that change, and words for times."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ui.timeline.axis import (
    DAY_US,
    HOUR_US,
    SECOND_US,
    STEPS_US,
    clock_words,
    offset_words,
    tick_step_us,
    ticks,
    zone_words,
    zoomed,
)
from ui.timeline.cursor import instant, micros
from ui.timeline.words import cursor_words, length_words, span_words

BERLIN = ZoneInfo("Europe/Berlin")
FORWARD = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)  # local midnight before clocks go forward
BACK = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)


def test_the_missing_hour_has_no_tick() -> None:
    start = micros(FORWARD)
    marks = ticks(start, start + 6 * HOUR_US, HOUR_US, BERLIN)
    assert [m.words for m in marks] == [
        "Sun 29 Mar", "01:00", "03:00", "04:00", "05:00", "06:00", "07:00",
    ]  # fmt: skip
    assert {b.at_us - a.at_us for a, b in itertools.pairwise(marks)} == {HOUR_US}


def test_the_repeated_hour_has_two_and_says_which() -> None:
    start = micros(BACK)
    marks = ticks(start, start + 4 * HOUR_US, HOUR_US, BERLIN)
    words = [m.words for m in marks]
    assert words == ["Sun 25 Oct", "01:00", "02:00 UTC+2", "02:00 UTC+1", "03:00"]
    assert len({m.at_us for m in marks}) == 5


def test_days_begin_at_local_midnight_though_they_are_23_and_25_hours_long() -> None:
    for begin, hours in ((FORWARD, 23), (BACK, 25)):
        start = micros(begin)
        marks = ticks(start, start + 2 * DAY_US, DAY_US, BERLIN)
        assert marks[0].at_us == start
        assert marks[1].at_us - start == hours * HOUR_US


@pytest.mark.parametrize("step_us", STEPS_US)
def test_ticks_rise_and_stay_within_the_window(step_us: int) -> None:
    start = micros(BACK) + 123_457
    end = start + 12 * step_us
    marks = [m.at_us for m in ticks(start, end, step_us, BERLIN)]
    assert marks == sorted(set(marks))
    assert marks and start <= marks[0] and marks[-1] <= end


def test_steps_leave_room_for_words() -> None:
    for span in (200_000, SECOND_US, HOUR_US, DAY_US, 90 * DAY_US):
        step = tick_step_us(span, 1200, 76)
        assert step * 1200 / span >= 76 or step == STEPS_US[-1]


def test_zoom_keeps_the_instant_under_the_mouse() -> None:
    start, end = zoomed(0, 1_000_000, 250_000, 0.5)
    assert (start, end) == (125_000, 625_000)
    assert (250_000 - start) / (end - start) == 0.25


def test_instants_are_exact_to_the_microsecond() -> None:
    at = datetime(2026, 11, 19, 13, 51, 7, 240_001, UTC)
    assert instant(micros(at)) == at


def test_words_are_as_fine_as_they_need_to_be() -> None:
    at = micros(datetime(2026, 11, 19, 13, 51, 7, 240_000, UTC))
    assert clock_words(at, 1000, UTC) == "13:51:07.240"
    assert clock_words(at, SECOND_US, UTC) == "13:51:07"
    assert cursor_words(at, 20_000_000, UTC) == "13:51:07"
    assert cursor_words(at, 1_000, UTC) == "13:51:07.240"
    assert span_words(at, at + 64 * SECOND_US, UTC) == "19 Nov 13:51:07–13:52:11"
    assert span_words(at, at + 3 * DAY_US, UTC) == "19 Nov 13:51 – 22 Nov 13:51"
    lengths = (40_000, 2 * SECOND_US, 2 * HOUR_US, 3.5 * HOUR_US, 90 * DAY_US)
    assert [length_words(round(n)) for n in lengths] == [
        "40 ms", "2.0 s", "2 h", "3 h 30 min", "90 d",
    ]  # fmt: skip


def test_the_zone_is_told_with_both_offsets_when_clocks_change() -> None:
    start = micros(BACK)
    assert zone_words(start, start + HOUR_US, BERLIN, "Europe/Berlin") == "Europe/Berlin · UTC+2"
    assert zone_words(start, start + DAY_US, BERLIN, "") == "UTC+2 → UTC+1"
    assert offset_words(instant(start).astimezone(ZoneInfo("Asia/Kolkata"))) == "UTC+5:30"

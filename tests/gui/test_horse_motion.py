"""A horse's budgets and asymmetry in its profile, over a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from engine.domain.behaviour import TimeBudget
from engine.domain.motion import Asymmetry, BoutKind, Gait
from tests.fixtures_motion import MotionBarn, at, bout, stride
from ui.horse.motion_section import MotionSection
from ui.horse.reading import day_of, local_midnights, read_motion
from ui.requests import RequestRunner
from ui.theme import load_theme
from ui.timeline.marks import Mark

HOUR_S = 3600.0
NOW_S = 13 * HOUR_S


@pytest.fixture
def yard(postgres_dsn: str) -> Iterator[MotionBarn]:
    yard = MotionBarn(postgres_dsn)
    yield yard
    yard.close()


@pytest.fixture
def section(
    yard: MotionBarn,
    dressed: QApplication,
    qtbot: QtBot,
    shown: Callable[[QWidget, int, int], QWidget],
) -> Iterator[MotionSection]:
    requests = RequestRunner()
    made = MotionSection(yard.motion, requests, load_theme("dark"))
    shown(made, 420, 760)
    yield made
    requests.close()


def test_parts_of_a_day_add_up_to_what_was_seen(yard: MotionBarn) -> None:
    start = at(0)
    budget = TimeBudget(
        yard.horse("Bella"), start, start + timedelta(days=1), 20 * HOUR_S,
        {"resting": 5 * HOUR_S, "grazing": 9 * HOUR_S, "standing": 4 * HOUR_S, "running": HOUR_S},
        {"sternal": 2 * HOUR_S, "lateral": HOUR_S, "upright": 17 * HOUR_S}, {},
    )  # fmt: skip
    day = day_of(start, 86_400.0, budget)
    parts = dict(day.parts)
    assert parts[Mark.LYING] == 3 * HOUR_S  # by posture
    assert parts[Mark.RESTING] == 2 * HOUR_S  # resting on its feet
    assert parts[Mark.SEEN] == HOUR_S  # seen, and not known what it did
    assert sum(parts.values()) == day.seen_s and day.coverage == pytest.approx(20 / 24)


def test_days_begin_at_local_midnight() -> None:
    now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    midnights = local_midnights(now, 3)
    assert len(midnights) == 3 and midnights[-1] <= now
    assert all(m.hour == 0 and m.minute == 0 for m in midnights)


def test_the_day_is_told_with_its_coverage(
    yard: MotionBarn, section: MotionSection, qtbot: QtBot
) -> None:
    camera, bella = yard.camera("stall"), yard.horse("Bella", "active")
    now = datetime.now(UTC)
    lately_s = (now - timedelta(minutes=90) - at(0)).total_seconds()
    track = yard.track(camera, lately_s, lately_s + 3600, bella)
    yard.tell(
        bout(track, camera, lately_s, lately_s + 1800, "lying", BoutKind.POSTURE),
        bout(track, camera, lately_s, lately_s + 1800, "resting", BoutKind.ACTION),
        bout(track, camera, lately_s + 1800, lately_s + 3600, "grazing", BoutKind.ACTION),
    )
    horse = yard.horses.get(bella)
    section.open_for(horse)
    assert section.problem.text() == "Reading…"
    section.reread()
    qtbot.waitUntil(lambda: section.bars.isVisible())
    reading = section.reading
    assert reading is not None
    marks = {mark for day in reading.days for mark, _ in day.parts}
    assert marks >= {Mark.LYING, Mark.GRAZING}
    assert sum(day.seen_s for day in reading.days) == pytest.approx(3600, abs=5)
    assert "seen" in section.day.text() and "%" in section.day.text()
    assert "No straight trot" in section.recent.text()
    before = section.bars.day
    section.bars.setFocus()
    QTest.keyClick(section.bars, Qt.Key.Key_Left)
    assert section.bars.day is not before


def test_asymmetry_is_refused_below_ten_strides_and_told_from_ten_on(yard: MotionBarn) -> None:
    camera, bella = yard.camera("arena"), yard.horse("Bella", "active")
    uneven = Asymmetry(12.0, -4.0, 3.0, 1.0)

    def trot(day: int, count: int) -> None:
        start_s = day * 86_400.0
        track = yard.track(camera, start_s, start_s + 100, bella)
        for number in range(count):
            one = stride(track, camera, start_s + number)
            yard.tell(replace(one, gait=Gait.TROT, straight=True, quality=0.9, asymmetry=uneven))

    trot(0, 9)
    few = read_motion(yard.motion, bella, at(86_000))
    assert "9 good strides" in few.recent.refusal
    for day in range(1, 6):
        trot(day, 12)
    many = read_motion(yard.motion, bella, at(6 * 86_400))
    assert many.recent.mean.hd_min_mm == pytest.approx(12.0, abs=0.1)
    slope = many.trends["hd_min_mm"]
    assert len(slope.days) == 5 and not slope.refusal
    assert slope.slope_mm_day == pytest.approx(0.0, abs=0.05)

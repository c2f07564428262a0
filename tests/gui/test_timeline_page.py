"""The Timeline page as a person uses it: wheel, drags, keys, lanes, loading, empty states."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.domain.behaviour import LaneKind
from engine.domain.errors import StoreUnavailable
from tests.gui.timeline_bench import (
    CAMERAS,
    HORSES,
    LEFT,
    NONE,
    PLAIN,
    SHIFT,
    TimelineBench,
    camera_names,
    generated_services,
    made_up,
    open_timeline,
)
from tests.helpers.generated_days import GeneratedDays
from ui.services import ConsoleServices
from ui.theme import load_theme
from ui.timeline.axis import DAY_US, HOUR_US, SECOND_US
from ui.timeline.cursor import instant, micros
from ui.timeline.lane_paint import CHEVRON_PX, RULER_PX
from ui.timeline.lane_tile import ACTIVITY
from ui.timeline.tile_grid import level_for
from ui.timeline.time_view import LEAST_US

Open = Callable[..., TimelineBench]


@pytest.fixture
def days() -> GeneratedDays:
    return made_up()


@pytest.fixture
def open_page(
    tmp_path: Path, qtbot: QtBot, dressed: QApplication, days: GeneratedDays
) -> Iterator[Open]:
    opened: list[TimelineBench] = []

    def open_one(services: ConsoleServices | None = None, cameras: bool = True) -> TimelineBench:
        given = services or generated_services(tmp_path, days)
        names = camera_names() if cameras else {}
        opened.append(open_timeline(tmp_path, qtbot, given, names))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def bench(open_page: Open) -> TimelineBench:
    return open_page()


# --- time ---------------------------------------------------------------------------------------


def test_the_wheel_zooms_about_the_mouse(bench: TimelineBench) -> None:
    spot = bench.at(0.3, "Juno")
    before = bench.page.lanes.place().at_us(spot.x())
    span = bench.page.view.span_us
    bench.wheel(spot, 4)
    assert bench.page.view.span_us == pytest.approx(span * 0.8**4, rel=1e-6)
    assert bench.page.lanes.place().at_us(spot.x()) == pytest.approx(before, abs=2)
    for _ in range(30):
        bench.wheel(spot, 3)
    assert bench.page.view.span_us == LEAST_US
    assert bench.page.lanes.place().at_us(spot.x()) == pytest.approx(before, abs=SECOND_US)
    for _ in range(40):
        bench.wheel(spot, -3)
    assert bench.page.view.span_us >= 90 * DAY_US


def test_dragging_the_lanes_moves_the_window_and_stops_following(bench: TimelineBench) -> None:
    page = bench.page
    assert page.view.following and bench.book["timeline.follow"].isChecked()
    grabbed = bench.at(0.3, "Atlas")
    before = page.lanes.place().at_us(grabbed.x())
    let_go = bench.at(0.8, "Atlas")
    bench.drag(grabbed, let_go)
    assert page.lanes.place().at_us(let_go.x()) == pytest.approx(before, abs=2 * DAY_US / 1000)
    assert not page.view.following and not bench.book["timeline.follow"].isChecked()
    assert page.head.range is None
    bench.key(Qt.Key.Key_End)
    assert page.view.following and page.view.shows_now


def test_keys_move_zoom_and_go_to_now(bench: TimelineBench) -> None:
    view = bench.page.view
    start, span = view.start_us, view.span_us
    bench.key(Qt.Key.Key_Left)
    assert view.start_us == pytest.approx(start - span * 0.1, abs=2)
    bench.key(Qt.Key.Key_PageUp)
    assert view.start_us == pytest.approx(start - span, abs=4)
    bench.key(Qt.Key.Key_Plus)
    assert view.span_us == pytest.approx(span / 2, abs=2)
    bench.key(Qt.Key.Key_T)
    midnight = instant(view.start_us).astimezone()
    assert (midnight.hour, midnight.minute) == (0, 0) and view.span_us == DAY_US
    bench.book["timeline.week"].trigger()
    assert view.span_us == pytest.approx(7 * DAY_US, rel=0.05) and view.following


def test_shift_and_the_wheel_move_in_time(bench: TimelineBench) -> None:
    view = bench.page.view
    start, span = view.start_us, view.span_us
    bench.wheel(bench.at(0.5, "Juno"), 1, SHIFT)
    assert view.start_us == pytest.approx(start - span * 0.1, abs=2)
    assert view.span_us == span


def test_the_brush_moves_and_widens_the_window(bench: TimelineBench) -> None:
    page, overview = bench.page, bench.page.overview
    brush = overview.brush()
    start, span = page.view.start_us, page.view.span_us
    middle = brush.center().toPoint()
    bench.drag(middle, middle - QPoint(60, 0), widget=overview)
    moved = (start - page.view.start_us) / overview.place().us_per_px
    assert moved == pytest.approx(60, abs=1.5) and page.view.span_us == span
    left = QPoint(round(overview.brush().left()), middle.y())
    end = page.view.end_us
    bench.drag(left, left - QPoint(40, 0), widget=overview)
    assert page.view.span_us > span and page.view.end_us == pytest.approx(end, abs=2)
    there = QPoint(round(overview.place().left) + 30, middle.y())
    QTest.mouseClick(overview, LEFT, pos=there)
    centre = page.view.start_us + page.view.span_us // 2
    assert abs(overview.place().x(centre) - there.x()) < overview.width() / 2


def test_the_window_keeps_up_with_now_only_while_it_follows(bench: TimelineBench) -> None:
    view = bench.page.view
    view.show_last(20 * SECOND_US)
    first = view.end_us
    bench.wait(lambda: view.end_us > first)
    view.pan(-HOUR_US)
    stood = view.end_us
    view.keep_up()
    assert view.end_us == stood


def test_the_zone_is_told_and_can_be_another(bench: TimelineBench) -> None:
    page = bench.page
    berlin = ZoneInfo("Europe/Berlin")
    page.lanes.zone = berlin
    page.show_today()
    midnight = instant(page.view.start_us).astimezone(berlin)
    assert (midnight.hour, midnight.minute) == (0, 0)


# --- cursor and range ---------------------------------------------------------------------------


def test_a_click_moves_the_cursor_and_selects_the_lane(bench: TimelineBench) -> None:
    page = bench.page
    spot = bench.at(0.4, "Belle")
    QTest.mouseClick(bench.port, LEFT, pos=spot)
    assert page.head.at_us == pytest.approx(page.lanes.place().at_us(spot.x()), abs=2)
    assert page.lanes.selected == HORSES[2]
    bench.settle()
    assert page.plots.rows["speed"].value != "– m/s"


def test_dragging_the_ruler_marks_a_range_and_its_edge_can_be_taken(bench: TimelineBench) -> None:
    page = bench.page
    start = page.view.start_us
    bench.drag(bench.at(0.2), bench.at(0.5))
    marked, place = page.head.range, page.lanes.place()
    assert marked is not None and page.view.start_us == start
    assert place.x(micros(marked.start_at)) == pytest.approx(bench.at(0.2).x(), abs=1.5)
    assert place.x(micros(marked.end_at)) == pytest.approx(bench.at(0.5).x(), abs=1.5)
    assert page.bar.isVisible() and "Annie" not in page.bar.words
    bench.drag(bench.at(0.5, "Juno"), bench.at(0.7, "Juno"))
    wider = page.head.range
    assert wider is not None and wider.start_at == marked.start_at
    assert place.x(micros(wider.end_at)) == pytest.approx(bench.at(0.7).x(), abs=1.5)
    bench.key(Qt.Key.Key_Escape)
    assert page.head.range is None and not page.bar.isVisible()


def test_shift_or_the_marking_tool_mark_on_the_lanes(bench: TimelineBench) -> None:
    page = bench.page
    bench.drag(bench.at(0.6, "Juno"), bench.at(0.3, "Juno"), SHIFT)
    marked = page.head.range
    assert marked is not None and marked.seconds > 3600
    bench.key(Qt.Key.Key_Escape)
    bench.key(Qt.Key.Key_M)
    bench.drag(bench.at(0.3, "Juno"), bench.at(0.6, "Juno"))
    assert page.head.range is not None
    assert page.head.range.seconds == pytest.approx(marked.seconds, rel=0.01)


def test_a_double_click_marks_the_run_under_it(bench: TimelineBench) -> None:
    page = bench.page
    spot = bench.at(0.55, "Atlas")
    found = page.lanes.hit(bench.row("Atlas"), page.lanes.place().at_us(spot.x()))
    assert found is not None
    QTest.mouseDClick(bench.port, LEFT, pos=spot)
    marked = page.head.range
    assert marked is not None
    assert (micros(marked.start_at), micros(marked.end_at)) == (found.start_us, found.end_us)


def test_the_cursor_marks_plays_and_steps_by_keys(bench: TimelineBench) -> None:
    head = bench.page.head
    head.move_to(instant(bench.page.view.start_us + 6 * HOUR_US))
    at = head.at
    bench.key(Qt.Key.Key_I)
    head.move_by(600)
    bench.key(Qt.Key.Key_O)
    assert head.range is not None
    assert (head.range.start_at, head.range.end_at) == (at, at + timedelta(seconds=600))
    bench.key(Qt.Key.Key_Space)
    assert head.playing
    moved = head.at
    bench.wait(lambda: head.at > moved)
    bench.key(Qt.Key.Key_BracketRight)
    assert head.speed == 2.0
    bench.key(Qt.Key.Key_Period)
    assert not head.playing
    moved = head.at
    bench.key(Qt.Key.Key_Comma)
    assert moved - head.at == timedelta(milliseconds=40)


# --- lanes --------------------------------------------------------------------------------------


def test_lanes_show_what_the_store_knows(bench: TimelineBench, days: GeneratedDays) -> None:
    page = bench.page
    lane = days.lanes_of[HORSES[0]][LaneKind.POSTURE]
    page.who.opened = {HORSES[0]}
    page.who.refresh()
    row = bench.row("Juno", LaneKind.POSTURE)
    for share in (0.2, 0.35, 0.5, 0.65, 0.8):
        at = page.lanes.place().at_us(bench.at(share).x())
        index = int(lane.bounds_us.searchsorted(at, "right")) - 1
        found = page.lanes.hit(row, at)
        if lane.value[index] < 0:
            continue
        assert found is not None
        assert found.start_us <= lane.bounds_us[index] < lane.bounds_us[index + 1] <= found.end_us


def test_the_chevron_opens_a_lane_and_enter_closes_it(bench: TimelineBench) -> None:
    page = bench.page
    y = bench.at(0.5, "Juno").y()
    rows = len(page.lanes.rows)
    QTest.mouseClick(bench.port, LEFT, pos=QPoint(CHEVRON_PX // 2, y))
    assert len(page.lanes.rows) == rows + 6
    QTest.mouseClick(bench.port, LEFT, pos=QPoint(80, y))
    assert page.lanes.selected == HORSES[0]
    bench.key(Qt.Key.Key_Return)
    assert len(page.lanes.rows) == rows
    bench.key(Qt.Key.Key_E)
    assert page.who.opened == {*HORSES, *CAMERAS}
    bench.key(Qt.Key.Key_E)
    assert not page.who.opened


def test_arrows_walk_the_lanes(bench: TimelineBench) -> None:
    page = bench.page
    page.lanes.select(HORSES[1])  # Atlas is the first by name
    bench.key(Qt.Key.Key_Down)
    assert page.lanes.selected == HORSES[2]
    bench.key(Qt.Key.Key_Up)
    bench.key(Qt.Key.Key_Up)
    assert page.lanes.selected == HORSES[1]


def shown(bench: TimelineBench) -> list[str]:
    return [r.subject.title for r in bench.page.lanes.rows if r.subject and not r.sub]


def test_lanes_are_grouped_filtered_and_reordered_by_hand(bench: TimelineBench) -> None:
    assert shown(bench) == ["Atlas", "Belle", "Juno", "Aisle", "Yard"]
    names = [bench.at(0.5, name) for name in ("Juno", "Atlas")]
    bench.drag(QPoint(80, names[0].y()), QPoint(80, names[1].y() - 14))
    assert shown(bench) == ["Juno", "Atlas", "Belle", "Aisle", "Yard"]
    assert bench.book["timeline.order.own"].isChecked()
    bench.book["timeline.cameras"].trigger()
    assert shown(bench) == ["Aisle", "Yard"]
    bench.book["timeline.both"].trigger()
    bench.key(Qt.Key.Key_Slash)
    QTest.keyClicks(bench.page.header.search, "el")
    assert shown(bench) == ["Belle"]
    QTest.keyClicks(bench.page.header.search, "x")
    assert bench.page.stack.currentWidget() is bench.page.empty
    QTest.mouseClick(bench.page.empty.act, LEFT)
    assert len(shown(bench)) == 5


@pytest.mark.qt_log_ignore("This plugin does not support (raise|propagateSizeHints)")
def test_what_is_pointed_at_is_told_with_how_sure_it_is(bench: TimelineBench) -> None:
    page = bench.page
    at = next(
        share / 100
        for share in range(20, 80)
        if page.lanes.hit(bench.row("Juno"), page.lanes.place().at_us(bench.at(share / 100).x()))
    )
    spot = bench.at(at, "Juno")
    event = QHelpEvent(QEvent.Type.ToolTip, spot, bench.port.mapToGlobal(spot))
    QApplication.sendEvent(bench.port, event)
    bench.wait(lambda: bool(page.tips.details))
    first, *_rest = page.tips.details.splitlines()
    assert first.startswith("Juno · ")
    assert "confidence 0.87" in page.tips.details
    assert "provisional" in page.tips.details or "final" in page.tips.details
    assert "Aisle" in page.tips.details


def test_sums_are_told_as_sums(tmp_path: Path, open_page: Open) -> None:
    many = made_up(60.0, 200)
    bench = open_page(generated_services(tmp_path, many))
    bench.page.show_last(90 * DAY_US)
    bench.settle()
    spot = bench.at(0.9, "Juno")
    words = bench.page.tips.tell(bench.row("Juno"), bench.page.lanes.place().at_us(spot.x()))
    assert "summed up" in words and "%" in words
    assert "Stacked" in bench.page.legend._words


# --- loading ------------------------------------------------------------------------------------


class Gate:
    """Holds the store's answers until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()

    def __call__(self) -> None:
        assert self._open.wait(10.0)

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()


def test_what_is_known_stays_on_show_while_more_is_read(
    bench: TimelineBench, days: GeneratedDays
) -> None:
    page, gate = bench.page, Gate()
    days.gate = gate
    gate.close()
    try:
        page.view.zoom(0.02, page.lanes.place().at_us(bench.at(0.5).x()))
        bench.wait(lambda: not page.reader.wanting)
        level = level_for(page.lanes.place().us_per_px)
        assert page.reader.tiles.pieces(level, page.view.start_us, page.view.end_us)
        assert any(page.lanes._current_picture(page.lanes.place(), page.lanes.rows).canvas.any(1))
    finally:
        gate.open()
    bench.settle()


def test_only_what_the_last_window_needs_is_read(bench: TimelineBench, days: GeneratedDays) -> None:
    page, gate = bench.page, Gate()
    page.reader.tiles.reset(forget=True)
    bench.settle()
    days.calls.clear()
    days.gate = gate
    gate.close()
    try:
        for step in range(12):
            start = page.view.now_us - (40 + step) * DAY_US
            page.view.show(start, start + 2 * HOUR_US)
            page.reader.ask()
    finally:
        gate.open()
    bench.settle()
    far = [call for call in days.calls if (call[1] - call[0]) < timedelta(hours=13)]
    assert 0 < len(far) < 12 * 2
    level = level_for(page.lanes.place().us_per_px)
    pieces = page.reader.tiles.pieces(level, page.view.start_us, page.view.end_us)
    assert sum(piece.end_us - piece.start_us for piece in pieces) == page.view.span_us


def test_a_store_that_is_away_is_said_and_asked_again(
    bench: TimelineBench, days: GeneratedDays
) -> None:
    page = bench.page
    days.problem = StoreUnavailable("The database does not answer.")
    page.reader.tiles.reset()
    page.reader.ask()
    bench.wait(lambda: page.reader.tiles.problem is not None)
    assert "does not answer" in page.header._problem.text()
    assert page.reader.tiles.pieces(level_for(1e6), page.view.start_us, page.view.end_us)
    days.problem = None
    bench.wait(lambda: page.reader.tiles.problem is None)
    assert not page.header._problem.isVisible()


def test_a_change_by_somebody_else_is_read(bench: TimelineBench, days: GeneratedDays) -> None:
    page = bench.page
    swapped = dict(days.lanes_of)
    days.lanes_of[HORSES[0]], days.lanes_of[HORSES[1]] = swapped[HORSES[1]], swapped[HORSES[0]]
    days.calls.clear()
    page.directory.refresh()
    bench.wait(lambda: bool(days.calls))
    bench.settle()
    lane = swapped[HORSES[1]][LaneKind.ACTION]
    at = page.view.now_us - HOUR_US
    index = int(lane.bounds_us.searchsorted(at, "right")) - 1
    page.who.opened = {HORSES[0]}
    page.who.refresh()
    found = page.lanes.hit(bench.row("Juno", LaneKind.ACTION), at)
    assert (found is None) == (lane.value[index] < 0)
    if found is not None:
        assert found.start_us <= lane.bounds_us[index]


# --- plots --------------------------------------------------------------------------------------


def test_plots_stand_under_the_lanes_and_move_with_them(bench: TimelineBench) -> None:
    page = bench.page
    speed = page.plots.rows["speed"]
    box = speed.canvas.getPlotItem().getViewBox()
    place = page.lanes.place()
    left = speed.canvas.mapTo(bench.host, QPoint(0, 0)).x() + box.geometry().left()
    lanes_left = bench.port.mapTo(bench.host, QPoint(round(place.left), 0)).x()
    assert left == pytest.approx(lanes_left, abs=1.5)
    for act in (lambda: bench.wheel(bench.at(0.5, "Juno"), 3), lambda: page.pan(0.2)):
        act()
        (x0, x1), _ = box.viewRange()
        assert x1 - x0 == pytest.approx(page.view.span_us / 1e6, rel=1e-6)
        start = page.plots._origin_us + x0 * 1e6
        assert start == pytest.approx(page.view.start_us, abs=page.view.span_us / 1e4)


def test_a_plot_can_be_dragged_and_clicked_like_a_lane(bench: TimelineBench) -> None:
    page = bench.page
    port = page.plots.rows["speed"].canvas.viewport()
    start = page.view.start_us
    bench.drag(QPoint(300, 30), QPoint(500, 30), widget=port)
    assert page.view.start_us < start
    QTest.mouseClick(port, LEFT, pos=QPoint(port.width() // 2, 20))
    middle = page.view.start_us + page.view.span_us / 2
    assert page.head.at_us == pytest.approx(middle, abs=page.view.span_us * 0.05)


def test_asymmetry_refuses_when_there_are_too_few_strides(
    bench: TimelineBench, days: GeneratedDays
) -> None:
    page = bench.page
    days.lanes_of[HORSES[1]][LaneKind.GAIT].value[:] = -1
    page.lanes.select(HORSES[1])
    page.plots.reset()
    page.reader.ask()
    bench.settle()
    row = page.plots.rows["asymmetry"]
    bench.wait(lambda: "Too few strides" in row.note)
    assert "10" in row.note


def test_plots_of_a_camera_ask_for_a_horse(bench: TimelineBench) -> None:
    QTest.mouseClick(bench.port, LEFT, pos=bench.at(0.5, "Yard"))
    assert "Choose a horse" in bench.page.plots.rows["speed"].note


def test_plots_are_switched(bench: TimelineBench) -> None:
    page = bench.page
    bench.book["timeline.plot.knee"].trigger()
    bench.settle()
    assert page.plots.rows["knee"].isVisible()
    assert "|" in page.plots.value_at("knee", page.view.now_us - HOUR_US)
    for name in ("speed", "stride", "asymmetry", "knee"):
        bench.book[f"timeline.plot.{name}"].trigger()
    assert not page.plots.isVisible()


# --- states -------------------------------------------------------------------------------------


def test_an_empty_barn_says_what_to_do(tmp_path: Path, open_page: Open) -> None:
    services = replace(generated_services(tmp_path, None), timeline=made_up(1.0))
    bench = open_page(services, cameras=False)
    assert bench.page.stack.currentWidget() is bench.page.empty
    assert "Add a camera" in bench.page.empty.text.text()
    heard: list[str] = []
    bench.page.wanted.connect(heard.append)
    QTest.mouseClick(bench.page.empty.act, LEFT)
    assert heard == ["live"]


def test_a_store_without_timelines_says_so(tmp_path: Path, open_page: Open) -> None:
    bench = open_page(generated_services(tmp_path, None))
    assert "without a database" in bench.page.empty.text.text()


def test_both_looks_paint(bench: TimelineBench) -> None:
    dark = bench.host.grab().toImage()
    bench.page.set_theme(load_theme("light"))
    light = bench.host.grab().toImage()
    where = bench.port.mapTo(bench.host, QPoint(20, bench.port.height() - 4))
    assert dark.pixelColor(where).lightness() < 60 < 180 < light.pixelColor(where).lightness()


def test_hovering_a_name_shows_it_can_be_taken(bench: TimelineBench) -> None:
    spot = QPointF(80, bench.at(0.5, "Juno").y())
    move = QMouseEvent(
        QEvent.Type.MouseMove, spot, QPointF(bench.port.mapToGlobal(spot)), NONE, NONE, PLAIN
    )
    QApplication.sendEvent(bench.port, move)
    assert bench.page.lanes.hand.pointed == HORSES[0]
    QApplication.sendEvent(bench.port, QEvent(QEvent.Type.Leave))
    assert bench.page.lanes.hand.pointed is None
    assert bench.row("Juno").row == ACTIVITY and bench.at(0.5).y() < RULER_PX

"""Strips dragged out of a horse, cut at the playhead, given away, rejected and swapped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.domain.identity import TrackStrip
from engine.domain.ids import HorseId, TrackId
from tests.gui.registry_bench import LEFT, RegistryBench, drag
from tests.gui.stored_barn import StoredBarn, plain_picture
from ui.registry.strip_view import HANDLE_PX, NAMES_PX, StripView
from ui.registry.track_panels import MovePanel, RejectPanel, SplitPanel, SwapPanel

Open = Callable[..., RegistryBench]
MINUTES = timedelta(minutes=1)


@dataclass
class Farm:
    juno: HorseId
    belle: HorseId
    early: TrackId
    late: TrackId
    other: TrackId


@pytest.fixture
def farm(barn: StoredBarn) -> Farm:
    """Juno on two cameras, Belle on one of them."""
    juno, belle = barn.horse("Juno"), barn.horse("Belle")
    start = barn.now - timedelta(hours=2)
    return Farm(
        juno,
        belle,
        barn.track(juno, "Yard", start, 20, crop=plain_picture(1)),
        barn.track(juno, "Arena", start + 40 * MINUTES, 30, crop=plain_picture(2)),
        barn.track(belle, "Arena", start + 40 * MINUTES, 30, crop=plain_picture(3)),
    )


def strip_spot(bench: RegistryBench, track_id: TrackId, share: float = 0.5) -> QPoint:
    """A point on a strip, ``share`` of its length from the left."""
    strips = bench.page.side.profile.strips
    strip = next(s for s in strips.strips if s.track_id == track_id)
    bar = strips.bar_of(strip)
    return QPoint(round(bar.left() + bar.width() * share), round(bar.center().y()))


def share_of(strips: StripView, strip: TrackStrip) -> float:
    """How much of the window a strip's bar takes; a scroll bar that comes with what is read later
    makes the window narrower, and no shorter."""
    return strips.bar_of(strip).width() / (strips.width() - NAMES_PX - HANDLE_PX / 2)


def test_strips_tell_camera_time_confidence_and_who_decided(
    open_registry: Open, farm: Farm
) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    profile = bench.page.side.profile
    QTest.mouseClick(profile.strips, LEFT, pos=strip_spot(bench, farm.late))
    words = profile.strip_words.text()
    assert words.startswith("Arena · track 1 · ")
    assert "9\u202f000 detections" in words
    assert words.endswith("confidence 0.90 · by the computer")
    assert [s.track_id for s in profile.crops.shown] == [farm.early, farm.late]


def test_a_strip_dragged_onto_a_card_is_given_to_that_horse(
    open_registry: Open, farm: Farm
) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    drag(
        bench.page.side.profile.strips,
        strip_spot(bench, farm.late),
        bench.page.gallery.viewport(),
        bench.card(farm.belle),
    )
    panel = bench.panel()
    assert isinstance(panel, MovePanel)
    assert panel.right.name.text() == "Belle"
    assert "1 track, 9\u202f000 detections" in panel.words.text()
    assert bench.barn.owner(farm.late) == [farm.juno]
    bench.confirm()
    assert bench.barn.owner(farm.late) == [farm.belle]
    assert bench.page.side.on_profile
    bench.undo()
    assert bench.barn.owner(farm.late) == [farm.juno]


def test_a_strip_dragged_beside_the_cards_becomes_a_new_horse(
    open_registry: Open, farm: Farm
) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    view = bench.page.gallery.viewport()
    beside = QPoint(view.width() // 2, view.height() - 12)
    drag(bench.page.side.profile.strips, strip_spot(bench, farm.late), view, beside)
    panel = bench.panel()
    assert isinstance(panel, MovePanel)
    assert panel.picker.wants_new
    bench.confirm()
    (owner,) = bench.barn.owner(farm.late)
    assert bench.barn.horses.get(owner).label == "horse_003"
    bench.wait(lambda: [h.id for h in bench.page.selection] == [owner])
    bench.undo()
    assert bench.barn.owner(farm.late) == [farm.juno]
    assert len(bench.barn.horses.list()) == 2


def test_a_strip_let_go_on_its_own_horse_or_on_the_panel_stays(
    open_registry: Open, farm: Farm
) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    strips, view = bench.page.side.profile.strips, bench.page.gallery.viewport()
    drag(strips, strip_spot(bench, farm.late), view, bench.card(farm.juno))
    drag(strips, strip_spot(bench, farm.late), strips, QPoint(200, strips.height() + 60))
    assert bench.page.side.correction is None


def test_the_handle_cuts_at_the_playhead(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    strips = bench.page.side.profile.strips
    QTest.mouseClick(strips, LEFT, pos=strip_spot(bench, farm.late))
    start = strips.handle().center()
    there = QPoint(strip_spot(bench, farm.late, 0.25).x(), start.y())
    drag(strips, start, strips, there)
    assert bench.page.side.correction is None
    strip = strips.selection
    assert strip is not None and strip.track_id == farm.late
    assert abs((strips.playhead - strip.start) / (strip.end - strip.start) - 0.25) < 0.03
    QTest.mouseClick(strips, LEFT, pos=strips.handle().center())
    panel = bench.panel()
    assert isinstance(panel, SplitPanel)
    assert panel.picker.wants_new
    assert panel.effect is not None and panel.effect.tracks == 1
    bench.confirm()
    before, after = bench.barn.owner(farm.late)
    assert before == farm.juno
    assert bench.barn.horses.get(after).label == "horse_003"
    assert bench.barn.owner(farm.early) == [farm.juno]
    bench.undo()
    assert bench.barn.owner(farm.late) == [farm.juno]


def test_the_scope_of_a_split_is_chosen_and_counted(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    strips = bench.page.side.profile.strips
    QTest.mouseClick(strips, LEFT, pos=strip_spot(bench, farm.early, 0.5))
    QTest.keyClick(strips, Qt.Key.Key_X)
    panel = bench.panel()
    assert isinstance(panel, SplitPanel)
    assert panel.effect is not None and panel.effect.tracks == 1
    panel.scope.choose(2)
    bench.wait(lambda: panel.effect is not None and panel.effect.tracks == 2)
    panel.picker.choose(farm.belle)
    bench.wait(lambda: panel.effect is not None and "Belle" in panel.words.text())
    bench.confirm()
    assert bench.barn.owner(farm.early) == [farm.juno, farm.belle]
    assert bench.barn.owner(farm.late) == [farm.belle]


def test_two_horses_are_swapped_from_the_playhead_on(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    profile = bench.page.side.profile
    QTest.mouseClick(profile.strips, LEFT, pos=strip_spot(bench, farm.late, 0.5))
    QTest.mouseClick(profile.swap, LEFT)
    bench.wait(lambda: bench.page.side.correction is not None)
    panel = bench.page.side.correction
    assert isinstance(panel, SwapPanel)
    assert panel.effect is None and not panel.confirm.isEnabled()
    QTest.keyClicks(panel.picker.search, "bel")
    bench.panel()
    bench.confirm()
    assert bench.barn.owner(farm.late) == [farm.juno, farm.belle]
    assert bench.barn.owner(farm.other) == [farm.belle, farm.juno]
    bench.undo()
    assert bench.barn.owner(farm.other) == [farm.belle]


def test_not_this_horse_by_key(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    strips = bench.page.side.profile.strips
    strips.setFocus()
    QTest.keyClick(strips, Qt.Key.Key_Down)
    assert strips.selection is not None and strips.selection.track_id == farm.late
    QTest.keyClick(strips, Qt.Key.Key_Delete)
    assert isinstance(bench.panel(), RejectPanel)
    bench.confirm()
    assert bench.barn.owner(farm.late) == []
    bench.undo()
    assert bench.barn.owner(farm.late) == [farm.juno]


def test_a_part_of_a_cut_track_is_moved_alone(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    strips = bench.page.side.profile.strips
    QTest.mouseClick(strips, LEFT, pos=strip_spot(bench, farm.late, 0.5))
    QTest.keyClick(strips, Qt.Key.Key_X)
    bench.panel()
    bench.confirm()
    made = bench.barn.owner(farm.late)[1]
    bench.open_profile(made)
    drag(
        strips, strip_spot(bench, farm.late), bench.page.gallery.viewport(), bench.card(farm.belle)
    )
    bench.panel()
    bench.confirm()
    assert bench.barn.owner(farm.late) == [farm.juno, farm.belle]


def test_the_wheel_zooms_and_a_zoomed_window_stays_while_the_engine_goes_on(
    open_registry: Open, farm: Farm
) -> None:
    bench = open_registry()
    bench.open_profile(farm.juno)
    strips = bench.page.side.profile.strips
    spot = strip_spot(bench, farm.late)
    before = share_of(strips, strips.strips[0])
    turn = QWheelEvent(
        QPointF(spot),
        QPointF(strips.mapToGlobal(spot)),
        QPoint(),
        QPoint(0, 480),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(strips, turn)
    zoomed = share_of(strips, strips.strips[0])
    assert zoomed > before * 1.5
    bench.barn.track(farm.juno, "Yard", bench.barn.now - 10 * MINUTES, 5)
    bench.barn.announce()
    bench.wait(lambda: len(strips.strips) == 3)
    late = next(s for s in strips.strips if s.track_id == farm.late)
    assert share_of(strips, late) == pytest.approx(zoomed)

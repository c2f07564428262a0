"""One horse dragged onto another: evidence, choices, counts, conflicts and undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.domain.errors import StoreUnavailable
from engine.domain.horses import HorseStatus
from engine.domain.identity import Rename
from engine.domain.ids import HorseId, TrackId
from tests.gui.registry_bench import LEFT, RegistryBench, drag
from tests.gui.stored_barn import StoredBarn, plain_picture
from ui.registry.horse_chooser import HorseChooser
from ui.registry.merge_panel import MergePanel

Open = Callable[..., RegistryBench]
HOUR = timedelta(hours=1)


@dataclass
class Pair:
    juno: HorseId
    guest: HorseId
    first: TrackId
    second: TrackId


@pytest.fixture
def pair(barn: StoredBarn) -> Pair:
    """Juno and a guest that looks the same, seen one after the other."""
    juno = barn.horse("Juno", colour="chestnut", stall="Box 4")
    guest = barn.horse(None, "guest", colour="bay")
    start = barn.now - 3 * HOUR
    first = barn.track(juno, "Yard", start, 20, crop=plain_picture(1), look=1)
    barn.track(guest, "Arena", start + HOUR, 10, look=1, crop=plain_picture(2))
    second = barn.track(guest, "Arena", start + 2 * HOUR, 5, look=1, crop=plain_picture(3))
    return Pair(juno, guest, first, second)


def test_a_horse_dragged_onto_another_shows_evidence_and_merges_once_confirmed(
    open_registry: Open, pair: Pair
) -> None:
    bench = open_registry()
    bench.drag_card(pair.guest, pair.juno)
    panel = bench.panel()
    assert isinstance(panel, MergePanel)
    assert panel.title.text() == "Merge horse_002 into Juno?"
    bench.wait(lambda: panel.evidence is not None)
    assert panel.similarity.text().startswith("1.00 against 0.75 asked")
    assert panel.at_once.text() == "never, in 1 day"
    assert len(panel.right.crops.shown) == 2
    assert "2 tracks, 4\u202f500 detections, 15 min 00 s seen" in panel.words.text()
    assert bench.barn.owner(pair.second) == [pair.guest]
    bench.confirm()
    assert bench.barn.owner(pair.second) == [pair.juno]
    merged = bench.barn.horses.get(pair.guest)
    assert merged.status is HorseStatus.MERGED and merged.merged_into == pair.juno
    assert bench.page.horses.rowCount() == 1
    bench.undo()
    assert bench.barn.owner(pair.second) == [pair.guest]
    assert bench.barn.horses.get(pair.guest).status is HorseStatus.GUEST
    assert bench.page.horses.rowCount() == 2


def test_conflicting_fields_are_chosen_and_the_reason_is_kept(
    open_registry: Open, pair: Pair
) -> None:
    bench = open_registry()
    bench.drag_card(pair.guest, pair.juno)
    panel = bench.panel()
    assert isinstance(panel, MergePanel)
    assert list(panel.choices) == ["colour"]
    assert panel.choices["colour"].value == "chestnut"
    QTest.mouseClick(panel.choices["colour"].button(1), LEFT, pos=QPoint(8, 10))
    assert panel.choices["colour"].value == "bay"
    QTest.keyClicks(panel.reason, "same blaze")
    bench.confirm()
    assert bench.barn.horses.get(pair.juno).profile.colour == "bay"
    assert bench.barn.horses.get(pair.juno).profile.stall == "Box 4"
    assert bench.barn.identity.history()[0].reason == "same blaze"


def test_two_that_were_visible_at_once_cannot_be_merged(
    barn: StoredBarn, open_registry: Open, pair: Pair
) -> None:
    barn.track(pair.guest, "Arena", barn.now - 3 * HOUR + timedelta(minutes=5), 5)
    bench = open_registry()
    bench.drag_card(pair.guest, pair.juno)
    panel = bench.panel()
    assert isinstance(panel, MergePanel)
    assert not panel.confirm.isEnabled()
    assert "two horses" in panel.words.text()
    bench.wait(lambda: panel.evidence is not None)
    assert len(panel.lanes.both) == 1
    panel.apply()
    assert bench.log.stack.count() == 0


def test_only_the_last_track_can_be_moved_instead(open_registry: Open, pair: Pair) -> None:
    bench = open_registry()
    bench.drag_card(pair.guest, pair.juno)
    panel = bench.panel()
    assert isinstance(panel, MergePanel)
    bench.wait(lambda: panel.evidence is not None)
    panel.scope.choose(2)
    bench.wait(lambda: panel.effect is not None and panel.effect.tracks == 1)
    assert panel.confirm.text() == "Move"
    bench.confirm()
    assert bench.barn.owner(pair.second) == [pair.juno]
    assert bench.barn.horses.get(pair.guest).status is HorseStatus.GUEST


def test_another_persons_change_in_between_is_named_and_nothing_is_lost(
    open_registry: Open, pair: Pair
) -> None:
    bench = open_registry()
    bench.drag_card(pair.guest, pair.juno)
    panel = bench.panel()
    QTest.keyClicks(panel.reason, "same blaze")
    bench.barn.identity.apply(Rename(pair.juno, {"name": "Junia"}), "anna")
    QTest.mouseClick(panel.confirm, LEFT)
    bench.wait(lambda: "anna" in panel.problem.text())
    assert "Junia" in panel.problem.text()
    assert panel.reason.text() == "same blaze"
    assert bench.log.stack.count() == 0
    bench.wait(lambda: panel.confirm.isEnabled())
    bench.confirm()
    assert bench.barn.owner(pair.second) == [pair.juno]


def test_when_the_store_is_away_the_panel_stays_to_be_tried_again(
    open_registry: Open, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_registry()
    bench.drag_card(pair.guest, pair.juno)
    panel = bench.panel()
    real = bench.barn.identity.apply

    def away(*_given: object, **_named: object) -> object:
        raise StoreUnavailable("The database does not answer.")

    monkeypatch.setattr(bench.barn.identity, "apply", away)
    QTest.mouseClick(panel.confirm, LEFT)
    bench.wait(lambda: "does not answer" in panel.problem.text())
    assert panel.confirm.isEnabled()
    monkeypatch.setattr(bench.barn.identity, "apply", real)
    bench.confirm()
    assert bench.barn.owner(pair.second) == [pair.juno]


def test_not_the_same_horse_is_remembered_and_undone(open_registry: Open, pair: Pair) -> None:
    bench = open_registry()
    bench.drag_card(pair.guest, pair.juno)
    panel = bench.panel()
    assert isinstance(panel, MergePanel)
    bench.wait(lambda: panel.evidence is not None)
    QTest.mouseClick(panel.refuse, LEFT)
    bench.wait(lambda: bench.log.stack.count() == 1)
    bench.settle()

    def pairs() -> int:
        with bench.barn.pool.connection() as connection:
            row = connection.execute("SELECT count(*) FROM not_same").fetchone()
        assert row is not None
        return int(row[0])

    assert pairs() == 2
    assert bench.barn.owner(pair.second) == [pair.guest]
    bench.undo()
    assert pairs() == 0


def test_the_other_one_can_be_kept(open_registry: Open, pair: Pair) -> None:
    bench = open_registry()
    bench.drag_card(pair.guest, pair.juno)
    panel = bench.panel()
    assert isinstance(panel, MergePanel)
    panel.turned.emit()
    turned = bench.panel()
    assert turned.title.text() == "Merge Juno into horse_002?"


def test_escape_ends_a_drag_and_nothing_is_asked(open_registry: Open, pair: Pair) -> None:
    bench = open_registry()
    view = bench.page.gallery.viewport()
    drag(view, bench.card(pair.guest), view, bench.card(pair.juno), drop=False)
    assert bench.page.layer.load is not None
    target = bench.page.layer.target
    assert target is not None and target.words == "Merge horse_002 into Juno"
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert bench.page.layer.load is None
    QTest.mouseRelease(view, LEFT, pos=bench.card(pair.juno))
    assert bench.page.side.correction is None


def test_a_drop_on_itself_or_beside_the_cards_does_nothing(open_registry: Open, pair: Pair) -> None:
    bench = open_registry()
    view = bench.page.gallery.viewport()
    empty = QPoint(view.width() // 2, view.height() - 10)
    drag(view, bench.card(pair.guest), view, empty)
    drag(view, bench.card(pair.guest), view, bench.card(pair.guest) + QPoint(12, 12))
    assert bench.page.side.correction is None
    assert bench.log.stack.count() == 0


def test_the_key_m_merges_two_selected_or_asks_for_the_other(
    open_registry: Open, pair: Pair
) -> None:
    bench = open_registry()
    gallery = bench.page.gallery
    bench.click(pair.guest)
    QTest.mouseClick(
        gallery.viewport(), LEFT, Qt.KeyboardModifier.ControlModifier, bench.card(pair.juno)
    )
    QTest.keyClick(gallery, Qt.Key.Key_M)
    assert bench.panel().title.text() == "Merge horse_002 into Juno?"
    QTest.keyClick(bench.panel().reason, Qt.Key.Key_Escape)
    assert bench.page.side.correction is None
    bench.click(pair.guest)
    QTest.keyClick(gallery, Qt.Key.Key_M)
    chooser = bench.host.findChild(HorseChooser)
    assert chooser is not None
    QTest.keyClicks(chooser.picker.search, "jun")
    QTest.keyClick(chooser.picker.search, Qt.Key.Key_Return)
    assert bench.panel().title.text() == "Merge horse_002 into Juno?"

"""Cards, table, search, filters, keys and names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from engine.domain.errors import StoreUnavailable
from engine.domain.horses import HorseStatus
from engine.domain.ids import HorseId
from tests.gui.console_bench import BenchEngine
from tests.gui.registry_bench import LEFT, RegistryBench
from tests.gui.stored_barn import StoredBarn, plain_picture
from ui.console_choices import ConsoleChoices
from ui.registry.horse_delegate import CardDelegate
from ui.registry.horse_model import Column, Show

Open = Callable[..., RegistryBench]


def shown(bench: RegistryBench) -> list[str]:
    horses = bench.page.horses
    found = (horses.horse(row) for row in range(horses.rowCount()))
    return [horse.title for horse in found if horse is not None]


@pytest.fixture
def herd(barn: StoredBarn) -> dict[str, HorseId]:
    """Juno seen now, Belle yesterday, a guest, and one that was merged into Juno."""
    now, day = barn.now, timedelta(days=1)
    herd = {
        "Juno": barn.horse("Juno", seen_at=now, camera="Yard", stall="Box 4", breed="Hanoverian"),
        "Belle": barn.horse("Belle", seen_at=now - 2 * day, camera="Arena"),
        "guest": barn.horse(None, "guest", seen_at=now, camera="Yard"),
    }
    herd["merged"] = barn.horse("Old Juno", "guest")
    with barn.pool.connection() as connection:
        connection.execute(
            "UPDATE horses SET status = 'merged', merged_into = %s WHERE id = %s",
            (herd["Juno"], herd["merged"]),
        )
    return herd


def test_an_empty_registry_says_what_to_do_next(open_registry: Open) -> None:
    bench = open_registry()
    assert bench.page.views.currentWidget() is bench.page.empty
    assert bench.page.empty.title.text() == "No horse is known yet"
    heard: list[bool] = []
    bench.book["go.live"].triggered.connect(lambda: heard.append(True))
    QTest.mouseClick(bench.page.empty.act, LEFT)
    assert heard


def test_horses_are_counted_searched_and_filtered(
    open_registry: Open, herd: dict[str, HorseId]
) -> None:
    bench = open_registry()
    header = bench.page.header
    assert shown(bench) == ["Belle", "Juno", "horse_003"]
    assert header.counts.text() == "2 residents, 1 guest, 1 not seen today"
    for show, expected in (
        (Show.GUESTS, ["horse_003"]),
        (Show.UNNAMED, ["horse_003"]),
        (Show.RESIDENTS, ["Belle", "Juno"]),
        (Show.TODAY, ["Juno", "horse_003"]),
        (Show.MISSING, ["Belle"]),
        (Show.MERGED, ["Old Juno"]),
        (Show.ALL, ["Belle", "Juno", "horse_003"]),
    ):
        QTest.mouseClick(header.chips[show], LEFT)
        assert shown(bench) == expected, show
        assert header.chips[show].text().endswith(str(len(expected)))
    QTest.keyClicks(header.search, "box han")
    assert shown(bench) == ["Juno"]
    QTest.keyClicks(header.search, "xyz")
    assert bench.page.views.currentWidget() is bench.page.empty
    assert "box hanxyz" in bench.page.empty.title.text()
    QTest.keyClick(header.search, Qt.Key.Key_Escape)
    assert shown(bench) == ["Belle", "Juno", "horse_003"]


def test_the_keyboard_goes_from_search_to_profile_to_name_and_back(
    open_registry: Open, herd: dict[str, HorseId]
) -> None:
    bench = open_registry()
    page, profile = bench.page, bench.page.side.profile
    QTest.keyClick(bench.host, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert page.header.search.hasFocus()
    QTest.keyClick(page.header.search, Qt.Key.Key_Down)
    assert page.gallery.hasFocus()
    QTest.keyClick(page.gallery, Qt.Key.Key_Right)
    QTest.keyClick(page.gallery, Qt.Key.Key_Return)
    assert profile.horse is not None and profile.horse.title == "Juno"
    assert profile.isVisible()
    QTest.keyClick(page.gallery, Qt.Key.Key_F2)
    name = profile.fields.edits["name"]
    assert name.hasFocus()
    QTest.keyClicks(name, "Junia")
    QTest.keyClick(name, Qt.Key.Key_Return)
    bench.wait(lambda: bench.log.stack.count() == 1)
    bench.settle()
    assert bench.barn.horses.get(herd["Juno"]).name == "Junia"
    assert profile.title.text() == "Junia"
    bench.undo()
    assert bench.barn.horses.get(herd["Juno"]).name == "Juno"
    assert name.text() == "Juno"
    QTest.keyClick(profile, Qt.Key.Key_Escape)
    assert not bench.page.side.isVisible()
    assert page.gallery.hasFocus()


def test_fields_that_make_no_sense_say_why_and_store_nothing(
    open_registry: Open, herd: dict[str, HorseId]
) -> None:
    bench = open_registry()
    bench.click(herd["Juno"])
    QTest.keyClick(bench.page.gallery, Qt.Key.Key_P)
    fields = bench.page.side.profile.fields
    year = fields.edits["birth_year"]
    QTest.keyClicks(year, "1066")
    QTest.keyClick(year, Qt.Key.Key_Return)
    assert "Birth year" in fields.problem.text()
    assert year.text() == "1066"
    assert bench.log.stack.count() == 0
    year.selectAll()
    QTest.keyClicks(year, "2015")
    QTest.keyClick(year, Qt.Key.Key_Return)
    bench.wait(lambda: bench.log.stack.count() == 1)
    bench.settle()
    assert bench.barn.horses.get(herd["Juno"]).profile.birth_year == 2015
    assert fields.problem.text() == ""


def test_a_value_that_somebody_else_changed_is_not_overwritten(
    open_registry: Open, herd: dict[str, HorseId]
) -> None:
    bench = open_registry()
    bench.click(herd["Juno"])
    QTest.keyClick(bench.page.gallery, Qt.Key.Key_Return)
    with bench.barn.pool.connection() as connection:
        connection.execute(
            "UPDATE horses SET stall = 'Box 9', version = version + 1 WHERE id = %s",
            (herd["Juno"],),
        )
    fields = bench.page.side.profile.fields
    stall = fields.edits["stall"]
    stall.selectAll()
    QTest.keyClicks(stall, "Box 5")
    QTest.keyClick(stall, Qt.Key.Key_Return)
    bench.wait(lambda: "Box 9" in fields.problem.text())
    assert stall.text() == "Box 5"
    assert bench.barn.horses.get(herd["Juno"]).profile.stall == "Box 9"


def test_a_guest_is_accepted_by_key_and_made_a_guest_again(
    open_registry: Open, herd: dict[str, HorseId]
) -> None:
    bench = open_registry()
    bench.click(herd["guest"])
    QTest.keyClick(bench.page.gallery, Qt.Key.Key_A)
    bench.wait(lambda: bench.log.stack.count() == 1)
    bench.settle()
    assert bench.barn.horses.get(herd["guest"]).status is HorseStatus.ACTIVE
    bench.undo()
    assert bench.barn.horses.get(herd["guest"]).status is HorseStatus.GUEST


def test_the_table_orders_both_views_and_shares_the_selection(
    open_registry: Open, herd: dict[str, HorseId]
) -> None:
    bench = open_registry()
    page = bench.page
    bench.click(herd["Juno"])
    QTest.keyClick(page.gallery, Qt.Key.Key_T)
    assert page.views.currentWidget() is page.table
    rows = page.table.selectionModel().selectedRows()
    assert [index.data() for index in rows] == ["Juno"]
    head = page.table.horizontalHeader()
    on_label = QPoint(head.sectionViewportPosition(Column.LABEL) + 20, head.height() // 2)
    QTest.mouseClick(head.viewport(), LEFT, pos=on_label)
    assert shown(bench) == ["Juno", "Belle", "horse_003"]
    QTest.mouseClick(head.viewport(), LEFT, pos=on_label)
    assert shown(bench) == ["horse_003", "Belle", "Juno"]
    QTest.keyClick(page.table, Qt.Key.Key_T)
    assert page.views.currentWidget() is page.gallery
    assert [horse.title for horse in page.selection] == ["Juno"]


def test_a_thousand_horses_paint_only_what_is_on_show(
    barn: StoredBarn, open_registry: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with barn.pool.connection() as connection:
        connection.execute(
            "INSERT INTO horses (farm_id, tracking_number, label, name, colour_hex, status, "
            "last_seen_at) SELECT id, n, 'horse_' || lpad(n::text, 4, '0'), 'Horse ' || n, "
            "'#E5484D', 'active', now() FROM farms, generate_series(1, 1000) n"
        )
    painted: list[int] = []
    paint = CardDelegate.paint

    def counting(self: CardDelegate, *given: object) -> None:
        painted.append(1)
        paint(self, *given)

    monkeypatch.setattr(CardDelegate, "paint", counting)
    bench = open_registry()
    gallery = bench.page.gallery
    assert bench.page.horses.rowCount() == 1000
    painted.clear()
    bar = gallery.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    gallery.viewport().repaint()
    assert 0 < len(painted) < 80
    QTest.keyClick(gallery, Qt.Key.Key_End)
    assert bar.value() > bar.maximum() * 0.9


def test_pictures_come_for_horses_that_have_one(barn: StoredBarn, open_registry: Open) -> None:
    horse_id = barn.horse("Juno", avatar=plain_picture(3), seen_at=barn.now)
    bench = open_registry()
    bench.page.gallery.viewport().repaint()
    horse = bench.page.directory.get(horse_id)
    assert horse is not None and horse.has_avatar
    shelf = bench.page.context.shelf
    bench.wait(lambda: shelf.avatar(horse) is not None)
    image = shelf.avatar(horse)
    assert image is not None and (image.width(), image.height()) == (80, 60)


def test_what_another_process_changes_appears_by_itself(
    open_registry: Open, herd: dict[str, HorseId]
) -> None:
    bench = open_registry()
    bench.barn.horse("Atlas", seen_at=bench.barn.now)
    bench.barn.announce()
    bench.wait(lambda: "Atlas" in shown(bench))


def test_a_store_that_is_away_is_said_and_asked_again(
    barn: StoredBarn, open_registry: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    barn.horse("Juno", seen_at=barn.now)
    real = barn.horses.list

    def away(farm_id: object = None) -> object:
        raise StoreUnavailable("The database does not answer.")

    monkeypatch.setattr(barn.horses, "list", away)
    bench = open_registry()
    assert bench.page.empty.title.text() == "The database does not answer."
    monkeypatch.setattr(barn.horses, "list", real)
    QTest.mouseClick(bench.page.empty.act, LEFT)
    bench.wait(lambda: shown(bench) == ["Juno"])
    monkeypatch.setattr(barn.horses, "list", away)
    bench.page.directory.refresh()
    bench.wait(lambda: "does not answer" in bench.page.header.problem.text())
    assert shown(bench) == ["Juno"]


def test_the_farms_own_threshold_goes_before_that_of_the_settings(
    open_registry: Open, herd: dict[str, HorseId]
) -> None:
    bench = open_registry()
    engine = bench.page.context.services.engine
    assert isinstance(engine, BenchEngine)
    engine.extra = replace(engine.extra, identity_threshold=0.62)
    bench.page.apply(ConsoleChoices(similarity_threshold=0.8))
    assert bench.page.context.similarity_threshold == 0.62
    engine.extra = replace(engine.extra, identity_threshold=0.58)
    bench.page.directory.refresh()
    bench.wait(lambda: bench.page.context.similarity_threshold == 0.58)
    engine.extra = replace(engine.extra, identity_threshold=None)
    bench.page.apply(ConsoleChoices(similarity_threshold=0.8))
    assert bench.page.context.similarity_threshold == 0.8

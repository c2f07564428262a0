"""The history and the review queue: what others did, what the engine asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.domain.errors import StoreUnavailable
from engine.domain.identity import Merge, Reassign, Rename
from engine.domain.ids import HorseId, TrackId
from tests.gui.registry_bench import LEFT, RegistryBench
from tests.gui.stored_barn import StoredBarn, plain_picture

Open = Callable[..., RegistryBench]
CTRL = Qt.KeyboardModifier.ControlModifier
MINUTES = timedelta(minutes=1)


@dataclass
class Farm:
    juno: HorseId
    guest: HorseId
    track: TrackId
    unsure: TrackId


@pytest.fixture
def farm(barn: StoredBarn) -> Farm:
    juno, guest = barn.horse("Juno", avatar=plain_picture(5)), barn.horse(None, "guest")
    start = barn.now - timedelta(hours=2)
    barn.track(juno, "Yard", start, 10, crop=plain_picture(1))
    track = barn.track(guest, "Arena", start + 20 * MINUTES, 10)
    unsure = barn.track(None, "Yard", start + 60 * MINUTES, 10, crop=plain_picture(2))
    return Farm(juno, guest, track, unsure)


def summaries(bench: RegistryBench) -> list[str]:
    return [record.summary for record in bench.page.side.history.model.values]


def open_history(bench: RegistryBench) -> None:
    QTest.keyClick(bench.host, Qt.Key.Key_H, CTRL)
    bench.wait(lambda: bench.page.side.history.isVisible())
    bench.settle()


def click_link(bench: RegistryBench, row: int) -> None:
    rows = bench.page.side.history.list
    QTest.mouseClick(rows.viewport(), LEFT, pos=rows.link_of(row).center())


# --- history ------------------------------------------------------------------------------------


def test_an_empty_history_says_how_to_begin(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    open_history(bench)
    assert bench.page.side.history.nothing.isVisible()


def test_what_a_remote_client_did_appears_and_can_be_undone_and_redone(
    open_registry: Open, farm: Farm
) -> None:
    bench = open_registry()
    open_history(bench)
    bench.barn.identity.apply(Merge(farm.juno, farm.guest), "anna", "same blaze")
    bench.barn.announce()
    bench.wait(lambda: summaries(bench) == ["merged horse_002 into Juno"])
    bench.wait(lambda: bench.page.horses.rowCount() == 1)
    record = bench.page.side.history.model.values[0]
    assert (record.actor, record.reason) == ("anna", "same blaze")
    click_link(bench, 0)
    bench.wait(lambda: bench.barn.owner(farm.track) == [farm.guest])
    bench.settle()
    assert bench.page.side.history.model.values[0].undone_at is not None
    QTest.keyClick(bench.page.side.history.list, Qt.Key.Key_Down)
    QTest.keyClick(bench.page.side.history.list, Qt.Key.Key_Return)
    bench.wait(lambda: bench.barn.owner(farm.track) == [farm.juno])
    bench.settle()
    assert bench.page.side.history.model.values[0].undone_at is None
    bench.undo()
    assert bench.barn.owner(farm.track) == [farm.guest]


def test_undo_from_the_history_and_by_key_are_one_log(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    bench.drag_card(farm.guest, farm.juno)
    bench.confirm()
    open_history(bench)
    click_link(bench, 0)
    bench.wait(lambda: bench.barn.owner(farm.track) == [farm.guest])
    bench.settle()
    assert (bench.log.stack.index(), bench.log.stack.count()) == (0, 1)
    bench.log.stack.redo()
    bench.wait(lambda: bench.barn.owner(farm.track) == [farm.juno])


def test_an_undo_that_another_change_rests_on_names_it(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    bench.drag_card(farm.guest, farm.juno)
    bench.confirm()
    bench.barn.identity.apply(Reassign(farm.track, None), "anna")
    bench.settle()
    open_history(bench)
    assert len(summaries(bench)) == 2
    click_link(bench, 1)
    bench.wait(lambda: bool(bench.errors))
    assert "anna" in str(bench.errors[0])
    assert bench.page.side.history.model.values[1].undone_at is None


def test_undoing_the_same_correction_twice_is_a_conflict_that_says_who(
    open_registry: Open, farm: Farm
) -> None:
    bench = open_registry()
    bench.drag_card(farm.guest, farm.juno)
    bench.confirm()
    bench.barn.identity.undo(bench.barn.identity.history()[0].id, "anna")
    bench.log.stack.undo()
    bench.wait(lambda: bool(bench.errors))
    assert "anna" in str(bench.errors[0])
    assert bench.log.stack.count() == 0


def test_an_undo_while_the_store_is_away_can_be_tried_again(
    open_registry: Open, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_registry()
    bench.drag_card(farm.guest, farm.juno)
    bench.confirm()
    real = bench.barn.identity.undo

    def away(*_given: object) -> object:
        raise StoreUnavailable("The database does not answer.")

    monkeypatch.setattr(bench.barn.identity, "undo", away)
    bench.log.stack.undo()
    bench.wait(lambda: bool(bench.errors))
    assert bench.log.stack.canUndo()
    monkeypatch.setattr(bench.barn.identity, "undo", real)
    bench.undo()
    assert bench.barn.owner(farm.track) == [farm.guest]


def test_the_history_of_one_horse(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    bench.barn.identity.apply(Rename(farm.juno, {"name": "Junia"}), "anna")
    bench.barn.identity.apply(Rename(farm.guest, {"name": "Max"}), "anna")
    bench.settle()
    bench.open_profile(farm.juno)
    QTest.mouseClick(bench.page.side.profile.history, LEFT)
    bench.settle()
    assert summaries(bench) == ["named Juno Junia"]
    QTest.mouseClick(bench.page.side.history.everybody, LEFT)
    bench.settle()
    assert summaries(bench) == ["named horse_002 Max", "named Juno Junia"]


# --- review queue -------------------------------------------------------------------------------


@pytest.fixture
def questions(barn: StoredBarn, farm: Farm) -> Farm:
    """A match, a crossing of Juno and the guest, and one more match."""
    at = barn.now - 61 * MINUTES
    barn.review("match", farm.unsure, farm.juno, at, similarity=0.71)
    first = barn.track(farm.juno, "Arena", barn.now - 40 * MINUTES, 10, crop=plain_picture(3))
    second = barn.track(farm.guest, "Arena", barn.now - 40 * MINUTES, 10, crop=plain_picture(4))
    barn.review("crossing", first, farm.juno, barn.now - 35 * MINUTES, other=second)
    third = barn.track(None, "Yard", barn.now - 20 * MINUTES, 5)
    barn.review("match", third, farm.juno, barn.now - 18 * MINUTES, similarity=0.66)
    return farm


def test_questions_are_answered_with_one_key_each(open_registry: Open, questions: Farm) -> None:
    bench = open_registry()
    review = bench.page.review
    assert bench.page.header.review_button is not None
    assert bench.page.header.review_button.text() == "Review 3"
    QTest.mouseClick(bench.page.header.review_button, LEFT)
    bench.wait(lambda: review.current is not None)
    assert review.hasFocus()
    assert review.place.text() == "1 of 3"
    assert review.question.text() == "Is this Juno?"
    bench.wait(lambda: "Yard" in review.left.name.text())
    assert "0.71 against 0.75" in review.facts.text()
    QTest.keyClick(review, Qt.Key.Key_S)
    bench.wait(lambda: review.place.text() == "2 of 3")
    assert bench.barn.owner(questions.unsure) == [questions.juno]
    assert "changed places" in review.different.text()
    first = review.current
    assert first is not None and first.other_track_id is not None
    QTest.keyClick(review, Qt.Key.Key_D)
    bench.wait(lambda: review.place.text() == "3 of 3")
    assert bench.barn.owner(first.track_id) == [questions.juno, questions.guest]
    QTest.keyClick(review, Qt.Key.Key_L)
    bench.wait(lambda: review.current is None)
    assert "1 put off" in review._done_more.text()
    assert [r.deferred for r in bench.barn.identity.reviews()] == [True]
    bench.undo()
    assert bench.barn.owner(first.track_id) == [questions.juno]
    bench.wait(lambda: review.current is not None and review.current.id == first.id)
    bench.undo()
    assert bench.barn.owner(questions.unsure) == []
    QTest.keyClick(review, Qt.Key.Key_Escape)
    assert bench.page.gallery.isVisible()


def test_a_question_that_somebody_else_answered_is_left_behind(
    open_registry: Open, questions: Farm
) -> None:
    bench = open_registry()
    review = bench.page.review
    bench.page.open_review()
    bench.wait(lambda: review.current is not None)
    asked = review.current
    assert asked is not None
    with bench.barn.pool.connection() as connection:
        connection.execute(
            "UPDATE reviews SET state = 'same', decided_by = 'anna' WHERE id = %s", (asked.id,)
        )
    QTest.keyClick(review, Qt.Key.Key_D)
    bench.wait(lambda: "anna" in review.problem.text())
    assert review.current is not None and review.current.id != asked.id


def test_no_questions_say_so(open_registry: Open, farm: Farm) -> None:
    bench = open_registry()
    bench.page.open_review()
    bench.settle()
    assert bench.page.review._done_words.text() == "Nothing to review"

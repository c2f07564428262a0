"""Commands change the engine's cameras one after the other, in the order they were asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from engine.domain.errors import BarnhandError, OperatorMistake
from ui.commands import Command, CommandLog
from ui.requests import RequestRunner

OVERLAP_S = 0.3


class _Slow(Command):
    """Reads a shared tuple, lets any other command run meanwhile, and writes it back."""

    def __init__(self, name: str, shelf: dict[str, tuple[str, ...]], refuse: bool = False) -> None:
        self.text = name
        self._shelf = shelf
        self._refuse = refuse
        self._other = threading.Event()

    def do(self) -> None:
        if self._refuse:
            raise OperatorMistake(f"{self.text} is refused.")
        seen = self._shelf["names"]
        self._other.wait(OVERLAP_S)
        self._shelf["names"] = (*seen, self.text)

    def undo(self) -> None:
        self._shelf["names"] = tuple(n for n in self._shelf["names"] if n != self.text)


@pytest.fixture
def log(qtbot: QtBot) -> Iterator[CommandLog]:
    requests = RequestRunner()
    yield CommandLog(requests, requests)
    assert requests.close() == ()
    requests.deleteLater()


def test_four_cameras_added_at_once_are_all_there(log: CommandLog, qtbot: QtBot) -> None:
    shelf: dict[str, tuple[str, ...]] = {"names": ()}
    for name in "abcd":
        log.run(_Slow(name, shelf))
    qtbot.waitUntil(lambda: log.stack.count() == 4, timeout=10_000)
    assert shelf["names"] == ("a", "b", "c", "d")
    assert [log.stack.text(i) for i in range(4)] == ["a", "b", "c", "d"]


def test_a_command_that_fails_does_not_hold_up_the_next(log: CommandLog, qtbot: QtBot) -> None:
    shelf: dict[str, tuple[str, ...]] = {"names": ()}
    heard: list[BarnhandError] = []
    log.failed.connect(heard.append)
    log.run(_Slow("a", shelf, refuse=True))
    log.run(_Slow("b", shelf))
    qtbot.waitUntil(lambda: log.stack.count() == 1, timeout=10_000)
    assert shelf["names"] == ("b",)
    assert [str(e) for e in heard] == ["a is refused."]


def test_two_undos_in_a_row_take_back_two_commands(log: CommandLog, qtbot: QtBot) -> None:
    shelf: dict[str, tuple[str, ...]] = {"names": ()}
    for name in "abc":
        log.run(_Slow(name, shelf))
    qtbot.waitUntil(lambda: log.stack.count() == 3, timeout=10_000)
    log.stack.undo()
    log.stack.undo()
    qtbot.waitUntil(lambda: shelf["names"] == ("a",), timeout=10_000)
    log.stack.redo()
    qtbot.waitUntil(lambda: shelf["names"] == ("a", "b"), timeout=10_000)

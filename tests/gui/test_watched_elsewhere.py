"""Cameras of another workstation: the tile says whose, a menu asks for them, a page lists them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from pytestqt.qtbot import QtBot

from engine.domain.ids import StreamId
from engine.domain.streams import StreamHealth, StreamState
from tests.gui.console_bench import Bench, good_system
from ui.live.elsewhere import is_elsewhere
from ui.live.tile_paint import TilePainter
from ui.main_window import MainWindow
from ui.services import NodeState
from ui.wording import offline_lines, watched_line

Open = Callable[[], MainWindow]


def test_words_say_who_watches_and_offer_no_start(open_window: Open, bench: Bench) -> None:
    camera = bench.engine.add("Yard", state=StreamState.INACTIVE, watched_by="north")
    assert watched_line(camera.health) == "watched by north"
    assert offline_lines(camera.health) == ("WATCHED BY north", "")
    away = replace(camera.health, state=StreamState.OFFLINE, reason="No answer.")
    assert offline_lines(away)[1] == "watched by north, No answer"
    own = StreamHealth(camera.stream.id, StreamState.INACTIVE)
    assert watched_line(own) == "" and offline_lines(own)[0] == "STOPPED"
    window = open_window()
    tile = window.live.wall.tile_of(camera.stream.id)
    assert tile is not None and not tile.has_picture
    painter = TilePainter(window.live.wall.theme)
    assert painter.link_words(tile) == ""
    tile.health = own
    assert painter.link_words(tile) == "Start"


def test_a_camera_is_asked_for(open_window: Open, bench: Bench, qtbot: QtBot) -> None:
    theirs, ours = bench.engine.add("Yard", watched_by="north"), bench.engine.add("Stall")
    asked: list[StreamId] = []
    done = threading.Event()

    def ask(stream_id: StreamId) -> bool:
        asked.append(stream_id)
        done.set()
        return len(asked) == 1

    bench.services = replace(bench.services, watch_here=ask)
    window = open_window()
    said: list[object] = []
    window.live.failed.connect(said.append)
    qtbot.waitUntil(lambda: is_elsewhere(window.live.wall, theirs.stream))
    assert not is_elsewhere(window.live.wall, ours.stream)
    window.live.wall.select(window.live.wall.arrangement.position_of(theirs.stream.id))
    window.live.watch_here()
    qtbot.waitUntil(done.is_set)
    assert asked == [theirs.stream.id] and said == []
    window.live.watch_here()
    qtbot.waitUntil(lambda: bool(said))
    assert "No other workstation watches Yard" in str(said[0])


def test_workstations_are_listed_with_their_cameras(open_window: Open, bench: Bench) -> None:
    window = open_window()
    here = NodeState("Office", True, True, ("Stall", "Yard"), "1.0", 0.4)
    other = NodeState("Stud", False, True, (), "1.0", 1.2)
    gone = NodeState("Old", False, False, (), "1.0", 125.0)
    alone = replace(good_system(), nodes=(here, gone))
    both = replace(good_system(), nodes=(here, other, gone))
    page, bar = window.diagnostics, window.status
    page.show_system(both, None, None)
    assert [line.split("\t")[:3] for line in page.nodes.lines()[1:]] == [
        ["Office (this one)", "alive", "Stall, Yard"],
        ["Stud", "alive", "–"],
        ["Old", "not heard of for 2 min 05 s", "–"],
    ]
    assert "Workstations" in page.report()
    wanted = []
    for status in (alone, both):
        bar.show_system(status)
        wanted.append(bar.nodes.wanted)
    assert wanted == [False, True]
    assert bar.nodes.text == "2 · 2 cameras here"
    assert bar.nodes.toolTip() == "Office: Stall, Yard\nStud: no camera"

"""How far cameras are from each other, stated in the open window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from engine.domain.camera_distances import KEY
from engine.domain.ids import new_stream_id
from engine.domain.streams import Stream
from tests.gui.console_bench import Bench
from ui.live.distances_dialog import APART, OVERLAP, UNKNOWN, DistancesDialog, stated_by
from ui.main_window import MainWindow

Open = Callable[[], MainWindow]
LEFT = Qt.MouseButton.LeftButton


def cameras(bench: Bench) -> list[Stream]:
    streams = [bench.engine.add(name).stream for name in ("Aisle", "Yard", "Paddock")]
    for stream in streams:
        bench.streams.rows[stream.id] = stream
    return streams


def asked(window: MainWindow, stream: Stream) -> DistancesDialog:
    dialog = window.live.ask_for_distances(stream)
    assert dialog is not None
    return dialog


def test_distances_are_stated_kept_and_taken_back(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    aisle, yard, paddock = cameras(bench)
    window = open_window()
    qtbot.waitUntil(lambda: window.live.wall.tile_of(aisle.id) is not None)
    window.live.wall.select(0)
    selected = window.live.wall.selected_stream
    assert selected is not None and selected.id == aisle.id
    window.live._book["camera.distances"].trigger()
    dialog = window.findChild(DistancesDialog)
    assert dialog is not None and set(dialog.rows) == {yard.id, paddock.id}
    near, far = dialog.rows[yard.id], dialog.rows[paddock.id]
    assert near.kind.currentIndex() == UNKNOWN and not near.metres.isEnabled()
    near.kind.setCurrentIndex(OVERLAP)
    far.kind.setCurrentIndex(APART)
    assert far.metres.isEnabled() and not near.metres.isEnabled()
    far.metres.setValue(120)
    QTest.mouseClick(dialog.confirm, LEFT)
    qtbot.waitUntil(lambda: KEY in bench.streams.rows[aisle.id].extra)
    stored = bench.streams.rows[aisle.id]
    assert stated_by(stored) == {yard.id: 0.0, paddock.id: 120.0}
    again = asked(window, stored)
    assert again.rows[yard.id].kind.currentIndex() == OVERLAP
    assert again.rows[paddock.id].metres.value() == 120
    again.reject()
    window.live._log.stack.undo()
    qtbot.waitUntil(lambda: KEY not in bench.streams.rows[aisle.id].extra)


def test_what_another_camera_states_is_shown_and_left_to_it(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    aisle, yard, paddock = cameras(bench)
    told = replace(yard, extra=MappingProxyType({KEY: {str(aisle.id): 40.0}, "kept": 1}))
    window = open_window()
    dialog = DistancesDialog(aisle, [told, paddock], window)
    qtbot.addWidget(dialog)
    assert set(dialog.rows) == {paddock.id}
    dialog.rows[paddock.id].kind.setCurrentIndex(APART)
    assert stated_by(dialog.stream_after()) == {paddock.id: 10.0}
    back = DistancesDialog(told, [aisle, paddock], window)
    qtbot.addWidget(back)
    back.rows[aisle.id].kind.setCurrentIndex(UNKNOWN)
    assert dict(back.stream_after().extra) == {"kept": 1}
    alone = DistancesDialog(aisle, [], window)
    qtbot.addWidget(alone)
    assert not alone.confirm.isEnabled()


def test_what_is_no_distance_is_passed_over(bench: Bench) -> None:
    aisle = cameras(bench)[0]
    other = new_stream_id()
    odd = {"nobody": 3.0, str(other): "far", str(new_stream_id()): None}
    assert stated_by(replace(aisle, extra=MappingProxyType({KEY: odd}))) == {}
    assert stated_by(replace(aisle, extra=MappingProxyType({KEY: 7}))) == {}
    assert stated_by(replace(aisle, extra=MappingProxyType({KEY: {str(other): -2}}))) == {
        other: 0.0
    }

"""Web videos and cameras that push, in the camera dialog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from engine.domain.networks import PINNED
from engine.domain.streams import SourceKind, Stream
from engine.settings import PushSettings
from tests.gui.console_bench import Bench
from ui.engine_port import ProbePicture
from ui.live.camera_dialog import CameraDialog
from ui.main_window import MainWindow

Open = Callable[[], MainWindow]
LEFT = Qt.MouseButton.LeftButton
PAGE = "https://www.youtube.com/watch?v=foaling"


def grey(stream: Stream) -> ProbePicture:
    return ProbePicture(np.full((90, 160, 4), 128, np.uint8), 1280, 720, 30.0, "h264")


def added(dialog: CameraDialog, bench: Bench, qtbot: QtBot) -> Stream:
    with qtbot.waitSignal(dialog.submitted):
        QTest.mouseClick(dialog.save, LEFT)
    qtbot.waitUntil(lambda: bool(bench.streams.rows))
    return next(iter(bench.streams.rows.values()))


def pushing(bench: Bench, **changes: object) -> Stream:
    camera = bench.engine.add("Foaling stall")
    address = "rtmp-listen://127.0.0.1:1935/barn"
    camera.stream = replace(
        camera.stream, kind=SourceKind.RTMP_PUSH, address=address, password="key-of-the-stall",
        **changes,
    )  # fmt: skip
    bench.streams.rows[camera.stream.id] = camera.stream
    return camera.stream


def test_a_web_page_is_recognised_tested_and_added(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    bench.engine.probe_answer = grey
    dialog = open_window().live.ask_for_camera()
    QTest.keyClicks(dialog.address, PAGE)
    assert "YouTube" in dialog.kind.text()
    assert dialog.source.cookies.isVisible() and dialog.loop.isVisible()
    assert not dialog.password.isVisible()
    QTest.keyClicks(dialog.source.cookies, "/home/groom/cookies.txt")
    dialog.source.largest.setCurrentIndex(dialog.source.largest.findData(480))
    QTest.mouseClick(dialog.test, LEFT)
    qtbot.waitUntil(lambda: "1280 × 720 px" in dialog.facts.text())
    stream = added(dialog, bench, qtbot)
    assert (stream.kind, stream.address) == (SourceKind.WEB_VIDEO, PAGE)
    assert dict(stream.extra) == {
        "cookies_file": "/home/groom/cookies.txt",
        "max_height_px": 480,
    }
    assert stream.name == "youtube.com"


def test_a_camera_needs_no_such_fields(open_window: Open) -> None:
    dialog = open_window().live.ask_for_camera(PAGE)
    dialog.address.selectAll()
    QTest.keyClicks(dialog.address, "rtsp://10.0.0.2/a")
    assert not dialog.source.isVisible()
    assert dialog.password.isVisible()
    dialog.reject()


def test_a_pushing_camera_gets_server_and_key_to_copy(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    pushing(bench)
    dialog = open_window().live.ask_for_camera()
    QTest.mouseClick(dialog.push, LEFT)
    assert dialog.address.text() == "rtmp-listen://127.0.0.1:1936/barn"  # 1935 is taken
    assert "RTMP push" in dialog.kind.text()
    assert dialog.source.server.text() == "rtmp://127.0.0.1:1936/barn"
    assert "this machine only" in dialog.source.problem.text()
    key = dialog.source.key.text()
    assert len(key) >= 20 and key not in dialog.address.text()
    QTest.mouseClick(dialog.source.copy_key, LEFT)
    assert QGuiApplication.clipboard().text() == key
    QTest.mouseClick(dialog.source.copy_server, LEFT)
    assert QGuiApplication.clipboard().text() == dialog.source.server.text()
    del bench.streams.rows[next(iter(bench.streams.rows))]
    stream = added(dialog, bench, qtbot)
    assert (stream.kind, stream.password) == (SourceKind.RTMP_PUSH, key)
    assert stream.address == "rtmp-listen://127.0.0.1:1936/barn"


def test_the_key_stays_when_a_camera_is_changed_and_can_be_made_anew(
    open_window: Open, bench: Bench
) -> None:
    stream = pushing(bench)
    dialog = open_window().live.ask_to_edit(stream)
    assert dialog is not None
    assert dialog.source.key.text() == "key-of-the-stall"
    QTest.mouseClick(dialog.source.fresh, LEFT)
    assert dialog.source.key.text() != "key-of-the-stall"
    dialog.reject()


def test_other_machines_are_let_in_with_a_switch_where_the_settings_allow_it(
    open_window: Open, bench: Bench
) -> None:
    bench.engine.push = PushSettings(remote=True)
    dialog = open_window().live.ask_for_camera("rtmp-listen:")
    assert not dialog.source.remote.isChecked()
    dialog.source.remote.click()
    assert dialog.address.text() == "rtmp-listen://0.0.0.0:1935/barn"
    assert "0.0.0.0" not in dialog.source.server.text()
    dialog.reject()


def test_other_machines_stay_out_otherwise(open_window: Open, bench: Bench) -> None:
    dialog = open_window().live.ask_for_camera("rtmp-listen://0.0.0.0:1935/barn")
    assert not dialog.source.remote.isEnabled()
    QTest.mouseClick(dialog.save, LEFT)
    assert "may not push" in dialog.problem.text()
    assert not bench.streams.rows
    dialog.reject()


@pytest.mark.parametrize(("typed", "kept"), [("", True), ("rtsp://10.0.0.7/b", False)])
def test_a_new_address_is_free_of_the_old_ones_bounds(
    open_window: Open, bench: Bench, qtbot: QtBot, typed: str, kept: bool
) -> None:
    camera = bench.engine.add("Yard")
    camera.stream = replace(camera.stream, extra=MappingProxyType({PINNED: ["10.0.0.2"]}))
    bench.streams.rows[camera.stream.id] = camera.stream
    dialog = open_window().live.ask_to_edit(camera.stream)
    assert dialog is not None
    if typed:
        dialog.address.setText(typed)
    with qtbot.waitSignal(dialog.submitted) as caught:
        QTest.mouseClick(dialog.save, LEFT)
    assert (PINNED in caught.args[0].extra) is kept

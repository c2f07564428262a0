"""Requests, errors, diagnostics, first principles of the binding, and the window's event loop."""

from __future__ import annotations

import asyncio
import http.server
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import files

import pytest
from PySide6.QtCore import QObject, QTimer, qInstallMessageHandler, qWarning
from PySide6.QtGui import QFontInfo, QFontMetricsF, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox
from pytestqt.qtbot import QtBot

from engine.domain.errors import Bug, EnvironmentFault, OperatorMistake, SourceUnreachable
from engine.domain.streams import StreamState
from engine.runtime.meters import Quantiles
from tests.gui.console_bench import Bench, busy_report, good_system
from ui.api_check import check_api
from ui.app import run_console
from ui.diagnostics.diagnostics_page import DiagnosticsPage
from ui.errors import BugDialog, log_qt_messages
from ui.main_window import MainWindow
from ui.requests import RequestRunner
from ui.services import Level
from ui.theme import icon_pixmap, load_theme
from ui.wording import bitrate, duration, milliseconds, size, state_word

Open = Callable[[], MainWindow]


# --- requests -----------------------------------------------------------------------------------


@pytest.fixture
def requests(dressed: QApplication) -> Iterator[RequestRunner]:
    runner = RequestRunner()
    yield runner
    assert runner.close() == ()


def test_work_runs_on_a_worker_and_is_answered_on_the_ui_thread(
    requests: RequestRunner, qtbot: QtBot
) -> None:
    seen: list[str] = []
    threads: list[str] = []

    def work() -> str:
        threads.append(threading.current_thread().name)
        return "done"

    requests.submit("test", work, lambda text: seen.append(text))
    qtbot.waitUntil(lambda: seen == ["done"])
    assert threads[0].startswith("console.request.")
    assert threading.current_thread() is threading.main_thread()


def test_errors_keep_their_family_and_surprises_become_bugs(
    requests: RequestRunner, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    failed: list[Exception] = []
    for error in (OperatorMistake("a"), SourceUnreachable("b"), ZeroDivisionError("c")):

        def work(error: Exception = error) -> None:
            raise error

        requests.submit("test", work, lambda _value: None, failed.append)
    qtbot.waitUntil(lambda: len(failed) == 3)
    assert {type(e) for e in failed} == {OperatorMistake, SourceUnreachable, Bug}


def test_a_cancelled_request_is_never_answered(requests: RequestRunner, qtbot: QtBot) -> None:
    go, seen = threading.Event(), []
    first = requests.submit("slow", lambda: go.wait(10), lambda _v: seen.append("slow"))
    requests.cancel(first)
    go.set()
    requests.submit("after", lambda: None, lambda _v: seen.append("after"))
    qtbot.waitUntil(lambda: "after" in seen)
    assert seen == ["after"]
    assert requests.pending == 0


def test_too_many_requests_fail_instead_of_piling_up(requests: RequestRunner, qtbot: QtBot) -> None:
    go, failed, done = threading.Event(), [], []
    for _ in range(100):
        requests.submit("slow", lambda: go.wait(10), done.append, failed.append)
    qtbot.waitUntil(lambda: len(failed) >= 30)
    assert all(isinstance(e, EnvironmentFault) for e in failed)
    go.set()
    qtbot.waitUntil(lambda: len(done) + len(failed) == 100)


# --- errors -------------------------------------------------------------------------------------


def test_each_family_is_told_in_its_own_way(open_window: Open) -> None:
    window = open_window()
    window.errors.show_error(EnvironmentFault("The database does not answer.", "It is retried."))
    assert window.toast.text == "The database does not answer. It is retried."
    assert window.errors.dialog is None
    window.errors.show_error(OperatorMistake("There is no file x.", "Choose another."))
    assert isinstance(window.errors.dialog, QMessageBox)
    assert window.errors.dialog.informativeText() == "Choose another."
    window.errors.dialog.accept()
    window.errors.show_error(Bug("rows disagree"))
    assert isinstance(window.errors.dialog, BugDialog)
    assert "rows disagree" in window.errors.dialog.report.toPlainText()
    window.errors.dialog.accept()


def test_the_same_bug_opens_one_dialog_only(open_window: Open) -> None:
    window = open_window()
    bug = Bug("again and again")
    window.errors.show_error(bug)
    first = window.errors.dialog
    window.errors.show_error(bug)
    assert window.errors.dialog is first
    first.accept()


def test_an_exception_nobody_handled_becomes_a_report(
    open_window: Open, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    window = open_window()
    window.errors.catch_unhandled()
    try:
        thread = threading.Thread(target=lambda: 1 / 0, name="test.fails")
        thread.start()
        thread.join(5)
        qtbot.waitUntil(lambda: isinstance(window.errors.dialog, BugDialog))
        assert "ZeroDivisionError" in window.errors.dialog.report.toPlainText()
        window.errors.dialog.accept()
    finally:
        window.errors.release_unhandled()


@pytest.mark.qt_no_exception_capture
@pytest.mark.no_qt_log
def test_messages_of_qt_go_to_the_log(
    dressed: QApplication, caplog: pytest.LogCaptureFixture
) -> None:
    log_qt_messages()
    try:
        with caplog.at_level(logging.WARNING, "qt"):
            qWarning("something odd")
    finally:
        qInstallMessageHandler(None)
    assert "something odd" in caplog.text


# --- diagnostics --------------------------------------------------------------------------------


def test_diagnostics_show_and_copy_everything(
    bench: Bench, dressed: QApplication, qtbot: QtBot
) -> None:
    camera = bench.engine.add("Yard", latency_ms=140.0, analysed_fps=9.8, dropped=7, reconnects=2)
    bench.engine.extra = busy_report()
    page = DiagnosticsPage("0.1.0")
    qtbot.addWidget(page)
    page.show_engine(bench.engine.streams(), bench.engine.report())
    page.show_system(good_system(), Quantiles(9, 2.0, 3.0, 4.0), Quantiles(9, 1.0, 2.0, 20.0))
    page.show_log(bench.services.log_lines())
    page.copy.click()
    text = QGuiApplication.clipboard().text()
    for word in ("Yard", "140 ms", "yolox_nano@1", "no pose model found", "128402", "Yard is live"):
        assert word in text, word
    assert camera.stream.address not in text
    assert page.system.item(6, 1).text() == "degraded"


def test_words_and_units() -> None:
    assert duration(4) == "4 s"
    assert duration(134) == "2 min 14 s"
    assert duration(3900) == "1 h 05 min"
    assert duration(200_000) == "2 d 7 h"
    assert size(612_000_000_000) == "612 GB"
    assert size(1_400_000_000_000) == "1.4 TB"
    assert bitrate(3_210_000) == "3.2 Mbit/s"
    assert milliseconds(None) == "– ms"
    assert all(state_word(state) for state in StreamState)


# --- look ---------------------------------------------------------------------------------------


def test_the_bundled_face_is_used_with_figures_of_one_width(
    dressed: QApplication, qtbot: QtBot
) -> None:
    label = QLabel("1111")
    qtbot.addWidget(label)
    label.ensurePolished()
    assert QFontInfo(label.font()).family() == "Inter"
    metrics = QFontMetricsF(label.font())
    assert metrics.horizontalAdvance("1111") == metrics.horizontalAdvance("0000")


def test_every_icon_draws_something(dressed: QApplication) -> None:
    for entry in files("resources.icons").iterdir():
        if entry.name.endswith(".svg"):
            theme = load_theme("dark")
            image = icon_pixmap(entry.name[:-4], theme.colour("text"), 24).toImage()
            assert any(image.pixelColor(x, y).alpha() for x in range(24) for y in range(24)), (
                entry.name
            )


def test_both_looks_have_a_style_sheet() -> None:
    for name in ("dark", "light"):
        sheet = load_theme(name).stylesheet()
        assert "$" not in sheet
        assert load_theme(name).colours.accent in sheet


# --- the binding --------------------------------------------------------------------------------


def test_a_void_method_can_be_called_a_hundred_thousand_times(dressed: QApplication) -> None:
    """PySide6 6.12 on Python 3.11 loses a reference of None on each call and aborts."""
    thing = QObject()
    for _ in range(100_000):
        assert thing.setObjectName("x") is None
    assert thing.objectName() == "x"


# --- application --------------------------------------------------------------------------------


class _Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def api() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Health)
    thread = threading.Thread(target=server.serve_forever, name="test.api", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_the_api_is_asked_for_its_health(api: str) -> None:
    assert asyncio.run(check_api(api)).level is Level.OK
    assert asyncio.run(check_api("http://127.0.0.1:9")).level is Level.AWAY


def test_the_console_runs_and_closes_in_order(
    bench: Bench, dressed: QApplication, api: str, qtbot: QtBot
) -> None:
    services = replace(bench.services, system=lambda: replace(good_system(), api_url=api))
    found: list[str] = []

    def look() -> None:
        window = next(w for w in dressed.topLevelWidgets() if isinstance(w, MainWindow))
        if window.status._remote.text == api:
            found.append(window.windowTitle())
            timer.stop()
            window.close()

    timer = QTimer(interval=50)
    timer.timeout.connect(look)
    timer.start()
    assert run_console(services, ["barnhand"]) == 0
    assert found == ["Barnhand"]

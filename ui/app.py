"""Starts the console's window on one event loop for Qt and asyncio."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence

import qasync
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from ui.api_check import check_api
from ui.console_choices import ConsoleChoices
from ui.errors import log_qt_messages
from ui.main_window import MainWindow
from ui.services import ConsoleServices
from ui.theme import apply_theme, load_fonts, load_theme

log = logging.getLogger(__name__)

API_CHECK_S = 2.0
SWITCH_INTERVAL_S = 0.0005
"""How long a busy Python thread may keep the window waiting (Python's default is 5 ms)."""
FOREIGN_QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
"""Set by the import of cv2, whose bundled Qt plugins do not fit ours."""


def make_application(argv: Sequence[str], scale_percent: int = 100) -> QApplication:
    """The QApplication with fonts and message handler; the one that exists, if any.

    ``scale_percent`` enlarges everything, unless the environment already says by how much.
    """
    if scale_percent != 100:
        os.environ.setdefault("QT_SCALE_FACTOR", f"{scale_percent / 100:g}")
    for name in FOREIGN_QT_VARIABLES:
        os.environ.pop(name, None)
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(list(argv))
    app.setApplicationName("barnhand")
    app.setApplicationDisplayName("Barnhand")
    app.setDesktopFileName("barnhand")
    log_qt_messages()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    load_fonts()
    return app


def run_console(services: ConsoleServices, argv: Sequence[str]) -> int:
    """Show the window until it is closed; returns the exit code.

    The caller has started the engine and stops it afterwards. SIGINT and SIGTERM close the window
    in order.
    """
    choices = ConsoleChoices.of(services.settings.current)
    app = make_application(argv, choices.scale_percent)
    apply_theme(app, load_theme(choices.theme))
    window = MainWindow(services)
    window.errors.catch_unhandled()
    app.setQuitOnLastWindowClosed(False)
    loop = qasync.QEventLoop(app)
    asyncio.set_event_loop(loop)
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda _number, _frame: QTimer.singleShot(0, window.close))
    try:
        with loop:
            window.show()
            # Everything made so far stays; later sweeps of the collector skip it and stay short.
            gc.collect()
            gc.freeze()
            QTimer.singleShot(0, window.show_admin_notice)
            loop.run_until_complete(serve(window))
    finally:
        gc.unfreeze()
        for number, handler in before.items():
            signal.signal(number, handler)
        window.errors.release_unhandled()
        survivors = window.shut_down()
        if survivors:
            log.warning("still busy while closing: %s", ", ".join(survivors))
    return 0


async def serve(window: MainWindow) -> None:
    """Check the API every two seconds until the window is closed."""
    closed = asyncio.Event()
    window.closed.connect(closed.set)
    if window.is_closed:  # before this task had its first turn
        return
    checks = asyncio.create_task(_check_api_forever(window))
    try:
        await closed.wait()
    finally:
        checks.cancel()
        await asyncio.gather(checks, return_exceptions=True)


async def _check_api_forever(window: MainWindow) -> None:
    while True:
        url = window.api_url
        if url:
            window.show_api(await check_api(url))
        await asyncio.sleep(API_CHECK_S)

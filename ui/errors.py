"""How errors reach a person: each family in its own way, none of them by a blocked window.

Operator mistakes are told where they were made or in a box; environment faults in a toast (they
are retried, and standing ones have a notice); bugs in a dialog with a report to copy.
"""

from __future__ import annotations

import logging
import platform
import sys
import threading
import traceback
from types import TracebackType

import PySide6
from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    Qt,
    QtMsgType,
    Signal,
    qInstallMessageHandler,
)
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QMessageBox,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError, EnvironmentFault, OperatorMistake
from ui.toast import Toast
from ui.widgets import button, label

log = logging.getLogger(__name__)
qt_log = logging.getLogger("qt")

QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def log_qt_messages() -> None:
    """Send Qt's own messages to the log instead of the terminal."""
    qInstallMessageHandler(_on_qt_message)


def _on_qt_message(kind: QtMsgType, _context: QMessageLogContext, text: str | None) -> None:
    qt_log.log(QT_LEVELS.get(kind, logging.WARNING), "%s", text)


def bug_report(error: BaseException, version: str) -> str:
    """What a maintainer needs, as text; no addresses, names or passwords of cameras."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return "\n".join(
        (
            f"Barnhand Desktop {version}",
            f"Python {platform.python_version()}, PySide6 {PySide6.__version__}",
            f"{platform.system()} {platform.release()} {platform.machine()}",
            "",
            trace,
        )
    )


class BugDialog(QDialog):
    """Says that the program is at fault and offers the report."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("A fault in the program"))
        self.report = QPlainTextEdit(report)
        self.report.setReadOnly(True)
        self.report.setProperty("role", "log")
        copy = button(self.tr("Copy report"))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(report))
        close = button(self.tr("Go on"), "primary")
        close.clicked.connect(self.accept)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(copy)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(self.windowTitle(), "title"))
        column.addWidget(
            label(
                self.tr(
                    "Barnhand broke one of its own rules. Cameras and recording go on. "
                    "Please send this report to the maintainers."
                ),
                "muted",
                wrap=True,
            )
        )
        column.addWidget(self.report, 1)
        column.addLayout(foot)
        self.resize(640, 420)


class ErrorPresenter(QObject):
    """Shows errors over one window. ``caught`` may be emitted from any thread."""

    caught = Signal(object)

    def __init__(self, window: QWidget, toast: Toast, version: str) -> None:
        super().__init__(window)
        self._window = window
        self._toast = toast
        self._version = version
        self.dialog: QDialog | None = None
        self._seen: set[str] = set()
        self.caught.connect(self.show_error, Qt.ConnectionType.QueuedConnection)

    def show_error(self, error: BaseException) -> None:
        """Tell the person in the way the error's family asks for."""
        if isinstance(error, OperatorMistake):
            self._show_box(error)
        elif isinstance(error, EnvironmentFault):
            self._toast.say(str(error), warning=True)
        else:
            self._show_bug(error)

    def _show_box(self, error: BarnhandError) -> None:
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle(self.tr("That did not work"))
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(error.message)
        box.setInformativeText(error.advice)
        box.open()
        self.dialog = box

    def _show_bug(self, error: BaseException) -> None:
        """One dialog for each different bug: a fault that repeats does not pile up windows."""
        report = bug_report(error, self._version)
        if report in self._seen:
            return
        self._seen.add(report)
        self.dialog = BugDialog(report, self._window)
        self.dialog.open()

    def catch_unhandled(self) -> None:
        """Take over exceptions that no one handled, on every thread."""

        def on_main(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            if issubclass(kind, KeyboardInterrupt):
                sys.__excepthook__(kind, error, trace)
                return
            log.error("unhandled exception", exc_info=(kind, error, trace))
            self.caught.emit(error)

        def on_thread(args: threading.ExceptHookArgs) -> None:
            if args.exc_value is not None:
                on_main(args.exc_type, args.exc_value, args.exc_traceback)

        sys.excepthook = on_main
        threading.excepthook = on_thread

    @staticmethod
    def release_unhandled() -> None:
        """Give the hooks back to Python."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__

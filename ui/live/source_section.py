"""What a web video and a camera that pushes need beside their address, in the camera dialog."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import psutil
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import OperatorMistake
from engine.domain.networks import PINNED, is_loopback
from engine.domain.push import PushAddress, new_push_key, read_push_address
from engine.domain.streams import SourceKind, Stream
from engine.settings import PushSettings
from ui.theme import Theme
from ui.widgets import button, icon_button, label

COOKIES, HEIGHT = "cookies_file", "max_height_px"
HEIGHTS_PX = (360, 480, 720, 1080)
_ALL_NETWORKS, _THIS_MACHINE = "0.0.0.0", "127.0.0.1"


class SourceSection(QWidget):
    """Shown for kinds that need more than an address. ``readdressed`` carries the address that a
    switch here makes of the typed one."""

    readdressed = Signal(str)

    def __init__(self, rules: PushSettings, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rules = rules
        self._theme = theme
        self._push: PushAddress | None = None
        self.cookies = QLineEdit(placeholderText=self.tr("only where a log-in is needed"))
        self.largest = QComboBox()
        self.server, self.key = (QLineEdit(readOnly=True) for _ in range(2))
        self.remote = QCheckBox(self.tr("From other machines too"))
        self.problem = label("", "small")
        self.problem.setToolTip(self.tr("Settings, Push: let other machines push."))
        self._grids: list[QGridLayout] = []
        self._web = self._build_web()
        self._pushed = self._build_push()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for page in (self._web, self._pushed):
            column.addWidget(page)
        self.hide()

    # --- layout ---

    def line_up_with(self, grid: QGridLayout) -> None:
        """Give the names beside the fields one width, here and in the dialog's grid."""
        grids = [grid, *self._grids]
        names = (
            item.widget()
            for one in grids
            for row in range(one.rowCount())
            if (item := one.itemAtPosition(row, 0)) is not None
        )
        width_px = max(name.sizeHint().width() for name in names if isinstance(name, QLabel))
        for one in grids:
            one.setColumnMinimumWidth(0, width_px)

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        self._grids.append(grid)
        return grid

    def _build_web(self) -> QWidget:
        self.largest.addItem(self.tr("as in the settings"), None)
        for height_px in HEIGHTS_PX:
            self.largest.addItem(self.tr("{0} lines").format(height_px), height_px)
        browse = icon_button("folder", self._theme, self.tr("Choose a cookies file"))
        browse.clicked.connect(self._on_browse)
        grid = self._grid()
        _row(grid, 0, self.tr("At most"), self.largest)
        _row(grid, 1, self.tr("Cookies file"), self.cookies, browse)
        page = QWidget()
        page.setLayout(grid)
        return page

    def _build_push(self) -> QWidget:
        grid = self._grid()
        self.copy_server, self.copy_key = (
            icon_button("copy", self._theme, tip)
            for tip in (self.tr("Copy the server address"), self.tr("Copy the stream key"))
        )
        self.fresh = button(self.tr("New key"), "link")
        self.fresh.setToolTip(self.tr("The camera must be given it as well."))
        self.copy_server.clicked.connect(_copies(self.server))
        self.copy_key.clicked.connect(_copies(self.key))
        self.fresh.clicked.connect(lambda: self.key.setText(new_push_key()))
        _row(grid, 0, self.tr("Server"), self.server, self.copy_server)
        _row(grid, 1, self.tr("Stream key"), self.key, self.copy_key, self.fresh)
        grid.addWidget(self.remote, 2, 1)
        grid.addWidget(self.problem, 3, 1)
        self.remote.setEnabled(self._rules.remote)
        self.remote.toggled.connect(self._on_remote)
        page = QWidget()
        page.setLayout(grid)
        return page

    # --- what is on show ---

    def show_stream(self, stream: Stream) -> None:
        """Fill the fields from a camera."""
        self.cookies.setText(str(stream.extra.get(COOKIES, "")))
        at = self.largest.findData(stream.extra.get(HEIGHT))
        self.largest.setCurrentIndex(max(at, 0))
        if stream.kind is SourceKind.RTMP_PUSH:
            self.key.setText(stream.password)

    def show_kind(self, kind: SourceKind, address: str, key: str) -> None:
        """Show the fields of a kind, none for those that need no more; ``key`` was typed."""
        if kind is SourceKind.RTMP_PUSH:
            self._push = read_push_address(address)[0]
            self.key.setText(key or self.key.text() or new_push_key())
            self.server.setText(self._push.url(_own_address() if not self._push.local else ""))
            self.remote.setChecked(not self._push.local)
            self.problem.setText(self._advice(self._push))
        self._web.setVisible(kind is SourceKind.WEB_VIDEO)
        self._pushed.setVisible(kind is SourceKind.RTMP_PUSH)
        self.setVisible(kind in (SourceKind.RTMP_PUSH, SourceKind.WEB_VIDEO))

    @property
    def waits_for_camera(self) -> bool:
        """True if a camera is to push: a person has to start it."""
        return self._pushed.isVisible()

    def applied_to(self, stream: Stream, before: Stream | None) -> Stream:
        """The camera with what the fields say. A new address is free of an old one's bounds.

        Raises OperatorMistake where other machines are to push and may not."""
        extra = {k: v for k, v in stream.extra.items() if k not in (COOKIES, HEIGHT)}
        if before is not None and before.address != stream.address:
            extra.pop(PINNED, None)
        if stream.kind is SourceKind.WEB_VIDEO:
            extra |= self._web_settings()
        elif stream.kind is SourceKind.RTMP_PUSH:
            if not self._rules.remote and not read_push_address(stream.address)[0].local:
                raise OperatorMistake(
                    self.tr("Other machines may not push here."),
                    self.tr("Switch it on in the settings under Push, or write 127.0.0.1."),
                )
            stream = replace(stream, username="", password=self.key.text())
        return replace(stream, extra=MappingProxyType(extra))

    def _web_settings(self) -> Mapping[str, object]:
        chosen = {COOKIES: self.cookies.text().strip(), HEIGHT: self.largest.currentData()}
        return {name: value for name, value in chosen.items() if value}

    def _advice(self, address: PushAddress) -> str:
        if address.local and not self._rules.remote:
            return self.tr("From this machine only, unless the settings allow others.")
        return self.tr("Enter both in the camera or in OBS, then start it there.")

    def _on_remote(self, on: bool) -> None:
        if self._push is not None and self._push.local is on:
            host = _ALL_NETWORKS if on else _THIS_MACHINE
            self.readdressed.emit(str(replace(self._push, host=host)))

    def _on_browse(self) -> None:
        dialog = QFileDialog(self, self.tr("Choose a cookies file"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.cookies.setText)
        dialog.open()


def _row(grid: QGridLayout, row: int, text: str, field: QWidget, *beside: QWidget) -> None:
    name = label(text, "muted")
    name.setBuddy(field)
    field.setAccessibleName(text)
    line = QHBoxLayout()
    line.setSpacing(4)
    line.addWidget(field, 1)
    for one in beside:
        line.addWidget(one)
    grid.addWidget(name, row, 0)
    grid.addLayout(line, row, 1)


def _copies(field: QLineEdit) -> Callable[[], None]:
    return lambda: QGuiApplication.clipboard().setText(field.text())


def _own_address() -> str:
    """This machine's address on its first network, as a camera there sees it."""
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family == socket.AF_INET and not is_loopback(one.address):
                return str(one.address)
    return socket.gethostname()

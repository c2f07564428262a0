"""Keeping one picture: into a file or the clipboard, in the size it was recorded in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from engine.domain.errors import EnvironmentFault
from engine.domain.frames import Image
from engine.domain.ids import HorseId
from ui.requests import RequestRunner
from ui.review.frames import ReviewFrame
from ui.review.pending import PendingEdits
from ui.review.snapshot import (
    OverlayChoice,
    full_picture,
    save_image,
    snapshot,
    snapshot_name,
)
from ui.review.wall import ReviewWall
from ui.theme import Theme


class PictureKeeper(QObject):
    """Keeps the selected player's picture with what is switched on. ``said`` carries a sentence
    (and whether it is a warning), ``failed`` an error."""

    said = Signal(str, bool)
    failed = Signal(object)

    def __init__(
        self,
        wall: ReviewWall,
        pending: PendingEdits,
        media: Path | None,
        requests: RequestRunner,
        window: QWidget,
        theme: Theme,
    ) -> None:
        super().__init__(window)
        self._wall, self._pending, self._media = wall, pending, media
        self._requests, self._window = requests, window
        self.theme = theme
        self.names: Mapping[HorseId, str] = {}

    def save(self) -> QFileDialog | None:
        """Ask where to, then write the picture."""
        frame = self._frame()
        if frame is None:
            return None
        name = snapshot_name(self._wall.selected.name, frame)
        dialog = QFileDialog(self._window, self.tr("Save the picture"), name)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(self.tr("Pictures (*.png *.jpg)"))
        dialog.setDefaultSuffix("png")
        dialog.selectFile(name)
        dialog.fileSelected.connect(lambda path: self.write(frame, Path(path)))
        dialog.open()
        return dialog

    def write(self, frame: ReviewFrame, path: Path) -> None:
        """Write a picture."""

        def done(written: Path) -> None:
            self.said.emit(self.tr("Saved: {0}").format(written.name), False)

        def write(image: QImage) -> None:
            work = partial(save_image, image, path)
            self._requests.submit("write a picture", work, done, self.failed.emit, self)

        self._draw(frame, write)

    def copy(self) -> None:
        """The picture into the clipboard."""
        frame = self._frame()
        if frame is not None:
            self._draw(frame, self._copy)

    def _copy(self, image: QImage) -> None:
        QGuiApplication.clipboard().setImage(image)
        self.said.emit(self.tr("Copied the picture"), False)

    def _frame(self) -> ReviewFrame | None:
        frame = self._wall.selected.frame
        if frame is None:
            self.said.emit(self.tr("There is no picture to keep here."), True)
        return frame

    def _draw(self, frame: ReviewFrame, then: Callable[[QImage], None]) -> None:
        media, switches = self._media, self._wall.selected.area.switches
        if media is None:
            return
        edits = self._pending.shown(frame.chunk.id)
        choice = OverlayChoice(switches, self.names, edits) if switches else None

        def read() -> Image:
            try:
                return full_picture(media, frame)
            except OSError as error:
                raise EnvironmentFault(self.tr("The recording cannot be read."), "") from error

        self._requests.submit(
            "a picture in full size",
            read,
            lambda bgra: then(snapshot(bgra, frame, choice, self.theme)),
            self.failed.emit,
            self,
        )

"""Backups of the database: which there are, where they lie, and one more now."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout

from engine.domain.backups import Backup, BackupDesk, BackupState
from engine.domain.errors import BarnhandError
from ui.diagnostics.diagnostics_page import FactTable
from ui.looking import LookingWidget
from ui.registry.words import ago, when
from ui.requests import RequestRunner
from ui.widgets import button, label
from ui.wording import size

SHOWN = 10
LOOK_EVERY_MS = 60_000
_TOLD_EVERY_S = 0.1


class BackupsSection(LookingWidget):
    """The newest backups with a button that makes one. ``desk`` None: this console makes none."""

    _progressed = Signal(float, str)

    def __init__(self, desk: BackupDesk | None, requests: RequestRunner) -> None:
        super().__init__(LOOK_EVERY_MS)
        self._desk = desk
        self._requests = requests
        self._cancel = threading.Event()
        self._told_mono_s = 0.0
        self.busy = False
        self.table = FactTable(
            [
                self.tr("Made"),
                self.tr("State"),
                self.tr("File"),
                self.tr("Size"),
                self.tr("Detections"),
                self.tr("Horses"),
            ],
            self.tr("Backups"),
            wide=2,
            first_number=3,
        )
        self.place = label("", "muted", wrap=True)
        self.said = label("", "small", wrap=True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of the backup"))
        self.folder = button(self.tr("Show in folder"), "link")
        self.make = button(self.tr("Back up now"), "primary")
        self.cancel = button(self.tr("Cancel"))
        self._build()
        self._progressed.connect(self._on_progress)
        self.make.clicked.connect(self.begin)
        self.cancel.clicked.connect(self._on_cancel)
        self.folder.clicked.connect(self._on_folder)
        self._show_busy(False)

    def _build(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(6)
        for widget in (self.place, self.bar, self.said):
            words.addWidget(widget)
        head = QHBoxLayout()
        head.setContentsMargins(8, 8, 8, 4)
        head.setSpacing(12)
        head.addLayout(words, 1)
        for one in (self.folder, self.cancel, self.make):
            head.addWidget(one)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self.table)
        self.table.hide()

    # --- looking -------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask a worker which backups there are."""
        if self._desk is None:
            self.place.setText(self.tr("This console was started without backups."))
            for widget in (self.folder, self.make):
                widget.hide()
            return
        self._requests.submit("backups", self._desk.list, self._on_list, self._on_failed, self)

    def _on_list(self, backups: Sequence[Backup]) -> None:
        assert self._desk is not None
        following = self._desk.next_at
        parts = [str(self._desk.folder)]
        if following is None:
            parts.append(self.tr("daily backups are switched off"))
        else:
            parts.append(self.tr("the next one {0}").format(when(following)))
        if not backups:
            parts.append(self.tr("none yet"))
        self.place.setText(" · ".join(parts))
        self.table.setVisible(bool(backups))
        self.table.fill([self._row(backup) for backup in backups[:SHOWN]])
        self.folder.setEnabled(bool(backups))

    def _row(self, backup: Backup) -> tuple[str, ...]:
        whole = backup.state is not BackupState.DAMAGED
        return (
            ago(backup.created_at),
            self._state(backup),
            backup.path.name,
            size(backup.size_bytes),
            f"{backup.detections:,}".replace(",", "\u202f") if whole else "–",
            str(backup.horses) if whole else "–",
        )

    def _state(self, backup: Backup) -> str:
        if backup.state is BackupState.DAMAGED:
            return self.tr("damaged")
        if backup.state is BackupState.CHECKED:
            return self.tr("restored on trial {0}").format(ago(backup.checked_at))
        return self.tr("whole")

    # --- making one ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Make one now, on a worker."""
        if self._desk is None or self.busy:
            return
        self._cancel.clear()
        self._show_busy(True)
        self._on_progress(0.0, self.tr("beginning"))
        desk, cancel = self._desk, self._cancel
        self._requests.submit(
            "backup", lambda: desk.make(self._tell, cancel.is_set), self._on_made,
            self._on_not_made, self,
        )  # fmt: skip

    def stop(self) -> None:
        """The window closes: a backup at work ends and leaves nothing."""
        self.look_no_more()
        self._cancel.set()

    def _tell(self, share: float, doing: str) -> None:
        # On the worker's thread: the signal crosses over.
        now_mono_s = time.monotonic()
        if now_mono_s - self._told_mono_s >= _TOLD_EVERY_S and not self._cancel.is_set():
            self._told_mono_s = now_mono_s
            self._progressed.emit(share, doing)

    def _on_progress(self, share: float, doing: str) -> None:
        if self.busy:
            self.bar.setValue(round(share * 1000))
            self.said.setText(f"{share * 100:.0f} % · {doing}")

    def _on_made(self, backup: Backup | None) -> None:
        self._show_busy(False)
        if backup is None:
            self.said.setText(self.tr("Cancelled; nothing was left."))
        else:
            words = self.tr("Backed up: {0}, {1}, verified.")
            self.said.setText(words.format(backup.path.name, size(backup.size_bytes)))
        self.look()

    def _on_not_made(self, error: BarnhandError) -> None:
        self._show_busy(False)
        self.said.setText(str(error))
        self.look()

    def _on_failed(self, error: BarnhandError) -> None:
        self.place.setText(str(error))

    def _on_cancel(self) -> None:
        self._cancel.set()
        self.said.setText(self.tr("being cancelled"))

    def _on_folder(self) -> None:
        if self._desk is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._desk.folder)))

    def _show_busy(self, busy: bool) -> None:
        self.busy = busy
        self.bar.setVisible(busy)
        self.cancel.setVisible(busy)
        self.make.setVisible(not busy)

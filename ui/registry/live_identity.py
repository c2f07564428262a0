"""Saying who a horse on the wall is: the card's acts, asked in a dialog over the wall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from engine.domain.errors import BarnhandError, NotFound
from engine.domain.identity import TrackStrip
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.ports import HorseRepository
from ui.live.horse_card import HorseCard
from ui.registry.context import RegistryContext
from ui.registry.correction_panel import CorrectionPanel
from ui.registry.track_panels import MovePanel, RejectPanel

LOOKED_BACK = timedelta(hours=12)
STRIPS_READ = 1000
DIALOG_PX = (560, 720)


def find_strip(
    horses: HorseRepository, stream_id: StreamId, track_id: TrackId, now: datetime
) -> TrackStrip:
    """A track's newest strip, read from the store. Raises NotFound while it is not stored yet."""
    strips = horses.strips(stream_id=stream_id, start=now - LOOKED_BACK, limit=STRIPS_READ)
    strip = next((s for s in strips if s.track_id == track_id), None)
    if strip is None:
        raise NotFound("This track is not stored yet.", "Try again in a moment.")
    return strip


class CorrectionDialog(QDialog):
    """A correction over the window, for acts that begin on another page."""

    def __init__(self, panel: CorrectionPanel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(panel.title.text())
        self.resize(*DIALOG_PX)
        self.panel = panel
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(panel)
        panel.closed.connect(self.reject)
        panel.applied.connect(lambda _record: self.accept())


class LiveIdentity(QObject):
    """Makes the horse card's "this is…" and "not this horse" do what they say."""

    failed = Signal(object)

    def __init__(self, context: RegistryContext, card: HorseCard, window: QWidget) -> None:
        super().__init__(window)
        self._context = context
        self._card = card
        self._window = window
        self.dialog: CorrectionDialog | None = None
        card.assign_asked.connect(self.assign)
        card.reject_asked.connect(self.reject)

    def assign(self, stream_id: StreamId, track_id: TrackId) -> None:
        """Ask whose a track on the wall is."""
        self._find(stream_id, track_id, None)

    def reject(self, stream_id: StreamId, track_id: TrackId, horse_id: HorseId) -> None:
        """Ask whether a track on the wall is not that horse."""
        self._find(stream_id, track_id, horse_id)

    def _find(self, stream_id: StreamId, track_id: TrackId, not_horse: HorseId | None) -> None:
        horses, now = self._context.services.horses, datetime.now(UTC)
        self._context.requests.submit(
            "a track on the wall",
            lambda: find_strip(horses, stream_id, track_id, now),
            lambda strip: self._open(strip, not_horse),
            self._on_failed,
            self,
        )

    def _open(self, strip: TrackStrip, not_horse: HorseId | None) -> None:
        horse = self._context.directory.resolve(not_horse)
        panel: CorrectionPanel
        if not_horse is None:
            panel = MovePanel(self._context, strip, whole=True)
        elif horse is not None:
            panel = RejectPanel(self._context, strip, horse)
        else:
            return
        self._card.dismiss()
        self.dialog = CorrectionDialog(panel, self._window)
        self.dialog.open()

    def _on_failed(self, error: BarnhandError) -> None:
        self.failed.emit(error)

"""The right side of the registry: a profile, the history, or the correction being asked about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QStackedWidget, QVBoxLayout, QWidget

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import CommandRecord, TrackStrip
from engine.domain.ids import HorseId
from ui.registry.context import RegistryContext
from ui.registry.correction_panel import CorrectionPanel
from ui.registry.corrections import RedoRecorded, UndoRecorded, record_of
from ui.registry.history_panel import HistoryPanel
from ui.registry.horse_chooser import HorseChooser
from ui.registry.merge_panel import MergePanel
from ui.registry.profile_panel import ProfilePanel
from ui.registry.track_panels import MovePanel, RejectPanel, SplitPanel, SwapPanel

LEAST_PX = 400


class SideArea(QFrame):
    """``opened`` follows a panel that came on show, ``emptied`` the last one that went;
    ``comparing`` carries (kept, absorbed) of an open merge, or None twice; ``created`` the horses
    that a correction made; ``failed`` errors that belong to no panel."""

    opened = Signal()
    emptied = Signal()
    comparing = Signal(object, object)
    created = Signal(object)
    failed = Signal(object)

    def __init__(self, context: RegistryContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setMinimumWidth(LEAST_PX)
        self._context = context
        self._return_to_profile = False
        self.profile = ProfilePanel(context)
        self.history = HistoryPanel(context)
        self.correction: CorrectionPanel | None = None
        self.stack = QStackedWidget()
        self.stack.addWidget(self.profile)
        self.stack.addWidget(self.history)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.stack)
        self.hide()
        profile = self.profile
        profile.closed.connect(self.close_panel)
        profile.merge_asked.connect(self.ask_merge)
        profile.split_asked.connect(self.ask_split)
        profile.swap_asked.connect(self.ask_swap)
        profile.move_asked.connect(self.ask_move)
        profile.reject_asked.connect(self.ask_reject)
        profile.history_asked.connect(self.show_history)
        self.history.closed.connect(self.close_panel)
        self.history.turned.connect(self.turn)

    # --- what is on show ------------------------------------------------------------------------

    @property
    def on_profile(self) -> bool:
        """True while a profile is on show."""
        return self.isVisible() and self.stack.currentWidget() is self.profile

    def reread(self) -> None:
        """Read again what the panel on show came from."""
        if self.on_profile:
            self.profile.reread()
        elif self.isVisible() and self.stack.currentWidget() is self.history:
            self.history.reread()

    def show_profile(self, horse: Horse) -> None:
        """A horse's profile."""
        self.profile.open_for(horse)
        self._show(self.profile)
        self.profile.strips.setFocus()

    def show_history(self, horse: Horse | None = None) -> None:
        """Corrections of a horse, or of all."""
        self.history.open_for(horse)
        self._show(self.history)
        self.history.list.setFocus()

    def close_panel(self) -> None:
        """Put the panel away; from a correction back to the profile it was asked from."""
        back = self.correction is not None and self._return_to_profile
        self._drop_correction()
        if back:
            self._show(self.profile)
            self.profile.reread()
            self.profile.strips.setFocus()
            return
        self.hide()
        self.emptied.emit()

    def _show(self, panel: QWidget) -> None:
        if panel is not self.correction:
            self._drop_correction()
        self.stack.setCurrentWidget(panel)
        self.show()
        self.opened.emit()

    def _drop_correction(self) -> None:
        if self.correction is not None:
            self.stack.removeWidget(self.correction)
            self.correction.deleteLater()
            self.correction = None
            self.comparing.emit(None, None)

    # --- asking ---------------------------------------------------------------------------------

    def ask(self, panel: CorrectionPanel) -> None:
        """Put a correction on show."""
        self._return_to_profile = self.on_profile or (
            self.correction is not None and self._return_to_profile
        )
        self._drop_correction()
        self.correction = panel
        self.stack.addWidget(panel)
        panel.closed.connect(self.close_panel)
        panel.applied.connect(self._on_applied)
        self._show(panel)
        panel.reason.setFocus()

    def ask_merge(self, kept: Horse, absorbed: Horse | None = None) -> None:
        """Ask whether two horses are one; without a second one, ask for it first."""
        if absorbed is None:
            title = self.tr("Merge {0} with…").format(kept.title)
            chooser = HorseChooser(self._context, kept, title, self.window())
            chooser.chosen.connect(lambda other: self.ask_merge(*better_kept(kept, other)))
            chooser.open()
            return
        panel = MergePanel(self._context, kept, absorbed)
        panel.turned.connect(lambda: self.ask_merge(absorbed, kept))
        self.ask(panel)
        self.comparing.emit(kept, absorbed)

    def ask_split(self, horse: Horse, at: datetime, strip: TrackStrip | None) -> None:
        """Ask how to split a horse at an instant."""
        self.ask(SplitPanel(self._context, horse, at, strip))

    def ask_swap(self, horse: Horse, at: datetime, strip: TrackStrip | None) -> None:
        """Ask with whom a horse was mistaken from an instant on."""
        self.ask(SwapPanel(self._context, horse, at, strip))

    def ask_move(self, strip: TrackStrip) -> None:
        """Ask whose a track is."""
        self.ask(MovePanel(self._context, strip))

    def ask_reject(self, strip: TrackStrip) -> None:
        """Ask whether a track is not the horse it was given to."""
        horse = self._context.directory.resolve(strip.horse_id)
        if horse is not None:
            self.ask(RejectPanel(self._context, strip, horse))

    def _on_applied(self, record: CommandRecord | None) -> None:
        made: Sequence[HorseId] = record.created if record is not None else ()
        self.close_panel()
        if made:
            self.created.emit(made)

    # --- history --------------------------------------------------------------------------------

    def turn(self, record: CommandRecord) -> None:
        """Undo a correction of the history, or do it again; what Ctrl+Z would take back next is
        taken back by the same stack, so that both stay in step."""
        context = self._context
        identity, actor, log = context.services.identity, context.actor, context.log
        if record.undone_at is not None:
            log.run(RedoRecorded(record, identity, actor), None, self._on_turn_refused)
        elif record_of(log.next_undo) == record.id:
            log.stack.undo()
        else:
            log.run(UndoRecorded(record, identity, actor), None, self._on_turn_refused)

    def _on_turn_refused(self, error: BarnhandError) -> None:
        self.history.reread()
        self.failed.emit(error)


def better_kept(first: Horse, second: Horse) -> tuple[Horse, Horse]:
    """The one to keep and the one to absorb: residents before guests, named before unnamed, the
    older record before the newer."""

    def rank(horse: Horse) -> tuple[bool, bool, str]:
        return (horse.status is not HorseStatus.ACTIVE, not horse.name, horse.label)

    return (first, second) if rank(first) <= rank(second) else (second, first)

"""The players of the Review page side by side: one, two or four places over one cursor."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError
from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from engine.domain.ids import StreamId
from ui.review.view import WAIT_S, MakePlayer, PlayerView
from ui.theme import Theme
from ui.timeline.cursor import TimeCursor

COUNTS = (1, 2, 4)
KEY = "review/layout"
GAP_PX = 6


class _Stored(BaseModel):
    model_config = ConfigDict(extra="ignore")

    count: int
    cameras: tuple[UUID | None, ...]


class ReviewWall(QWidget):
    """``selected_changed`` follows the choice of a place; ``cameras_changed`` what is shown where.
    Players hold the cursor while they fetch, each at most two seconds."""

    selected_changed = Signal()
    cameras_changed = Signal()

    def __init__(
        self,
        head: TimeCursor,
        make: MakePlayer,
        settings: QSettings,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._head = head
        self._settings = settings
        self.views = [PlayerView(make, theme, self) for _ in range(max(COUNTS))]
        self.count = 1
        self.selected = self.views[0]
        self._known: Mapping[StreamId, str] = {}
        self._wanted: list[StreamId | None] = [None] * len(self.views)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(GAP_PX, GAP_PX, GAP_PX, GAP_PX)
        self._grid.setSpacing(GAP_PX)
        for view in self.views:
            view.picked.connect(lambda v=view: self.select(v))
            view.camera_chosen.connect(lambda i, v=view: self.choose(v, i))
            view.area.opened.connect(lambda v=view: self.toggle_alone(v))
        self._recall()
        self._lay_out()

    @property
    def shown(self) -> Sequence[PlayerView]:
        """The places on show."""
        return self.views[: self.count]

    @property
    def stream_ids(self) -> tuple[StreamId, ...]:
        """The cameras on show, each once."""
        return tuple(dict.fromkeys(v.stream_id for v in self.shown if v.stream_id is not None))

    # --- which cameras --------------------------------------------------------------------------

    def follow(self, cameras: Mapping[StreamId, str]) -> None:
        """Take the cameras' names; empty places get the cameras that were there, or the first."""
        if dict(cameras) == self._known and self._known:
            return
        self._known = dict(cameras)
        for view in self.views:
            view.follow(self._known)
        if not any(self._wanted) and cameras:
            self._wanted = [*cameras, *[None] * len(self.views)][: len(self.views)]
        self._settle()

    def choose(self, view: PlayerView, stream_id: StreamId | None) -> None:
        """A camera for a place."""
        self._wanted[self.views.index(view)] = stream_id
        self._settle()
        self.select(view)
        self._remember()

    def show_cameras(self, stream_ids: Sequence[StreamId]) -> None:
        """Show these, at most four; those that are on show already stay where they are."""
        wanted = [i for i in dict.fromkeys(stream_ids) if i in self._known][: len(self.views)]
        if not wanted or set(wanted) <= set(self.stream_ids):
            chosen = next((v for v in self.shown if v.stream_id in wanted), None)
            if chosen is not None:
                self.select(chosen)
            return
        if len(wanted) == 1 and self.count == 1:
            self.choose(self.views[0], wanted[0])
            return
        if len(wanted) == 1:
            self.choose(self.selected, wanted[0])
            return
        self._wanted = [*wanted, *[None] * len(self.views)][: len(self.views)]
        self.set_count(next(c for c in COUNTS if c >= len(wanted)))
        self.select(self.views[0])

    def set_count(self, count: int) -> None:
        """So many places."""
        self.count = count
        known = list(self._known)
        for place in range(count):
            if self._wanted[place] is None:
                free = [i for i in known if i not in self._wanted[:count]]
                self._wanted[place] = free[0] if free else None
        self._lay_out()
        self._settle()
        self._remember()

    def toggle_alone(self, view: PlayerView) -> None:
        """One place large, or all of them again."""
        if self.count == 1:
            self.set_count(self._many)
            return
        place = self.views.index(view)
        self._many = self.count
        self._wanted[0], self._wanted[place] = self._wanted[place], self._wanted[0]
        self.set_count(1)

    _many = 4

    def _settle(self) -> None:
        """Players where places are on show, none elsewhere."""
        for place, view in enumerate(self.views):
            wanted = self._wanted[place] if place < self.count else None
            shown = wanted if wanted in self._known else None
            if shown != view.stream_id:
                self._head.let_go(view)
                view.set_camera(shown)
        self.cameras_changed.emit()

    def _lay_out(self) -> None:
        for view in self.views:
            self._grid.removeWidget(view)
        columns = 1 if self.count == 1 else 2
        for place, view in enumerate(self.views):
            view.setVisible(place < self.count)
            if place < self.count:
                self._grid.addWidget(view, place // columns, place % columns)
        if self.selected not in self.shown:
            self.selected = self.views[0]
        self._mark()

    def select(self, view: PlayerView) -> None:
        """Make a place the one that steps and is inspected."""
        if view is not self.selected and view in self.shown:
            self.selected = view
            self._mark()
            self.selected_changed.emit()

    def select_next(self) -> None:
        """The next place."""
        shown = list(self.shown)
        self.select(shown[(shown.index(self.selected) + 1) % len(shown)])

    def _mark(self) -> None:
        for view in self.views:
            view.mark(view is self.selected and self.count > 1)

    def _remember(self) -> None:
        stored = {"count": self.count, "cameras": [str(i) if i else None for i in self._wanted]}
        self._settings.setValue(KEY, json.dumps(stored))

    def _recall(self) -> None:
        stored = self._settings.value(KEY)
        if not isinstance(stored, str):
            return
        try:
            layout = _Stored.model_validate_json(stored)
        except ValidationError:
            return
        self.count = layout.count if layout.count in COUNTS else 1
        cameras = [StreamId(i) if i is not None else None for i in layout.cameras]
        self._wanted = [*cameras, *[None] * len(self.views)][: len(self.views)]

    # --- playing --------------------------------------------------------------------------------

    def follow_cursor(self) -> bool:
        """Let every place show what is seen now; True while one of them makes the others wait.

        While it plays all change their pictures together; standing still each as soon as it can.
        """
        at, now_s = self._head.at, time.monotonic()
        waits = False
        for view in self.shown:
            if view.prepare(at, now_s):
                self._head.hold(view)
                waits = True
            else:
                self._head.let_go(view)
        if not (waits and self._head.playing):
            for view in self.shown:
                view.present()
        return waits

    def let_go(self) -> None:
        """Nobody looks: the cursor is free."""
        for view in self.views:
            self._head.let_go(view)

    def reload(self) -> None:
        """Recordings or overlays changed."""
        for view in self.shown:
            if view.player is not None:
                view.player.reload()

    def own_again(self) -> None:
        """Somebody said whose tracks are."""
        for view in self.shown:
            if view.player is not None:
                view.player.own_again()

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        for view in self.views:
            view.area.set_theme(theme)
        self._mark()

    def stop(self) -> None:
        """The window is closing."""
        self.let_go()
        for view in self.views:
            view.close_player()
        for view in self.views:
            view.join(WAIT_S)

"""One place of the Review page: which camera, its picture, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from engine.domain.ids import StreamId
from ui.review.frames import Absence, ReviewFrame
from ui.review.picture_area import PictureArea
from ui.review.player import Player
from ui.review.words import chunk_tip, chunk_word, exact_time, frame_words, size_words
from ui.theme import Theme
from ui.widgets import label, restyle, spacer, steady

HEADER_PX = 32
WAIT_S = 2.0
"""A player holds the cursor at most so long; then it says why and lets the others go on."""
FETCHING_S = 0.3
"""Shorter waits are not worth a word."""

MakePlayer = Callable[[StreamId], "Player | None"]


class PlayerView(QFrame):
    """``picked`` follows a click anywhere on it; ``camera_chosen`` carries the StreamId chosen for
    this place (None: no camera)."""

    picked = Signal()
    camera_chosen = Signal(object)

    def __init__(self, make: MakePlayer, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make = make
        self._cameras: Mapping[StreamId, str] = {}
        self.stream_id: StreamId | None = None
        self.player: Player | None = None
        self._leaving: list[Player] = []
        self.area = PictureArea(theme)
        self.reason: Callable[[StreamId, Absence], str] = lambda _stream_id, _absence: ""
        """Why a camera shows nothing, where the recordings do not say."""
        self._found: ReviewFrame | Absence | None = None
        self._waiting_since_s: float | None = None
        self.gave_up = False
        self._build()
        self.set_camera(None)

    def _build(self) -> None:
        self.setObjectName("card")
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        self.camera = QToolButton()
        self.camera.setProperty("role", "chip")
        self.camera.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.camera.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.camera.setMenu(self._menu)
        self.camera.setAccessibleName(self.tr("Camera"))
        self.state = label("", "small")
        self.picture_size = label("", "small")
        self.number = steady(label("", "small"), self.tr("picture 000 of 000"))
        self.time = steady(label("", "strong"), "00:00:00.000")
        for one in (self.number, self.time):
            one.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        header = QHBoxLayout()
        header.setContentsMargins(6, 0, 10, 0)
        header.setSpacing(10)
        for widget in (self.camera, self.state, self.picture_size, spacer()):
            header.addWidget(widget)
        header.addWidget(self.number)
        header.addWidget(self.time)
        top = QWidget()
        top.setFixedHeight(HEADER_PX)
        top.setLayout(header)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(top)
        column.addWidget(self.area, 1)
        self.area.picked.connect(lambda _track: self.picked.emit())

    # --- camera ---------------------------------------------------------------------------------

    def follow(self, cameras: Mapping[StreamId, str]) -> None:
        """Take the cameras' names."""
        self._cameras = cameras
        self._name()

    def set_camera(self, stream_id: StreamId | None) -> None:
        """Show another camera, or none."""
        if stream_id == self.stream_id and stream_id is not None:
            return
        self.close_player()
        self.stream_id = stream_id
        self._found, self._waiting_since_s, self.gave_up = None, None, False
        self._name()
        self._tell(None)
        self.area.show_nothing((), None)
        if stream_id is None:
            self.area.show_nothing((self.tr("No camera here"), self.tr("Choose one above.")), None)
            return
        self.player = self._make(stream_id)
        if self.player is None:
            words = self.tr("Recordings are not available on this machine")
            self.area.show_nothing((words,), None)

    def close_player(self) -> None:
        """Stop playing; the player's thread ends by itself, nobody waits for it here."""
        if self.player is not None:
            self.player.close()
            self._leaving = [one for one in self._leaving if not one.join(0.0)]
            self._leaving.append(self.player)
            self.player = None

    def join(self, seconds: float) -> bool:
        """Wait for the threads of closed players; True once all have ended."""
        return not [player for player in self._leaving if not player.join(seconds)]

    @property
    def name(self) -> str:
        """What the camera is called."""
        return self._cameras.get(self.stream_id, "") if self.stream_id is not None else ""

    def _name(self) -> None:
        self.camera.setText((self.name or self.tr("Choose a camera")) + " ▾")

    def _fill_menu(self) -> None:
        self._menu.clear()
        for stream_id, name in self._cameras.items():
            action = self._menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(stream_id == self.stream_id)
            action.triggered.connect(lambda _on=False, i=stream_id: self.camera_chosen.emit(i))
        self._menu.addSeparator()
        none = self._menu.addAction(self.tr("No camera"))
        none.triggered.connect(lambda _on=False: self.camera_chosen.emit(None))

    @property
    def settled(self) -> bool:
        """Whether what is on show is what the cursor points at."""
        return self._waiting_since_s is None and self.area.frame is not None

    # --- following the cursor -------------------------------------------------------------------

    @property
    def frame(self) -> ReviewFrame | None:
        """The picture on show."""
        return self.area.frame

    def prepare(self, at: datetime, now_s: float) -> bool:
        """Ask for what is seen at an instant; True while the cursor should wait for it."""
        player = self.player
        self._found = None
        if player is None:
            return False
        player.show(at, self.area.size_px)
        self._found = player.frame()
        if self._found is None:
            return self._wait(now_s)
        self._waiting_since_s, self.gave_up = None, False
        return False

    def present(self) -> None:
        """Show what was found."""
        found = self._found
        if isinstance(found, Absence):
            self._tell(None)
            self.area.show_nothing(self._absent_words(found), found)
        elif found is not None and (
            found is not self.area.frame or self.area.words or self.area.stale
        ):
            self.area.show_frame(found)
            self._tell(found)

    def _wait(self, now_s: float) -> bool:
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        waited_s = now_s - self._waiting_since_s
        if waited_s >= WAIT_S and not self.gave_up:
            self.gave_up = True
            self._tell(None)
            why = self.tr("This recording takes longer than two seconds to open.")
            self.area.show_nothing((self.tr("Cannot keep up"), why), None)
        if waited_s >= FETCHING_S and self.area.frame is not None:
            self.area.show_stale()
        elif waited_s >= FETCHING_S and not self.area.words:
            self.area.show_nothing((self.tr("Opening the recording…"),), None)
        return not self.gave_up

    def _absent_words(self, absence: Absence) -> tuple[str, ...]:
        why = absence.reason
        if not why and self.stream_id is not None:
            why = self.reason(self.stream_id, absence)
        return tuple(
            words
            for words in (self.tr("No recording at this time"), why, self._beside(absence))
            if words
        )

    def _beside(self, absence: Absence) -> str:
        """When it ended before, and when it goes on."""
        before, after = absence.before_us, absence.after_us
        parts = []
        if before is not None:
            parts.append(self.tr("recorded until {0}").format(exact_time(before)[:-4]))
        if after is not None:
            parts.append(self.tr("again from {0}").format(exact_time(after)[:-4]))
        words = ", ".join(parts)
        return words[:1].upper() + words[1:]

    def _tell(self, frame: ReviewFrame | None) -> None:
        if frame is None:
            for one in (self.state, self.picture_size, self.number, self.time):
                one.setText("")
            return
        self.state.setText(chunk_word(frame.chunk))
        self.state.setToolTip(chunk_tip(frame.chunk))
        self.picture_size.setText(size_words(frame.chunk))
        self.number.setText(frame_words(frame))
        self.time.setText(exact_time(frame.at_us))

    # --- look -----------------------------------------------------------------------------------

    def mark(self, on: bool) -> None:
        """Show that it is the selected one."""
        colour = self.area.theme.colour("accent" if on else "line").name()
        self.setStyleSheet(f"#card {{ border: 1px solid {colour}; }}")
        restyle(self, "selected", on)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self.picked.emit()

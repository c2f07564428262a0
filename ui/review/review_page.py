"""The Review page: recordings of up to four cameras in step over the one cursor, one picture
inspected and corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from engine.domain.identity import TrackStrip
from engine.domain.ids import HorseId, StreamId
from engine.domain.recording import Chunk, Job
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.console_state import ConsoleState
from ui.live.overlay_paint import DEFAULT_SWITCHES, Switch
from ui.registry.context import RegistryContext
from ui.registry.directory import HorseDirectory
from ui.registry.words import counted, local_user
from ui.requests import RequestRunner
from ui.review.absence_reasons import AbsenceReasons
from ui.review.correcting import Corrector
from ui.review.coverage_bar import CoverageBar
from ui.review.edit_desk import EditDesk
from ui.review.inspector import FrameInspector
from ui.review.pending import NEW_GUEST, PendingEdits
from ui.review.picture_keeper import PictureKeeper
from ui.review.playback import Playback
from ui.review.player import Player
from ui.review.recording_finder import RecordingFinder
from ui.review.recordings import CameraRecordings
from ui.review.review_actions import add_review_actions, dress_review_actions
from ui.review.transport import Transport
from ui.review.wall import ReviewWall
from ui.services import ConsoleServices
from ui.theme import Theme
from ui.timeline.cursor import TimeCursor, TimeRange
from ui.timeline.range_actions import RangeActions
from ui.timeline.range_scope import RangeScope

TICK_MS = 15
OWNERS_REST_MS = 1500
"""Between two questions whose the tracks are: a busy barn announces many changes."""
OWN_STRIPS = 500


class ReviewPage(QWidget):
    """``failed`` carries errors, ``said`` a sentence (and whether it is a warning), ``submitted`` a
    job that was queued, ``wanted`` asks the window to open another page by name."""

    failed = Signal(object)
    said = Signal(str, bool)
    submitted = Signal(object)
    wanted = Signal(str)

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        log: CommandLog,
        directory: HorseDirectory,
        registry: RegistryContext | None,
        book: ActionBook,
        head: TimeCursor,
        state: ConsoleState,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.services, self._requests = services, requests
        self._directory, self._book, self._state = directory, book, state
        self.head = head
        self._cameras: dict[StreamId, str] = {}
        self._names: Mapping[HorseId, str] = {}
        self.switches = _stored_switches(state)
        self.inspects = state.flag("review.inspector", True)
        self.pending = PendingEdits(self)
        self.desk = EditDesk(services, requests, log, self.pending, local_user(), self)
        self.acts = RangeActions(services, requests, log, self.scope, local_user(), self)
        self.acts.viewer = self
        self.reasons = AbsenceReasons(services, requests, head, self)
        self._build(theme)
        self.playback = Playback(head, self.wall, self)
        self.finder = RecordingFinder(
            services.chunks, requests, head, self.wall, self.coverage, self
        )
        self.keeper = PictureKeeper(
            self.wall, self.pending, services.media_folder, requests, self, theme
        )
        self.corrector = Corrector(
            self.wall, self.inspector, self.desk, head, registry, lambda: self._names, self
        )
        add_review_actions(book, self, theme)
        self.transport = Transport(book, head, theme)
        self._column.addWidget(self.transport)
        self._connect()
        self._on_names()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self, theme: Theme) -> None:
        self.wall = ReviewWall(self.head, self._make_player, self._state.settings, theme)
        self.coverage = CoverageBar(self.head, theme)
        self.inspector = FrameInspector(theme)
        self.inspector.setVisible(self.inspects)
        left = QFrame()
        self._column = QVBoxLayout(left)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.wall, 1)
        self._column.addWidget(self.coverage)
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        across.addWidget(left, 1)
        across.addWidget(self.inspector)
        for view in self.wall.views:
            view.reason = self.reasons.of
            view.area.switches = self.switches

    def _connect(self) -> None:
        for view in self.wall.views:
            view.area.jumped.connect(lambda later, v=view: self.finder.jump(later, v.stream_id))
        self._directory.changed.connect(self._on_names)
        self._directory.refreshed.connect(self._on_corrected)
        for part in (self.acts, self.desk, self.playback, self.finder, self.keeper, self.corrector):
            part.said.connect(self.said)
        for part in (self.acts, self.desk, self.finder, self.keeper):
            part.failed.connect(self.failed)
        for part in (self.acts, self.desk):
            part.submitted.connect(self.submitted)
        self.acts.kept.connect(self.finder.refresh)
        self.desk.settled.connect(lambda _chunk: self.wall.reload())
        self._tick = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._tick.timeout.connect(self.follow_cursor)
        self._disowned = QTimer(self, interval=OWNERS_REST_MS, singleShot=True)
        self._disowned.timeout.connect(self.wall.own_again)

    def _make_player(self, stream_id: StreamId) -> Player | None:
        chunks, media = self.services.chunks, self.services.media_folder
        if chunks is None or media is None:
            return None
        recordings = CameraRecordings(stream_id, chunks, media)
        horses = self.services.horses

        def owners(chunk: Chunk) -> Sequence[TrackStrip]:
            return horses.strips(None, chunk.stream_id, chunk.start_at, chunk.end_at, OWN_STRIPS)

        return Player(stream_id.hex[:8], stream_id, recordings, owners)

    # --- what there is --------------------------------------------------------------------------

    def follow(self, cameras: Mapping[StreamId, str]) -> None:
        """Take the cameras' names."""
        if dict(cameras) != self._cameras:
            self._cameras = self.finder.cameras = dict(cameras)
            if self.isVisible():
                self.wall.follow(self._cameras)
                self.finder.start()

    def _on_names(self) -> None:
        self._names = {**self._directory.names, NEW_GUEST: self.tr("new guest")}
        self.keeper.names = self._names
        for view in self.wall.views:
            view.area.names = self._names

    def _on_corrected(self) -> None:
        """Somebody said whose a track is (or the engine met somebody): the pictures show it."""
        if self.isVisible() and not self._disowned.isActive():
            self._disowned.start()

    # --- opening --------------------------------------------------------------------------------

    def open_range(
        self, marked: TimeRange, stream_ids: Sequence[StreamId], horse_id: HorseId | None
    ) -> None:
        """Show these cameras at the begin of a range; of a horse those that saw it most."""
        self.wanted.emit("review")
        self.head.pause()
        self.head.mark(marked.start_at, marked.end_at)
        self.head.move_to(marked.start_at)
        if horse_id is None or len(stream_ids) < 2:
            self.wall.show_cameras(stream_ids)
            return
        horses, limit = self.services.horses, OWN_STRIPS

        def show(strips: Sequence[TrackStrip]) -> None:
            self.wall.show_cameras(_seen_most(strips, marked) or stream_ids)

        self._requests.submit(
            "cameras of a horse",
            lambda: horses.strips(horse_id, None, marked.start_at, marked.end_at, limit),
            show,
            self.failed.emit,
            self,
        )

    def open_moment(self, at: datetime, stream_id: StreamId | None) -> None:
        """Show an instant, of a camera if one is meant."""
        self.wanted.emit("review")
        if stream_id is not None:
            self.wall.show_cameras([stream_id])
        self.head.pause()
        self.head.move_to(at)

    def to_timeline(self) -> None:
        """Show this instant among the lanes."""
        self.wanted.emit("timeline")

    # --- playing --------------------------------------------------------------------------------

    def follow_cursor(self) -> None:
        """Show what is seen now; called by its own timer while the page is open."""
        self.transport.show_held(self.playback.follow())
        self.corrector.follow()

    # --- range ----------------------------------------------------------------------------------

    def scope(self) -> RangeScope | None:
        """The marked range and the cameras on show; without one the recording on show."""
        marked, frame = self.head.range, self.wall.selected.frame
        if marked is None and frame is not None:
            marked = TimeRange(frame.chunk.start_at, frame.chunk.end_at)
        if marked is None:
            return None
        shown = self.wall.stream_ids
        cameras = {i: name for i, name in self._cameras.items() if i in shown}
        horses = {h: name for h, name in self._names.items() if h != NEW_GUEST}
        alone = shown[0] if len(shown) == 1 else None
        return RangeScope(marked, cameras, horses, None, alone)

    # --- looks ----------------------------------------------------------------------------------

    def switch(self, switch: Switch, on: bool) -> None:
        """Draw something, or do not."""
        self.switches = self.switches | {switch} if on else self.switches - {switch}
        words = ",".join(sorted(s.value for s in self.switches)) or "none"
        self._state.settings.setValue("review/overlays", words)
        for view in self.wall.views:
            view.area.switches = self.switches
            view.area.update()

    def set_places(self, count: int) -> None:
        """So many players."""
        self._book[f"review.places{count}"].setChecked(True)
        if count != self.wall.count:
            self.wall.set_count(count)

    def show_inspector(self, on: bool) -> None:
        """Inspect the picture, or have all the room for it."""
        self.inspects = on
        self._state.set_flag("review.inspector", on)
        self.inspector.setVisible(on)
        self.corrector.forget_told()

    def on_job_ended(self, job: Job) -> None:
        """Background work ended: a recording may have been analysed anew."""
        self.desk.on_job_ended(job)

    # --- window ---------------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self.keeper.theme = theme
        for part in (self.wall, self.coverage, self.transport, self.inspector):
            part.set_theme(theme)
        dress_review_actions(self._book, theme)

    def take_focus(self) -> None:
        """Give the keyboard to the page."""
        self.setFocus()

    def stop(self) -> None:
        """The window is closing."""
        self._tick.stop()
        self._disowned.stop()
        self.finder.stop()
        self.wall.stop()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.wall.follow(self._cameras)
        self.playback.begin()
        self._tick.start()
        self.finder.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._tick.stop()
        self.finder.stop()
        self.playback.rest()
        self.wall.let_go()
        if self.pending.count:
            waiting = counted(
                self.pending.count, self.tr("correction waits"), self.tr("corrections wait")
            )
            words = self.tr("{0} in Review, kept until applied or removed.")
            self.said.emit(words.format(waiting), False)


def _seen_most(strips: Sequence[TrackStrip], marked: TimeRange) -> list[StreamId]:
    """Cameras by how long they saw somebody in a range, longest first."""
    seconds: dict[StreamId, float] = {}
    for strip in strips:
        start, end = max(strip.start, marked.start_at), min(strip.end, marked.end_at)
        seconds[strip.stream_id] = seconds.get(strip.stream_id, 0.0) + (end - start).total_seconds()
    return sorted(seconds, key=lambda stream_id: -seconds[stream_id])


def _stored_switches(state: ConsoleState) -> frozenset[Switch]:
    stored = state.settings.value("review/overlays")
    if not isinstance(stored, str):
        return DEFAULT_SWITCHES
    names = set(stored.split(","))
    return frozenset(switch for switch in Switch if switch.value in names)

"""The Review page: recordings of up to four cameras in step over the one cursor, one picture
inspected and corrected."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QImage, QShowEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from engine.domain.errors import EnvironmentFault
from engine.domain.frames import Image
from engine.domain.identity import TrackStrip
from engine.domain.ids import HorseId, StreamId
from engine.domain.recording import Chunk, ChunkState, Job
from engine.domain.streams import StreamState
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.console_state import ConsoleState
from ui.live.overlay_paint import DEFAULT_SWITCHES, Switch
from ui.registry.context import RegistryContext
from ui.registry.directory import HorseDirectory
from ui.registry.words import counted, local_user
from ui.requests import RequestRunner
from ui.review.correcting import Corrector
from ui.review.coverage_bar import CoverageBar, rows_of
from ui.review.edit_desk import EditDesk
from ui.review.frames import ReviewFrame
from ui.review.inspector import FrameInspector
from ui.review.pending import NEW_GUEST, PendingEdits
from ui.review.player import Player
from ui.review.recordings import CameraRecordings
from ui.review.review_actions import add_review_actions, dress_review_actions
from ui.review.snapshot import (
    OverlayChoice,
    full_picture,
    save_image,
    snapshot,
    snapshot_name,
)
from ui.review.transport import Transport
from ui.review.wall import ReviewWall
from ui.services import ConsoleServices
from ui.theme import Theme
from ui.timeline.cursor import SPEEDS, TimeCursor, TimeRange, instant, micros
from ui.timeline.range_actions import RangeActions
from ui.timeline.range_scope import RangeScope
from ui.wording import offline_lines

TICK_MS = 15
READ_MS = 4000
"""The bar's recordings are read again so often: new ones come."""
OWNERS_REST_MS = 1500
"""Between two questions whose the tracks are: a busy barn announces many changes."""
STEP_S = 2.0
"""A step waits at most so long for the recording to tell where its pictures are."""
OWN_STRIPS = 500
CHUNKS_READ = 4000
NEARLY_NOW_S = 120.0


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
        self._directory, self._book, self._state, self._theme = directory, book, state, theme
        self.head = head
        self._cameras: dict[StreamId, str] = {}
        self._names: Mapping[HorseId, str] = {}
        self._steps: list[int] = []
        self._step_since_s = 0.0
        self._backwards = 0.0
        self._last_s = time.monotonic()
        self._loop = self._asked = False
        self.switches = _stored_switches(state)
        self.inspects = state.flag("review.inspector", True)
        self.pending = PendingEdits(self)
        self.desk = EditDesk(services, requests, log, self.pending, local_user(), self)
        self.acts = RangeActions(services, requests, log, self.scope, local_user(), self)
        self.acts.viewer = self
        self._build(theme)
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
            view.note = self._note
            view.area.switches = self.switches

    def _connect(self) -> None:
        for view in self.wall.views:
            view.area.jumped.connect(self.jump)
        self.wall.cameras_changed.connect(self._read_soon)
        self.coverage.moved_window.connect(self._read_soon)
        self._directory.changed.connect(self._on_names)
        self._directory.refreshed.connect(self._on_corrected)
        for part in (self.acts, self.desk):
            part.said.connect(self.said)
            part.failed.connect(self.failed)
            part.submitted.connect(self.submitted)
        self.corrector.said.connect(self.said)
        self.acts.kept.connect(self._read_soon)
        self.desk.settled.connect(lambda _chunk: self.wall.reload())
        self._tick = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._tick.timeout.connect(self.follow_cursor)
        self._want = QTimer(self, interval=60, singleShot=True)
        self._want.timeout.connect(self._read)
        self._disowned = QTimer(self, interval=OWNERS_REST_MS, singleShot=True)
        self._disowned.timeout.connect(self.wall.own_again)
        self._reading = QTimer(self, interval=READ_MS)
        self._reading.timeout.connect(self._read)

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
            self._cameras = dict(cameras)
            if self.isVisible():
                self.wall.follow(self._cameras)

    def _on_names(self) -> None:
        self._names = {**self._directory.names, NEW_GUEST: self.tr("new guest")}
        for view in self.wall.views:
            view.area.names = self._names

    def _on_corrected(self) -> None:
        """Somebody said whose a track is (or the engine met somebody): the pictures show it."""
        if self.isVisible() and not self._disowned.isActive():
            self._disowned.start()

    def _note(self, stream_id: StreamId) -> str:
        """What is known of a camera that shows nothing now."""
        age_s = (datetime.now(self.head.at.tzinfo) - self.head.at).total_seconds()
        report = self.services.engine.report()
        health = next((h for h in report.streams if h.stream_id == stream_id), None)
        if health is None or age_s > NEARLY_NOW_S or health.state is StreamState.ACTIVE:
            return ""
        return offline_lines(health)[0]

    def _read_soon(self) -> None:
        self._want.start()

    def _read(self) -> None:
        chunks, shown = self.services.chunks, self.wall.stream_ids
        if chunks is None or self._asked or not self.isVisible():
            return
        if not shown:
            self.coverage.show_rows(())
            return
        margin_us = self.coverage.span_us // 2
        start = instant(self.coverage.start_us - margin_us)
        end = instant(self.coverage.start_us + self.coverage.span_us + margin_us)
        self._asked = True
        states = tuple(ChunkState)

        def read(found: Sequence[Chunk]) -> None:
            self._asked = False
            self.coverage.show_rows(rows_of(self._cameras, self.wall.stream_ids, found))

        self._requests.submit(
            "recordings on show",
            lambda: chunks.list(shown, start, end, states, limit=CHUNKS_READ),
            read,
            lambda _error: self._on_read_failed(),
            self,
        )

    def _on_read_failed(self) -> None:
        self._asked = False

    # --- opening --------------------------------------------------------------------------------

    def open_range(
        self, marked: TimeRange, stream_ids: Sequence[StreamId], horse_id: HorseId | None
    ) -> None:
        """Show these cameras at the begin of a range."""
        del horse_id
        self.wanted.emit("review")
        self.wall.show_cameras(stream_ids)
        self.head.mark(marked.start_at, marked.end_at)
        self.head.move_to(marked.start_at)

    def open_moment(self, at: datetime, stream_id: StreamId | None) -> None:
        """Show an instant, of a camera if one is meant."""
        self.wanted.emit("review")
        if stream_id is not None:
            self.wall.show_cameras([stream_id])
        self.head.pause()
        self.head.move_to(at)

    def jump(self, later: bool) -> None:
        """Go to the next recording of the cameras on show, or the one before."""
        chunks, shown, at = self.services.chunks, self.wall.stream_ids, self.head.at
        if chunks is None or not shown:
            return
        states = (ChunkState.OPEN, ChunkState.COMPLETE, ChunkState.RESCUED)

        def find() -> datetime | None:
            if later:
                found = chunks.list(shown, at, None, states, limit=len(shown) * 2 + 2)
                return next((c.start_at for c in found if c.start_at > at), None)
            found = chunks.list(
                shown, None, at, states, newest_first=True, limit=len(shown) * 2 + 2
            )
            return next((c.start_at for c in found if c.end_at < at or c.start_at < at), None)

        def go(target: datetime | None) -> None:
            if target is not None:
                self.head.move_to(target)
                return
            words = self.tr("There is no later recording.")
            self.said.emit(words if later else self.tr("There is no earlier recording."), True)

        self._requests.submit("next recording", find, go, self.failed.emit, self)

    def to_timeline(self) -> None:
        """Show this instant among the lanes."""
        self.wanted.emit("timeline")

    # --- playing --------------------------------------------------------------------------------

    def follow_cursor(self) -> None:
        """Show what is seen now; called by its own timer while the page is open."""
        now_s = time.monotonic()
        passed_s, self._last_s = now_s - self._last_s, now_s
        waits = self.wall.follow_cursor()
        self._take_step(now_s)
        if self._backwards and not waits:
            self.head.move_by(-passed_s * self._backwards)
        marked = self.head.range
        if self._loop and marked is not None and self.head.at >= marked.end_at:
            self.head.move_to(marked.start_at)
        self.transport.show_held(waits)
        self.corrector.follow()

    def toggle(self) -> None:
        """Play or pause."""
        if self._backwards:
            self._backwards = 0.0
            return
        self.head.toggle()

    def shuttle(self, direction: int) -> None:
        """Play forwards or backwards; again: faster; against the way it plays: stop."""
        if direction > 0 and self._backwards:
            self._backwards = 0.0
        elif direction > 0 and self.head.playing:
            self.head.faster()
        elif direction > 0:
            self.head.set_speed(1.0)
            self.head.play()
        elif self.head.playing:
            self.head.pause()
        else:
            self._backwards = min(self._backwards * 2, SPEEDS[-2]) if self._backwards else 1.0

    @property
    def backwards(self) -> float:
        """How fast it plays backwards, 0 while it does not."""
        return self._backwards

    def step(self, by: int) -> None:
        """Pause and show the next picture of the selected player, or the one before."""
        self.head.pause()
        self._backwards = 0.0
        if not self._steps:
            self._step_since_s = time.monotonic()
        self._steps.append(by)
        self._take_step(time.monotonic())

    def _take_step(self, now_s: float) -> None:
        player = self.wall.selected.player
        while self._steps:
            by = self._steps[0]
            if player is None or self.wall.selected.area.absence is not None:
                self._steps.clear()
                self.head.step(by)
                return
            at = player.neighbour(self.head.at, by)
            if at is None:
                if now_s - self._step_since_s > STEP_S:
                    self._steps.clear()
                    self.said.emit(self.tr("There is no picture beyond this one."), True)
                return
            self._steps.pop(0)
            self._step_since_s = now_s
            self.head.move_to(at)

    def set_loop(self, on: bool) -> None:
        """Play the marked range again and again."""
        self._loop = on
        if on and self.head.range is None:
            self.said.emit(self.tr("Mark what to loop: I and O, or Shift-drag on the bar."), False)

    def to_start(self) -> None:
        """To the begin of the range, else of the recording."""
        marked, frame = self.head.range, self.wall.selected.frame
        if marked is not None:
            self.head.move_to(marked.start_at)
        elif frame is not None:
            self.head.move_to(frame.chunk.start_at)

    def to_end(self) -> None:
        """To the end of the range, else to the last picture of the recording."""
        marked, frame = self.head.range, self.wall.selected.frame
        if marked is not None:
            self.head.move_to(marked.end_at)
        elif frame is not None:
            self.head.move_to(instant(micros(frame.chunk.end_at) - 1000))

    # --- range ----------------------------------------------------------------------------------

    def mark_in(self) -> None:
        """The range begins at the cursor."""
        marked = self.head.range
        end = marked.end_at if marked is not None else instant(self.head.at_us + 10_000_000)
        self.head.mark(self.head.at, max(end, self.head.at))

    def mark_out(self) -> None:
        """The range ends at the cursor."""
        marked = self.head.range
        start = marked.start_at if marked is not None else instant(self.head.at_us - 10_000_000)
        self.head.mark(min(start, self.head.at), self.head.at)

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

    def export(self) -> None:
        """Ask what to hand out of the range."""
        self.acts.export()

    def bookmark(self) -> None:
        """Ask for a bookmark of the range."""
        self.acts.bookmark()

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

    def save_picture(self) -> QFileDialog | None:
        """Ask where to, then write the selected player's picture in full size."""
        frame = self._pictured()
        if frame is None:
            return None
        camera = self._cameras.get(frame.chunk.stream_id, "")
        dialog = QFileDialog(self, self.tr("Save the picture"), snapshot_name(camera, frame))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(self.tr("Pictures (*.png *.jpg)"))
        dialog.setDefaultSuffix("png")
        dialog.selectFile(snapshot_name(camera, frame))
        dialog.fileSelected.connect(lambda name: self.write_picture(frame, Path(name)))
        dialog.open()
        return dialog

    def write_picture(self, frame: ReviewFrame, path: Path) -> None:
        """Write a picture in full size, with what is switched on."""

        def write(image: QImage) -> None:
            self._requests.submit(
                "write a picture",
                partial(save_image, image, path),
                lambda done: self.said.emit(self.tr("Saved: {0}").format(done.name), False),
                self.failed.emit,
                self,
            )

        self._draw(frame, write)

    def copy_picture(self) -> None:
        """The selected player's picture in full size into the clipboard."""
        frame = self._pictured()
        if frame is not None:
            self._draw(frame, self._copy)

    def _copy(self, image: QImage) -> None:
        QGuiApplication.clipboard().setImage(image)
        self.said.emit(self.tr("Copied the picture"), False)

    def _pictured(self) -> ReviewFrame | None:
        frame = self.wall.selected.frame
        if frame is None:
            self.said.emit(self.tr("There is no picture to keep here."), True)
        return frame

    def _draw(self, frame: ReviewFrame, then: Callable[[QImage], None]) -> None:
        media = self.services.media_folder
        if media is None:
            return
        edits = self.pending.shown(frame.chunk.id)
        choice = OverlayChoice(self.switches, self._names, edits) if self.switches else None

        def read() -> Image:
            try:
                return full_picture(media, frame)
            except OSError as error:
                raise EnvironmentFault(self.tr("The recording cannot be read."), "") from error

        self._requests.submit(
            "a picture in full size",
            read,
            lambda bgra: then(snapshot(bgra, frame, choice, self._theme)),
            self.failed.emit,
            self,
        )

    # --- corrections ----------------------------------------------------------------------------

    def delete(self) -> None:
        """Delete the selected detection."""
        self.corrector.delete()

    def assign(self) -> None:
        """Ask which horse the selected detection is."""
        self.corrector.assign()

    def make_guest(self) -> None:
        """The selected detection is a new guest."""
        self.corrector.make_guest()

    def apply(self) -> None:
        """Store the pending edits of the recording."""
        self.corrector.apply()

    def on_job_ended(self, job: Job) -> None:
        """Background work ended: a recording may have been analysed anew."""
        self.desk.on_job_ended(job)

    # --- window ---------------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        for part in (self.coverage, self.transport, self.inspector):
            part.set_theme(theme)
        for view in self.wall.views:
            view.area.set_theme(theme)
        dress_review_actions(self._book, theme)

    def take_focus(self) -> None:
        """Give the keyboard to the page."""
        self.setFocus()

    def stop(self) -> None:
        """The window is closing."""
        for timer in (self._tick, self._want, self._reading, self._disowned):
            timer.stop()
        self.wall.stop()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.wall.follow(self._cameras)
        self._last_s = time.monotonic()
        self._tick.start()
        self._reading.start()
        self._read_soon()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._tick.stop()
        self._reading.stop()
        self._backwards = 0.0
        self.wall.let_go()
        if self.pending.count:
            waiting = counted(
                self.pending.count, self.tr("correction waits"), self.tr("corrections wait")
            )
            words = self.tr("{0} in Review, kept until applied or removed.")
            self.said.emit(words.format(waiting), False)


def _stored_switches(state: ConsoleState) -> frozenset[Switch]:
    stored = state.settings.value("review/overlays")
    if not isinstance(stored, str):
        return DEFAULT_SWITCHES
    names = set(stored.split(","))
    return frozenset(switch for switch in Switch if switch.value in names)

"""The Live page: wall, toolbar, side panel, and the acts on cameras and views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.ids import new_stream_id
from engine.domain.streams import SourceKind, Stream, StreamState
from ui.actions import ActionBook
from ui.calibration.ground_dialog import GroundDialog
from ui.commands import AddStream, ChooseModels, CommandLog, EditStream, RemoveStream
from ui.console_choices import ConsoleChoices
from ui.console_state import ConsoleState
from ui.engine_port import EngineReport
from ui.live.address import read_address
from ui.live.arrangement import Arrangement, Layout
from ui.live.camera_dialog import CameraDialog
from ui.live.distances_dialog import DistancesDialog
from ui.live.elsewhere import asking, is_elsewhere
from ui.live.first_start import FirstStart
from ui.live.horse_card import HorseCard
from ui.live.inspector import Inspector
from ui.live.live_actions import add_live_actions
from ui.live.model_section import ModelChoices
from ui.live.overlay_paint import Switch
from ui.live.saved_views import SavedViews
from ui.live.toolbar import LiveToolbar
from ui.live.wall import Wall
from ui.live.wall_pointer import HorseHit
from ui.notices import NoticeBook
from ui.ptz.desk import PtzDesk
from ui.registry.directory import HorseDirectory
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme

TOUR = ("paddock", "arena", "stall", "aisle")
VIDEO_FILTER = "*.mp4 *.mkv *.avi *.mov *.webm *.m4v *.mpg *.mpeg *.ts *.gif"


class LivePage(QWidget):
    """Everything on one page; ``said`` carries a short sentence for the person."""

    said = Signal(str)
    failed = Signal(object)
    profile_asked = Signal(object)

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        log: CommandLog,
        directory: HorseDirectory,
        book: ActionBook,
        notices: NoticeBook,
        state: ConsoleState,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._services = services
        self._requests = requests
        self._log = log
        self._book = book
        self._state = state
        self._theme = theme
        self._streams: tuple[Stream, ...] = ()
        self.views = SavedViews(services.views, requests, log, state, self)
        self._choices = ConsoleChoices()
        self.wall = Wall(services.engine, theme)
        self.guide = FirstStart(theme)
        self.inspector = Inspector(notices, theme)
        self.card = HorseCard(theme, self.wall.sightings, directory, self.wall)
        self._directory = directory
        self.ptz = PtzDesk(services, requests, log, directory, book, state, self.wall, theme, self)
        add_live_actions(book, self, theme)
        self.toolbar = LiveToolbar(book)
        self._build()
        self._connect()
        self.views.refresh()

    def _build(self) -> None:
        self.stack = QStackedWidget()
        self.stack.addWidget(self.guide)
        self.stack.addWidget(self.wall)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.stack, 1)
        row.addWidget(self.ptz.dock)
        row.addWidget(self.inspector)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.toolbar)
        column.addLayout(row, 1)

    def _connect(self) -> None:
        wall = self.wall
        wall.selected.connect(self._on_selected)
        wall.arranged.connect(self._on_arranged)
        wall.layout_changed.connect(self._on_layout)
        wall.maximised_changed.connect(lambda _on: self.card.dismiss())
        wall.horse_clicked.connect(self._on_horse)
        wall.nothing_clicked.connect(self.card.dismiss)
        wall.add_requested.connect(lambda: self.ask_for_camera())
        wall.edit_requested.connect(self.ask_to_edit)
        wall.start_requested.connect(self.toggle)
        wall.menu_requested.connect(self._on_menu)
        wall.files_dropped.connect(self.add_files)
        self.card.closed.connect(lambda: self._mark_track())
        self.card.profile_asked.connect(self.profile_asked)
        self.card.follow_asked.connect(self.ptz.follow_on)
        self.card.steered = self.ptz.can_steer
        self._directory.changed.connect(lambda: wall.set_names(self._directory.names))
        self.guide.camera_chosen.connect(lambda: self.ask_for_camera())
        self.guide.files_chosen.connect(self.ask_for_files)
        self.guide.tour_chosen.connect(self.start_tour)
        self.inspector.changed.connect(self.change)
        self.inspector.edit_requested.connect(self.ask_to_edit)
        self.inspector.remove_requested.connect(self.remove)
        self.inspector.toggle_requested.connect(self.toggle)
        self.toolbar.view_chosen.connect(self.recall_view)
        self.toolbar.page_chosen.connect(wall.set_page)
        self.views.changed.connect(self._show_views)
        self.ptz.said.connect(self.said)
        self.ptz.failed.connect(self.failed)
        self.ptz.setup_asked.connect(self.ask_to_steer)
        self.ptz.opened.connect(lambda _on: self._show_side())

    # --- following the engine -------------------------------------------------------------------

    def follow(self, streams: tuple[Stream, ...], report: EngineReport) -> None:
        """Take the engine's cameras and their health."""
        if streams != self._streams:
            self._streams = streams
            self.wall.set_streams(streams)
            self.inspector.set_names({s.id: s.name for s in streams})
            self._grow_layout(len(streams))
        empty = not streams
        self.stack.setCurrentWidget(self.guide if empty else self.wall)
        if empty and self.ptz.is_open:
            self.ptz.close()
        self._show_side()
        self.wall.set_health(report.streams)
        stream = self.wall.selected_stream
        health = next((h for h in report.streams if stream and h.stream_id == stream.id), None)
        self.inspector.show_stream(stream, health)
        tile = self.wall.tile_of(stream.id) if stream else None
        self.inspector.show_health(health, tile.overlay if tile else None)
        if self.card.stream_id is not None:
            self.card.refresh(self.wall.tile_of(self.card.stream_id))

    def _grow_layout(self, count: int) -> None:
        """Until the person chooses a layout, take the smallest that shows every camera."""
        if self._book["layout.auto"].isChecked():
            wanted = max(count, self._choices.layout) if count > 1 else 1
            fitting = [Layout.ONE, Layout.FOUR, Layout.NINE, Layout.SIXTEEN]
            layout = next((x for x in fitting if wanted <= x), Layout.SIXTEEN)
            self.wall.set_layout(layout)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        self.wall.set_theme(theme)
        self.ptz.set_theme(theme)

    def apply(self, choices: ConsoleChoices) -> None:
        """Take over what the settings say about the wall."""
        self._choices = choices
        self.wall.set_refresh_fps(choices.refresh_fps)
        self.wall.set_keypoint_confidence(choices.keypoint_confidence)
        self.inspector.set_defaults(choices.confidence, choices.analysis_fps)

    def recall(self) -> None:
        """The wall as it was when the window was last closed."""
        state = self._state
        for switch in Switch:
            self._book[f"overlay.{switch.value}"].setChecked(switch in state.switches)
        for name in ("wall.sync", "wall.fill", "wall.panel", "layout.auto"):
            action = self._book[name]
            usual = action.isChecked()
            if name == "wall.sync":
                usual = self._choices.synchronised_overlays
            action.setChecked(state.flag(name, usual))
        arrangement = state.arrangement()
        if arrangement is not None:
            self.wall.set_arrangement(arrangement)

    def remember(self) -> None:
        """Keep the wall for the next start."""
        self._state.switches = self.wall.switches
        for name in ("wall.sync", "wall.fill", "wall.panel", "layout.auto"):
            self._state.set_flag(name, self._book[name].isChecked())
        self._state.keep_arrangement(self.wall.arrangement)

    # --- wall -----------------------------------------------------------------------------------

    def choose_layout(self, layout: Layout) -> None:
        """A layout chosen by the person; it stays when cameras come and go."""
        self._book["layout.auto"].setChecked(False)
        self.views.forget_current()
        self.wall.set_layout(layout)
        self._show_views()

    def set_auto_layout(self, on: bool) -> None:
        """Follow the number of cameras, or not."""
        if on:
            self._grow_layout(len(self._streams))

    def set_switch(self, switch: Switch, on: bool) -> None:
        """One overlay on or off."""
        switches = set(self.wall.switches)
        (switches.add if on else switches.discard)(switch)
        self.wall.set_switches(switches)

    def toggle_maximised(self) -> None:
        """Maximise the selected camera, or go back."""
        stream = self.wall.selected_stream
        if self.wall.maximised is not None:
            self.wall.maximise(None)
        elif stream is not None:
            self.wall.maximise(stream.id)

    def show_panel(self, _on: bool) -> None:
        """Show or hide the side panel."""
        self._show_side()

    def _show_side(self) -> None:
        """The panel makes room for the dock."""
        wanted = self._book["wall.panel"].isChecked() and bool(self._streams)
        self.inspector.setVisible(wanted and not self.ptz.is_open)

    def _on_selected(self, stream: Stream | None) -> None:
        for action_id in (
            "camera.edit",
            "camera.ground",
            "camera.distances",
            "camera.remove",
            "camera.toggle",
            "camera.here",
            "wall.maximise",
        ):
            self._book[action_id].setEnabled(stream is not None)
        self.inspector.show_stream(stream, None)

    def _on_arranged(self, before: Arrangement, after: Arrangement) -> None:
        self._log.remember(
            self.tr("rearrange the wall"),
            lambda: self.wall.set_arrangement(after),
            lambda: self.wall.set_arrangement(before),
        )

    def _on_layout(self) -> None:
        self.card.dismiss()
        self.toolbar.show_arrangement(self.wall.arrangement)
        layout = self.wall.arrangement.layout
        self._book["layout.free" if layout is Layout.FREE else f"layout.{int(layout)}"].setChecked(
            True
        )

    def _on_horse(self, hit: HorseHit) -> None:
        tile = self.wall.tile_of(hit.stream.id)
        if tile is not None:
            self.card.open_for(hit, tile)
            self._mark_track()

    def _mark_track(self) -> None:
        self.wall.selected_track = self.card.track
        self.wall.update()

    def _on_menu(self, stream: Stream | None, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        ids: tuple[str, ...] = ("camera.add", "camera.files")
        if stream is not None:
            ids = (
                "wall.maximise", "ptz.dock", "camera.toggle", "camera.edit", "camera.ground",
                "camera.distances", "camera.remove",
                *(["camera.here"] if is_elsewhere(self.wall, stream) else []),
            )  # fmt: skip
        for action_id in ids:
            menu.addAction(self._book[action_id])
        menu.popup(at)

    # --- cameras --------------------------------------------------------------------------------

    def ask_for_camera(self, address: str = "") -> CameraDialog:
        """Open the dialog for a new camera."""
        dialog = CameraDialog(
            self._services.engine, self._requests, self._theme, self.window(), address=address
        )
        dialog.submitted.connect(lambda stream: self._store_new(stream, dialog))
        dialog.open()
        return dialog

    def _store_new(self, stream: Stream, dialog: CameraDialog) -> None:
        command = AddStream(stream, self._services.streams, self._services.engine)
        self._log.run(command, dialog.finish, dialog.show_problem)

    def ask_to_edit(self, stream: Stream | None = None) -> CameraDialog | None:
        """Open the dialog for an existing camera (the selected one by default)."""
        before = stream or self.wall.selected_stream
        if before is None:
            return None
        dialog = CameraDialog(
            self._services.engine,
            self._requests,
            self._theme,
            self.window(),
            existing=before,
            models=self._model_choices(),
        )

        def store(after: Stream) -> None:
            services = self._services
            command = EditStream(before, after, services.streams, services.engine)
            self._log.run(command, lambda: self._store_models(after, dialog), dialog.show_problem)

        dialog.submitted.connect(store)
        dialog.open()
        return dialog

    def _model_choices(self) -> ModelChoices | None:
        services = self._services
        if services.models is None or services.farm_id is None:
            return None
        own = {model.task: model.name for model in services.engine.report().models}
        changed = services.models_changed or (lambda: None)
        return ModelChoices(services.models, services.farm_id, own, changed)

    def _store_models(self, stream: Stream, dialog: CameraDialog) -> None:
        before, after = dialog.models.changes()
        choices = self._model_choices()
        if not after or choices is None:
            dialog.finish()
            return
        command = ChooseModels(
            stream, before, after, choices.registry, choices.farm_id, choices.changed
        )
        self._log.run(command, dialog.finish, dialog.show_problem)

    def ask_to_steer(self, stream: Stream | None) -> CameraDialog | None:
        """Open the dialog of a camera at its camera control."""
        dialog = self.ask_to_edit(stream)
        if dialog is not None:
            dialog.begin_steering()
        return dialog

    def ask_for_ground(self, stream: Stream | None = None) -> GroundDialog | None:
        """Open the dialog that says how a camera's picture lies on the ground."""
        before = stream or self.wall.selected_stream
        if before is None:
            return None
        services = self._services
        dialog = GroundDialog(before, services.engine, self._requests, self._theme, self.window())

        def store(after: Stream) -> None:
            command = EditStream(before, after, services.streams, services.engine)
            self._log.run(command, dialog.finish, dialog.show_problem)

        dialog.submitted.connect(store)
        dialog.open()
        return dialog

    def ask_for_distances(self, stream: Stream | None = None) -> DistancesDialog | None:
        """Open the dialog that says how far a camera is from the others."""
        before = stream or self.wall.selected_stream
        if before is None:
            return None
        others = [s for s in self._services.engine.streams() if s.id != before.id]
        dialog = DistancesDialog(before, others, self.window())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self.change(before, dialog.stream_after()))
        dialog.open()
        return dialog

    def change(self, before: Stream, after: Stream) -> None:
        """Store a changed camera."""
        services = self._services
        self._log.run(EditStream(before, after, services.streams, services.engine))

    def remove(self, stream: Stream | None = None) -> None:
        """Take a camera away; the toast offers to undo it."""
        target = stream or self.wall.selected_stream
        if target is not None:
            services = self._services
            self._log.run(RemoveStream(target, services.streams, services.engine))

    def toggle(self, stream: Stream | None = None) -> None:
        """Start a stopped camera, stop a running one."""
        target = stream or self.wall.selected_stream
        if target is None:
            return
        tile = self.wall.tile_of(target.id)
        state = tile.state if tile is not None else StreamState.ACTIVE
        engine = self._services.engine
        if state in (StreamState.INACTIVE, StreamState.ENDED, StreamState.ERROR):
            self._do(f"start {target.name}", lambda: engine.start_stream(target.id))
        else:
            self._do(f"stop {target.name}", lambda: engine.stop_stream(target.id))

    def watch_here(self) -> None:
        """Ask the workstation that watches the selected camera to hand it to this one."""
        target, ask = self.wall.selected_stream, self._services.watch_here
        if target is not None and ask is not None:
            self._do(f"watch {target.name}", asking(ask, target))

    def ask_for_files(self) -> None:
        """Choose videos to play on the wall."""
        dialog = QFileDialog(self.window(), self.tr("Open video files"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilters([self.tr("Videos ({0})").format(VIDEO_FILTER), self.tr("All (*)")])
        dialog.filesSelected.connect(self.add_files)
        dialog.open()

    def add_files(self, paths: Sequence[str]) -> None:
        """Put files and folders on the wall, one camera each, under names that are free."""
        taken = {s.name for s in self._streams}
        for path in paths:
            address = read_address(str(Path(path).absolute()))
            name = _free_name(address.suggested_name, taken)
            taken.add(name)
            self._add(Stream(new_stream_id(), name, address.kind, address.address))

    def start_tour(self) -> None:
        """The simulated barn: four drawn cameras."""
        taken = {s.name for s in self._streams}
        for scene in TOUR:
            name = _free_name(self.tr("Simulated {0}").format(scene), taken)
            taken.add(name)
            address = f"simulated://barn/{scene}"
            self._add(Stream(new_stream_id(), name, SourceKind.SIMULATED, address))

    def _add(self, stream: Stream) -> None:
        self._log.run(AddStream(stream, self._services.streams, self._services.engine))

    # --- saved views ----------------------------------------------------------------------------

    def save_view(self, slot: int) -> None:
        """Store the wall as it is under a number key."""
        self.views.save(slot, self.wall.arrangement, self.wall.switches)

    def recall_view(self, slot: int) -> None:
        """Show a saved view; cameras that are gone leave empty places."""
        found = self.views.recall(slot)
        if found is None:
            text = self.tr("No view is saved under {0}. Ctrl+Shift+{0} saves one.")
            self.said.emit(text.format(slot))
            self._show_views()
            return
        arrangement, switches = found
        self._book["layout.auto"].setChecked(False)
        self.wall.maximise(None)
        self.wall.set_arrangement(arrangement)
        for switch in Switch:
            self._book[f"overlay.{switch.value}"].setChecked(switch in switches)
        self._show_views()

    def _show_views(self) -> None:
        self.toolbar.show_views(self.views.known, self.views.current)

    def _do(self, name: str, work: Callable[[], None]) -> None:
        self._requests.submit(name, work, _ignore, self.failed.emit)


def _ignore(_value: object | BarnhandError) -> None:
    """Answers nobody has to see; the status bar shows when a store is away."""


def _free_name(wanted: str, taken: set[str]) -> str:
    """``wanted``, or with the first number that makes it free."""
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted} {number}" in taken:
        number += 1
    return f"{wanted} {number}"

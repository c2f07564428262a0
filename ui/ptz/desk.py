"""Camera control on the Live page: joins dock, keyboard, joystick and wall to the helm."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QWindow
from PySide6.QtWidgets import QApplication, QInputDialog, QWidget

from engine.domain.errors import BarnhandError, NotFound
from engine.domain.ids import HorseId, StreamId
from engine.domain.ptz import Holder, Priority, ScanPlan, ScanProgress, Tour
from engine.domain.streams import Stream
from engine.ptz.config import ptz_of
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.console_state import ConsoleState
from ui.live.wall import Wall
from ui.ptz.dock import PtzDock
from ui.ptz.helm import Helm, Input
from ui.ptz.joystick import Joysticks
from ui.ptz.joystick_dialog import JoystickDialog
from ui.ptz.joystick_hand import JoystickHand
from ui.ptz.keys import KeySteering
from ui.ptz.plans import Plans
from ui.ptz.scan_dialog import ScanDialog
from ui.ptz.tour_dialog import TourDialog
from ui.registry.directory import HorseDirectory
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme, icon

LOOK_MS = 200
SPEED_USUAL = 32
ICONS = {"ptz.dock": "ptz", "ptz.home": "home", "ptz.joystick": "gamepad", "ptz.scan": "barn"}


class PtzDesk(QObject):
    """``said`` carries a sentence for the person, ``setup_asked`` a camera whose control is to be
    set up, ``opened`` whether the dock is on show."""

    said = Signal(str)
    failed = Signal(object)
    setup_asked = Signal(object)
    opened = Signal(bool)

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        log: CommandLog,
        directory: HorseDirectory,
        book: ActionBook,
        state: ConsoleState,
        wall: Wall,
        theme: Theme,
        page: QWidget,
    ) -> None:
        super().__init__(page)
        self._page, self._wall, self._book, self._theme = page, wall, book, theme
        self._state, self._directory = state, directory
        self._control = services.engine.ptz
        me = Holder(
            f"console:{uuid4()}",
            self.tr("Console on {0}").format(socket.gethostname()),
            Priority.OPERATOR,
        )
        self.helm = Helm(self._control, me, self)
        self.dock = PtzDock(theme)
        self.dock.hide()
        self.keys = KeySteering(self.helm, lambda: self.steering_here, self)
        self.joysticks = Joysticks(state.settings, self)
        self.plans = Plans(
            self._control, services.ptz_store, services.plans_changed, requests, log, self
        )
        self.hand = JoystickHand(self)
        self._stream: Stream | None = None
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.refresh)
        self._add_actions()
        self._connect()
        self.dock.speed.setValue(int(str(state.settings.value("ptz/speed", SPEED_USUAL))))

    def _add_actions(self) -> None:
        book, group, page = self._book, self.tr("Camera control"), self._page
        book.add(
            "ptz.dock",
            group,
            self.tr("Steer camera"),
            None,
            "P",
            toggled=self.open,
            page=page,
            tip=self.tr("Steer camera: stick, presets, tours, barn scan; the arrow keys turn it"),
        )
        for action_id, text, run in (
            ("ptz.home", self.tr("Camera to its home view"), self.go_home),
            ("ptz.stop", self.tr("Stop the camera"), self.halt),
            ("ptz.take", self.tr("Take over the camera"), self.helm.take),
            ("ptz.release", self.tr("Release the camera"), self.helm.release),
            ("ptz.scan", self.tr("Barn scan…"), self.open_scan),
            ("ptz.joystick", self.tr("Set up a joystick…"), self.open_joystick),
        ):
            book.add(action_id, group, text, run)
        self._dress()

    def _dress(self) -> None:
        for action_id, name in ICONS.items():
            self._book[action_id].setIcon(icon(name, self._theme))

    def _connect(self) -> None:
        dock, helm = self.dock, self.helm
        for held, source in ((dock.stick, Input.STICK), (dock.rocker, Input.ZOOM)):
            held.pressed.connect(self._wall.setFocus)
            held.steered.connect(partial(helm.steer, source))
        helm.ended.connect(dock.let_go)
        helm.ended.connect(self.joysticks.rest_first)
        helm.refused.connect(self.said)
        dock.speed.valueChanged.connect(self._on_speed)
        dock.presets.gone.connect(helm.go_to)
        dock.presets.stored.connect(self.store)
        dock.presets.name_asked.connect(self.ask_for_name)
        dock.closed.connect(self.close)
        dock.setup_asked.connect(lambda: self.setup_asked.emit(self._stream))
        dock.take_asked.connect(helm.take)
        dock.release_asked.connect(helm.release)
        dock.home_asked.connect(self.go_home)
        dock.stop_asked.connect(self.halt)
        dock.end_asked.connect(self.end_activity)
        dock.joystick_asked.connect(self.open_joystick)
        dock.scan_asked.connect(self.open_scan)
        dock.tour_asked.connect(self.start_tour)
        dock.tour_edit_asked.connect(self.edit_tour)
        dock.follow_asked.connect(self.follow)
        self.keys.left.connect(self.close)
        self.plans.changed.connect(self.refresh)
        self._wall.selected.connect(self._on_selected)
        self._wall.installEventFilter(self.keys)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusWindowChanged.connect(self._on_focus_window)
            app.focusChanged.connect(self._on_focus)

    # --- open and closed --------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """True while the dock is on show."""
        return not self.dock.isHidden()

    @property
    def steering_here(self) -> bool:
        """True while arrows, digits and joysticks act on the selected camera: the dock is on show
        and the camera can be steered."""
        return self.dock.isVisible() and self.helm.ready

    def open(self, on: bool = True) -> None:
        """Show the dock, or put it away; the keys follow."""
        if on == self.is_open:
            return
        if on:
            self.dock.show()
            self.plans.refresh()
            self._on_selected(self._wall.selected_stream)
            self._timer.start()
            self.joysticks.start()
            self._wall.setFocus()
        else:
            self.helm.end_all()
            self.dock.hide()
            self._timer.stop()
            self.joysticks.pause()
        self.opened.emit(on)

    def close(self) -> None:
        """Put the dock away."""
        self._book["ptz.dock"].setChecked(False)
        self._wall.setFocus()

    def stop(self) -> None:
        """The window closes: let go of everything."""
        self.helm.end_all()
        state = self.helm.state
        holder = state.holder if state is not None else None
        if holder is not None and holder.key == self.helm.holder.key:
            self.helm.release()
        self._timer.stop()
        self.joysticks.stop()
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusWindowChanged.disconnect(self._on_focus_window)
            app.focusChanged.disconnect(self._on_focus)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        self.dock.set_theme(theme)
        self._dress()

    # --- what happens around ----------------------------------------------------------------------

    def _on_selected(self, stream: Stream | None) -> None:
        self._stream = stream
        self.helm.set_camera(stream.id if stream is not None else None)
        self.refresh()

    def _on_focus_window(self, window: QWindow | None) -> None:
        if window is not self._page.window().windowHandle():
            self.helm.end_all()

    def _on_focus(self, _old: QWidget | None, now: QWidget | None) -> None:
        if now is not self._wall and self.helm.steering:
            self.helm.end_all()

    def _on_speed(self, speed: int) -> None:
        self.helm.set_speed(speed)
        self._state.settings.setValue("ptz/speed", speed)

    def refresh(self) -> None:
        """Show the camera as it is now. Nothing here blocks."""
        stream, state = self._stream, self.helm.state
        if not self.is_open:
            return
        if stream is None or state is None:
            self.dock.show_nothing(stream)
            return
        try:
            presets, scan = self._control.presets(stream.id), self._control.scan(stream.id)
        except NotFound:  # taken away since
            return
        self.dock.show_state(stream, state, self.helm.holder)
        self.dock.show_presets(presets, state)
        self.dock.show_tours(self.plans.tours(stream.id))
        self.dock.show_scan(scan)
        self.dock.show_horses(self._horses(stream))

    def _horses(self, stream: Stream) -> tuple[tuple[HorseId, str], ...]:
        """Known horses in the picture, by name."""
        tile = self._wall.tile_of(stream.id)
        overlay = tile.overlay if tile is not None else None
        if overlay is None:
            return ()
        found: dict[HorseId, str] = {}
        for horse_id in overlay.horse_ids:
            horse = self._directory.resolve(horse_id)
            if horse is not None:
                found[horse.id] = horse.title
        return tuple(sorted(found.items(), key=lambda item: item[1].lower()))

    # --- acts -------------------------------------------------------------------------------------

    def halt(self) -> None:
        """Stop the camera and whatever steers it."""
        self.helm.end_all()
        self.helm.halt()

    def go_home(self) -> None:
        """To the camera's home view."""
        try:
            config = ptz_of(self._stream) if self._stream is not None else None
        except BarnhandError as error:
            self.failed.emit(error)
            return
        if config is not None:
            self.helm.go_to(config.home_preset)

    def store(self, number: int) -> None:
        """Store the present view as a preset, under the name it has."""
        if self._stream is None:
            return
        known = {preset.number: preset for preset in self._control.presets(self._stream.id)}
        self.helm.end_all()
        name = known[number].name if number in known else ""
        camera = self.helm.holder
        if self.helm.ask(lambda stream: self._control.store(stream, camera, number, name)):
            self.said.emit(self.tr("This view is now preset {0}.").format(number))

    def ask_for_name(self, number: int) -> QInputDialog:
        """Name a preset."""
        stream = self._stream
        known = self._control.presets(stream.id) if stream is not None else ()
        before = next((preset.name for preset in known if preset.number == number), "")
        dialog = QInputDialog(self._page.window())
        dialog.setWindowTitle(self.tr("Preset {0}").format(number))
        dialog.setLabelText(self.tr("Name"))
        dialog.setTextValue(before)
        dialog.textValueSelected.connect(partial(self.name_preset, stream, number))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def name_preset(self, stream: Stream | None, number: int, name: str) -> None:
        """Give a preset another name."""
        if stream is None or not name.strip():
            return
        presets = [
            type(p)(p.number, name.strip(), p.thumbnail, p.set_at) if p.number == number else p
            for p in self._control.presets(stream.id)
        ]
        self._control.load_presets(stream.id, presets)
        self.refresh()

    def end_activity(self) -> None:
        """End the tour, scan or following."""
        me = self.helm.holder
        self.helm.ask(lambda camera: self._control.stop_activity(camera, me))

    def can_steer(self, camera: StreamId) -> bool:
        """True for a camera that can be moved."""
        return camera in self._control.cameras()

    def follow_on(self, camera: StreamId, horse_id: HorseId) -> None:
        """Keep a horse in the picture of a camera that is perhaps not selected; the dock opens."""
        place = self._wall.arrangement.position_of(camera)
        if place is not None:
            self._wall.select(place)
            self._book["ptz.dock"].setChecked(True)
            self.follow(horse_id)

    def follow(self, horse_id: HorseId | None) -> None:
        """Keep a known horse in the picture."""
        me = self.helm.holder
        if horse_id is not None:
            self.helm.end_all()
            self.helm.ask(lambda camera: self._control.follow(camera, me, horse_id))

    def start_tour(self, tour: Tour | None) -> None:
        """Begin a tour now."""
        me = self.helm.holder
        if tour is not None:
            self.helm.end_all()
            self.helm.ask(lambda _camera: self._control.start_tour(tour, me))

    def edit_tour(self, tour: Tour | None) -> TourDialog | None:
        """Open the editor for a tour, or for a new one."""
        stream = self._stream
        if stream is None or not self.helm.ready:
            return None
        presets = self._control.presets(stream.id)
        dialog = TourDialog(stream.id, presets, tour, self._page.window())

        def remove(gone: Tour) -> None:
            self.plans.remove_tour(gone)
            dialog.accept()

        dialog.submitted.connect(
            lambda after: self.plans.save_tour(tour, after, dialog.accept, dialog.show_problem)
        )
        dialog.remove_asked.connect(remove)
        dialog.open()
        return dialog

    def open_scan(self) -> ScanDialog | None:
        """Open the barn scan of the selected camera."""
        stream = self._stream
        if stream is None or not self.helm.ready:
            self.said.emit(self.tr("Select a camera that can be steered."))
            return None
        control, camera, me = self._control, stream.id, self.helm.holder

        def look() -> ScanProgress | None:
            try:
                return control.scan(camera)
            except NotFound:
                return None

        plan = self.plans.scan(camera)
        dialog = ScanDialog(
            camera,
            stream.name,
            control.presets(camera),
            plan,
            look,
            self._theme,
            self._page.window(),
        )

        def start(wanted: ScanPlan) -> None:
            self.helm.end_all()
            self._try(lambda: control.start_scan(wanted, me), dialog.show_problem)
            dialog.refresh()

        def keep(wanted: ScanPlan) -> None:
            self.plans.save_scan(wanted, lambda: None, dialog.show_problem)

        dialog.start_asked.connect(start)
        dialog.plan_asked.connect(keep)
        dialog.stop_asked.connect(
            lambda: self._try(lambda: control.stop_activity(camera, me), dialog.show_problem)
        )
        dialog.open()
        return dialog

    def open_joystick(self) -> JoystickDialog:
        """Set up a joystick."""
        self.joysticks.start()
        dialog = JoystickDialog(self.joysticks, self._theme, self._page.window())
        dialog.finished.connect(lambda _result: self._after_joystick())
        dialog.open()
        return dialog

    def _after_joystick(self) -> None:
        if not self.is_open:
            self.joysticks.pause()

    @staticmethod
    def _try(act: Callable[[], object], failed: Callable[[BarnhandError], None]) -> None:
        try:
            act()
        except BarnhandError as error:
            failed(error)

    def select_by(self, step: int) -> None:
        """The next or previous camera on the wall."""
        places = sorted(p for p in self._wall.rects if self._wall.tile_at(p) is not None)
        if not places:
            return
        here = self._wall.selection
        index = places.index(here) + step if here in places else 0
        self._wall.select(places[index % len(places)])

    @property
    def in_front(self) -> bool:
        """True while the console's window has the keyboard."""
        return self._page.window().isActiveWindow()

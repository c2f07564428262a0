"""Add or change a camera, with a test picture before it is saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError, EnvironmentFault, OperatorMistake
from engine.domain.ids import new_stream_id
from engine.domain.push import DEFAULT_APP, PushAddress, read_push_address
from engine.domain.streams import SourceKind, Stream
from engine.ptz.probing import ProbeFinding
from ui.engine_port import EngineBridge, ProbePicture
from ui.live.address import Address, kind_words, read_address
from ui.live.model_section import ModelChoices, ModelSection
from ui.live.preview import PICTURE_WIDTH, PicturePreview
from ui.live.source_section import SourceSection
from ui.live.tile import image_of
from ui.ptz.setup_section import WIDTH_PX, SetupSection
from ui.requests import RequestId, RequestRunner
from ui.theme import Theme
from ui.widgets import button, icon_button, label, restyle

BESIDE_PX = 24

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Draft:
    """What the fields say now."""

    stream: Stream
    address: Address


class CameraDialog(QDialog):
    """``submitted`` carries the finished Stream; the caller stores it and calls ``finish`` or
    ``show_problem``, so the dialog stays open with everything typed when storing fails."""

    submitted = Signal(object)

    def __init__(
        self,
        bridge: EngineBridge,
        requests: RequestRunner,
        theme: Theme,
        parent: QWidget | None = None,
        existing: Stream | None = None,
        address: str = "",
        models: ModelChoices | None = None,
    ) -> None:
        super().__init__(parent)
        self.models = ModelSection(models, requests)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._bridge = bridge
        self._requests = requests
        self._theme = theme
        self._existing = existing
        self._request: RequestId | None = None
        self.setWindowTitle(self.tr("Change camera") if existing else self.tr("Add camera"))
        self._build()
        self._fill(existing, address)

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        self.address = QLineEdit(
            placeholderText=self.tr("rtsp://192.168.1.20/stream1, a web page, a file, usb:0")
        )
        self.name = QLineEdit(placeholderText=self.tr("Stall 4, North fence, …"))
        self.username = QLineEdit()
        self.password = QLineEdit(echoMode=QLineEdit.EchoMode.Password)
        self.loop = QCheckBox(self.tr("Start again at the end"))
        self.loop.setChecked(True)
        self.kind = label("", "small")
        self.push = button(self.tr("The camera sends its picture here…"), "link")
        self.push.setToolTip(self.tr("For cameras and programs that push over RTMP, such as OBS."))
        self.push.clicked.connect(self._on_push)
        self.preview = PicturePreview()
        self.test, self.stop, self.facts = self.preview.test, self.preview.stop, self.preview.facts
        self.picture, self.progress = self.preview.picture, self.preview.progress
        self.test.clicked.connect(self.start_test)
        self.stop.clicked.connect(self.cancel_test)
        self.source = SourceSection(self._bridge.push_rules(), self._theme)
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        browse = icon_button("folder", self._theme, self.tr("Choose a video file"))
        browse.clicked.connect(self._on_browse)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.address, 1)
        row.addWidget(browse)
        grid.addWidget(self._field_name(self.tr("Address"), self.address), 0, 0)
        grid.addLayout(row, 0, 1)
        grid.addWidget(self.kind, 1, 1)
        grid.addWidget(self.push, 1, 1, Qt.AlignmentFlag.AlignLeft)
        fields = (
            (self.tr("Name"), self.name),
            (self.tr("User"), self.username),
            (self.tr("Password"), self.password),
        )
        self._logins: list[QWidget] = []
        for index, (text, field) in enumerate(fields, start=2):
            name = self._field_name(text, field)
            grid.addWidget(name, index, 0)
            grid.addWidget(field, index, 1)
            self._logins += [name, field] if field is not self.name else []
        grid.addWidget(self.source, 5, 0, 1, 2)
        grid.addWidget(self.loop, 6, 1)
        grid.addWidget(self.models, 7, 0, 1, 2)
        self.source.line_up_with(grid)
        self.models.line_up(grid.columnMinimumWidth(0))
        self.steering = SetupSection(self._bridge.ptz_dialects(), self)
        across = QHBoxLayout()
        across.setSpacing(BESIDE_PX)
        column = QVBoxLayout()
        column.setSpacing(12)
        across.addLayout(column)
        across.addWidget(self.steering)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(20, 16, 20, 16)
        whole.setSpacing(12)
        whole.addWidget(label(self.windowTitle(), "title"))
        whole.addLayout(across)
        whole.addLayout(self._build_buttons())
        column.addLayout(grid)
        column.addWidget(self.problem)
        column.addWidget(self.steering.on)
        column.addWidget(self.preview)
        self._fit()
        self.address.textChanged.connect(self._on_address)
        self.address.editingFinished.connect(self._hide_credentials)
        self.name.textEdited.connect(lambda _text: self._clear_problem())
        self.source.readdressed.connect(self.address.setText)
        self.steering.changed.connect(self._fit)
        self.steering.test_asked.connect(self.start_steering_test)
        self.steering.find_asked.connect(self.start_steering_search)
        self.steering.turn_asked.connect(self.start_steering_turn)

    @staticmethod
    def _field_name(text: str, field: QWidget) -> QWidget:
        name = label(text, "muted")
        name.setBuddy(field)
        field.setAccessibleName(text)
        return name

    def _build_buttons(self) -> QHBoxLayout:
        cancel = button(self.tr("Cancel"))
        self.save = button(self.tr("Save") if self._existing else self.tr("Add camera"), "primary")
        self.save.setDefault(True)
        cancel.clicked.connect(self.reject)
        self.save.clicked.connect(self._on_save)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.save)
        return row

    def _fill(self, existing: Stream | None, address: str) -> None:
        if existing is None:
            self.address.setText(address)
            self._hide_credentials()
            return
        self.source.show_stream(existing)
        self.address.setText(existing.address)
        self.name.setText(existing.name)
        if existing.kind is not SourceKind.RTMP_PUSH:  # its password is the stream key
            self.username.setText(existing.username)
            self.password.setText(existing.password)
        self.loop.setChecked(existing.loop)
        self.steering.show_stream(existing)
        self.models.show_stream(existing.id, self._fit)

    # --- fields ---------------------------------------------------------------------------------

    def _on_address(self, text: str) -> None:
        self._clear_problem()
        try:
            address = read_address(text)
        except OperatorMistake:
            self.kind.setText("")
            self.push.setVisible(not text.strip())
            return
        self.push.hide()
        self.kind.setText(kind_words(address.kind))
        network = address.kind in (SourceKind.RTSP, SourceKind.RTMP, SourceKind.HTTP)
        for field in (self.username, self.password):
            field.setEnabled(network)
        special = address.kind in (SourceKind.RTMP_PUSH, SourceKind.WEB_VIDEO)
        for part in self._logins:
            part.setVisible(not special)
        self.source.show_kind(address.kind, address.address, address.password)
        ending = (SourceKind.FILE, SourceKind.FOLDER, SourceKind.WEB_VIDEO)
        self.loop.setVisible(address.kind in ending)
        self.name.setPlaceholderText(address.suggested_name)
        self._fit()

    def _on_push(self) -> None:
        """Take the first port that no camera has."""
        taken = {
            read_push_address(stream.address)[0].port
            for stream in self._bridge.streams()
            if stream.kind is SourceKind.RTMP_PUSH
        }
        rules = self._bridge.push_rules()
        ports = (p for p in range(rules.first_port, rules.last_port + 1) if p not in taken)
        host = "0.0.0.0" if rules.remote else "127.0.0.1"
        port = next(ports, rules.first_port)
        self.address.setText(str(PushAddress(host, port, DEFAULT_APP)))
        self.name.setFocus()

    def _hide_credentials(self) -> None:
        """Move a password typed into the address to its own field, where it is hidden."""
        try:
            address = read_address(self.address.text())
        except OperatorMistake:
            return
        if address.username or address.password:
            if address.kind is not SourceKind.RTMP_PUSH:
                self.username.setText(address.username)
                self.password.setText(address.password)
            self.address.setText(address.address)

    def _on_browse(self) -> None:
        dialog = QFileDialog(self, self.tr("Choose a video file"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.address.setText)
        dialog.open()

    def _draft(self) -> _Draft:
        """Raises OperatorMistake if the address cannot be understood."""
        address = read_address(self.address.text())
        base = self._existing or Stream(
            new_stream_id(), "", SourceKind.RTSP, "", realtime=True, loop=True
        )
        if address.kind is SourceKind.FILE and not Path(address.address).is_file():
            raise OperatorMistake(f"There is no file {address.address}.")
        stream = replace(
            base,
            name=self.name.text().strip() or address.suggested_name,
            kind=address.kind,
            address=address.address,
            username=self.username.text().strip() or address.username,
            password=self.password.text() or address.password,
            loop=self.loop.isChecked(),
        )
        stream = self.source.applied_to(stream, self._existing)
        return _Draft(self.steering.applied_to(stream), address)

    def show_problem(self, error: BarnhandError) -> None:
        """Say what is wrong, at the address, and let the person go on."""
        self.problem.setText(str(error))
        self.problem.show()
        self.save.setEnabled(True)
        restyle(self.address, "problem", "true")
        self.address.setFocus()

    def _clear_problem(self) -> None:
        self.problem.hide()
        restyle(self.address, "problem", "false")

    # --- test picture ---------------------------------------------------------------------------

    def start_test(self) -> None:
        """Fetch one picture on a worker."""
        self._clear_problem()
        try:
            stream = self._draft().stream
        except OperatorMistake as error:
            self.show_problem(error)
            return
        self._set_testing(True)
        self._request = self._requests.submit(
            f"test picture of {stream.name}",
            lambda: self._bridge.probe(stream),
            self._on_picture,
            self._on_test_failed,
        )

    def start_steering_test(self) -> None:
        """Fetch one snapshot over the camera control, on a worker; the camera does not move."""
        self._ask_steering(self._bridge.probe_ptz, self._on_snapshot)

    def start_steering_search(self) -> None:
        """Find out on a worker which dialect and log-in the camera takes; it does not move."""
        self._ask_steering(self._bridge.find_ptz, self._on_found)

    def start_steering_turn(self) -> None:
        """Turn the camera a little and back, on a worker, and say whether its picture moved."""
        self._ask_steering(self._bridge.turn_ptz, self._on_turned)

    def _ask_steering(
        self, ask: Callable[[Stream], Answer], answered: Callable[[Answer], None]
    ) -> None:
        self._clear_problem()
        try:
            stream = self._draft().stream
        except OperatorMistake as error:
            self.show_problem(error)
            return
        self._set_testing(True)
        self._request = self._requests.submit(
            f"camera control of {stream.name}", lambda: ask(stream), answered, self._on_test_failed
        )

    def _on_found(self, finding: ProbeFinding) -> None:
        self._request = None
        self._set_testing(False)
        if finding.config is None:
            tried = "\n".join(finding.tried)
            advice = self.tr("Check address, port, user and password.")
            self._on_test_failed(
                EnvironmentFault(
                    self.tr("The camera takes none of these:") + f"\n{tried}\n{advice}"
                )
            )
            return
        self.steering.take_finding(finding.config)
        self._show_jpeg(finding.snapshot)
        self.facts.setText(finding.tried[-1] if finding.tried else "")

    def _on_turned(self, finding: ProbeFinding) -> None:
        self._request = None
        self._set_testing(False)
        self._show_jpeg(finding.snapshot)
        self.facts.setText(" ".join(finding.tried))

    def _show_jpeg(self, jpeg: bytes | None) -> None:
        image = QImage() if jpeg is None else QImage.fromData(jpeg)
        if not image.isNull():
            self.preview.show_image(image)

    def _on_snapshot(self, jpeg: bytes) -> None:
        self._request = None
        self._set_testing(False)
        image = QImage.fromData(jpeg)
        if image.isNull():
            self._on_test_failed(
                EnvironmentFault(self.tr("The camera answered with something else than a picture."))
            )
            return
        self.preview.show_image(image)
        size = f"{image.width()} × {image.height()} px"
        self.facts.setText(self.tr("Camera control answers · snapshot {0}").format(size))

    def begin_steering(self) -> None:
        """Open with the camera control switched on."""
        self.steering.on.setChecked(True)
        self.steering.host.setFocus()

    def _fit(self) -> None:
        """Be as wide as what is on show: the camera control stands beside the picture."""
        beside = WIDTH_PX + BESIDE_PX if self.steering.on.isChecked() else 0
        self.setFixedWidth(PICTURE_WIDTH + 40 + beside)
        if (layout := self.layout()) is not None:
            layout.activate()  # wrapped texts know their height at the new width only
        self.adjustSize()

    def cancel_test(self) -> None:
        """Stop waiting for the picture; the worker's answer is dropped."""
        if self._request is not None:
            self._requests.cancel(self._request)
            self._request = None
            self._set_testing(False)
            self.facts.setText(self.tr("Test cancelled."))

    def _set_testing(self, on: bool) -> None:
        if on and self.source.waits_for_camera:
            self.preview.begin(self.tr("Waiting for the camera: start it there now…"))
        elif on:
            self.preview.begin(self.tr("Connecting…"))
        else:
            self.preview.end()

    def _on_picture(self, probed: ProbePicture) -> None:
        self._request = None
        self._set_testing(False)
        self.preview.show_image(image_of(probed.bgra).copy())
        fps = self.tr("{0} fps").format(f"{probed.fps:.4g}") if probed.fps else ""
        size = f"{probed.width_px} × {probed.height_px} px"
        self.facts.setText(" · ".join(part for part in (size, fps, probed.codec) if part))

    def _on_test_failed(self, error: BarnhandError) -> None:
        self._request = None
        self._set_testing(False)
        self.preview.show_none()
        self.show_problem(error)

    # --- end ------------------------------------------------------------------------------------

    def _on_save(self) -> None:
        self._clear_problem()
        try:
            draft = self._draft()
        except OperatorMistake as error:
            self.show_problem(error)
            return
        self.save.setEnabled(False)
        self.submitted.emit(draft.stream)

    def finish(self) -> None:
        """The camera was stored: close."""
        self.accept()

    def done(self, result: int) -> None:
        self.cancel_test()
        self.preview.end()
        super().done(result)

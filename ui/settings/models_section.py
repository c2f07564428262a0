"""Models: what this workstation uses, what the server has, and one more from a file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QProgressBar,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.model_desk import ModelDesk, RegisteredModels
from engine.domain.models import PER_STREAM, ModelState, RegisteredId, RegisteredModel
from ui.diagnostics.diagnostics_page import FactTable
from ui.engine_port import EngineBridge
from ui.looking import LookingWidget
from ui.registry.words import ago
from ui.requests import RequestRunner
from ui.settings.model_form import ModelForm
from ui.widgets import button, headed_column, label
from ui.wording import size

LOOK_EVERY_MS = 10_000
_TOLD_EVERY_S = 0.1


class ModelsSection(LookingWidget):
    """Two tables, what can be done with a registered model, and the upload. ``desk`` None: this
    console has no server of models."""

    _progressed = Signal(float, str)

    def __init__(
        self, desk: ModelDesk | None, engine: EngineBridge, requests: RequestRunner
    ) -> None:
        super().__init__(LOOK_EVERY_MS)
        self._desk = desk
        self._engine = engine
        self._requests = requests
        self._cancel = threading.Event()
        self._told_mono_s = 0.0
        self._file: Path | None = None
        self._select: RegisteredId | None = None
        self.found: RegisteredModels | None = None
        self.busy = self.uploading = False
        self.here = FactTable(
            [self.tr("Task"), self.tr("Model"), self.tr("Runs on"), self.tr("State")],
            self.tr("Models of this workstation"),
            wide=3,
        )
        self.here.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table = FactTable(
            [
                self.tr("Model"),
                self.tr("Task"),
                self.tr("Used by"),
                self.tr("Licence"),
                self.tr("Size"),
                self.tr("Uploaded"),
            ],
            self.tr("Registered models"),
            wide=2,
        )
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.empty = label(self.tr("None yet."), "muted")
        self.everywhere = button(self.tr("Use for all cameras"), "primary")
        self.own = button(self.tr("Back to the default"))
        self.remove = button(self.tr("Remove"), "danger")
        self.upload = button(self.tr("Upload a file…"))
        self.form = ModelForm()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of the upload"))
        self.cancel = button(self.tr("Cancel"))
        self.doing = label("", "small")
        self.said = label("", wrap=True)
        self._build()
        self._connect()
        self._dress()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        column = headed_column(
            self,
            self.tr("Models"),
            self.tr(
                "What finds horses and their landmarks. A model that is registered on the "
                "server can be chosen for all cameras here, or for one in its dialog (F2)."
            ),
        )
        column.addWidget(label(self.tr("THIS WORKSTATION"), "section"))
        column.addWidget(self.here)
        column.addSpacing(8)
        column.addWidget(label(self.tr("REGISTERED ON THE SERVER"), "section"))
        column.addWidget(self.empty)
        column.addWidget(self.table)
        acts = QHBoxLayout()
        acts.setSpacing(8)
        for one in (self.everywhere, self.own, self.remove):
            acts.addWidget(one)
        acts.addStretch(1)
        acts.addWidget(self.upload)
        column.addLayout(acts)
        self._progress_row = QWidget()
        row = QHBoxLayout(self._progress_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.bar, 1)
        row.addWidget(self.doing)
        row.addWidget(self.cancel)
        column.addWidget(self._progress_row)
        column.addWidget(self.said)
        column.addWidget(self.form)
        column.addStretch(1)
        self.setMaximumWidth(920)
        self.said.hide()

    def _connect(self) -> None:
        self._progressed.connect(self._on_progress)
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.everywhere.clicked.connect(self.use_everywhere)
        self.own.clicked.connect(self.use_own)
        self.remove.clicked.connect(self.remove_model)
        self.upload.clicked.connect(self._on_upload)
        self.form.upload.connect(self.begin)
        self.form.dropped.connect(self._on_dropped)
        self.cancel.clicked.connect(self._on_cancel)

    # --- looking --------------------------------------------------------------------------------

    def look(self) -> None:
        """What the engine uses now, and on a worker what is registered."""
        models = self._engine.report().models
        self.here.fill([(m.task, m.name or "–", m.runs_on, m.state) for m in models])
        if self._desk is not None:
            self._requests.submit(
                "registered models", self._desk.look, self._on_found, self._on_failed, owner=self
            )

    def _on_found(self, found: RegisteredModels) -> None:
        self.found = found
        self.table.blockSignals(True)
        self.table.fill([self._row(found, model) for model in found.models])
        self.table.clearSelection()
        for row, model in enumerate(found.models):
            if model.id == self._select:
                self.table.selectRow(row)
        self.table.blockSignals(False)
        self._dress()

    def _row(self, found: RegisteredModels, model: RegisteredModel) -> tuple[str, ...]:
        return (
            f"{model.name} {model.version}",
            model.task.value,
            self._use(found, model),
            model.licence,
            size(model.size_bytes),
            self.tr("{0} by {1}").format(ago(model.created_at), model.uploaded_by),
        )

    def _use(self, found: RegisteredModels, model: RegisteredModel) -> str:
        if model.state is ModelState.NEEDS_EXPORT:
            return self.tr("weights only: export it to ONNX")
        users = list(found.used_by(model))
        if found.for_all(model):
            users.insert(0, self.tr("all cameras"))
        return ", ".join(users) or "–"

    @property
    def chosen(self) -> RegisteredModel | None:
        """The registered model whose row is selected."""
        models = () if self.found is None else self.found.models
        return next((model for model in models if model.id == self._select), None)

    def _on_selected(self) -> None:
        rows = {index.row() for index in self.table.selectionModel().selectedRows()}
        models = () if self.found is None else self.found.models
        self._select = next((m.id for row, m in enumerate(models) if row in rows), None)
        self._dress()

    # --- acts -----------------------------------------------------------------------------------

    def use_everywhere(self) -> None:
        """Choose the selected model for every camera of the farm."""
        desk, model = self._desk, self.chosen
        if desk is not None and model is not None:
            words = self.tr("{0} looks at all cameras within seconds.").format(model.model_id)
            self._do("use a model", lambda: desk.use_everywhere(model.id), words)

    def use_own(self) -> None:
        """Take the workstation's own again wherever the selected one is used."""
        desk, model = self._desk, self.chosen
        if desk is not None and model is not None:
            words = self.tr("The cameras take each workstation's own model again.")
            self._do("stop using a model", lambda: desk.use_own(model.id), words)

    def remove_model(self) -> None:
        """Remove the selected model; refused while a camera uses it."""
        desk, model = self._desk, self.chosen
        if desk is not None and model is not None:
            words = self.tr("{0} was removed.").format(model.model_id)
            self._do("remove a model", lambda: desk.remove(model.id), words)

    def _do(self, name: str, act: Callable[[], None], words: str) -> None:
        if self.busy:
            return
        self.busy = True
        self._say("")
        self._dress()

        def done(_nothing: None) -> None:
            self.busy = False
            self._say(words)
            self.look()

        self._requests.submit(name, act, done, self._on_refused, owner=self)

    def _on_upload(self) -> None:
        chosen, _kind = QFileDialog.getOpenFileName(
            self, self.tr("Model"), "", self.tr("ONNX models (*.onnx)")
        )
        if chosen:
            self.choose(Path(chosen))

    def choose(self, path: Path) -> None:
        """Find out on a worker what a file says of itself, and ask for the rest."""
        desk = self._desk
        if desk is None or self.busy:
            return
        self._file = path
        self._say("")

        def show(known: Mapping[str, object] | None) -> None:
            self.form.ask(path, known)

        self._requests.submit(
            "description of a model", lambda: desk.described(path), show, self._on_refused,
            owner=self,
        )  # fmt: skip

    def begin(self, description: Mapping[str, object]) -> None:
        """Inspect and register the chosen file, on a worker."""
        desk, path, cancel = self._desk, self._file, self._cancel
        if desk is None or path is None or self.busy:
            return
        cancel.clear()
        self.busy = self.uploading = True
        self._say("")
        self._on_progress(0.0, self.tr("beginning"))
        self._dress()
        self._requests.submit(
            "upload a model",
            lambda: desk.take_in(path, description, self._tell, cancel.is_set),
            self._on_taken,
            self._on_refused,
            owner=self,
        )

    def stop(self) -> None:
        """The window closes: an upload at work ends and leaves nothing."""
        self.look_no_more()
        self._cancel.set()

    def _tell(self, share: float, doing: str) -> None:
        # On the worker's thread: the signal crosses over.
        now_mono_s = time.monotonic()
        if share in (0.0, 0.4, 1.0) or now_mono_s - self._told_mono_s >= _TOLD_EVERY_S:
            self._told_mono_s = now_mono_s
            if not self._cancel.is_set():
                self._progressed.emit(share, doing)

    def _on_progress(self, share: float, doing: str) -> None:
        if self.uploading:
            self.bar.setValue(round(share * 1000))
            self.doing.setText(doing)

    def _on_taken(self, model: RegisteredModel | None) -> None:
        self.busy = self.uploading = False
        if model is None:
            self._say(self.tr("Cancelled; nothing was stored."))
        else:
            self._select = model.id
            self.form.hide()
            self._say(self.tr("{0} is registered.").format(model.model_id))
        self.look()
        self._dress()

    def _on_refused(self, error: BarnhandError) -> None:
        self.busy = self.uploading = False
        self._say(str(error))
        self.look()
        self._dress()

    def _on_failed(self, error: BarnhandError) -> None:
        self._say(str(error))

    def _on_dropped(self) -> None:
        self._file = None
        self.form.hide()
        self._say("")

    def _on_cancel(self) -> None:
        self._cancel.set()
        self.doing.setText(self.tr("being cancelled"))

    # --- showing --------------------------------------------------------------------------------

    def _say(self, words: str) -> None:
        self.said.setText(words)
        self.said.setVisible(bool(words))

    def _dress(self) -> None:
        model, found = self.chosen, self.found
        known = found is not None and bool(found.models)
        self.table.setVisible(known)
        self.empty.setVisible(not known)
        if self._desk is None:
            self.empty.setText(self.tr("This console was started without a server of models."))
        free = self._desk is not None and not self.busy
        can = model is not None and model.state is ModelState.READY and model.task in PER_STREAM
        used = (
            model is not None
            and found is not None
            and (found.for_all(model) or bool(found.used_by(model)))
        )
        for one in (self.everywhere, self.own, self.remove):
            one.setVisible(known)
        self.everywhere.setEnabled(free and can)
        self.own.setEnabled(free and used)
        self.remove.setEnabled(free and model is not None)
        self.upload.setEnabled(free)
        self.form.setEnabled(not self.busy)
        self._progress_row.setVisible(self.uploading)

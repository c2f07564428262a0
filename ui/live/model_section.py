"""Which models look at a camera, in the camera dialog: the workstation's own or registered ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from engine.domain.ids import FarmId, StreamId
from engine.domain.models import (
    PER_STREAM,
    ModelRegistry,
    ModelState,
    ModelTask,
    RegisteredId,
    RegisteredModel,
)
from ui.requests import RequestRunner
from ui.widgets import label

Choice = Mapping[ModelTask, RegisteredId | None]


@dataclass(frozen=True, slots=True)
class ModelChoices:
    """What the section works with. ``own``: the workstation's models in words, by task.
    ``changed`` is called on a worker after a choice was stored."""

    registry: ModelRegistry
    farm_id: FarmId
    own: Mapping[str, str]
    changed: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Stored:
    models: Sequence[RegisteredModel]
    active: Mapping[ModelTask, RegisteredId]


class ModelSection(QWidget):
    """A list a task, shown once models are registered that can be chosen."""

    def __init__(
        self, choices: ModelChoices | None, requests: RequestRunner, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._choices = choices
        self._requests = requests
        self._before: Choice = dict.fromkeys(PER_STREAM)
        words = {ModelTask.DETECTOR: self.tr("Detector"), ModelTask.POSE: self.tr("Skeleton")}
        self.lists = {task: QComboBox() for task in PER_STREAM}
        self._ids: dict[ModelTask, list[RegisteredId | None]] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(1, 1)
        self._names: dict[ModelTask, QLabel] = {}
        for row, (task, one) in enumerate(self.lists.items()):
            name = label(words[task], "muted")
            name.setBuddy(one)
            one.setAccessibleName(words[task])
            one.setToolTip(
                self.tr("The model that looks at this camera; changes take effect within seconds.")
            )
            self._names[task] = name
            self._grid.addWidget(name, row, 0)
            self._grid.addWidget(one, row, 1)
        self.hide()

    def line_up(self, width_px: int) -> None:
        """Give the names the width of the dialog's own."""
        self._grid.setColumnMinimumWidth(0, width_px)

    def show_stream(self, stream_id: StreamId, shown: Callable[[], None]) -> None:
        """Read on a worker what there is and what the camera uses; ``shown`` follows."""
        choices = self._choices
        if choices is None:
            return
        registry, farm_id = choices.registry, choices.farm_id

        def read() -> _Stored:
            return _Stored(registry.list(farm_id), registry.active().get(stream_id, {}))

        def fill(stored: _Stored) -> None:
            self._fill(stored, choices.own)
            shown()

        # Without an answer the section stays hidden, and nothing is changed by it.
        self._requests.submit("models of a camera", read, fill, lambda _error: None, owner=self)

    def _fill(self, stored: _Stored, own: Mapping[str, str]) -> None:
        self._before = {task: stored.active.get(task) for task in PER_STREAM}
        for task, one in self.lists.items():
            one.clear()
            words = own.get(task.value, "")
            one.addItem(self.tr("Default ({0})").format(words) if words else self.tr("Default"))
            fitting = [m for m in stored.models if m.task is task and m.state is ModelState.READY]
            self._ids[task] = [None, *(model.id for model in fitting)]
            for model in fitting:
                one.addItem(f"{model.name} {model.version}")
            before = self._before[task]
            one.setCurrentIndex(self._ids[task].index(before) if before in self._ids[task] else 0)
            one.setVisible(bool(fitting))
            self._names[task].setVisible(bool(fitting))
        self.setVisible(any(one.count() > 1 for one in self.lists.values()))

    def chosen(self, task: ModelTask) -> RegisteredId | None:
        """What the list of a task says now; None for the workstation's own."""
        return self._ids[task][self.lists[task].currentIndex()]

    def changes(self) -> tuple[Choice, Choice]:
        """What was chosen before and is now, of the tasks that differ."""
        if self.isHidden():
            return {}, {}
        now: Choice = {task: self.chosen(task) for task in PER_STREAM}
        changed = [task for task in PER_STREAM if now[task] != self._before[task]]
        return {task: self._before[task] for task in changed}, {t: now[t] for t in changed}

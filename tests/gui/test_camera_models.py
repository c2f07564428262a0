"""Which models look at a camera: the lists in its dialog, over a real store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from db.repositories.farms import DEFAULT_FARM
from db.repositories.models import PostgresModelRegistry
from engine.domain.models import (
    Activation,
    ModelFormat,
    ModelState,
    ModelTask,
    RegisteredId,
    RegisteredModel,
)
from engine.domain.streams import Stream
from tests.gui.console_bench import Bench
from tests.gui.stored_barn import StoredBarn
from ui.engine_port import EngineReport, ModelReport
from ui.main_window import MainWindow

Open = Callable[[], MainWindow]
LEFT = Qt.MouseButton.LeftButton
DETECTOR, POSE = ModelTask.DETECTOR, ModelTask.POSE


def registered(registry: PostgresModelRegistry, name: str, task: ModelTask) -> RegisteredModel:
    model = RegisteredModel(
        id=RegisteredId(uuid4()),
        name=name,
        version="2",
        task=task,
        format=ModelFormat.ONNX,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        size_bytes=len(name),
        licence="MIT",
        description={"name": name},
        state=ModelState.READY,
        uploaded_by="Anna",
        created_at=datetime.now(UTC),
    )
    registry.add(model, [name.encode()])
    return model


@pytest.fixture
def registry(bench: Bench, barn: StoredBarn) -> PostgresModelRegistry:
    registry = PostgresModelRegistry(barn.pool)
    own = (
        ModelReport("detector", "barnhand-horse-nano@1", "AGPL", "cpu", "ok", False),
        ModelReport("pose", "barnhand-equine26@1", "AGPL", "cpu", "ok", False),
    )
    bench.engine.extra = replace(EngineReport(), models=own)
    bench.services = replace(bench.services, models=registry, farm_id=DEFAULT_FARM)
    return registry


@pytest.fixture
def camera(bench: Bench, barn: StoredBarn) -> Stream:
    """A camera that the console and the store know."""
    stream = bench.engine.add("North fence").stream
    bench.streams.rows[stream.id] = stream
    with barn.pool.connection() as connection:
        connection.execute(
            "INSERT INTO streams (id, farm_id, name, kind, address) "
            "VALUES (%s, %s, %s, 'rtsp', %s)",
            (stream.id, DEFAULT_FARM, stream.name, stream.address),
        )
    return stream


def test_a_registered_model_is_chosen_and_taken_back(
    open_window: Open,
    bench: Bench,
    registry: PostgresModelRegistry,
    camera: Stream,
    qtbot: QtBot,
) -> None:
    fast, mare = registered(registry, "fast-horse", DETECTOR), registered(registry, "mare", POSE)
    told: list[int] = []
    bench.services = replace(bench.services, models_changed=lambda: told.append(1))
    window = open_window()
    dialog = window.live.ask_to_edit(camera)
    assert dialog is not None
    qtbot.waitUntil(dialog.models.isVisible)
    detectors, poses = dialog.models.lists[DETECTOR], dialog.models.lists[POSE]
    assert [detectors.itemText(n) for n in range(detectors.count())] == [
        "Default (barnhand-horse-nano@1)",
        "fast-horse 2",
    ]
    detectors.setCurrentIndex(1)
    poses.setCurrentIndex(1)
    QTest.mouseClick(dialog.save, LEFT)
    both = {camera.id: {DETECTOR: fast.id, POSE: mare.id}}
    qtbot.waitUntil(lambda: registry.active() == both)
    qtbot.waitUntil(lambda: bool(told))
    qtbot.waitUntil(lambda: window.live._log.stack.count() == 2)
    stored = bench.streams.rows[camera.id]
    again = window.live.ask_to_edit(stored)
    assert again is not None
    qtbot.waitUntil(again.models.isVisible)
    assert again.models.chosen(DETECTOR) == fast.id
    again.models.lists[DETECTOR].setCurrentIndex(0)
    QTest.mouseClick(again.save, LEFT)
    qtbot.waitUntil(lambda: registry.active() == {camera.id: {POSE: mare.id}})
    qtbot.waitUntil(lambda: window.live._log.stack.count() == 4)
    window.live._log.stack.undo()
    qtbot.waitUntil(lambda: registry.active() == both)


def test_one_camera_keeps_the_workstations_own_where_all_have_another(
    open_window: Open, registry: PostgresModelRegistry, camera: Stream, qtbot: QtBot
) -> None:
    fast = registered(registry, "fast-horse", DETECTOR)
    registry.activate(Activation(DEFAULT_FARM, None, DETECTOR, fast.id))
    dialog = open_window().live.ask_to_edit(camera)
    assert dialog is not None
    qtbot.waitUntil(dialog.models.isVisible)
    assert dialog.models.chosen(DETECTOR) == fast.id
    assert not dialog.models.lists[POSE].isVisible(), "there is nothing to choose"
    dialog.models.lists[DETECTOR].setCurrentIndex(0)
    QTest.mouseClick(dialog.save, LEFT)
    qtbot.waitUntil(lambda: registry.active() == {})


def test_saving_a_camera_leaves_its_models_alone(
    open_window: Open, bench: Bench, registry: PostgresModelRegistry, camera: Stream, qtbot: QtBot
) -> None:
    fast = registered(registry, "fast-horse", DETECTOR)
    registry.activate(Activation(DEFAULT_FARM, None, DETECTOR, fast.id))
    before = registry.choices()
    dialog = open_window().live.ask_to_edit(camera)
    assert dialog is not None
    qtbot.waitUntil(dialog.models.isVisible)
    dialog.name.setText("South fence")
    QTest.mouseClick(dialog.save, LEFT)
    qtbot.waitUntil(lambda: bench.streams.rows[camera.id].name == "South fence")
    assert registry.choices() == before


def test_without_registered_models_there_is_nothing_to_choose(
    open_window: Open, registry: PostgresModelRegistry, camera: Stream, qtbot: QtBot
) -> None:
    window = open_window()
    dialog = window.live.ask_to_edit(camera)
    assert dialog is not None
    answered: list[int] = []
    window.live._requests.submit("after it", lambda: 1, answered.append)
    qtbot.waitUntil(lambda: bool(answered))
    assert not dialog.models.isVisible()
    assert dialog.models.changes() == ({}, {})
    dialog.reject()

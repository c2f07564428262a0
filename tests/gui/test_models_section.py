"""Models in the settings: the real inspection, the real store, from a file to all cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from barnhand_desktop.api.audit import AuditTrail
from barnhand_desktop.console_models import ConsoleModelDesk
from db.credentials import CredentialBox
from db.repositories.audit import AuditRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.models import PostgresModelRegistry
from db.repositories.streams import PostgresStreamRepository
from engine.domain.models import Activation, ModelTask
from engine.models.integrity import sha256_of
from engine.models.manifest import InputSpec, Layout, ModelEntry, ModelFile, Task
from engine.models.model_folders import list_in
from engine.runtime.clock import SystemClock
from tests.gui.console_bench import BenchEngine
from tests.gui.stored_barn import StoredBarn
from tests.helpers.tiny_models import bright_cell_yolox
from ui.requests import RequestRunner
from ui.settings.models_section import ModelsSection
from ui.widgets import scroll

LEFT = Qt.MouseButton.LeftButton
LONG_MS = 40_000
LIMIT_BYTES = 1 << 20


@pytest.fixture
def told() -> list[int]:
    """Grows when the cameras are told of a choice."""
    return []


@pytest.fixture
def desk(barn: StoredBarn, tmp_path: Path, told: list[int]) -> ConsoleModelDesk:
    return ConsoleModelDesk(
        PostgresModelRegistry(barn.pool),
        PostgresStreamRepository(barn.pool, CredentialBox.new_key()),
        AuditTrail(AuditRepository(barn.pool)),
        tmp_path / "uploads",
        lambda: LIMIT_BYTES,
        DEFAULT_FARM,
        SystemClock(),
        lambda: told.append(1),
    )


@pytest.fixture
def section(
    desk: ConsoleModelDesk, dressed: QApplication, tmp_path: Path, qtbot: QtBot
) -> Iterator[ModelsSection]:
    requests = RequestRunner()
    section = ModelsSection(desk, BenchEngine(), requests)
    page = scroll(section)
    qtbot.addWidget(page)
    page.resize(940, 860)
    page.show()
    qtbot.waitUntil(lambda: section.found is not None, timeout=LONG_MS)
    yield section
    section.stop()
    page.hide()
    assert requests.close(20.0) == ()
    assert list((tmp_path / "uploads").glob("*")) == [], "nothing of an upload is left"


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return bright_cell_yolox(folder / "Night horse.onnx", ["batch", 3, "h", "w"])


def acts(barn: StoredBarn) -> list[str]:
    rows = AuditRepository(barn.pool).list()
    assert all(row.entry.address == "console" and row.entry.user_id is None for row in rows)
    return [row.entry.action for row in rows]


def choose(section: ModelsSection, path: Path, qtbot: QtBot) -> None:
    section.choose(path)
    qtbot.waitUntil(section.form.isVisible, timeout=LONG_MS)
    section.form.licence.setText("our own")
    section.form.wide.setValue(64)
    section.form.high.setValue(64)


def uploaded(section: ModelsSection, path: Path, qtbot: QtBot) -> None:
    choose(section, path, qtbot)
    QTest.mouseClick(section.form.send, LEFT)
    qtbot.waitUntil(lambda: "is registered" in section.said.text(), timeout=LONG_MS)
    qtbot.waitUntil(section.everywhere.isEnabled, timeout=LONG_MS)


def says(section: ModelsSection, words: str) -> Callable[[], bool]:
    return lambda: not section.busy and words in section.said.text()


def use_words(section: ModelsSection) -> str:
    return str(section.table.model().index(0, 2).data())


def test_a_file_is_described_inspected_registered_and_used_by_all_cameras(
    section: ModelsSection,
    barn: StoredBarn,
    model_file: Path,
    told: list[int],
    qtbot: QtBot,
) -> None:
    camera = barn.camera("Yard")
    uploaded(section, model_file, qtbot)
    registry = PostgresModelRegistry(barn.pool)
    model = registry.list()[0]
    assert (model.model_id, model.task) == ("night-horse@1", ModelTask.DETECTOR)
    assert model.sha256 == sha256_of(model_file) and "console" in model.uploaded_by
    assert b"".join(registry.parts(model.id)) == model_file.read_bytes()
    QTest.mouseClick(section.everywhere, LEFT)
    qtbot.waitUntil(lambda: use_words(section) == "all cameras", timeout=LONG_MS)
    assert registry.active() == {camera.id: {ModelTask.DETECTOR: model.id}} and told == [1]
    QTest.mouseClick(section.remove, LEFT)
    qtbot.waitUntil(says(section, "is in use: every camera"), timeout=LONG_MS)
    qtbot.waitUntil(section.own.isEnabled, timeout=LONG_MS)
    QTest.mouseClick(section.own, LEFT)
    qtbot.waitUntil(lambda: use_words(section) == "–", timeout=LONG_MS)
    assert registry.active() == {} and told == [1, 1]
    qtbot.waitUntil(lambda: not section.busy)
    QTest.mouseClick(section.remove, LEFT)
    qtbot.waitUntil(lambda: section.empty.isVisible(), timeout=LONG_MS)
    assert registry.list() == ()
    assert acts(barn) == ["model.remove", "model.deactivate", "model.activate", "model.upload"]


def test_a_file_that_is_no_model_is_refused_with_the_inspections_sentence(
    section: ModelsSection, barn: StoredBarn, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "nothing.onnx"
    path.write_bytes(b"\x80\x04\x95 pickle of a stranger")
    choose(section, path, qtbot)
    QTest.mouseClick(section.form.send, LEFT)
    qtbot.waitUntil(lambda: not section.busy and bool(section.said.text()), timeout=LONG_MS)
    assert "pickle" in section.said.text().lower()
    assert section.form.isVisible(), "what was typed is still there"
    assert PostgresModelRegistry(barn.pool).list() == () and acts(barn) == ["model.refuse"]


def test_a_file_over_the_limit_is_refused_before_it_is_read(
    section: ModelsSection, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "big.onnx"
    path.write_bytes(bytes(LIMIT_BYTES + 1))
    choose(section, path, qtbot)
    QTest.mouseClick(section.form.send, LEFT)
    qtbot.waitUntil(says(section, "at most 1 MiB"), timeout=LONG_MS)


def test_an_upload_is_cancelled_and_leaves_nothing(
    section: ModelsSection, barn: StoredBarn, model_file: Path, qtbot: QtBot
) -> None:
    choose(section, model_file, qtbot)
    QTest.mouseClick(section.form.send, LEFT)
    qtbot.waitUntil(lambda: "a process of its own" in section.doing.text(), timeout=LONG_MS)
    assert section.bar.isVisible() and not section.upload.isEnabled()
    QTest.mouseClick(section.cancel, LEFT)
    qtbot.waitUntil(says(section, "Cancelled; nothing was stored."), timeout=LONG_MS)
    assert PostgresModelRegistry(barn.pool).list() == () and acts(barn) == []


def test_what_a_manifest_beside_the_file_says_is_not_asked(
    section: ModelsSection, desk: ConsoleModelDesk, model_file: Path, qtbot: QtBot
) -> None:
    entry = ModelEntry(
        name="barn-at-night",
        version="3",
        task=Task.DETECTOR,
        layout=Layout.YOLOX,
        files=(ModelFile(name=model_file.name, sha256=sha256_of(model_file)),),
        input=InputSpec(width_px=64, height_px=64, colour="bgr", std=(1.0, 1.0, 1.0)),
        licence="MIT",
        origin="trained here",
        classes={"0": "horse"},
        threshold=0.4,
    )
    list_in(model_file.parent, entry)
    section.choose(model_file)
    qtbot.waitUntil(section.form.isVisible, timeout=LONG_MS)
    assert section.form.name.text() == "barn-at-night" and not section.form.kind.isVisible()
    QTest.mouseClick(section.form.send, LEFT)
    qtbot.waitUntil(says(section, "barn-at-night@3 is registered"), timeout=LONG_MS)
    assert desk.look().models[0].threshold == 0.4


def test_one_of_the_cameras_that_use_it_is_named(
    desk: ConsoleModelDesk, section: ModelsSection, barn: StoredBarn, model_file: Path, qtbot: QtBot
) -> None:
    camera = barn.camera("Yard")
    uploaded(section, model_file, qtbot)
    model = desk.look().models[0]
    registry = PostgresModelRegistry(barn.pool)
    registry.activate(Activation(DEFAULT_FARM, camera.id, model.task, model.id))
    section.look()
    qtbot.waitUntil(lambda: use_words(section) == "Yard", timeout=LONG_MS)
    QTest.mouseClick(section.remove, LEFT)
    qtbot.waitUntil(says(section, "is in use: Yard."), timeout=LONG_MS)


def test_a_console_without_models_says_so(dressed: QApplication, qtbot: QtBot) -> None:
    requests = RequestRunner()
    section = ModelsSection(None, BenchEngine(), requests)
    page = scroll(section)
    qtbot.addWidget(page)
    page.show()
    assert "without a server of models" in section.empty.text() and not section.upload.isEnabled()
    section.stop()
    page.hide()
    requests.close()

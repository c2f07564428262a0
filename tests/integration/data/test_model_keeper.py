"""ModelKeeper on a real registry and real files: fetching, keeping, failing, trying again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from barnhand_desktop.model_keeper import TRY_AGAIN_S, ModelKeeper
from db.repositories.farms import DEFAULT_FARM
from db.repositories.models import PostgresModelRegistry
from engine.domain.ids import ModelId, StreamId
from engine.domain.models import (
    Activation,
    ModelFormat,
    ModelState,
    ModelTask,
    RegisteredId,
    RegisteredModel,
)
from engine.domain.notices import Notice
from engine.domain.streams import SourceKind, Stream
from engine.models.detectors import GridDetector
from engine.models.manifest import Manifest, ModelEntry
from engine.models.model_set import open_chosen
from engine.models.pose_estimators import TopDownPose
from engine.models.store import ModelStore
from engine.pipeline.chosen_models import StreamModels
from engine.settings import EngineSettings
from tests.fixtures_identity import IdentityBarn
from tests.helpers.tiny_models import bright_cell_yolox


class StillClock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)

    def mono_s(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.at_s += seconds


class Listener:
    """What the engine is told; ``failed`` names models that failed at work."""

    def __init__(self) -> None:
        self.cameras: list[Stream] = []
        self.chosen: list[Mapping[StreamId, StreamModels]] = []
        self.failed: frozenset[ModelId] = frozenset()
        self.standing: dict[str, Notice] = {}

    def streams(self) -> tuple[Stream, ...]:
        return tuple(self.cameras)

    def choose_models(self, chosen: Mapping[StreamId, StreamModels]) -> None:
        self.chosen.append(chosen)

    def failed_choices(self) -> frozenset[ModelId]:
        return self.failed

    def notify(self, notice: Notice) -> None:
        if notice.active:
            self.standing[notice.key] = notice
        else:
            self.standing.pop(notice.key, None)


class Bench:
    """A farm with a camera, a registered detector, and a keeper that is asked by hand."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.barn = IdentityBarn(dsn)
        self.registry = PostgresModelRegistry(self.barn.pool)
        self.engine, self.clock = Listener(), StillClock()
        self.cache = folder / "registered"
        self.opened: list[GridDetector | TopDownPose] = []
        store = ModelStore(Manifest(), folder)

        def open_model(entry: ModelEntry, path: Path) -> GridDetector | TopDownPose:
            settings = EngineSettings()
            self.opened.append(open_chosen(entry, path, settings, store, self.clock))
            return self.opened[-1]

        self.keeper = ModelKeeper(self.registry, self.engine, open_model, self.cache, self.clock)
        self.file = bright_cell_yolox(folder / "tiny.onnx", ["b", 3, "h", "w"]).read_bytes()

    def camera(self, name: str) -> StreamId:
        stream_id = self.barn.camera(name)
        self.engine.cameras.append(Stream(stream_id, name, SourceKind.RTSP, "rtsp://x"))
        return stream_id

    def model(self, **changes: object) -> RegisteredModel:
        digest = hashlib.sha256(self.file).hexdigest()
        description = {
            "name": "tiny", "version": "1", "task": "detector", "layout": "yolox",
            "input": {"width_px": 64, "height_px": 64, "colour": "bgr", "std": [1, 1, 1]},
            "classes": {"0": "horse"}, "licence": "MIT", "origin": "a test",
            "files": [{"name": "registered/tiny.onnx", "sha256": digest}], **changes,
        }  # fmt: skip
        model = RegisteredModel(
            RegisteredId(uuid4()), "tiny", "1", ModelTask.DETECTOR, ModelFormat.ONNX, digest,
            len(self.file), "MIT", description, ModelState.READY, "Anna", self.clock.now(),
        )  # fmt: skip
        self.registry.add(model, [self.file])
        return model

    def choose(self, stream_id: StreamId, model: RegisteredModel | None) -> None:
        model_id = None if model is None else model.id
        choice = Activation(DEFAULT_FARM, stream_id, ModelTask.DETECTOR, model_id)
        self.registry.activate(choice)
        self.keeper.follow()

    def close(self) -> None:
        for model in self.opened:
            model.close()
        self.barn.close()


@pytest.fixture
def bench(postgres_dsn: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(postgres_dsn, tmp_path)
    yield bench
    bench.close()


def test_a_chosen_model_is_fetched_once_and_opened_once(bench: Bench) -> None:
    north, south = bench.camera("north"), bench.camera("south")
    model = bench.model()
    bench.choose(north, model)
    (path,) = bench.cache.iterdir()
    assert path.read_bytes() == bench.file and path.stem == model.sha256
    (only,) = bench.opened
    assert bench.engine.chosen == [{north: StreamModels(detector=only)}]
    found = only.detect([np.zeros((64, 64, 3), np.uint8)], [1.0], 0.5)  # type: ignore[union-attr]
    assert len(found[0]) == 0
    bench.keeper.follow()
    assert len(bench.engine.chosen) == 1, "nothing changed, nothing is told"
    bench.choose(south, model)
    assert bench.engine.chosen[-1] == {
        north: StreamModels(detector=only),
        south: StreamModels(detector=only),
    }
    bench.choose(north, None)
    bench.choose(south, None)
    assert bench.engine.chosen[-1] == {}
    bench.registry.remove(model.id)
    bench.choose(south, None)
    assert len(bench.opened) == 1


def test_cameras_of_other_workstations_load_nothing_here(bench: Bench) -> None:
    bench.choose(bench.barn.camera("elsewhere"), bench.model())
    assert not bench.opened and not bench.cache.exists()


def test_a_damaged_copy_is_fetched_again(bench: Bench) -> None:
    north = bench.camera("north")
    model = bench.model()
    bench.cache.mkdir()
    copy = bench.cache / f"{model.sha256}.onnx"
    copy.write_bytes(bench.file[:-1] + b"x")
    (bench.cache / f"{'0' * 64}.onnx").write_bytes(b"of a model that was removed")
    bench.choose(north, model)
    assert copy.read_bytes() == bench.file
    assert [path.name for path in bench.cache.iterdir()] == [copy.name]
    assert len(bench.opened) == 1


def test_a_model_that_cannot_be_opened_is_told_and_tried_again(bench: Bench) -> None:
    north = bench.camera("north")
    model = bench.model(layout="yolo", classes={"70": "horse"})
    bench.choose(north, model)
    assert bench.engine.chosen[-1] == {north: StreamModels()}
    assert [*bench.engine.standing] == [f"model.choice:{model.id}"]
    calls = len(bench.engine.chosen)
    bench.keeper.follow()
    assert len(bench.engine.chosen) == calls, "not at once"
    with bench.barn.pool.connection() as connection:
        connection.execute(
            "UPDATE registered_models SET description = description || "
            '\'{"layout": "yolox", "classes": {"0": "horse"}}\''
        )
    bench.clock.at_s += TRY_AGAIN_S
    bench.keeper.follow()
    assert bench.engine.chosen[-1] == {north: StreamModels(detector=bench.opened[-1])}
    assert not bench.engine.standing
    bench.choose(north, None)


def test_a_model_that_failed_at_work_is_opened_anew_after_a_while(bench: Bench) -> None:
    north = bench.camera("north")
    bench.choose(north, bench.model())
    bench.engine.failed = frozenset({ModelId("tiny@1")})
    bench.keeper.follow()
    assert len(bench.opened) == 1
    bench.clock.at_s += TRY_AGAIN_S
    bench.keeper.follow()
    assert len(bench.opened) == 2
    bench.engine.failed = frozenset()
    assert bench.engine.chosen[-1] == {north: StreamModels(detector=bench.opened[-1])}

"""Which models are taken, and what a person is told when one is not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.domain.notices import Severity
from engine.domain.results import Degradation
from engine.models.manifest import Manifest
from engine.models.model_set import ModelSet, load_models
from engine.models.motion_detector import MotionDetector
from engine.models.store import ModelStore
from engine.settings import EngineSettings
from tests.helpers.tiny_models import bright_cell_yolox, constant_model, mean_colour_embedder

SHAPE = ["batch", 3, 64, 64]
HELD_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class HeldClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return HELD_AT

    def mono_s(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing waits here ({seconds} s)")


def entry(name: str, task: str, layout: str, rank: int, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "task": task,
        "layout": layout,
        "rank": rank,
        "files": [{"name": f"{name}.onnx"}],
        "input": {"width_px": 64, "height_px": 64},
        "licence": "test",
        "origin": "test",
        **fields,
    }


MODELS = (
    entry("best", "detector", "yolox", 10, classes={"0": "horse"}),
    entry("good", "detector", "yolox", 20, classes={"0": "horse"}),
    entry("bones", "pose", "heatmap", 10, skeleton="equine26"),
    entry("coat", "embedder", "embedding", 10),
)


def barn(folder: Path, *present: str) -> ModelStore:
    """A store with these models' files."""
    for name in present:
        path = folder / f"{name}.onnx"
        if name in ("best", "good"):
            bright_cell_yolox(path, SHAPE)
        elif name == "bones":
            constant_model(path, {"maps": np.zeros((26, 16, 16), np.float32)}, SHAPE)
        else:
            mean_colour_embedder(path, SHAPE)
    manifest = Manifest.model_validate({"model": MODELS})
    return ModelStore(manifest, folder / "cache", [folder])


def loaded(store: ModelStore, **settings: Any) -> ModelSet:
    base = {"analysis": {"device": "cpu", "threads": 1}} | settings
    return load_models(EngineSettings.model_validate(base), store, HeldClock())


def keys(models: ModelSet) -> list[str]:
    return [notice.key for notice in models.notices]


def test_auto_takes_the_best_of_what_is_there(tmp_path: Path) -> None:
    models = loaded(barn(tmp_path, "good", "best", "bones", "coat"))
    assert models.detector.model_id == "best@1"
    assert models.pose is not None
    assert models.pose.model_id == "bones@1"
    assert models.embedder is not None
    assert models.embedder.dimension == 3
    assert models.degradation is Degradation.NONE
    assert models.notices == ()
    assert models.current_degradation() is Degradation.NONE
    models.close()


def test_a_named_model_is_taken_before_better_ones(tmp_path: Path) -> None:
    models = loaded(barn(tmp_path, "good", "best"), detection={"model": "good"})
    assert models.detector.model_id == "good@1"


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = bright_cell_yolox(tmp_path / "mine.onnx", SHAPE)
    models = loaded(barn(tmp_path, "best"), detection={"model": str(path)})
    assert models.detector.model_id.startswith("mine@")


def test_without_any_file_motion_boxes_remain_and_everything_is_told(tmp_path: Path) -> None:
    models = loaded(barn(tmp_path))
    assert isinstance(models.detector, MotionDetector)
    assert models.pose is None
    assert models.embedder is None
    assert models.degradation == (
        Degradation.NO_DETECTOR | Degradation.NO_POSE | Degradation.NO_EMBEDDER
    )
    assert keys(models) == [
        "model.detector.missing",
        "model.pose.missing",
        "model.embedder.missing",
    ]
    assert models.notices[0].severity is Severity.CRITICAL
    assert models.notices[0].at == HELD_AT
    assert all("BARNHAND_MODELS" in notice.advice for notice in models.notices)


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_damaged_file_is_told_and_the_next_best_taken(tmp_path: Path, content: bytes) -> None:
    store = barn(tmp_path, "good", "bones", "coat")
    (tmp_path / "best.onnx").write_bytes(content)
    models = loaded(store)
    assert models.detector.model_id == "good@1"
    assert keys(models) == ["model.best.damaged"]
    assert "best.onnx" in models.notices[0].message
    assert models.degradation is Degradation.NONE


def test_a_file_of_another_layout_is_told_and_the_next_best_taken(tmp_path: Path) -> None:
    store = barn(tmp_path, "good", "bones", "coat")
    mean_colour_embedder(tmp_path / "best.onnx", SHAPE)
    models = loaded(store)
    assert models.detector.model_id == "good@1"
    assert keys(models) == ["model.best.damaged"]


def test_a_name_nobody_knows_is_told_and_auto_taken(tmp_path: Path) -> None:
    models = loaded(barn(tmp_path, "best", "bones", "coat"), detection={"model": "zebra"})
    assert models.detector.model_id == "best@1"
    assert keys(models) == ["model.zebra.unavailable"]
    assert "zebra" in models.notices[0].message


def test_what_is_switched_off_is_not_missed(tmp_path: Path) -> None:
    models = loaded(barn(tmp_path, "best"), pose={"enabled": False}, tracking={"embedder": "none"})
    assert models.pose is None
    assert models.embedder is None
    assert models.notices == ()
    assert models.degradation is Degradation.NONE


def test_a_card_that_is_not_there_is_told_and_the_cpu_used(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has a graphics card")
    models = loaded(
        barn(tmp_path, "best", "bones", "coat"), analysis={"device": "cuda", "threads": 1}
    )
    assert models.detector.model_id == "best@1"
    assert models.degradation is Degradation.ON_CPU
    assert keys(models) == ["model.device.cpu"]

"""Models are timed as the engine loads them, ours beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.domain.frames import Picture
from engine.models.manifest import Manifest, ModelEntry, Task
from engine.models.store import ModelStore
from engine.models.timing import HORSES, Spread, boxes_of, time_models
from engine.settings import AnalysisSettings, EngineSettings
from engine.sources.pictures import ArrayPicture
from tests.helpers.tiny_models import bright_cell_yolox, entry_of, mean_colour_embedder

SETTINGS = EngineSettings(analysis=AnalysisSettings(device="cpu"))


@pytest.fixture
def pictures() -> Sequence[Picture]:
    return [ArrayPicture(np.full((90, 160, 3), level, np.uint8)) for level in (40, 200)]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A detector of ours, one of others, one that is damaged and one that is not here; an
    embedder of others."""
    for folder in ("bundled", "extra"):
        (tmp_path / folder).mkdir()
    small, large = (["batch", 3, side, side] for side in (64, 256))
    ours = bright_cell_yolox(tmp_path / "bundled" / "ours.onnx", small)
    theirs = bright_cell_yolox(tmp_path / "extra" / "theirs.onnx", large)
    broken = tmp_path / "extra" / "broken.onnx"
    broken.write_bytes(b"no model")
    colours = mean_colour_embedder(tmp_path / "extra" / "colours.onnx", small)
    size = {"width_px": 256, "height_px": 256}
    entries: list[ModelEntry] = [
        entry_of(theirs, task="detector", layout="yolox", rank=1, input=size),
        entry_of(ours, task="detector", layout="yolox", rank=2),
        entry_of(broken, task="detector", layout="yolox", rank=3),
        entry_of(tmp_path / "absent.onnx", task="detector", layout="yolox"),
        entry_of(colours, task="embedder", layout="embedding", classes={}),
    ]
    manifest = Manifest(model=tuple(entries))
    return ModelStore(manifest, tmp_path / "cache", [tmp_path / "extra"], tmp_path / "bundled")


def test_every_model_here_is_timed_beside_ours(
    store: ModelStore, pictures: Sequence[Picture]
) -> None:
    told: list[str] = []
    timings = time_models(SETTINGS, store, pictures, rounds=5, tell=told.append)
    by_name = {row.entry.name: row for row in timings.measured}
    assert list(by_name) == ["theirs", "ours", "colours"]
    ours, theirs = by_name["ours"], by_name["theirs"]
    assert (ours.ours, theirs.ours, ours.runs_on) == (True, False, "cpu")
    assert ours.ratio == Spread(1.0, 1.0, 1.0)
    assert theirs.ratio is not None
    assert 0 < theirs.ratio.p5 <= theirs.ratio.median <= theirs.ratio.p95
    assert all(
        0 < row.time_ms.p5 <= row.time_ms.median <= row.time_ms.p95 for row in by_name.values()
    )
    # There is no embedder of ours to compare with.
    assert by_name["colours"].ratio is None
    assert timings.rounds == 5
    assert told == ["detector: theirs, ours", "pose: no model", "embedder: colours"]


def test_what_is_not_timed_is_told_with_the_reason(
    store: ModelStore, pictures: Sequence[Picture]
) -> None:
    timings = time_models(SETTINGS, store, pictures, [Task.DETECTOR], rounds=1)
    left_out = dict(timings.left_out)
    assert set(left_out) == {"broken", "absent"}
    assert "broken.onnx" in left_out["broken"]
    assert "not on this machine" in left_out["absent"]
    assert {row.entry.task for row in timings.measured} == {Task.DETECTOR}


def test_the_boxes_lie_in_pictures_of_any_shape() -> None:
    for height, width in ((90, 160), (160, 90), (1080, 1920)):
        boxes = boxes_of(ArrayPicture(np.zeros((height, width, 3), np.uint8)))
        assert boxes.shape == (HORSES, 4)
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:] <= (width, height)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()

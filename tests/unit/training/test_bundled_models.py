"""The weights in the repository are the ones that the manifest describes, and they run."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from engine.models.detectors import DetectorOptions, grid_detector
from engine.models.manifest import ModelEntry, Task, read_manifest
from engine.models.model_set import load_models
from engine.models.pose_estimators import pose_estimator
from engine.models.sessions import Device, Execution, Session, open_session
from engine.models.store import FileState, ModelStore
from engine.models.verification import SpeciesVerifier
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings
from engine.sources.pictures import ArrayPicture
from engine.training.publication import DETECTOR_NAME, POSE_NAME
from engine.training.verifier_training import VERIFIER_NAME

FOLDER = Path(str(files("resources") / "models"))
LARGEST_BYTES = 40_000_000


def _entry(name: str) -> ModelEntry:
    return read_manifest(FOLDER / "manifest.toml").named(name)


@pytest.mark.parametrize(
    ("name", "task"),
    [(POSE_NAME, Task.POSE), (DETECTOR_NAME, Task.DETECTOR), (VERIFIER_NAME, Task.VERIFIER)],
)
def test_a_fresh_clone_has_intact_own_models(name: str, task: Task, tmp_path: Path) -> None:
    store = ModelStore(read_manifest(FOLDER / "manifest.toml"), tmp_path, (), FOLDER)
    assert store.status_of(_entry(name)).state is FileState.PRESENT
    assert store.available(task)[0].name == name
    assert (FOLDER / f"{name}.md").is_file()


def test_bundled_weights_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.onnx")) <= LARGEST_BYTES


def test_the_own_pose_model_answers_inside_the_crop() -> None:
    entry = _entry(POSE_NAME)
    path = FOLDER / entry.files[0].name

    def open_on(device: Device) -> Session:
        return open_session(path, entry.runtime, entry.input, Execution(device, 1))

    estimator = pose_estimator(entry, open_on, "cpu")
    try:
        picture = ArrayPicture(np.full((200, 300, 3), 120, np.uint8))
        poses = estimator.estimate([(picture, np.array([[50, 40, 250, 160]], np.float32))])[0]
    finally:
        estimator.close()
    assert poses.keypoints_px.shape == (1, 26, 2)
    assert (poses.keypoints_px > -60).all() and (poses.keypoints_px < 360).all()
    # Nothing is there: no landmark may be certain.
    assert poses.scores.max() < 0.5


def test_the_own_detector_finds_nothing_in_an_empty_picture_of_any_shape() -> None:
    entry = _entry(DETECTOR_NAME)
    path = FOLDER / entry.files[0].name

    def open_on(device: Device) -> Session:
        return open_session(path, entry.runtime, entry.input, Execution(device, 1))

    detector = grid_detector(entry, open_on, "cpu", DetectorOptions())
    try:
        wide = np.full((234, 416, 3), 90, np.uint8)
        tall = np.full((416, 240, 3), 90, np.uint8)
        found = detector.detect([wide, tall], [0.2, 0.2], 0.3)
    finally:
        detector.close()
    assert [len(batch) for batch in found] == [0, 0]


def test_the_own_detector_runs_with_the_verifier_that_it_names() -> None:
    entry = _entry(DETECTOR_NAME)
    assert entry.verification is not None and entry.verification.model == VERIFIER_NAME
    species = _entry(VERIFIER_NAME)

    def opener(wanted: ModelEntry) -> Callable[[Device], Session]:
        path = FOLDER / wanted.files[0].name
        return lambda device: open_session(path, wanted.runtime, wanted.input, Execution(device, 1))

    verifier = SpeciesVerifier(species, opener(species), "cpu")
    detector = grid_detector(entry, opener(entry), "cpu", DetectorOptions(), verifier)
    try:
        assert detector.verifier_id == species.id
        noise = np.random.default_rng(1).integers(0, 256, (234, 416, 3)).astype(np.uint8)
        found = detector.detect([np.full_like(noise, 90), noise], [1.0, 1.0], 0.35)
    finally:
        detector.close()
    assert [len(batch) for batch in found] == [0, 0]


@pytest.mark.parametrize("wanted", [True, False])
def test_the_verifier_is_used_unless_it_is_switched_off(wanted: bool, tmp_path: Path) -> None:
    store = ModelStore(read_manifest(FOLDER / "manifest.toml"), tmp_path, (), FOLDER)
    settings = EngineSettings.model_validate(
        {
            "detection": {"model": DETECTOR_NAME, "verify": wanted},
            "pose": {"enabled": False},
            "tracking": {"embedder": "none"},
        }
    )
    loaded = load_models(settings, store, SystemClock())
    loaded.close()
    assert loaded.verified is wanted
    assert loaded.notices == ()

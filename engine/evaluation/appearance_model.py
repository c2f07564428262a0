"""The appearance and pose models that a machine prefers, for measurements."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from engine.domain.errors import ModelUnavailable
from engine.domain.ports import Embedder, PoseEstimator
from engine.models.manifest import read_manifest
from engine.models.model_set import NONE, load_models
from engine.models.store import ModelStore
from engine.runtime.clock import SystemClock
from engine.settings import DetectionSettings, EngineSettings


def preferred_appearance() -> tuple[Embedder, PoseEstimator | None]:
    """The best appearance model on this machine (bundled, or in the folders of BARNHAND_MODELS) and
    the pose model whose outlines suppress the background.

    Raises ModelUnavailable.
    """
    bundled = Path(str(files("resources") / "models"))
    named = os.environ.get("BARNHAND_MODELS", "")
    extra = tuple(Path(folder) for folder in named.split(os.pathsep) if folder)
    store = ModelStore(read_manifest(bundled / "manifest.toml"), bundled, extra, bundled)
    settings = EngineSettings(detection=DetectionSettings(model=NONE))
    models = load_models(settings, store, SystemClock())
    if models.embedder is None:
        models.close()
        raise ModelUnavailable(
            "No appearance model is on this machine.", "Name a folder in BARNHAND_MODELS."
        )
    return models.embedder, models.pose

"""The installation's model store: the user's cache, BARNHAND_MODELS and what is bundled."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from barnhand_desktop.settings.folders import Folders
from engine.models.manifest import read_manifest
from engine.models.model_folders import MANIFEST_NAME
from engine.models.store import ModelStore


def bundled_models() -> Path:
    """The folder of the models and the manifest that come with the program."""
    return Path(str(files("resources"))) / "models"


def open_model_store(folders: Folders) -> ModelStore:
    """The store over the bundled manifest. Raises OperatorMistake when a manifest is wrong."""
    bundled = bundled_models()
    manifest = read_manifest(bundled / MANIFEST_NAME)
    return ModelStore(manifest, folders.models, folders.model_search, bundled)

"""Writing folders of models: files put in place in one step, and the manifest that lists them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import tomlkit

from engine.domain.errors import ModelUnavailable
from engine.models.manifest import ModelEntry, read_manifest

MANIFEST_NAME = "manifest.toml"


def copy_into(folder: Path, source: Path, names: Mapping[str, str]) -> None:
    """Copy files by target name -> name beside the source, whose first is the source itself.

    Each appears whole or not at all. ModelUnavailable when the folder cannot be written.
    """
    for index, (target_name, source_name) in enumerate(names.items()):
        beside = source if index == 0 else source.with_name(Path(source_name).name)
        target = folder / target_name
        part = target.with_name(f".{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(beside, part)
            part.replace(target)
        except OSError as error:
            raise ModelUnavailable(
                f"{beside} could not be copied to {target}: {error.strerror}."
            ) from error
        finally:
            part.unlink(missing_ok=True)


def list_in(folder: Path, entry: ModelEntry) -> None:
    """Add the entry to the manifest of a folder, or put it in the place of one of that name."""
    path = folder / MANIFEST_NAME
    known = read_manifest(path).model if path.is_file() else ()
    others = [e for e in known if e.name != entry.name]
    listed = [e.model_dump(mode="json", exclude_none=True) for e in (*others, entry)]
    part = path.with_suffix(".part")
    part.write_text(tomlkit.dumps({"model": listed}), encoding="utf-8")
    part.replace(path)

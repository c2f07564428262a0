"""Older settings files brought to the present layout, with a backup to go back to.

A step changes a parsed document of version n into version n+1 in place. Nothing is written before
every step has run and the result was accepted, so a step that fails leaves the file as it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument

from barnhand_desktop.settings.files import replace_file
from barnhand_desktop.settings.schema import FORMAT_VERSION
from engine.domain.errors import BarnhandError, Bug, EnvironmentFault, OperatorMistake

VERSION_KEY = "format_version"

Step = Callable[[TOMLDocument], None]
STEPS: Mapping[int, Step] = {}
"""Step n makes version n+1 of version n. Version 1 is the first layout."""


def version_of(document: Mapping[str, object], origin: str) -> int:
    """The layout version a document states; 1 where it states none."""
    version = document.get(VERSION_KEY, 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise OperatorMistake(
            f"{VERSION_KEY} is {version!r}, but must be a whole number from 1 ({origin}).",
            "Remove the line if you wrote it yourself.",
        )
    return version


def migrate_document(
    document: TOMLDocument,
    origin: str,
    steps: Mapping[int, Step] = STEPS,
    target: int = FORMAT_VERSION,
) -> bool:
    """Bring a document to version ``target`` in place; True if it changed.

    Raises OperatorMistake for a file from a newer program, Bug for a gap in the chain.
    """
    version = version_of(document, origin)
    if version > target:
        raise OperatorMistake(
            f"{origin} was written by a newer Barnhand (format {version}, this one knows "
            f"{target}).",
            "Update this program, or go back to the backup beside the file.",
        )
    if version == target:
        return False
    while version < target:
        if version not in steps:
            raise Bug(f"no migration leads from settings format {version} to {version + 1}")
        try:
            steps[version](document)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise OperatorMistake(
                f"{origin} could not be brought from format {version} to {version + 1}: {error!r}. "
                "It was left as it was.",
                "Correct the entries named, or move the file away to start with defaults.",
            ) from error
        version += 1
        document[VERSION_KEY] = version
    return True


def backup_path(path: Path, version: int) -> Path:
    """Where the file of an older format is kept: ``settings.toml.format1``."""
    return path.with_name(f"{path.name}.format{version}")


def migrate_file(
    path: Path,
    accept: Callable[[TOMLDocument], None],
    steps: Mapping[int, Step] = STEPS,
    target: int = FORMAT_VERSION,
) -> bool:
    """Bring a file to version ``target``; True if it was rewritten.

    ``accept`` raises when the result is no valid settings file; then, as after a failed step, the
    file is untouched. The old file stays as ``backup_path``.
    """
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    before = version_of(document, str(path))
    if not migrate_document(document, str(path), steps, target):
        return False
    accept(document)
    try:
        shutil.copy2(path, backup_path(path, before))
    except OSError as error:
        raise EnvironmentFault(
            f"No backup of {path} could be made, so it was not migrated: {error.strerror}.",
            "Make its folder writable.",
        ) from error
    replace_file(path, tomlkit.dumps(document))
    return True


def roll_back(path: Path, version: int) -> None:
    """Put the backup of format ``version`` in the file's place; the newer one becomes ``.bak``.

    Raises OperatorMistake when there is no such backup.
    """
    backup = backup_path(path, version)
    try:
        old = backup.read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorMistake(
            f"There is no backup {backup}.", "Look for other .format files beside the settings."
        ) from error
    try:
        if path.exists():
            shutil.copy2(path, path.with_name(f"{path.name}.bak"))
        replace_file(path, old)
    except (OSError, BarnhandError) as error:
        raise EnvironmentFault(f"{path} could not be put back: {error}") from error

"""Settings read from a TOML file and the environment, and saved with their comments.

``BARNHAND_SECTION__FIELD`` overrides the file: ``BARNHAND_API__PORT=9000``,
``BARNHAND_ENGINE__CAPTURE__READ_TIMEOUT_S=5``. Unknown keys are mistakes, never ignored.
"""

from __future__ import annotations

import logging
import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
import tomlkit
from pydantic import SecretStr, ValidationError
from tomlkit import TOMLDocument
from tomlkit.exceptions import TOMLKitError

from barnhand_desktop.settings.complaints import Origins, mistake, nearest, unknown_key
from barnhand_desktop.settings.fields import (
    ENVIRONMENT_PREFIX,
    SECTION_SEPARATOR,
    SettingField,
    setting_fields,
)
from barnhand_desktop.settings.files import replace_file
from barnhand_desktop.settings.migrations import VERSION_KEY, migrate_document, migrate_file
from barnhand_desktop.settings.schema import FORMAT_VERSION, Settings
from engine.domain.errors import EnvironmentFault, OperatorMistake

log = logging.getLogger(__name__)

APPLICATION = "barnhand"
NOT_SETTINGS = frozenset(
    {
        "BARNHAND_MODELS",
        "BARNHAND_SHARED",
        "BARNHAND_DATA_DIR",
        "BARNHAND_CONFIG",
        "BARNHAND_BACKUP_PASSPHRASE",
    }
)
"""Variables that say where things are and override no setting of the file."""


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The settings file: ``BARNHAND_CONFIG``, else the platform's folder for a user's settings."""
    named = environment.get("BARNHAND_CONFIG")
    if named:
        return Path(named).expanduser()
    return Path(platformdirs.user_config_path(APPLICATION, appauthor=False)) / "settings.toml"


def data_dir(settings: Settings, environment: Mapping[str, str] = os.environ) -> Path:
    """The data folder: ``BARNHAND_DATA_DIR``, ``storage.data_dir``, else the platform's."""
    named = environment.get("BARNHAND_DATA_DIR")
    if named:
        return Path(named).expanduser().absolute()
    if settings.storage.data_dir is not None:
        return settings.storage.data_dir.expanduser().absolute()
    return Path(platformdirs.user_data_path(APPLICATION, appauthor=False))


def media_dir(settings: Settings, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of recordings: ``storage.media_dir``, else ``media`` in the data folder."""
    if settings.storage.media_dir is not None:
        return settings.storage.media_dir.expanduser().absolute()
    return data_dir(settings, environment) / "media"


def load_settings(
    path: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """The settings of the file and the environment over the defaults.

    ``path`` None takes ``config_path``; the default file need not exist, a named one must. A file
    of an older format is migrated, with a backup. Raises OperatorMistake naming the setting, the
    place where it was set, the value and the limits.
    """
    named = path is not None or bool(environment.get("BARNHAND_CONFIG"))
    path = path if path is not None else config_path(environment)
    text = _read(path, named)
    document = _parse(text, path)
    if migrate_document(document, str(path)):
        text = _keep_migrated(path, document)
    values = document.unwrap()
    values.pop(VERSION_KEY, None)
    variables = _overrides(environment)
    for dotted, name in variables.items():
        _put(values, dotted, _from_text(setting_fields()[dotted], environment[name]))
    return _validate(values, Origins(path, text, variables))


def save_settings(
    path: Path, changes: Mapping[str, object], environment: Mapping[str, str] | None = None
) -> Settings:
    """Write changed settings into the file and return what now holds.

    ``changes`` maps dotted names (``api.port``) to values, None to go back to the default. Other
    entries, their order and all comments stay; the file before is kept as ``.bak``; an invalid
    result is refused and nothing is written. ``environment`` overrides take part in the result
    only. Raises OperatorMistake or EnvironmentFault.
    """
    document = _parse(_read(path, must_exist=False), path)
    migrate_document(document, str(path))
    for dotted, value in changes.items():
        if dotted not in setting_fields():
            raise OperatorMistake(unknown_key(dotted, ""))
        _change(document, dotted, value)
    text = tomlkit.dumps(document)
    if VERSION_KEY not in document:
        text = f"{VERSION_KEY} = {FORMAT_VERSION}\n{text}"
    values = document.unwrap()
    values.pop(VERSION_KEY, None)
    _validate(values, Origins(path, text, {}))
    if path.exists():
        try:
            shutil.copy2(path, path.with_name(f"{path.name}.bak"))
        except OSError as error:
            raise EnvironmentFault(
                f"No backup of {path} could be made, so nothing was saved: {error.strerror}.",
                "Make its folder writable.",
            ) from error
    replace_file(path, text)
    return load_settings(path, environment or {})


# --- reading -------------------------------------------------------------------------------------


def _read(path: Path, must_exist: bool) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if must_exist:
            raise OperatorMistake(
                f"The settings file {path} does not exist.",
                "Correct the name, or leave it out to use the default file.",
            ) from error
        return ""
    except UnicodeDecodeError as error:
        raise OperatorMistake(f"The settings file {path} is no text in UTF-8.") from error
    except OSError as error:
        raise OperatorMistake(
            f"The settings file {path} cannot be read: {error.strerror}.",
            "Check its permissions.",
        ) from error


def _parse(text: str, path: Path) -> TOMLDocument:
    try:
        tomllib.loads(text)
        return tomlkit.parse(text)
    except (tomllib.TOMLDecodeError, TOMLKitError) as error:
        raise OperatorMistake(
            f"The settings file {path} is not valid TOML: {error}.",
            'Entries look like: port = 8620, theme = "dark", below a [section] line.',
        ) from error


def _keep_migrated(path: Path, document: TOMLDocument) -> str:
    def accept(migrated: TOMLDocument) -> None:
        values = migrated.unwrap()
        values.pop(VERSION_KEY, None)
        _validate(values, Origins(path, tomlkit.dumps(migrated), {}))

    try:
        migrate_file(path, accept)
        log.info("settings file %s was brought to format %d", path, FORMAT_VERSION)
    except EnvironmentFault as error:
        log.warning("%s The migrated settings are used, and not kept.", error)
    return tomlkit.dumps(document)


def _validate(values: Mapping[str, Any], origins: Origins) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        # Not chained: the original repeats the values, passwords among them.
        raise mistake(error, origins) from None


# --- environment ---------------------------------------------------------------------------------


def _overrides(environment: Mapping[str, str]) -> dict[str, str]:
    """Dotted names set in the environment -> the variables that set them."""
    by_name = {field.environment_name: path for path, field in setting_fields().items()}
    squeezed = {name.replace("_", ""): name for name in by_name}
    found: dict[str, str] = {}
    for variable in environment:
        name = variable.upper()
        if not name.startswith(ENVIRONMENT_PREFIX) or name in NOT_SETTINGS:
            continue
        if name in by_name:
            found[by_name[name]] = variable
            continue
        meant = squeezed.get(name.replace("_", ""))
        if meant is None and SECTION_SEPARATOR not in name:
            continue
        if meant is None:
            dotted = name.removeprefix(ENVIRONMENT_PREFIX).replace(SECTION_SEPARATOR, ".").lower()
            close = setting_fields().get(nearest(dotted) or "")
            meant = close.environment_name if close else None
        hint = f" Did you mean {meant}?" if meant else ""
        raise OperatorMistake(f"The environment variable {variable} sets nothing.{hint}")
    return found


def _from_text(field: SettingField, text: str) -> object:
    """A variable's text as a value the schema can check; lists are comma-separated."""
    if field.many:
        return [part.strip() for part in text.split(",") if part.strip()]
    if field.info.annotation in (str, SecretStr):
        return text
    try:
        return int(text)
    except ValueError:
        return text


def _put(values: dict[str, Any], dotted: str, value: object) -> None:
    *sections, leaf = dotted.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            return
        values = inner
    values[leaf] = value


# --- saving --------------------------------------------------------------------------------------


def _change(document: TOMLDocument, dotted: str, value: object) -> None:
    *sections, leaf = dotted.split(".")
    table: Any = document
    for depth, section in enumerate(sections):
        if section not in table:
            if value is None:
                return
            # A parent that only holds tables needs no header of its own.
            table[section] = tomlkit.table(is_super_table=depth < len(sections) - 1)
        table = table[section]
    if value is None:
        if leaf in table:
            del table[leaf]
        return
    table[leaf] = _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value

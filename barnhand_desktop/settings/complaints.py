"""Wrong settings in words: which one, where it was set, what it is, what it may be."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from barnhand_desktop.settings.fields import SettingField, section_paths, setting_fields
from barnhand_desktop.settings.positions import line_of
from engine.domain.errors import OperatorMistake

_RANGE_ERRORS = frozenset(
    {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"}
)
_ADVICE = "Correct it and start again; without the entry the default is used."


class Origins:
    """Where each value came from: the file's text, or an environment variable."""

    def __init__(self, file: Path | None, text: str, variables: Mapping[str, str]) -> None:
        self._file = file
        self._text = text
        self._variables = variables

    def of(self, path: str) -> str:
        """``settings.toml, line 4`` or ``environment variable BARNHAND_...``; empty if unknown."""
        for candidate in (path, *(p for p in self._variables if p.startswith(f"{path}."))):
            if candidate in self._variables:
                return f"environment variable {self._variables[candidate]}"
        if self._file is None or not self._text:
            return ""
        line = line_of(self._text, path)
        return str(self._file) if line is None else f"{self._file}, line {line}"


def nearest(path: str) -> str | None:
    """The known setting or section most like ``path``, None when nothing is close."""
    known = [*setting_fields(), *sorted(section_paths())]
    by_leaf = {name.rsplit(".", 1)[-1]: name for name in reversed(known)}
    parent, _, leaf = path.rpartition(".")
    siblings = {
        name.rsplit(".", 1)[-1]: name for name in known if name.rpartition(".")[0] == parent
    }
    for names in (siblings, by_leaf):
        close = difflib.get_close_matches(leaf, names, n=1, cutoff=0.6)
        if close:
            return names[close[0]]
    whole = difflib.get_close_matches(path, known, n=1, cutoff=0.6)
    return whole[0] if whole else None


def unknown_key(path: str, origin: str) -> str:
    """One sentence about a key that is none."""
    close = nearest(path)
    hint = f"; did you mean {close}?" if close else "."
    return f"{path} is no setting{_in_brackets(origin)}{hint}"


def mistake(error: ValidationError, origins: Origins) -> OperatorMistake:
    """Everything wrong with the settings as one error a person can act on."""
    lines = [_complaint(dict(problem), origins) for problem in error.errors(include_url=False)]
    return OperatorMistake("\n".join(lines), _ADVICE)


def _complaint(problem: dict[str, Any], origins: Origins) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    origin = origins.of(path)
    if problem["type"] == "extra_forbidden":
        return unknown_key(path, origin)
    field = _field_of(problem["loc"])
    if field is None:
        if problem["type"] in ("model_type", "model_attributes_type"):
            return f"{path} is a section, not a value{_in_brackets(origin)}; write [{path}]."
        return f"{path}: {_sentence(problem['msg'])}{_in_brackets(origin)}."
    origin = origin or origins.of(field.path)
    if problem["type"] in _RANGE_ERRORS:
        given = f"{problem['input']} {field.unit}".strip()
        return f"{field.path} is {given}, but must be {field.limits}{_in_brackets(origin)}."
    shown = "" if field.secret else f" is {problem['input']!r}:"
    return f"{field.path}{shown} {_sentence(problem['msg'])}{_in_brackets(origin)}."


def _field_of(location: Sequence[int | str]) -> SettingField | None:
    known = setting_fields()
    for length in range(len(location), 0, -1):
        found = known.get(".".join(str(part) for part in location[:length]))
        if found is not None:
            return found
    return None


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ").rstrip(".")
    return text[:1].lower() + text[1:] if text[:2].istitle() else text


def _in_brackets(origin: str) -> str:
    return f" ({origin})" if origin else ""

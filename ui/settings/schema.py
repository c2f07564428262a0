"""The settings schema as pages of fields. Pure: pydantic in, values out, no widgets.

Descriptions, units and limits come from the schema; ``json_schema_extra`` may carry ``unit`` and
``restart`` (True: takes effect after a restart).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import annotated_types
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo


class FieldKind(Enum):
    """Which editor a field gets. FIXED values are too complex for a form and are shown only."""

    SWITCH = "switch"
    CHOICE = "choice"
    WHOLE = "whole"
    NUMBER = "number"
    TEXT = "text"
    PATH = "path"
    SECRET = "secret"
    LIST = "list"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class SettingField:
    """One field. ``path`` is its dotted name; ``choices`` are (value, words); ``optional`` fields
    may be empty, which stands for None; ``limits`` is words such as "0.5 to 60 s"."""

    path: str
    title: str
    help: str
    kind: FieldKind
    unit: str
    limits: str
    choices: tuple[tuple[object, str], ...]
    default: object
    optional: bool
    restart: bool


@dataclass(frozen=True, slots=True)
class SettingPage:
    """The fields of one section of the schema."""

    path: str
    title: str
    help: str
    fields: tuple[SettingField, ...]


def pages_of(model: type[BaseModel], prefix: str = "", group: str = "") -> list[SettingPage]:
    """Every section that has fields of its own, in the schema's order, deepest sections apart."""
    own: list[SettingField] = []
    below: list[SettingPage] = []
    for name, info in model.model_fields.items():
        path = f"{prefix}{name}"
        section = _section_type(info.annotation)
        if section is not None:
            below += pages_of(section, f"{path}.", humanised(name))
        else:
            own.append(_field(path, name, info))
    if not own:
        return below
    first_line = (model.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
    title = group or "General"
    return [SettingPage(prefix.rstrip("."), title, first_line, tuple(own)), *below]


def humanised(name: str) -> str:
    """``wall_fps`` as ``Wall fps``; unit endings are left out."""
    for ending in ("_s", "_ms", "_px", "_mb", "_gb"):
        name = name.removesuffix(ending)
    words = name.replace("_", " ").strip()
    known = {"nms": "NMS", "iou": "IoU", "api": "API", "url": "URL", "gpu": "GPU", "cpu": "CPU"}
    text = " ".join(known.get(word, word) for word in words.split())
    return text[:1].upper() + text[1:]


def value_at(model: BaseModel, path: str) -> object:
    """The value of a dotted name in a model."""
    value: Any = model
    for part in path.split("."):
        value = getattr(value, part)
    return value


def problems_with(model: BaseModel, changes: Mapping[str, object]) -> dict[str, str]:
    """What the schema says about changed values: message by dotted name, empty if all is well.

    A rule over several fields is reported under the first changed name of its section.
    """
    try:
        type(model).model_validate(_changed(model, changes))
    except ValidationError as error:
        found: dict[str, str] = {}
        for item in error.errors():
            path = ".".join(str(part) for part in item["loc"])
            name = next(
                (p for p in changes if f"{path}.".startswith(f"{p}.")),
                next((p for p in changes if p.startswith(f"{path}.")), ""),
            )
            found.setdefault(name or next(iter(changes), path), _plain(item["msg"]))
        return found
    return {}


def field_named_in(message: str, paths: typing.Iterable[str]) -> str | None:
    """Which field an error message names, by dotted path or else by its last part."""
    ordered = sorted(paths, key=len, reverse=True)
    whole = next((p for p in ordered if p in message), None)
    return whole or next((p for p in ordered if p.rpartition(".")[2] in message.split()), None)


def text_of(value: object) -> str:
    """A value as its editor shows it."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _changed(model: BaseModel, changes: Mapping[str, object]) -> dict[str, Any]:
    data = model.model_dump()
    for path, value in changes.items():
        *sections, name = path.split(".")
        place = data
        for section in sections:
            place = place[section]
        place[name] = value
    return data


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Input should be ")
    message = message[:1].upper() + message[1:]
    return message if message.endswith(".") else f"{message}."


def _section_type(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _field(path: str, name: str, info: FieldInfo) -> SettingField:
    annotation, optional = _without_none(info.annotation)
    kind, choices = _kind(annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    unit = str(extra.get("unit", ""))
    return SettingField(
        path=path,
        title=humanised(name),
        help=info.description or "",
        kind=kind,
        unit=unit,
        limits=_limits(info, unit),
        choices=choices,
        default=info.get_default(call_default_factory=True, validated_data={}),
        optional=optional,
        restart=bool(extra.get("restart", False)),
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [a for a in typing.get_args(annotation) if a is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return annotation, False


def _kind(annotation: Any) -> tuple[FieldKind, tuple[tuple[object, str], ...]]:
    origin = typing.get_origin(annotation)
    if origin is Literal:
        values = typing.get_args(annotation)
        return FieldKind.CHOICE, tuple((v, str(v)) for v in values)
    if origin in (list, tuple, set, frozenset):
        simple = all(a in (str, int, float, ...) for a in typing.get_args(annotation))
        return (FieldKind.LIST if simple else FieldKind.FIXED), ()
    if not isinstance(annotation, type):
        return FieldKind.FIXED, ()
    if issubclass(annotation, Enum):
        return FieldKind.CHOICE, tuple((member, str(member.value)) for member in annotation)
    for base, kind in (
        (bool, FieldKind.SWITCH),
        (int, FieldKind.WHOLE),
        (float, FieldKind.NUMBER),
        (SecretStr, FieldKind.SECRET),
        (str, FieldKind.TEXT),
        (Path, FieldKind.PATH),
    ):
        if issubclass(annotation, base):
            return kind, ()
    return FieldKind.FIXED, ()


def _limits(info: FieldInfo, unit: str) -> str:
    low = high = None
    for rule in info.metadata:
        if isinstance(rule, (annotated_types.Ge, annotated_types.Gt)):
            low = rule.ge if isinstance(rule, annotated_types.Ge) else rule.gt
        if isinstance(rule, (annotated_types.Le, annotated_types.Lt)):
            high = rule.le if isinstance(rule, annotated_types.Le) else rule.lt
    end = f" {unit}" if unit else ""
    if low is not None and high is not None:
        return f"{low} to {high}{end}"
    if low is not None:
        return f"from {low}{end}"
    return f"up to {high}{end}" if high is not None else ""

"""The settings schema as a flat list of dotted fields, for messages and look-ups by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from barnhand_desktop.settings.schema import Settings

ENVIRONMENT_PREFIX = "BARNHAND_"
SECTION_SEPARATOR = "__"


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting. ``path`` is dotted (``engine.capture.read_timeout_s``); ``limits`` words its
    range (``from 0.5 to 60 s``), empty where it has none; ``secret`` values are never shown."""

    path: str
    unit: str
    description: str
    limits: str
    secret: bool
    many: bool
    info: FieldInfo = field(repr=False, compare=False)

    @property
    def environment_name(self) -> str:
        """``BARNHAND_ENGINE__CAPTURE__READ_TIMEOUT_S``."""
        return ENVIRONMENT_PREFIX + self.path.replace(".", SECTION_SEPARATOR).upper()


@cache
def setting_fields() -> Mapping[str, SettingField]:
    """Every field by its dotted path, in the schema's order."""
    return {found.path: found for found in _walk(Settings, "")}


@cache
def section_paths() -> frozenset[str]:
    """Dotted paths of all sections, without the root."""
    return frozenset(
        path.rsplit(".", depth)[0]
        for path in setting_fields()
        for depth in range(1, path.count(".") + 1)
    )


def _walk(model: type[BaseModel], prefix: str) -> Iterator[SettingField]:
    for name, info in model.model_fields.items():
        path = f"{prefix}{name}"
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _walk(kind, f"{path}.")
            continue
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        unit = str(extra.get("unit", ""))
        yield SettingField(
            path=path,
            unit=unit,
            description=info.description or "",
            limits=_limits(info, unit),
            secret=kind is SecretStr,
            many=_is_tuple(kind),
            info=info,
        )


def _is_tuple(kind: object) -> bool:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return any(_is_tuple(part) for part in get_args(kind))
    return origin is tuple


def _limits(info: FieldInfo, unit: str) -> str:
    low = high = ""
    for rule in info.metadata:
        match rule:
            case Ge():
                low = f"from {_number(rule.ge)}"
            case Gt():
                low = f"above {_number(rule.gt)}"
            case Le():
                high = f"to {_number(rule.le)}"
            case Lt():
                high = f"below {_number(rule.lt)}"
    words = " ".join(part for part in (low, high) if part)
    return f"{words} {unit}".strip() if words else ""


def _number(limit: object) -> str:
    if isinstance(limit, float) and limit.is_integer():
        return str(int(limit))
    return str(limit)

"""The models that every installation knows, read from the manifest without what runs them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A manifest entry with its card figures. ``id`` is the same on every machine."""

    id: UUID
    name: str
    version: str
    task: str
    licence: str
    commercial_use: bool
    origin: str
    layout: str
    input: Mapping[str, object]
    skeleton: str | None = None
    threshold: float | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    measured: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def model_id(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


@cache
def known_models() -> Sequence[KnownModel]:
    """Every entry of the bundled manifest, by task and preference."""
    text = (files("resources") / "models" / "manifest.toml").read_text("utf-8")
    entries = tomllib.loads(text)["model"]
    entries.sort(key=lambda entry: (entry["task"], entry.get("rank", 100), entry["name"]))
    return tuple(map(_known, entries))


def _known(entry: dict[str, Any]) -> KnownModel:
    first = entry["files"][0]
    version = entry.get("version", "1")
    return KnownModel(
        id=uuid5(NAMESPACE_URL, f"barnhand:model:{entry['name']}@{version}"),
        name=entry["name"],
        version=version,
        task=entry["task"],
        licence=entry["licence"],
        commercial_use=entry.get("commercial_use", True),
        origin=entry["origin"],
        layout=entry["layout"],
        input=MappingProxyType(entry["input"]),
        skeleton=entry.get("skeleton"),
        threshold=entry.get("threshold"),
        sha256=first.get("sha256"),
        size_bytes=first.get("size_bytes"),
        measured=MappingProxyType(entry.get("measured", {})),
    )

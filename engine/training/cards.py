"""Model cards and manifest entries of trained models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.models.manifest import ModelEntry

Figure = tuple[str, str, str]
"""What was measured, the value as text, on how many."""


@dataclass(frozen=True)
class ModelCard:
    """What a person must know before trusting a model."""

    title: str
    purpose: str
    data: Sequence[tuple[str, int, int, str]]
    """Source, training samples, held-out samples, what it is and its licence as far as known."""
    recipe: Sequence[str]
    figures: Sequence[Figure]
    limits: Sequence[str]
    licence: str

    def text(self) -> str:
        """The card in Markdown."""
        lines = [f"# {self.title}", "", self.purpose, "", "## Data", ""]
        lines += ["| source | trained on | held out | what |", "|---|---:|---:|---|"]
        lines += [f"| {s} | {used} | {kept} | {what} |" for s, used, kept, what in self.data]
        lines += ["", "None of this data is part of the product.", "", "## Training", ""]
        lines += [f"- {step}" for step in self.recipe]
        lines += ["", "## Figures on held-out data", ""]
        lines += ["| measure | value | on |", "|---|---:|---|"]
        lines += [f"| {name} | {value} | {count} |" for name, value, count in self.figures]
        lines += ["", "## Limits", ""]
        lines += [f"- {limit}" for limit in self.limits]
        lines += ["", "## Licence", "", self.licence, ""]
        return "\n".join(lines)


def manifest_text(entry: ModelEntry) -> str:
    """The entry as a ``[[model]]`` block of a manifest; reading it back gives the same entry."""
    spec = entry.input
    lines = ["[[model]]"]
    for name in ("name", "version", "task", "layout", "runtime", "licence", "origin", "skeleton"):
        value = getattr(entry, name)
        if value is not None:
            lines.append(f"{name} = {json.dumps(str(value), ensure_ascii=False)}")
    lines += [f"rank = {entry.rank}", f"padding = {entry.padding}"]
    if entry.threshold is not None:
        lines.append(f"threshold = {entry.threshold}")
    lines.append(
        f"input = {{ width_px = {spec.width_px}, height_px = {spec.height_px}, colour = "
        f'"{spec.colour}", mean = {list(spec.mean)}, std = {list(spec.std)}, '
        f"dynamic_size = {str(spec.dynamic_size).lower()} }}"
    )
    if entry.classes:
        pairs = ", ".join(f'{key} = "{value}"' for key, value in entry.classes.items())
        lines.append(f"classes = {{ {pairs} }}")
    for name in ("lookalikes", "candidates", "rivals"):
        if getattr(entry, name):
            lines.append(f"{name} = {list(getattr(entry, name))}")
    if entry.verification:
        fields = entry.verification.model_dump().items()
        listed = ", ".join(f"{name} = {json.dumps(value)}" for name, value in fields)
        lines.append(f"verification = {{ {listed} }}")
    if entry.measured:
        lines += ["", "[model.measured]", *_table(entry.measured)]
    for file in entry.files:
        lines += ["", "[[model.files]]", f"name = {json.dumps(file.name)}"]
        if file.sha256:
            lines.append(f'sha256 = "{file.sha256}"')
        if file.size_bytes:
            lines.append(f"size_bytes = {file.size_bytes}")
    return "\n".join(lines) + "\n"


def _table(values: Mapping[str, str | float | int]) -> list[str]:
    return [
        f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
    ]

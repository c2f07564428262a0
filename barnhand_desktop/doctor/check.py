"""One finding, and what the checks are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from barnhand_desktop.settings.folders import Folders
from barnhand_desktop.settings.schema import Settings


class State(StrEnum):
    """OK. WARN: Barnhand works, with less. FAIL: something asked for does not work."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report: what was looked at, what was found and what to do about it."""

    name: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """The installation under examination. ``manifest`` is the bundled models' list;
    ``cameras`` False leaves the network alone."""

    settings: Settings
    folders: Folders
    environment: Mapping[str, str]
    manifest: Path
    cameras: bool = True


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name, State.OK, found)


def warn(name: str, found: str, advice: str) -> Check:
    """Works, with less."""
    return Check(name, State.WARN, found, advice)


def fail(name: str, found: str, advice: str) -> Check:
    """Does not work."""
    return Check(name, State.FAIL, found, advice)


def in_units(size_bytes: float) -> str:
    """``512 MB``, ``1.5 GB`` (decimal)."""
    if size_bytes < 1e9:
        return f"{size_bytes / 1e6:.0f} MB"
    return f"{size_bytes / 1e9:.1f} GB"

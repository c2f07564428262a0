"""Backups as people see them: a line each, and the desk where one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class BackupState(StrEnum):
    """WHOLE: its structure is that of a finished backup. CHECKED: it was restored on trial and
    held what it says. DAMAGED: it cannot be restored."""

    WHOLE = "whole"
    CHECKED = "checked"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup file. ``detections`` and ``horses`` are rows it holds (0 where unreadable);
    ``reason`` says what is wrong with a damaged one; ``checked_at`` when it was last tried."""

    path: Path
    created_at: datetime
    size_bytes: int
    state: BackupState
    detections: int = 0
    horses: int = 0
    with_keys: bool = False
    checked_at: datetime | None = None
    reason: str = ""


def newest_good(backups: Sequence[Backup]) -> Backup | None:
    """The newest one that can be restored, of backups that come newest first."""
    return next((one for one in backups if one.state is not BackupState.DAMAGED), None)


BackupProgress = Callable[[float, str], None]
"""Told the share done, from 0 to 1, and what is being done."""


class BackupDesk(Protocol):
    """Where the console lists and makes backups. Every method may block: call it on a worker."""

    @property
    def folder(self) -> Path:
        """Where backups lie."""
        ...

    @property
    def next_at(self) -> datetime | None:
        """When the next one is made by itself (UTC); None when that is switched off."""
        ...

    def list(self) -> Sequence[Backup]:
        """Newest first, damaged ones included."""
        ...

    def make(self, progress: BackupProgress, cancelled: Callable[[], bool]) -> Backup | None:
        """Make one now; None when it was cancelled, which leaves nothing behind.

        Raises EnvironmentFault (disk full, server away) or OperatorMistake with what to do.
        """
        ...

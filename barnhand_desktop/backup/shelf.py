"""The folder of backups: what lies in it, what is kept and for how long."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from barnhand_desktop.backup.archive import PART, reading, sweep_part
from barnhand_desktop.settings.files import replace_file
from engine.domain.backups import Backup, BackupState, newest_good
from engine.domain.errors import BarnhandError, EnvironmentFault

log = logging.getLogger(__name__)

ENDING = ".backup"
_NAME = re.compile(r"^barnhand-(\d{8}T\d{6}Z)(?:-\d+)?\.backup$")
_CHECKS = "checks.json"


class _Trial(BaseModel):
    """What came of restoring a backup on trial; ``reason`` is empty when all was well, ``untried``
    says that it was put off because the database is large."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: datetime
    reason: str = ""
    untried: bool = False


_TRIALS = TypeAdapter(dict[str, _Trial])


@dataclass(frozen=True, slots=True)
class Shelf:
    """Backups in ``folder``. Only files named as Barnhand names them count, and only they are ever
    removed: copies under other names stay."""

    folder: Path

    def new_path(self, at: datetime) -> Path:
        """A free name for a backup of that instant."""
        stem = f"barnhand-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        number = 1
        path = self.folder / f"{stem}{ENDING}"
        while path.exists() or path.with_name(path.name + PART).exists():
            number += 1
            path = self.folder / f"{stem}-{number}{ENDING}"
        return path

    def list(self) -> Sequence[Backup]:
        """Newest first, damaged ones included; unfinished files are no backups."""
        trials = self._trials()
        found = [backup_at(path, trials.get(path.name)) for path in self._paths()]
        return tuple(sorted(found, key=lambda b: (b.created_at, b.path.name), reverse=True))

    def newest_good(self) -> Backup | None:
        """The newest one that can be restored."""
        return newest_good(self.list())

    def prune(self, now: datetime, keep_days: float) -> Sequence[Path]:
        """Remove backups older than ``keep_days`` days, never the newest good one; what went."""
        backups = self.list()
        kept = newest_good(backups)
        oldest = now - timedelta(days=keep_days)
        gone = []
        for backup in backups:
            if backup.created_at >= oldest or (kept is not None and backup.path == kept.path):
                continue
            try:
                backup.path.unlink()
            except OSError as error:
                log.warning("an old backup was not removed: %s", error)
                continue
            gone.append(backup.path)
        return tuple(gone)

    def sweep(self) -> int:
        """Remove what killed programs left unfinished; how many files."""
        if not self.folder.is_dir():
            return 0
        return sum(map(sweep_part, self.folder.glob(f"barnhand-*{ENDING}{PART}")))

    def note_trial(
        self, path: Path, at: datetime, reason: str = "", *, untried: bool = False
    ) -> None:
        """Note that a backup was restored on trial, and what was wrong with it; ``untried``: that
        it was not, to ask again later."""
        names = {found.name for found in self._paths()}
        trials = {name: trial for name, trial in self._trials().items() if name in names}
        trials[path.name] = _Trial(at=at, reason=reason, untried=untried)
        document = {name: trial.model_dump(mode="json") for name, trial in trials.items()}
        replace_file(self.folder / _CHECKS, json.dumps(document, indent=1) + "\n")

    def _paths(self) -> Sequence[Path]:
        if not self.folder.is_dir():
            return ()
        try:
            return tuple(path for path in self.folder.iterdir() if _NAME.match(path.name))
        except OSError as error:
            raise EnvironmentFault(
                f"The folder of backups {self.folder} cannot be read: {error.strerror}.",
                "Check its permissions, or whether its disk is there.",
            ) from error

    def _trials(self) -> Mapping[str, _Trial]:
        try:
            return _TRIALS.validate_json((self.folder / _CHECKS).read_bytes())
        except (OSError, ValidationError):
            return {}


def backup_at(path: Path, trial: _Trial | None = None) -> Backup:
    """What the file says of itself; a file that cannot be read is a damaged backup."""
    try:
        stat = path.stat()
    except OSError:
        return Backup(path, datetime.fromtimestamp(0, UTC), 0, BackupState.DAMAGED, reason="gone")
    try:
        with reading(path) as archive:
            manifest = archive.manifest
    except BarnhandError as error:
        at = _named_at(path) or datetime.fromtimestamp(stat.st_mtime, UTC)
        return Backup(path, at, stat.st_size, BackupState.DAMAGED, reason=error.message)
    state, reason = BackupState.WHOLE, ""
    if trial is not None and not trial.untried:
        state = BackupState.DAMAGED if trial.reason else BackupState.CHECKED
        reason = trial.reason
    return Backup(
        path,
        manifest.created_at,
        stat.st_size,
        state,
        detections=manifest.rows.get("detections", 0),
        horses=manifest.rows.get("horses", 0),
        with_keys=manifest.with_keys,
        checked_at=None if trial is None else trial.at,
        reason=reason,
    )


def _named_at(path: Path) -> datetime | None:
    match = _NAME.match(path.name)
    if match is None:
        return None
    return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

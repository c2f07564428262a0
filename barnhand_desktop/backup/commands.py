"""``barnhand backup`` and ``barnhand restore``."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from barnhand_desktop.backup.address import database
from barnhand_desktop.backup.archive import in_units, reading
from barnhand_desktop.backup.dump import BackupOrder, make_backup
from barnhand_desktop.backup.keeper import note_made
from barnhand_desktop.backup.manifest import Manifest
from barnhand_desktop.backup.restore import (
    RestoreReport,
    check_backup,
    drop_kept,
    restore_backup,
)
from barnhand_desktop.backup.shelf import ENDING, Shelf
from barnhand_desktop.installation import Installation
from barnhand_desktop.passphrase import ask_passphrase
from barnhand_desktop.settings.locked_key import lock_key, unlock_key
from barnhand_desktop.settings.secrets import SecretStore, as_text
from engine.domain.backups import Backup, BackupState
from engine.domain.errors import OperatorMistake

_TOLD_EVERY_S = 0.1


# --- backup --------------------------------------------------------------------------------------


def run_backup(place: Installation, wanted: argparse.Namespace) -> int:
    """Make a backup, or list those that are there."""
    shelf = Shelf(place.folders.backups)
    if wanted.list:
        return _list(shelf)
    at = datetime.now(UTC)
    shelf.sweep()
    path = _target(shelf, wanted.out, at)
    keys = None
    if wanted.with_keys:
        keys = lock_key(
            SecretStore(place.folders.data).credential_key(), ask_passphrase("keys", again=True)
        )
    newest = shelf.newest_good()
    started_mono_s = time.monotonic()
    with _interruptible(), database(place) as dsn, _meter() as told:
        order = BackupOrder(dsn, path, at, keys, None if newest is None else newest.size_bytes)
        manifest = make_backup(order, told)
        note_made(dsn, path, manifest, on_shelf=path.parent == shelf.folder)
    took_s = time.monotonic() - started_mono_s
    size = in_units(path.stat().st_size)
    print(f"Backed up to {path} ({size} in {took_s:.1f} s): {_held(manifest)}")
    print(f"It does not hold {', '.join(manifest.not_held)}.")
    if not manifest.with_keys:
        print("Camera passwords in it need this machine's key: --with-keys puts it in, locked.")
    if path.parent == shelf.folder:
        keep_days = place.settings.backup.keep_days
        for gone in shelf.prune(at, keep_days):
            print(f"Removed {gone.name}, which is older than {keep_days} days.")
    return 0


def _target(shelf: Shelf, out: Path | None, at: datetime) -> Path:
    if out is None:
        return shelf.new_path(at)
    out = out.expanduser().absolute()
    if out.is_dir():
        return Shelf(out).new_path(at)
    if not out.parent.is_dir():
        raise OperatorMistake(f"There is no folder {out.parent}.", "Make it first.")
    return out if out.suffix else out.with_suffix(ENDING)


def _held(manifest: Manifest) -> str:
    rows = manifest.rows
    parts = [f"{rows.get(name, 0)} {name}" for name in ("horses", "streams", "detections")]
    return f"{', '.join(parts)}, {sum(rows.values())} rows in all"


def _list(shelf: Shelf) -> int:
    backups = shelf.list()
    if not backups:
        print(f"There is no backup in {shelf.folder} yet.")
        return 0
    print(f"Backups in {shelf.folder}, newest first:")
    for backup in backups:
        print(_line(backup))
    return 0


def _line(backup: Backup) -> str:
    at = f"{backup.created_at.astimezone():%Y-%m-%d %H:%M}"
    words = {
        BackupState.WHOLE: "whole",
        BackupState.CHECKED: "restored on trial",
        BackupState.DAMAGED: f"DAMAGED: {backup.reason}",
    }[backup.state]
    keys = ", with keys" if backup.with_keys else ""
    size = in_units(backup.size_bytes)
    return (
        f"  {at}  {size:>8}  {backup.detections:>12} detections  {words}{keys}  {backup.path.name}"
    )


# --- restore -------------------------------------------------------------------------------------


def run_restore(place: Installation, wanted: argparse.Namespace) -> int:
    """Restore a backup, on trial or for good."""
    if wanted.drop_kept:
        with database(place) as dsn:
            print(f"Removed {', '.join(drop_kept(dsn))}.")
        return 0
    if wanted.file is None:
        raise OperatorMistake("Name the backup to restore.", "`barnhand backup --list` shows them.")
    path = _found(place, wanted.file)
    with reading(path) as archive:
        manifest, locked = archive.manifest, archive.keys()
    print(
        f"{path.name}: made {manifest.created_at.astimezone():%Y-%m-%d %H:%M} by Barnhand "
        f"{manifest.program} on {manifest.node}, of {', '.join(manifest.farms)}: {_held(manifest)}."
    )
    at = datetime.now(UTC)
    if wanted.check:
        with _interruptible(), database(place, create=True) as dsn, _meter() as told:
            report = check_backup(dsn, path, at, told)
        if path.parent == place.folders.backups:
            Shelf(path.parent).note_trial(path, at)
        print(f"It can be restored: {report.rows} rows were restored, counted and removed again.")
        return 0
    key = _brought_key(locked, wanted.with_keys)
    if not wanted.yes:
        _confirm(place)
    return _restore(place, path, at, key)


def _restore(place: Installation, path: Path, at: datetime, key: bytes | None) -> int:
    secrets = SecretStore(place.folders.data)
    used = secrets.credential_key() if key is None else key
    with _interruptible(), database(place, alone=True, create=True) as dsn, _meter() as told:
        report = restore_backup(dsn, path, at, as_text(used).encode(), told)
    if key is not None:
        secrets.adopt_credential_key(key)
    _say(report)
    return 0


def _say(report: RestoreReport) -> None:
    print(f"Restored {report.rows} rows. Everyone logs in to the API again.")
    if report.applied:
        print(f"It was brought up to date: {', '.join(report.applied)}.")
    if report.kept:
        print(
            f"The database that was in use is kept as {report.kept}; remove it with "
            "`barnhand restore --drop-kept`, or the next restore does."
        )
    if report.unreadable_cameras:
        print(
            f"The passwords of {report.unreadable_cameras} cameras cannot be read with this "
            "machine's key: restore a backup made --with-keys, or enter them again."
        )


def _found(place: Installation, named: Path) -> Path:
    """The file as typed, or one of the backups by its name."""
    typed = named.expanduser()
    kept = place.folders.backups / named.name
    return (kept if not typed.exists() and kept.exists() else typed).absolute()


def _brought_key(locked: bytes | None, asked: bool) -> bytes | None:
    if not asked:
        return None
    if locked is None:
        raise OperatorMistake(
            "This backup holds no keys: it was made without --with-keys.",
            "Restore it without, and enter the camera passwords again.",
        )
    return unlock_key(locked, ask_passphrase("keys", again=False))


def _confirm(place: Installation) -> None:
    shared = place.settings.database.mode == "shared"
    which = "the shared database" if shared else f"the database in {place.folders.postgres}"
    if not sys.stdin.isatty():
        raise OperatorMistake(f"This replaces {which}.", "Add --yes when that is what you want.")
    said = input(f"Replace {which} with it? The present one is kept beside it. [y/N] ")
    if said.strip().lower() not in ("y", "yes"):
        raise OperatorMistake("Nothing was changed.")


# --- the terminal --------------------------------------------------------------------------------


class _Terminal:
    """One line of progress where somebody watches."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next_mono_s = 0.0

    def __call__(self, share: float, doing: str) -> None:
        now = time.monotonic()
        if self._shown and now >= self._next_mono_s:
            self._next_mono_s = now + _TOLD_EVERY_S
            print(f"\r{share * 100:3.0f} %  {doing:<24}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            print(f"\r{'':<40}\r", end="", file=sys.stderr, flush=True)


@contextmanager
def _meter() -> Iterator[_Terminal]:
    terminal = _Terminal()
    try:
        yield terminal
    finally:
        terminal.clear()


@contextmanager
def _interruptible() -> Iterator[None]:
    """A request to end (SIGTERM) is treated like Ctrl+C, so that nothing half is left."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        print("Interrupted; nothing was changed.", file=sys.stderr)
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

"""Makes the daily backup, keeps a month of them, tries one out a week, and says when none is new.

Used by the thread of daily work and, through the port BackupDesk, by the console.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from barnhand_desktop.backup.alone import alone_on_server
from barnhand_desktop.backup.archive import in_units, reading
from barnhand_desktop.backup.dump import BackupCancelled, BackupOrder, make_backup, never, untold
from barnhand_desktop.backup.manifest import DamagedBackup, Manifest
from barnhand_desktop.backup.restore import audit_fields, check_backup
from barnhand_desktop.backup.schedule import last_due, next_due, retry_after
from barnhand_desktop.backup.shelf import Shelf, backup_at
from barnhand_desktop.settings.schema import BackupSettings
from db.errors import translated
from db.queries import queries
from engine.domain.backups import Backup, BackupProgress, newest_good
from engine.domain.errors import BarnhandError, OperatorMistake
from engine.domain.notices import Notice, Severity
from engine.domain.ports import Clock

log = logging.getLogger(__name__)

OLD_AFTER = timedelta(hours=26)
"""A day, and two hours for a machine that was busy or off."""
NEW_PROGRAM = timedelta(hours=1)
"""A program that was off for days has this long for a backup before it warns."""
CHEAP_CHECK_BYTES = 5_000_000_000
"""Larger databases are not restored on trial by themselves."""
_LOOK_AGAIN = timedelta(minutes=10)
BACKUP_OLD, BACKUP_FAILED, BACKUP_DAMAGED = "backup.old", "backup.failed", "backup.damaged"


class BackupKeeper:
    """The backups of one node. ``tell`` hears of standing conditions; ``shared`` says that other
    nodes use the same server, of which one makes the daily backup."""

    def __init__(
        self,
        dsn: str,
        shelf: Shelf,
        settings: Callable[[], BackupSettings],
        tell: Callable[[Notice], None],
        clock: Clock,
        *,
        shared: bool,
    ) -> None:
        self._dsn = dsn
        self._shelf = shelf
        self._settings = settings
        self._tell = tell
        self._clock = clock
        self._shared = shared
        self._busy = threading.Lock()
        self._raised: set[str] = set()
        self._started_at = clock.now()
        self._newest_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._failures = 0
        self._not_before: datetime | None = None

    # --- BackupDesk --------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """See the port."""
        return self._shelf.folder

    @property
    def next_at(self) -> datetime | None:
        """See the port."""
        settings = self._settings()
        return next_due(self._clock.now(), settings.hour) if settings.enabled else None

    def list(self) -> Sequence[Backup]:
        """See the port."""
        return self._shelf.list()

    def make(
        self, progress: BackupProgress = untold, cancelled: Callable[[], bool] = never
    ) -> Backup | None:
        """See the port."""
        with self._alone_here():
            try:
                made = self._make(progress, cancelled)
            except BackupCancelled:
                return None
        self._looked_at = None
        self._clear_all()
        return made

    def _make(self, progress: BackupProgress, cancelled: Callable[[], bool]) -> Backup:
        self._shelf.sweep()
        now = self._clock.now()
        newest = self._shelf.newest_good()
        path = self._shelf.new_path(now)
        expected = None if newest is None else newest.size_bytes
        order = BackupOrder(self._dsn, path, now, expected_bytes=expected)
        manifest = make_backup(order, progress, cancelled)
        note_made(self._dsn, path, manifest, on_shelf=True)
        for gone in self._shelf.prune(now, self._settings().keep_days):
            log.info("removed the old backup %s", gone.name)
        made = backup_at(path)
        log.info("backed up to %s (%s)", path, in_units(made.size_bytes))
        return made

    @contextmanager
    def _alone_here(self) -> Iterator[None]:
        if not self._busy.acquire(blocking=False):
            raise OperatorMistake("A backup is being made or checked already.", "Wait for it.")
        try:
            yield
        finally:
            self._busy.release()

    # --- daily work --------------------------------------------------------------------------

    def look(self, cancelled: Callable[[], bool]) -> None:
        """Do what is due, and say what a person should know. Faults are said, never raised."""
        now = self._clock.now()
        if not self._settings().enabled:
            self._clear_all()
            return
        if self._busy.locked():
            return  # somebody makes one now
        try:
            looked = self._refresh(now)
            if self._is_due(now):
                self._daily(cancelled)
                looked = True
            if looked:
                self._check_if_due(cancelled)
        except BackupCancelled:
            return
        except BarnhandError as error:
            self._failed(error)
        self._judge(self._clock.now())

    def _refresh(self, now: datetime) -> bool:
        """See what there is, every ten minutes; True if it looked now."""
        if self._looked_at is not None and now - self._looked_at < _LOOK_AGAIN:
            return False
        newest = self._shelf.newest_good()
        found = [] if newest is None else [newest.created_at]
        if self._shared:
            found += last_made(self._dsn)
        self._newest_at = max(found, default=None)
        self._looked_at = now
        return True

    def _is_due(self, now: datetime) -> bool:
        if self._not_before is not None and now < self._not_before:
            return False
        due = last_due(now, self._settings().hour)
        return self._newest_at is None or self._newest_at < due

    def _daily(self, cancelled: Callable[[], bool]) -> None:
        lock = queries("backup")["try_nightly"]
        with (
            alone_on_server(self._dsn, lock, "asking who makes the backup") as alone,
            self._alone_here(),
        ):
            self._looked_at = None
            self._refresh(self._clock.now())
            if alone is None or not self._is_due(self._clock.now()):
                return
            made = self._make(untold, cancelled)
        self._newest_at = made.created_at
        self._failures, self._not_before = 0, None
        self._clear_all()

    def _check_if_due(self, cancelled: Callable[[], bool]) -> None:
        """Restore the newest backup on trial, once in a while, where that is cheap."""
        every = self._settings().check_days
        backups = self._shelf.list() if every else ()
        newest = newest_good(backups)
        if newest is None:
            return
        now = self._clock.now()
        last = max((b.checked_at for b in backups if b.checked_at), default=None)
        if last is not None and now - last < timedelta(days=every):
            return
        with reading(newest.path) as archive:
            size = archive.manifest.database_bytes
        if size > CHEAP_CHECK_BYTES or shutil.disk_usage(self.folder).free < 3 * size:
            log.info("the backup is not restored on trial: the database is large")
            self._shelf.note_trial(newest.path, now, untried=True)
            return
        with self._alone_here():
            self._check(newest.path, now, cancelled)

    def _check(self, path: Path, now: datetime, cancelled: Callable[[], bool]) -> None:
        try:
            report = check_backup(self._dsn, path, now, untold, cancelled)
        except DamagedBackup as error:
            self._shelf.note_trial(path, now, error.message)
            self._raise(
                BACKUP_DAMAGED,
                Severity.CRITICAL,
                error.message,
                "Check the disk of the backups and make a new one (Diagnostics, Back up now).",
            )
            return
        except BarnhandError as error:
            # Of the server or the account, not of the backup: asked again when it is due again.
            log.warning("the backup was not restored on trial: %s", error)
            self._shelf.note_trial(path, now, untried=True)
            return
        self._shelf.note_trial(path, now)
        self._clear(BACKUP_DAMAGED)
        log.info("the backup %s was restored on trial: %d rows", path.name, report.rows)

    # --- notices -----------------------------------------------------------------------------

    def _failed(self, error: BarnhandError) -> None:
        self._failures += 1
        self._not_before = self._clock.now() + retry_after(self._failures)
        log.warning("the daily backup failed: %s", error)
        self._raise(BACKUP_FAILED, Severity.WARNING, error.message, error.advice)

    def _judge(self, now: datetime) -> None:
        since = self._newest_at or self._started_at
        old = now - since > OLD_AFTER and now - self._started_at >= NEW_PROGRAM
        if not old:
            self._clear(BACKUP_OLD)
            return
        text = "There is no backup of the database yet."
        if self._newest_at is not None:
            hours = (now - self._newest_at) / timedelta(hours=1)
            text = f"The last good backup of the database is {hours:.0f} h old."
        advice = "Look at Diagnostics, Backups, or run: barnhand backup"
        self._raise(BACKUP_OLD, Severity.WARNING, text, advice)

    def _raise(self, key: str, severity: Severity, message: str, advice: str) -> None:
        if key not in self._raised:
            self._raised.add(key)
            self._tell(Notice(key, severity, message, advice, self._clock.now()))

    def _clear(self, key: str) -> None:
        if key in self._raised:
            self._raised.discard(key)
            now = self._clock.now()
            self._tell(Notice(key, Severity.INFO, "Backups are in order.", "", now, active=False))

    def _clear_all(self) -> None:
        for key in tuple(self._raised):
            self._clear(key)


def last_made(dsn: str) -> list[datetime]:
    """When a node of this server made the newest backup; empty where none is known."""
    with translated("asking for the last backup"), psycopg.connect(dsn) as connection:
        row = connection.execute(queries("backup")["last_made"]).fetchone()
    return [] if row is None else [row[0]]


def note_made(dsn: str, path: Path, manifest: Manifest, *, on_shelf: bool) -> None:
    """Put a backup that was made into the audit trail. ``on_shelf``: it is one of the kept ones."""
    details = {
        "sha256": manifest.sha256,
        "bytes": manifest.dump_bytes,
        "node": manifest.node,
        "with_keys": manifest.with_keys,
        "shelf": on_shelf,
    }
    with translated("noting the backup"), psycopg.connect(dsn) as connection:
        connection.execute(
            queries("audit")["add_audit_row"], audit_fields("backup.make", path.name, details)
        )

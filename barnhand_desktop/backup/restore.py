"""Puts a backup in the place of the database, or only shows that it could.

Everything happens in a new database beside the one in use; that one is renamed, never touched,
and only when the new one has been restored, counted, and brought to this program's schema.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import conninfo
from psycopg.types.json import Jsonb

from barnhand_desktop.backup.archive import Archive, reading, require_room
from barnhand_desktop.backup.contents import rows_of
from barnhand_desktop.backup.databases import TIMESCALE, Workshop, workshop
from barnhand_desktop.backup.dump import BackupCancelled, never, untold, verify_file
from barnhand_desktop.backup.manifest import Manifest, damaged
from barnhand_desktop.backup.programs import explained, find_program, running
from db.credentials import CredentialBox
from db.errors import translated
from db.migrate import migrate, packaged_migrations
from db.queries import queries
from db.queue.schema import queue_changes
from engine.domain.backups import BackupProgress
from engine.domain.errors import EnvironmentFault
from engine.domain.ids import StreamId

log = logging.getLogger(__name__)

_LOAD_SHARE = 0.7
"""The rest of the progress is for indexes, which come last and say nothing."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore did. ``kept``: what the database before it is called now (empty when there
    was none); ``unreadable_cameras``: how many camera passwords this key cannot read."""

    manifest: Manifest
    rows: int
    kept: str = ""
    applied: tuple[str, ...] = ()
    unreadable_cameras: int = 0


def check_backup(
    dsn: str,
    path: Path,
    at: datetime,
    progress: BackupProgress = untold,
    cancelled: Callable[[], bool] = never,
) -> RestoreReport:
    """Restore ``path`` into a database of its own on the server of ``dsn``, compare, drop it.

    Raises OperatorMistake when the backup is damaged or newer than this program, EnvironmentFault
    when the server could not take it, BackupCancelled.
    """
    manifest = _examined(path, progress, cancelled)
    with workshop(dsn) as bench, reading(path) as archive:
        trial = bench.names.trial(at)
        try:
            applied = _fill(bench, trial, archive, progress, cancelled)
        finally:
            bench.drop(trial)
    return RestoreReport(manifest, sum(manifest.rows.values()), applied=applied)


def restore_backup(
    dsn: str,
    path: Path,
    at: datetime,
    credential_key: bytes,
    progress: BackupProgress = untold,
    cancelled: Callable[[], bool] = never,
) -> RestoreReport:
    """Make ``path`` the database of ``dsn``; what was there is kept under another name.

    ``credential_key`` is the key that this machine will read camera passwords with. Raises as
    ``check_backup`` does, and OperatorMistake while anybody uses the database. Until the very last
    step, which is one transaction, the database in use is untouched.
    """
    manifest = _examined(path, progress, cancelled)
    with workshop(dsn) as bench:
        bench.require_unused()
        fresh, kept = bench.names.trial(at), bench.new_kept(at)
        there = bench.exists(bench.names.base)
        try:
            with reading(path) as archive:
                applied = _fill(bench, fresh, archive, progress, cancelled)
            unreadable = _settle(bench.dsn_of(fresh), path, manifest, credential_key)
            if cancelled():
                raise BackupCancelled
            worth_keeping = there and _is_ours(dsn)
            bench.swap(fresh, kept)
        except BaseException:
            bench.drop(fresh)
            raise
        bench.drop_kept(but=kept if worth_keeping else "")
    progress(1.0, "done")
    rows = sum(manifest.rows.values())
    return RestoreReport(manifest, rows, kept if worth_keeping else "", applied, unreadable)


def _is_ours(dsn: str) -> bool:
    """False for a database that was only just made and holds nothing."""
    with translated("looking at the database in use"), psycopg.connect(dsn) as connection:
        row = connection.execute(queries("backup")["server"]).fetchone()
    return bool(row and row[4])


def _examined(path: Path, progress: BackupProgress, cancelled: Callable[[], bool]) -> Manifest:
    """Refuse what is damaged or too new before anything is touched."""
    progress(0.0, "reading the backup")
    with reading(path) as archive:
        newest = packaged_migrations()[-1].number
        archive.manifest.refuse_newer(newest, queue_changes()[-1][0], path)
    return verify_file(path, cancelled)


def _fill(
    bench: Workshop,
    name: str,
    archive: Archive,
    progress: BackupProgress,
    cancelled: Callable[[], bool],
) -> tuple[str, ...]:
    """Restore into the new database ``name``, compare, migrate; the migrations applied."""
    manifest = archive.manifest
    dsn = bench.dsn_of(name)
    _require_server_room(dsn, archive.path, manifest)
    bench.create(name, tuple(manifest.extensions.items()))
    timescale = TIMESCALE in manifest.extensions
    if timescale:
        _execute(dsn, "SELECT timescaledb_pre_restore()")
    with_comments = bench.owns_extensions(name)
    _load(dsn, name, archive, (timescale, with_comments), progress, cancelled)
    if timescale:
        _execute(dsn, "SELECT timescaledb_post_restore()")
    progress(0.9, "counting rows")
    _compare(dsn, archive)
    return migrate(dsn).applied


def _require_server_room(dsn: str, path: Path, manifest: Manifest) -> None:
    """Where the server is on this machine, its disk is most likely the backup's."""
    host = conninfo.conninfo_to_dict(dsn).get("host")
    if host in ("127.0.0.1", "localhost", "::1"):
        require_room(path.parent, manifest.database_bytes)


def _load(
    dsn: str,
    name: str,
    archive: Archive,
    kind: tuple[bool, bool],
    progress: BackupProgress,
    cancelled: Callable[[], bool],
) -> None:
    """Run pg_restore. ``kind``: whether TimescaleDB is there, and whether its account may comment
    on extensions."""
    timescale, with_comments = kind
    with translated("asking for the server's version"), psycopg.connect(dsn) as connection:
        major = connection.info.server_version // 10_000
    command = [
        str(find_program("pg_restore", major)),
        f"--dbname={name}",
        "--no-owner",
        "--no-privileges",
        "--no-password",
        # TimescaleDB's own tables complain of what is there already; the counts decide.
        *([] if timescale else ["--exit-on-error"]),
        *([] if with_comments else ["--no-comments"]),
    ]
    whole = max(archive.manifest.dump_bytes, 1)

    def told(sent: int) -> None:
        progress(sent / whole * _LOAD_SHARE, "restoring rows")

    with running(command, dsn, cancelled, feeds=True) as child:
        child.feed(archive.blocks(), told)
        progress(_LOAD_SHARE, "building indexes")
        status = child.process.wait()
        if child.cancelled or cancelled():
            raise BackupCancelled
        if status != 0 and not timescale:
            raise explained("the backup was restored", child.complaints)
        if status != 0:
            log.warning("pg_restore complained: %s", child.complaints.strip()[-500:])


def _compare(dsn: str, archive: Archive) -> None:
    """Every table has the rows that were counted when the dump was made."""
    with translated("counting the restored rows"), psycopg.connect(dsn) as connection:
        found = rows_of(connection)
        connection.execute("ANALYZE")
    wanted = archive.manifest.rows
    wrong = [
        f"{table} has {found.get(table, 0)} rows, not {rows}"
        for table, rows in wanted.items()
        if found.get(table) != rows
    ]
    if wrong:
        raise damaged(archive.path, "; ".join(wrong[:5]))


def _settle(dsn: str, path: Path, manifest: Manifest, credential_key: bytes) -> int:
    """End old logins, note the restore, and see how many camera passwords can be read."""
    statements = queries("backup")
    box = CredentialBox(credential_key)
    with translated("finishing the restored database"), psycopg.connect(dsn) as connection:
        connection.execute(statements["end_sessions"])
        connection.execute(
            queries("audit")["add_audit_row"],
            audit_fields(
                "backup.restore",
                path.name,
                {
                    "created_at": manifest.created_at.isoformat(),
                    "sha256": manifest.sha256,
                    "program": manifest.program,
                },
            ),
        )
        rows = connection.execute(statements["some_credentials"]).fetchall()
    return sum(box.unlock(StreamId(stream), token) is None for stream, token in rows)


def audit_fields(action: str, file: str, details: Mapping[str, object]) -> dict[str, object]:
    """An audit row about a backup, by no account."""
    return {
        "user_id": None,
        "username": "barnhand",
        "api_key_id": None,
        "farm_id": None,
        "action": action,
        "object_kind": "backup",
        "object_id": file,
        "address": None,
        "details": Jsonb(dict(details)),
    }


def _execute(dsn: str, statement: str) -> None:
    with translated("preparing the restore"), psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


def drop_kept(dsn: str) -> tuple[str, ...]:
    """Remove the database that the last restore kept; the names that went."""
    with workshop(dsn) as bench:
        gone = tuple(bench.drop_kept())
    if not gone:
        raise EnvironmentFault("No database was kept by a restore.")
    return gone

"""A restored backup is the registry and the counts it was made of; nothing else is harmed."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from barnhand_desktop.backup.contents import rows_of
from barnhand_desktop.backup.dump import BackupCancelled, BackupOrder, make_backup
from barnhand_desktop.backup.manifest import DamagedBackup, Manifest
from barnhand_desktop.backup.restore import check_backup, drop_kept, restore_backup
from db.credentials import CredentialBox
from db.migrate import packaged_migrations
from db.pool import open_pool
from db.repositories.horses import PostgresHorseRepository
from db.repositories.identity import PostgresIdentityRepository
from engine.domain.errors import EnvironmentFault, OperatorMistake
from tests.integration.backup.conftest import (
    AT,
    CHANGED_BY_A_RESTORE,
    KEY,
    beside,
    change,
    content,
)


def registry(dsn: str) -> object:
    """What a console shows of horses and their corrections."""
    with open_pool(dsn, max_size=2) as pool:
        horses = PostgresHorseRepository(pool)
        found = horses.list()
        strips = [horses.strips(horse.id) for horse in found]
        return found, strips, PostgresIdentityRepository(pool).history()


def test_it_brings_back_the_same_registry_and_counts(barn_dsn: str, backup: Path) -> None:
    before, horses = content(barn_dsn), registry(barn_dsn)
    with psycopg.connect(barn_dsn) as connection:
        rows = rows_of(connection)
    assert rows["detections"] == 1000 and rows["horses"] == 3
    change(barn_dsn)
    assert registry(barn_dsn) != horses

    report = restore_backup(barn_dsn, backup, AT, KEY)

    assert registry(barn_dsn) == horses
    after = content(barn_dsn)
    assert {t for t in before if after[t] != before[t]} == set(CHANGED_BY_A_RESTORE)
    assert after.keys() == before.keys()
    assert dict(report.manifest.rows) == rows and report.rows == sum(rows.values())
    assert report.unreadable_cameras == 0 and report.applied == ()


def test_old_logins_end_and_one_time_passwords_stay(barn_dsn: str, backup: Path) -> None:
    change(barn_dsn)
    restore_backup(barn_dsn, backup, AT, KEY)
    with psycopg.connect(barn_dsn) as connection:
        families = connection.execute(
            "SELECT revoked_because, revoked_at IS NOT NULL FROM refresh_families ORDER BY 1"
        ).fetchall()
        users = connection.execute("SELECT username, must_change_password FROM users").fetchall()
        noted = connection.execute(
            "SELECT object_id FROM audit_log WHERE action = 'backup.restore'"
        ).fetchall()
    assert families == [("logout", True), ("restored", True)]
    assert users == [("anna", True)]
    assert noted == [("barn.backup",)]


def test_the_database_before_is_kept_once(barn_dsn: str, backup: Path) -> None:
    change(barn_dsn)
    wrong = content(barn_dsn)
    first = restore_backup(barn_dsn, backup, AT, KEY)
    assert beside(barn_dsn) == [first.kept]
    assert content(barn_dsn.rsplit("/", 1)[0] + "/" + first.kept) == wrong
    soon = restore_backup(barn_dsn, backup, AT, KEY)  # a fast server's second restore of a second
    assert beside(barn_dsn) == [soon.kept] and soon.kept != first.kept
    later = restore_backup(barn_dsn, backup, AT + timedelta(seconds=1), KEY)
    assert beside(barn_dsn) == [later.kept] and later.kept != soon.kept
    assert drop_kept(barn_dsn) == (later.kept,)
    assert beside(barn_dsn) == []
    with pytest.raises(EnvironmentFault, match="No database was kept"):
        drop_kept(barn_dsn)


def test_the_restored_database_goes_on(barn_dsn: str, backup: Path) -> None:
    """Sequences, triggers and partitions are there, not only rows."""
    restore_backup(barn_dsn, backup, AT, KEY)
    with psycopg.connect(barn_dsn) as connection:
        newest = connection.execute("SELECT max(key) FROM streams").fetchone()
        made = connection.execute(
            "INSERT INTO streams (id, farm_id, name, kind, address) SELECT gen_random_uuid(), "
            "id, 'new', 'rtsp', 'rtsp://x' FROM farms RETURNING key"
        ).fetchone()
        assert newest is not None and made is not None and made[0] == newest[0] + 1
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute("DELETE FROM audit_log")


@pytest.mark.parametrize("trial", [True, False], ids=["check", "restore"])
def test_a_trial_shows_what_a_restore_would_do_and_changes_nothing(
    barn_dsn: str, backup: Path, trial: bool
) -> None:
    change(barn_dsn)
    before = content(barn_dsn)
    if trial:
        with psycopg.connect(barn_dsn) as someone:  # a trial does not mind
            someone.execute("SELECT 1")
            report = check_backup(barn_dsn, backup, AT)
        assert report.rows > 1000 and report.kept == ""
    else:
        with psycopg.connect(barn_dsn, application_name="the console upstairs") as someone:
            someone.execute("SELECT 1")
            with pytest.raises(OperatorMistake, match=r"in use by the console upstairs.*Stop"):
                restore_backup(barn_dsn, backup, AT, KEY)
    assert content(barn_dsn) == before and beside(barn_dsn) == []


def test_who_comes_in_meanwhile_keeps_the_database(barn_dsn: str, backup: Path) -> None:
    before = content(barn_dsn)
    came: list[psycopg.Connection] = []

    def progress(share: float, doing: str) -> None:
        if doing == "counting rows" and not came:
            came.append(psycopg.connect(barn_dsn, application_name="latecomer"))

    with pytest.raises(OperatorMistake, match="latecomer"):
        restore_backup(barn_dsn, backup, AT, KEY, progress)
    came[0].close()
    assert content(barn_dsn) == before and beside(barn_dsn) == []


def rewritten(path: Path, **changes: object) -> None:
    """The backup again, with other words in its description."""
    with zipfile.ZipFile(path) as old:
        dump, manifest = old.read("database.dump"), old.read("manifest.json")
    made = Manifest.model_validate_json(manifest).model_copy(update=changes)
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("database.dump", dump)
        new.writestr("manifest.json", made.model_dump_json())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def forge(path: Path) -> None:
    """A dump that is none, under a description that is true of it."""
    dump = b"PGDMP" + bytes(2000)
    rewritten(path)
    with zipfile.ZipFile(path) as old:
        made = Manifest.model_validate_json(old.read("manifest.json"))
    made = made.model_copy(
        update={"dump_bytes": len(dump), "sha256": hashlib.sha256(dump).hexdigest()}
    )
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("database.dump", dump)
        new.writestr("manifest.json", made.model_dump_json())


NEWER = packaged_migrations()[-1].number + 1


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut, "not a whole backup"),
        (flip, "damaged|not a whole backup"),
        (forge, "pg_restore refuses it"),
        (lambda path: path.write_bytes(b"horses"), "no backup at all"),
        (lambda path: path.unlink(), "There is no file"),
        (lambda path: rewritten(path, schema_version=NEWER), "newer database.*Update Barnhand"),
        (lambda path: rewritten(path, format=9), "newer Barnhand"),
    ],
    ids=["cut short", "changed byte", "no dump", "no backup", "missing", "newer rows", "newer"],
)
def test_what_cannot_be_restored_touches_nothing(
    barn_dsn: str, backup: Path, spoil: Callable[[Path], None], says: str
) -> None:
    before = content(barn_dsn)
    spoil(backup)
    with pytest.raises(OperatorMistake, match=says):
        restore_backup(barn_dsn, backup, AT, KEY)
    assert content(barn_dsn) == before and beside(barn_dsn) == []


def test_counts_that_differ_are_found(barn_dsn: str, backup: Path) -> None:
    before = content(barn_dsn)
    with zipfile.ZipFile(backup) as old:
        rows = dict(Manifest.model_validate_json(old.read("manifest.json")).rows)
    rewritten(backup, rows=rows | {"detections": 1001})
    for attempt in (check_backup, lambda *a: restore_backup(*a, KEY)):
        with pytest.raises(DamagedBackup, match="detections has 1000 rows, not 1001"):
            attempt(barn_dsn, backup, AT)
    assert content(barn_dsn) == before and beside(barn_dsn) == []


def test_a_restore_can_be_taken_back_until_the_end(barn_dsn: str, backup: Path) -> None:
    before = content(barn_dsn)
    with pytest.raises(BackupCancelled):
        restore_backup(barn_dsn, backup, AT, KEY, cancelled=lambda: True)
    assert content(barn_dsn) == before and beside(barn_dsn) == []


def test_an_older_backup_is_brought_up_to_date(
    new_database: Callable[[bool], str], barn_dsn: str, tmp_path: Path
) -> None:
    from db.migrate import migrate

    older = new_database(False)
    migrate(older, packaged_migrations()[:6])
    with psycopg.connect(older) as connection:
        connection.execute("UPDATE farms SET name = 'The old days'")
    path = tmp_path / "older.backup"
    manifest = make_backup(BackupOrder(older, path, AT))
    assert manifest.schema_version == 6 and manifest.farms == ("The old days",)
    report = restore_backup(barn_dsn, path, AT, KEY)
    assert report.applied[0] == "0007_jobs" and len(report.applied) == NEWER - 7
    with psycopg.connect(barn_dsn) as connection:
        assert connection.execute("SELECT name FROM farms").fetchall() == [("The old days",)]
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


def test_passwords_of_cameras_need_the_key(barn_dsn: str, backup: Path) -> None:
    other = restore_backup(barn_dsn, backup, AT, CredentialBox.new_key())
    assert other.unreadable_cameras == 1
    own = restore_backup(barn_dsn, backup, AT + timedelta(seconds=1), KEY)
    assert own.unreadable_cameras == 0


def test_an_empty_database_is_nothing_to_back_up(
    new_database: Callable[[bool], str], tmp_path: Path
) -> None:
    path = tmp_path / "none.backup"
    with pytest.raises(OperatorMistake, match="nothing to back up"):
        make_backup(BackupOrder(new_database(False), path, AT))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_restore_left_goes_with_the_next(barn_dsn: str, backup: Path) -> None:
    base = barn_dsn.rsplit("/", 1)[1]
    with psycopg.connect(barn_dsn, autocommit=True) as connection:
        for name in (f"{base}_restore_20260101_000000", f"{base}_restore_mine"):
            connection.execute(f"CREATE DATABASE {name}".encode())
    check_backup(barn_dsn, backup, AT)
    assert beside(barn_dsn) == [f"{base}_restore_mine"], "a name of somebody's own stays"

"""A backup's file and the shelf it stands on: whole or nothing, and a month of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from barnhand_desktop.backup.archive import PART, reading, require_room, writing
from barnhand_desktop.backup.manifest import DamagedBackup, Manifest
from barnhand_desktop.backup.programs import connection_environment, explained
from barnhand_desktop.backup.shelf import Shelf
from engine.domain.backups import BackupState
from engine.domain.errors import EnvironmentFault, OperatorMistake

AT = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
DUMP = bytes(range(256)) * 40


def described(at: datetime = AT, dump: bytes = DUMP, **more: object) -> Manifest:
    fields: dict[str, object] = {
        "program": "0.1.0", "created_at": at, "database": "barnhand", "server_version": "18.6",
        "schema_version": 7, "rows": {"detections": 5, "horses": 2}, "dump_bytes": len(dump),
        "sha256": hashlib.sha256(dump).hexdigest(), **more,
    }  # fmt: skip
    return Manifest.model_validate(fields)


def shelve(shelf: Shelf, at: datetime, dump: bytes = DUMP) -> Path:
    path = shelf.new_path(at)
    with writing(path) as archive:
        archive.write(dump)
        archive.finish(described(at, dump))
    return path


def test_what_is_written_is_read_and_private(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "one.backup"
    with writing(path) as archive:
        for start in range(0, len(DUMP), 100):
            archive.write(DUMP[start : start + 100])
        archive.finish(described(), keys=b"locked")
    with reading(path) as archive:
        archive.verify()
        assert archive.manifest.rows == {"detections": 5, "horses": 2}
        assert archive.keys() == b"locked"
        assert b"".join(archive.blocks()) == DUMP
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["one.backup"]
    with zipfile.ZipFile(path) as plain:  # no program of ours is needed to open it
        assert plain.read("database.dump") == DUMP


def test_whatever_goes_wrong_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "one.backup"
    with pytest.raises(KeyboardInterrupt), writing(path) as archive:
        archive.write(DUMP)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "one.backup"
    path.write_text("mine")
    with pytest.raises(OperatorMistake, match="exists"), writing(path):
        pass
    assert path.read_text() == "mine"


@pytest.mark.parametrize("keep", [0.2, 0.7, 0.999])
def test_a_file_cut_short_is_damaged(tmp_path: Path, keep: float) -> None:
    shelf = Shelf(tmp_path)
    path = shelve(shelf, AT)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(DamagedBackup), reading(path):
        pass
    assert [b.state for b in shelf.list()] == [BackupState.DAMAGED]


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = shelve(Shelf(tmp_path), AT)
    data = bytearray(path.read_bytes())
    data[data.index(DUMP[:256]) + 300] ^= 1
    path.write_bytes(bytes(data))
    with reading(path) as archive, pytest.raises(DamagedBackup):
        archive.verify()


def test_another_dump_under_the_same_description_is_found(tmp_path: Path) -> None:
    path = tmp_path / "one.backup"
    with writing(path) as archive:
        archive.write(DUMP)
        archive.finish(described(dump=bytes(reversed(DUMP))))
    with reading(path) as archive, pytest.raises(DamagedBackup, match="not the one"):
        archive.verify()


def test_newer_ones_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="newer Barnhand"):
        Manifest.read(described(format=2).model_dump_json().encode(), "it")
    with pytest.raises(OperatorMistake, match=r"newer database.*0009.*0007.*Update"):
        described(schema_version=9).refuse_newer(7, "", "it")
    with pytest.raises(OperatorMistake, match="newer database"):
        described(queue_version="04").refuse_newer(7, "03", "it")
    described(schema_version=3).refuse_newer(7, "03", "it")


def test_a_month_is_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for day in range(40):
        shelve(shelf, AT + timedelta(days=day))
        shelf.prune(AT + timedelta(days=day), 30)
    days = [backup.created_at for backup in shelf.list()]
    assert days == [AT + timedelta(days=day) for day in range(39, 8, -1)]


def test_the_newest_good_one_always_stays(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    old, good, broken = (shelve(shelf, AT + timedelta(days=day)) for day in range(3))
    broken.write_bytes(broken.read_bytes()[:-30])
    mine = tmp_path / "before the show.backup"
    shutil.copy(old, mine)
    gone = shelf.prune(AT + timedelta(days=200), 30)
    assert set(gone) == {old, broken}
    assert good.exists() and mine.exists()
    newest = shelf.newest_good()
    assert newest is not None and newest.path == good


def test_a_trial_that_failed_makes_it_a_damaged_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first, second = shelve(shelf, AT), shelve(shelf, AT + timedelta(days=1))
    shelf.note_trial(first, AT)
    shelf.note_trial(second, AT, "strides has 3 rows, not 4")
    states = {b.path: (b.state, b.reason) for b in shelf.list()}
    assert states == {
        first: (BackupState.CHECKED, ""),
        second: (BackupState.DAMAGED, "strides has 3 rows, not 4"),
    }
    newest = shelf.newest_good()
    assert newest is not None and newest.path == first


def test_unfinished_files_are_swept_unless_they_are_at_work(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    left = tmp_path / f"barnhand-20260301T030000Z.backup{PART}"
    left.write_bytes(DUMP)
    with writing(shelf.new_path(AT)) as archive:
        archive.write(DUMP)
        assert shelf.sweep() == 1
        assert shelf.list() == ()
        archive.finish(described())
    assert not left.exists() and len(shelf.list()) == 1


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "from barnhand_desktop.backup.archive import writing\n"
        "from engine.domain.errors import EnvironmentFault\n"
        "try:\n"
        "    with writing(Path(sys.argv[1])) as archive:\n"
        "        for _ in range(40):\n            archive.write(bytes(100_000))\n"
        "except EnvironmentFault as error:\n    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "one.backup")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "the disk is full" in ended.stdout and "Free some space" in ended.stdout
    assert ended.stderr == "" and list(tmp_path.iterdir()) == []


def test_too_little_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage(10**10, 0, 10**9))
    require_room(tmp_path / "not made yet", 9 * 10**8)
    with pytest.raises(EnvironmentFault, match=r"1\.0 GB are free, about 2\.1 GB are needed"):
        require_room(tmp_path, 2 * 10**9)


def test_where_to_connect_travels_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=1")
    monkeypatch.setenv("BARNHAND_DATABASE__DSN", "postgresql://u:secret@elsewhere/db")
    made = connection_environment("postgresql://ann:p%40ss@db.farm:5433/barn?sslmode=require")
    wanted = {
        "PGUSER": "ann", "PGPASSWORD": "p@ss", "PGHOST": "db.farm", "PGPORT": "5433",
        "PGDATABASE": "barn", "PGSSLMODE": "require",
    }  # fmt: skip
    assert wanted.items() <= made.items()
    assert "PGOPTIONS" not in made and "BARNHAND_DATABASE__DSN" not in made
    assert made["PATH"] == os.environ["PATH"]


def test_complaints_come_to_the_point() -> None:
    said = "pg_dump: last built-in OID is 16383\npg_dump: error: connection refused\n"
    assert "connection refused" in str(explained("it was tried", said))
    assert "disk is full" in str(explained("it was tried", "ERROR: No space left on device"))

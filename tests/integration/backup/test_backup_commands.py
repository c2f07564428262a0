"""``barnhand backup`` and ``barnhand restore`` as a person types them."""

from __future__ import annotations

import base64
import logging
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from barnhand_desktop.backup.archive import writing
from barnhand_desktop.backup.commands import run_backup, run_restore
from barnhand_desktop.backup.shelf import Shelf
from barnhand_desktop.cli import parser
from barnhand_desktop.doctor.backups import backups
from barnhand_desktop.doctor.check import Patient, State
from barnhand_desktop.installation import Installation
from barnhand_desktop.passphrase import VARIABLE as PASSPHRASE
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.settings.folders import folders_of
from barnhand_desktop.settings.schema import Settings
from barnhand_desktop.settings.secrets import SecretStore
from db.migrate import migrate
from db.pool import open_pool
from db.repositories.streams import PostgresStreamRepository
from engine.domain.errors import OperatorMistake
from tests.integration.backup.conftest import KEY, beside, change, content
from tests.unit.backup.test_backup_files import described

PHRASE = "seven grey mares"


def place_of(folder: Path, dsn: str = "") -> Installation:
    """An installation with its own data folder, on a shared server where one is named."""
    database = {"mode": "shared", "dsn": dsn} if dsn else {}
    settings = Settings.model_validate({"storage": {"data_dir": str(folder)}, "database": database})
    return Installation(settings, folder / "settings.toml", folders_of(settings, {}), {})


def backup(place: Installation, *typed: str) -> int:
    return run_backup(place, parser().parse_args(["backup", *typed]))


def restore(place: Installation, *typed: str) -> int:
    return run_restore(place, parser().parse_args(["restore", *typed]))


@pytest.fixture
def place(barn_dsn: str, tmp_path: Path) -> Installation:
    """The workstation whose key the barn's passwords are locked with."""
    place = place_of(tmp_path / "first", barn_dsn)
    SecretStore(place.folders.data).adopt_credential_key(base64.urlsafe_b64decode(KEY))
    return place


def passwords(place: Installation, dsn: str) -> list[str]:
    """What the workstation reads of the cameras' passwords."""
    key = SecretStore(place.folders.data).credential_key_text().encode()
    with open_pool(dsn, max_size=2) as pool:
        return [s.password for s in PostgresStreamRepository(pool, key).list() if s.name == "gate"]


def test_back_up_list_try_and_restore(
    place: Installation, barn_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(barn_dsn)
    assert backup(place) == 0
    said = capsys.readouterr().out
    assert "3 horses, 3 streams, 1000 detections" in said
    assert "does not hold recordings" in said and "--with-keys" in said
    made = next(place.folders.backups.glob("*.backup"))

    assert backup(place, "--list") == 0
    assert made.name in capsys.readouterr().out
    assert restore(place, "--check", made.name) == 0
    assert "can be restored" in capsys.readouterr().out
    assert backup(place, "--list") == 0
    assert "restored on trial" in capsys.readouterr().out

    change(barn_dsn)
    assert restore(place, "--yes", str(made)) == 0
    said = capsys.readouterr().out
    assert "Everyone logs in" in said and "--drop-kept" in said and beside(barn_dsn)[0] in said
    after = content(barn_dsn)
    assert {t for t in before if after[t] != before[t]} == {"audit_log", "refresh_families"}
    assert restore(place, "--drop-kept") == 0
    assert beside(barn_dsn) == []


def test_a_backup_takes_the_place_of_one_past_its_time(
    place: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a timer of the system makes them, where no Barnhand runs over night."""
    shelf = Shelf(place.folders.backups)
    long_ago = shelf.new_path(datetime(2020, 1, 1, tzinfo=UTC))
    with writing(long_ago) as archive:
        archive.write(b"dump")
        archive.finish(described(datetime(2020, 1, 1, tzinfo=UTC), b"dump"))
    backup(place)
    assert f"Removed {long_ago.name}" in capsys.readouterr().out
    assert len(shelf.list()) == 1 and not long_ago.exists()


def test_it_asks_before_it_replaces(place: Installation, barn_dsn: str) -> None:
    backup(place)
    made = next(place.folders.backups.glob("*.backup"))
    before = content(barn_dsn)
    with pytest.raises(OperatorMistake, match=r"replaces the shared database.*--yes"):
        restore(place, str(made))
    with pytest.raises(OperatorMistake, match="Name the backup"):
        restore(place)
    assert content(barn_dsn) == before and beside(barn_dsn) == []


def test_on_another_machine_passwords_need_the_keys(
    place: Installation,
    barn_dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(PASSPHRASE, PHRASE)
    plain, keyed = tmp_path / "plain.backup", tmp_path / "keyed.backup"
    backup(place, "--out", str(plain))
    backup(place, "--out", str(keyed), "--with-keys")
    other = place_of(tmp_path / "second", barn_dsn)

    restore(other, "--yes", str(plain))
    assert "passwords of 1 cameras cannot be read" in capsys.readouterr().out
    assert passwords(other, barn_dsn) == [""]

    with pytest.raises(OperatorMistake, match="holds no keys"):
        restore(other, "--yes", "--with-keys", str(plain))
    monkeypatch.setenv(PASSPHRASE, "seven brown mares")
    with pytest.raises(OperatorMistake, match="does not open"):
        restore(other, "--yes", "--with-keys", str(keyed))
    assert passwords(other, barn_dsn) == [""]

    monkeypatch.setenv(PASSPHRASE, PHRASE)
    restore(other, "--yes", "--with-keys", str(keyed))
    assert "cannot be read" not in capsys.readouterr().out
    assert passwords(other, barn_dsn) == ["hay and straw"]

    key = base64.urlsafe_b64decode(KEY)
    for secret in (PHRASE, KEY.decode(), base64.b64encode(key).decode(), "hay and straw"):
        assert secret not in caplog.text
        assert secret.encode() not in keyed.read_bytes() + plain.read_bytes()
    assert key not in keyed.read_bytes()


def test_with_keys_is_only_taken_over_when_asked(
    place: Installation, barn_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE, PHRASE)
    keyed = tmp_path / "keyed.backup"
    backup(place, "--out", str(keyed), "--with-keys")
    other = place_of(tmp_path / "second", barn_dsn)
    own = SecretStore(other.folders.data).credential_key()
    restore(other, "--yes", str(keyed))
    assert SecretStore(other.folders.data).credential_key() == own


def test_an_embedded_database_in_use_is_not_replaced(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = place_of(own_folder)
    with pytest.raises(OperatorMistake, match="There is no database"):
        backup(place)
    running = EmbeddedPostgres(place.folders.postgres, {"fsync": "off"})
    dsn = running.start()
    try:
        migrate(dsn)
        with psycopg.connect(dsn) as connection:
            connection.execute("UPDATE farms SET name = 'Hill farm'")
        assert backup(place) == 0, "beside the running program"
        made = next(place.folders.backups.glob("*.backup"))
        assert restore(place, "--check", str(made)) == 0
        with psycopg.connect(dsn) as connection:
            connection.execute("UPDATE farms SET name = 'Wrong'")
        with pytest.raises(OperatorMistake, match="Stop Barnhand first"):
            restore(place, "--yes", str(made))
    finally:
        running.stop()
    assert restore(place, "--yes", str(made)) == 0
    assert "Hill farm" in capsys.readouterr().out
    dsn = running.start()
    try:
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT name FROM farms").fetchall() == [("Hill farm",)]
    finally:
        running.stop()


def test_a_fresh_machine_takes_a_backup(
    place: Installation, own_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a shared server to a laptop that never ran."""
    out = tmp_path / "moved.backup"
    backup(place, "--out", str(out))
    laptop = place_of(own_folder)
    assert restore(laptop, "--yes", str(out)) == 0
    said = capsys.readouterr().out
    assert "Restored" in said and "is kept as" not in said, "there was nothing to keep"
    server = EmbeddedPostgres(laptop.folders.postgres)
    dsn = server.start()
    try:
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT count(*) FROM detections").fetchone() == (1000,)
    finally:
        server.stop()


def test_the_doctor_looks_at_backups(place: Installation) -> None:
    patient = Patient(place.settings, place.folders, {}, Path("manifest.toml"))
    assert backups(patient).state is State.WARN
    backup(place)
    check = backups(patient)
    assert check.state is State.OK and check.found.startswith("1 in ")
    made = next(place.folders.backups.glob("*.backup"))
    made.write_bytes(made.read_bytes()[:-10])
    check = backups(patient)
    assert check.state is State.WARN and "damaged" in check.found

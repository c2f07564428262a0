"""The doctor at the bedside of real servers and cameras."""

from __future__ import annotations

import shutil
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from barnhand_desktop.doctor import Patient, State, machine, models, servers
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.settings.folders import Folders
from barnhand_desktop.settings.schema import Settings
from barnhand_desktop.settings.secrets import SecretStore
from db.migrate import migrate
from db.pool import open_pool
from db.repositories.streams import PostgresStreamRepository
from engine.domain.ids import StreamId
from engine.domain.streams import SourceKind, Stream


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """A fresh installation."""
    empty = tmp_path / "models" / "manifest.toml"
    empty.parent.mkdir()
    empty.write_text("", encoding="utf-8")
    return Patient(Settings(), Folders(tmp_path / "data", tmp_path / "media"), {}, empty)


def with_settings(patient: Patient, values: dict[str, object]) -> Patient:
    return replace(patient, settings=Settings.model_validate(values))


def test_a_fresh_installation_is_tried_out_and_left_untouched(patient: Patient) -> None:
    database = servers.database(patient)
    assert [c.state for c in database] == [State.OK, State.OK]
    assert "tried out" in database[0].found and "pgvector" not in database[0].found
    assert servers.live_state(patient).state is State.OK
    assert not patient.folders.data.exists()


def test_an_installation_at_rest_and_at_work(patient: Patient, tmp_path: Path) -> None:
    folders = patient.folders
    server = EmbeddedPostgres(folders.postgres, {"fsync": "off"})
    dsn = server.start()
    try:
        assert "no" in servers.database(patient)[1].found  # no schema yet
        migrate(dsn)
        key = SecretStore(folders.data).credential_key_text().encode()
        with closing(open_pool(dsn, max_size=2)) as pool:
            streams = PostgresStreamRepository(pool, key)
            for name, kind, address in (
                ("Aisle", SourceKind.SIMULATED, "simulated:aisle"),
                ("Paddock", SourceKind.FILE, str(tmp_path / "absent.mp4")),
            ):
                streams.add(Stream(StreamId(uuid4()), name, kind, address))
        working = servers.database(patient)
        assert "running" in working[0].found
        assert "up to date" in working[1].found
        cameras = {check.name: check for check in working[2:]}
        assert cameras["Camera Aisle"].state is State.OK
        assert cameras["Camera Paddock"].state is State.FAIL
        assert "absent.mp4" in cameras["Camera Paddock"].found
        assert len(servers.database(replace(patient, cameras=False))) == 2
    finally:
        server.stop()
    resting = servers.database(patient)
    assert "started and stopped" in resting[0].found
    assert EmbeddedPostgres(folders.postgres).dsn_if_running() is None
    assert machine.keys(patient).found.startswith("kept in the")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_shared_servers_that_are_away(patient: Patient) -> None:
    port = closed_port()
    away = with_settings(
        patient,
        {
            "database": {
                "mode": "shared",
                "dsn": f"postgresql://barn:hunter2@127.0.0.1:{port}/barn",
                "connect_timeout_s": 0.5,
            },
            "live": {"mode": "shared", "url": f"redis://:hunter2@127.0.0.1:{port}/0"},
        },
    )
    checks = [*servers.database(away), servers.live_state(away)]
    assert [c.state for c in checks] == [State.FAIL, State.FAIL]
    assert "database.dsn" in checks[0].advice and "live.url" in checks[1].advice
    assert "hunter2" not in "".join(c.found + c.advice for c in checks)


def test_the_api_port(patient: Patient) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        # It accepts and never answers, like a program of another kind.
        other.settimeout(0)
        taken = servers.api(with_settings(patient, {"api": {"port": port}}))
    assert taken.state is State.WARN and str(port) in taken.found
    free = servers.api(with_settings(patient, {"api": {"port": closed_port()}}))
    assert free.state is State.OK
    assert "off" in servers.api(with_settings(patient, {"api": {"enabled": False}})).found
    missing = {"tls_certificate": "/absent.pem", "tls_key": "/absent.key"}
    assert servers.api(with_settings(patient, {"api": missing})).state is State.FAIL


def test_without_models_the_doctor_says_what_is_lost(patient: Patient) -> None:
    found = {check.name: check for check in models.models(patient)}
    assert found["Model: detector"].state is State.FAIL
    assert found["Model: pose"].state is State.WARN
    assert all(check.advice for check in found.values())


def test_a_wrong_manifest_is_told(patient: Patient) -> None:
    patient.manifest.write_text("[[model]]\nname = 3\n", encoding="utf-8")
    assert models.models(patient)[0].state is State.FAIL


def test_a_damaged_model_is_told(patient: Patient, tmp_path: Path) -> None:
    listed = Path(__file__).resolve().parents[2] / "resources" / "models" / "manifest.toml"
    shutil.copy(listed, patient.manifest)
    folder = patient.manifest.parent
    (folder / "yolox_nano_416.onnx").write_bytes(b"not a model")
    damaged = [c for c in models.models(patient) if "is damaged" in c.found]
    assert damaged and damaged[0].state is State.WARN


def test_qt_is_looked_at_in_a_process_of_its_own(patient: Patient) -> None:
    assert machine.window(patient).state in (State.OK, State.WARN)
    environment = {"QT_QPA_PLATFORM": "nonsense", "DISPLAY": ":nowhere"}
    assert machine.window(replace(patient, environment=environment)).state is State.FAIL

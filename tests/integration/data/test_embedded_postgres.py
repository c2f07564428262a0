"""The embedded PostgreSQL under the accidents it must survive."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from barnhand_desktop.servers.cluster import explain
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from engine.domain.errors import EnvironmentFault, OperatorMistake
from tests.integration.data.conftest import eventually


@pytest.fixture
def server(own_server: EmbeddedPostgres) -> EmbeddedPostgres:
    return own_server


def ask(dsn: str, question: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(question.encode()).fetchone()
        assert row is not None
        return row[0]


def cluster_of(server: EmbeddedPostgres, folder: Path) -> Path:
    return Path(str(ask(server.dsn, "SELECT setting FROM pg_settings WHERE name='data_directory'")))


def test_it_starts_private_and_checked(own_folder: Path) -> None:
    server = EmbeddedPostgres(own_folder / "postgres")
    dsn = server.start()
    try:
        assert ask(dsn, "SELECT current_setting('data_checksums')") == "on"
        assert ask(dsn, "SELECT current_setting('listen_addresses')") == "127.0.0.1"
        assert ask(dsn, "SELECT current_setting('unix_socket_directories')") == ""
        assert ask(dsn, "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid "
                        "WHERE rolname = 'barnhand'") is True  # fmt: skip
        password = own_folder / "postgres" / "password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        wrong = dsn.replace(password.read_text().strip(), "guess")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong)
        assert server.pid is not None
        process = psutil.Process(server.pid)
        assert process.uids().effective != 0
        assert password.read_text().strip() not in " ".join(process.cmdline())
        assert own_folder / "postgres" in cluster_of(server, own_folder).parents
    finally:
        server.stop()
    assert not server.alive() and server.pid is None


def test_data_and_address_outlive_a_restart(server: EmbeddedPostgres) -> None:
    dsn = server.start()
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    assert server.start() == dsn
    try:
        assert ask(dsn, "SELECT answer FROM kept") == 42
    finally:
        server.stop()


def test_after_kill_9_it_recovers_on_the_same_port(server: EmbeddedPostgres) -> None:
    dsn = server.start()
    # A connection keeps a child of the killed server busy on the files.
    busy = psycopg.connect(dsn)
    busy.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    busy.commit()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not server.alive(), "the killed server is seen as gone")
    assert server.start() == dsn
    try:
        assert ask(dsn, "SELECT answer FROM kept") == 42
        assert "recovery" in (Path(server._dir) / "server.log").read_text()
    finally:
        busy.close()
        server.stop()


def test_a_server_left_by_a_killed_program_is_taken_over(
    own_server: EmbeddedPostgres, own_folder: Path
) -> None:
    folder = own_folder / "postgres"
    program = (
        "import sys, pathlib, os\n"
        "from barnhand_desktop.servers.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))\n"
        "print(server.start(), server.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=100
    )
    dsn, pid = ended.stdout.split()
    server = EmbeddedPostgres(folder)
    assert server.start() == dsn
    try:
        assert server.pid == int(pid)
        assert ask(dsn, "SELECT 1") == 1
    finally:
        server.stop()
    eventually(lambda: not psutil.pid_exists(int(pid)), "the taken-over server ends")


def test_the_second_program_on_a_folder_is_told_and_can_find_the_first(
    server: EmbeddedPostgres, own_folder: Path
) -> None:
    second = EmbeddedPostgres(own_folder / "postgres")
    assert second.dsn_if_running() is None
    dsn = server.start()
    try:
        with pytest.raises(OperatorMistake, match=rf"process {os.getpid()}"):
            second.start()
        assert second.dsn_if_running() == dsn
        assert ask(dsn, "SELECT 1") == 1
    finally:
        server.stop()
    assert second.dsn_if_running() is None
    assert second.start() == dsn
    second.stop()


def test_a_taken_port_is_replaced_at_the_first_start(
    server: EmbeddedPostgres, own_folder: Path
) -> None:
    first = server.start()
    server.stop()
    port = int((own_folder / "postgres" / "port").read_text())
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        second = EmbeddedPostgres(own_folder / "postgres")
        dsn = second.start()
        second.stop()
    assert dsn != first


def test_a_taken_port_is_a_fault_while_clients_hold_the_address(
    server: EmbeddedPostgres, own_folder: Path
) -> None:
    dsn = server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not server.alive(), "the server is gone")
    port = int((own_folder / "postgres" / "port").read_text())
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        with pytest.raises(EnvironmentFault, match=str(port)):
            server.start()
    assert server.start() == dsn
    server.stop()


def test_a_stale_pid_file_is_no_obstacle(server: EmbeddedPostgres, own_folder: Path) -> None:
    dsn = server.start()
    cluster = cluster_of(server, own_folder)
    server.stop()
    # A live process that is no database: this one.
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n1\n5432\n\n127.0.0.1\n")
    assert server.start() == dsn
    server.stop()


def test_a_newer_database_is_refused_untouched(server: EmbeddedPostgres, own_folder: Path) -> None:
    server.start()
    cluster = cluster_of(server, own_folder)
    server.stop()
    (cluster / "PG_VERSION").write_text("99\n")
    with pytest.raises(OperatorMistake, match="PostgreSQL 99"):
        server.start()
    (cluster / "PG_VERSION").write_text("12\n")
    with pytest.raises(OperatorMistake, match="older"):
        server.start()


def test_a_damaged_database_is_said(server: EmbeddedPostgres, own_folder: Path) -> None:
    server.start()
    cluster = cluster_of(server, own_folder)
    server.stop()
    control = cluster / "global" / "pg_control"
    whole = control.read_bytes()
    control.write_bytes(b"\0" * len(whole))
    with pytest.raises(OperatorMistake, match="damaged"):
        server.start()
    control.write_bytes(whole)
    (cluster / "PG_VERSION").unlink()
    with pytest.raises(OperatorMistake, match="damaged"):
        server.start()


def test_an_interrupted_first_start_leaves_no_half_database(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(own_folder / "postgres")

    def fail(*_: object) -> None:
        raise EnvironmentFault("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("barnhand_desktop.servers.cluster._initdb", fail)
        with pytest.raises(EnvironmentFault, match="power cut"):
            server.start()
    server.start()
    server.stop()


def test_a_folder_that_cannot_be_made_is_said(own_folder: Path) -> None:
    (own_folder / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be made"):
        EmbeddedPostgres(own_folder / "file" / "postgres").start()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root is moved")
def test_below_a_closed_folder_root_s_database_lives_elsewhere(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "postgres")
    dsn = server.start()
    cluster = cluster_of(server, closed)
    try:
        assert closed not in cluster.parents
        note = closed / "postgres" / "cluster-location"
        assert note.read_text().strip() == str(cluster)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        server.stop()
    assert server.start() == dsn
    server.stop()
    shutil.rmtree(cluster.parent)


@pytest.mark.parametrize(
    ("log_text", "kind", "words"),
    [
        ("FATAL:  could not write: No space left on device", EnvironmentFault, "full"),
        ("LOG: could not bind IPv4 address: Address already in use", EnvironmentFault, "port"),
        ("PANIC:  could not locate a valid checkpoint record", OperatorMistake, "damaged"),
        ('FATAL:  data directory "x" has invalid permissions', OperatorMistake, "another user"),
        ("FATAL:  could not map anonymous shared memory", EnvironmentFault, "memory"),
        ("", EnvironmentFault, "did not start"),
    ],
)
def test_the_server_s_last_words_become_advice(
    log_text: str, kind: type[Exception], words: str
) -> None:
    error = explain(log_text, Path("cluster"))
    assert isinstance(error, kind) and words in str(error)

"""Dead servers come back; ones that keep dying are said to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.supervisor import ServerState, ServerStatus, ServerSupervisor
from barnhand_desktop.servers.valkey import EmbeddedValkey
from engine.domain.errors import EnvironmentFault, OperatorMistake
from tests.integration.data.conftest import eventually


class FragileServer:
    """A server that fails to start as told: it stands for a full disk or a damaged folder."""

    name = "fragile"

    def __init__(self, on_start: Callable[[int], bool]) -> None:
        self._on_start = on_start
        self.running = True
        self.starts = 0

    def start(self) -> str:
        self.starts += 1
        self.running = self._on_start(self.starts)
        return "address"

    def stop(self) -> None:
        self.running = False

    def alive(self) -> bool:
        return self.running


def test_killed_servers_are_running_again_at_their_address(
    own_postgres: EmbeddedPostgres, own_folder: Path
) -> None:
    valkey = EmbeddedValkey(own_folder / "valkey")
    url, dsn = valkey.start(), own_postgres.dsn
    changes: list[ServerStatus] = []
    supervisor = ServerSupervisor([own_postgres, valkey], changes.append)
    supervisor.start()
    for server in (own_postgres, valkey):
        old = server.pid
        assert old is not None
        os.kill(old, signal.SIGKILL)
        eventually(lambda s=server, o=old: s.pid not in (None, o), "the server is replaced")
    eventually(
        lambda: all(status.state is ServerState.RUNNING for status in supervisor.status()),
        "both are running",
    )
    assert (own_postgres.dsn, valkey.url) == (dsn, url)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert [status.restarts for status in supervisor.status()] == [1, 1]
    told = {(change.name, change.state) for change in changes}
    assert {(n, ServerState.RESTARTING) for n in ("postgresql", "valkey")} <= told
    supervisor.stop(30.0)
    assert not own_postgres.alive() and not valkey.alive()
    assert changes[-1].state is ServerState.STOPPED


def test_a_server_that_keeps_dying_is_failed_not_flogged() -> None:
    server = FragileServer(lambda _: False)
    changes: list[ServerStatus] = []
    supervisor = ServerSupervisor([server], changes.append)
    server.running = False
    supervisor.start()
    eventually(lambda: supervisor.status()[0].state is ServerState.FAILED, "it is given up")
    assert server.starts == 5
    assert supervisor.status()[0].reason
    supervisor.stop()


@pytest.mark.parametrize("kind", [OperatorMistake, EnvironmentFault])
def test_the_reason_a_server_does_not_start_is_shown(
    kind: type[OperatorMistake] | type[EnvironmentFault],
) -> None:
    def refuse(start: int) -> bool:
        if start == 1 or kind is OperatorMistake:
            raise kind("the disk is full", "free some")
        return True

    server = FragileServer(refuse)
    server.running = False
    changes: list[ServerStatus] = []
    supervisor = ServerSupervisor([server], changes.append)
    supervisor.start()
    eventually(lambda: any("disk is full" in c.reason for c in changes), "the reason is told")
    if kind is EnvironmentFault:
        eventually(lambda: supervisor.status()[0].state is ServerState.RUNNING, "it heals")
        assert supervisor.status()[0].reason == ""
    else:
        assert supervisor.status()[0].state is ServerState.FAILED
    supervisor.stop()


def test_a_restart_that_was_asked_for_is_no_alarm_and_costs_no_budget() -> None:
    server = FragileServer(lambda _: True)
    changes: list[ServerStatus] = []
    supervisor = ServerSupervisor([server], changes.append)
    supervisor.start()
    between: list[bool] = []
    for _ in range(8):
        supervisor.restart("fragile", lambda: between.append(server.running))
    assert between == [False] * 8, "stopped meanwhile, and not started by the watch"
    assert server.starts == 8 and server.running
    assert [c.state for c in changes if c.state is not ServerState.RUNNING] == []
    assert supervisor.status()[0].restarts == 0
    with pytest.raises(EnvironmentFault, match="not run by this program"):
        supervisor.restart("another")
    supervisor.stop()
    with pytest.raises(EnvironmentFault, match="being closed"):
        supervisor.restart("fragile")
    assert not server.running


def test_a_restart_that_fails_is_told_and_tried_again_by_the_watch() -> None:
    def on_start(start: int) -> bool:
        if start == 1:
            raise EnvironmentFault("The port is taken.")
        return True

    server = FragileServer(on_start)
    changes: list[ServerStatus] = []
    supervisor = ServerSupervisor([server], changes.append)
    supervisor.start()
    with pytest.raises(EnvironmentFault, match="port is taken"):
        supervisor.restart("fragile")
    assert changes[0].state is ServerState.RESTARTING and "port is taken" in changes[0].reason
    eventually(lambda: supervisor.status()[0].state is ServerState.RUNNING, "it was tried again")
    supervisor.stop()

"""What people are told of the servers of this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from barnhand_desktop.servers.supervisor import ServerState, ServerStatus
from engine.domain.notices import Notice, Severity

log = logging.getLogger(__name__)

_WORDS = {"postgresql": "The database", "valkey": "The live-state server", "api": "The remote API"}


def notice_of(status: ServerStatus) -> Notice:
    """The standing condition that a status raises or ends."""
    what = _WORDS.get(status.name, status.name)
    failed = status.state is ServerState.FAILED
    down = failed or status.state is ServerState.RESTARTING
    return Notice(
        key=f"server.down:{status.name}",
        severity=Severity.CRITICAL if failed else Severity.WARNING if down else Severity.INFO,
        message=f"{what} is down: {status.reason}" if down else f"{what} runs.",
        advice="It is tried again every 30 s." if failed else "It is started again.",
        at=datetime.now(UTC),
        active=down,
    )


def tell(to: Callable[[Notice], None]) -> Callable[[ServerStatus], None]:
    """A listener for ``ServerSupervisor`` that logs each status and brings it to people."""

    def on_change(status: ServerStatus) -> None:
        orderly = status.state in (ServerState.RUNNING, ServerState.STOPPED)
        level = logging.INFO if orderly else logging.WARNING
        log.log(level, "server %s is %s %s", status.name, status.state.value, status.reason)
        to(notice_of(status))

    return on_change

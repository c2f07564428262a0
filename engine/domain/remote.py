"""Whether other machines reach the API, and the desk where a person at the console says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What a client sees of the server's certificate. ``sha256`` as people compare it,
    ``AB:CD:...``; ``expires_at`` in UTC; ``own``: the farm's own rather than a generated one."""

    path: Path
    names: tuple[str, ...]
    expires_at: datetime
    sha256: str
    own: bool


@dataclass(frozen=True, slots=True)
class RemoteAccess:
    """How the API is reached.

    ``runs`` False: the settings switch the API off altogether, or it does not answer; ``problem``
    says why. ``open_now``: other machines reach the API as it runs, whatever is stored.
    ``addresses``: what a phone opens, best first; empty while it is off. ``certificate``
    None where a proxy does TLS or there is none yet. ``unchanged_password``: ``admin`` still has
    the one-time password, so remote access cannot be switched on. ``restart_needed``: the running
    API was started with other settings or another certificate than are stored. ``suggested``: names
    and addresses of this machine that a certificate might be for.
    """

    on: bool
    runs: bool
    open_now: bool
    host: str
    port: int
    addresses: tuple[str, ...]
    certificate: ServerCertificate | None
    tls_ends_upstream: bool
    unchanged_password: bool
    admin: str
    restart_needed: bool
    suggested: tuple[str, ...]
    problem: str = ""


class RemoteDesk(Protocol):
    """Every method may block: call it on a worker."""

    def status(self) -> RemoteAccess:
        """What holds now. Raises StoreUnavailable."""
        ...

    def switch_on(
        self, names: Sequence[str], certificate: Path | None = None, key: Path | None = None
    ) -> None:
        """Store that other machines may reach the API, with a certificate for ``names`` or with
        one's own files. Takes effect with ``restart``.

        Raises OperatorMistake with what to do, while the one-time password is unchanged among them.
        """
        ...

    def switch_off(self) -> None:
        """Store that only this machine may. Takes effect with ``restart``."""
        ...

    def restart(self) -> None:
        """Start the API anew with what is stored; clients are cut off for a second or two.

        Raises EnvironmentFault or OperatorMistake when it does not start; it is tried again.
        """
        ...

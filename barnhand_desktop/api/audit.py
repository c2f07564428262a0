"""Who did what to which object, with nothing secret in it."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from db.repositories.audit import AuditEntry, AuditRepository
from db.repositories.users import User
from engine.domain.ids import FarmId

CONSOLE = "console"
"""The address of what is done at the machine itself."""


class Actor(Protocol):
    """Who does something: the caller of a request, or whoever sits at the console."""

    @property
    def user_id(self) -> UUID | None: ...

    @property
    def username(self) -> str: ...

    @property
    def api_key_id(self) -> UUID | None: ...

    @property
    def farm_id(self) -> FarmId | None: ...


@dataclass(frozen=True, slots=True)
class LocalOperator:
    """Whoever sits at this machine: no account of the server, but one of the machine."""

    username: str
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    farm_id: FarmId | None = None


def local_operator() -> LocalOperator:
    """Named as the console names them in a horse's history."""
    try:
        return LocalOperator(f"{getpass.getuser()} at the console")
    except (OSError, KeyError):  # an account without a name, as in a bare container
        return LocalOperator("console")


class AuditTrail:
    """Writes one row for every change that somebody makes."""

    def __init__(self, rows: AuditRepository) -> None:
        self._rows = rows

    def record(
        self,
        caller: Actor,
        action: str,
        object_kind: str,
        object_id: UUID | str | None,
        address: str,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Store the row; raises StoreUnavailable, and then the caller is told so."""
        self._rows.add(
            AuditEntry(
                user_id=caller.user_id,
                username=caller.username,
                api_key_id=caller.api_key_id,
                farm_id=caller.farm_id,
                action=action,
                object_kind=object_kind,
                object_id=None if object_id is None else str(object_id),
                address=address,
                details=dict(details or {}),
            )
        )

    def record_holder(
        self,
        user: User,
        action: str,
        object_kind: str,
        object_id: UUID,
        address: str,
        details: Mapping[str, object],
    ) -> None:
        """Store what was fetched with a signed address that was made for an account."""
        self._rows.add(
            AuditEntry(
                user_id=user.id,
                username=user.username,
                api_key_id=None,
                farm_id=user.farm_id,
                action=action,
                object_kind=object_kind,
                object_id=str(object_id),
                address=address,
                details=dict(details),
            )
        )

    def record_stranger(
        self, username: str, action: str, address: str, farm_id: FarmId | None = None
    ) -> None:
        """Store what happened to an account before anyone was known to be its owner."""
        self._rows.add(
            AuditEntry(
                user_id=None,
                username=username[:64],
                api_key_id=None,
                farm_id=farm_id,
                action=action,
                object_kind="account",
                object_id=None,
                address=address,
                details={},
            )
        )

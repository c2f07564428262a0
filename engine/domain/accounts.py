"""Accounts of the remote API as a person at the console keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from engine.domain.ids import FarmId, StreamId, UserId


class Role(StrEnum):
    """What an account may do; each role may do what the ones before it may."""

    VIEWER = "viewer"
    MANAGER = "manager"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Account:
    """An account without its secrets. ``farm_id`` None: every farm of the server. ``version``
    grows with every change of role, farm or state."""

    id: UserId
    username: str
    role: Role
    farm_id: FarmId | None
    enabled: bool
    must_change_password: bool
    last_login_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class FarmName:
    """A farm that accounts may be of."""

    id: FarmId
    name: str


class AccountDesk(Protocol):
    """Every method may block (database, hashing): call it on a worker. What is done is written to
    the audit trail under the name of whoever sits at this machine. All raise StoreUnavailable."""

    def list(self) -> Sequence[Account]:
        """Every account of the server, by name."""
        ...

    def farms(self) -> Sequence[FarmName]:
        """The farms, by name."""
        ...

    def add(self, username: str, role: Role, farm_id: FarmId | None) -> tuple[Account, str]:
        """A new account and its one-time password, which is kept nowhere.

        Raises OperatorMistake for a name that cannot be one, Conflict for one that is taken.
        """
        ...

    def change(self, account: Account) -> Account:
        """Store role, farm and state; its logins end when it is switched off.

        Raises NotFound; Conflict for a stale version or the last administrator.
        """
        ...

    def one_time_password(self, account: Account) -> str:
        """Give it a new one-time password and end its logins. Raises NotFound."""
        ...

    def set_password(self, account: Account, password: str) -> None:
        """Give it a password that stays, and end its logins. Raises NotFound; OperatorMistake for
        one that is too weak."""
        ...

    def grants(self, account: Account) -> Sequence[StreamId]:
        """The cameras that a viewer sees."""
        ...

    def set_grants(self, account: Account, stream_ids: Sequence[StreamId]) -> None:
        """Replace them. Raises NotFound for a camera that is not of the account's farm."""
        ...

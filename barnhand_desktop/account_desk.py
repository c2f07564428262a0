"""Accounts as the console keeps them: the acts of the API's administrators, done at the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from barnhand_desktop.api.account_acts import AccountActs
from barnhand_desktop.api.audit import CONSOLE, local_operator
from barnhand_desktop.api.passwords import new_password
from barnhand_desktop.api.schemas import Username
from db.repositories.farms import FarmRepository
from db.repositories.users import User
from engine.domain.accounts import Account, FarmName, Role
from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId, StreamId

_AT_MOST = 1000
_USERNAME: TypeAdapter[str] = TypeAdapter(Username)


class ConsoleAccountDesk:
    """Meets ``engine.domain.accounts.AccountDesk``."""

    def __init__(self, acts: AccountActs, farms: FarmRepository) -> None:
        self._acts = acts
        self._farms = farms

    def list(self) -> Sequence[Account]:
        """See the port."""
        return [_account(user) for user in self._acts.users.list(None, limit=_AT_MOST)]

    def farms(self) -> Sequence[FarmName]:
        """See the port."""
        return [FarmName(farm.id, farm.name) for farm in self._farms.list()]

    def add(self, username: str, role: Role, farm_id: FarmId | None) -> tuple[Account, str]:
        """See the port."""
        try:
            _USERNAME.validate_python(username)
        except ValidationError as error:
            raise OperatorMistake(
                "An account's name has 1 to 64 lower-case letters, digits or . _ @ -",
                "It begins with a letter or digit.",
            ) from error
        password = new_password()
        user = self._acts.add(local_operator(), CONSOLE, username, password, role, farm_id)
        return _account(user), password

    def change(self, account: Account) -> Account:
        """See the port."""
        wanted = replace(
            self._user(account),
            role=account.role,
            farm_id=account.farm_id,
            enabled=account.enabled,
            version=account.version,
        )
        return _account(self._acts.change(local_operator(), CONSOLE, wanted))

    def one_time_password(self, account: Account) -> str:
        """See the port."""
        password = new_password()
        self._acts.set_password(
            local_operator(), CONSOLE, self._user(account), password, must_change=True
        )
        return password

    def set_password(self, account: Account, password: str) -> None:
        """See the port."""
        self._acts.set_password(
            local_operator(), CONSOLE, self._user(account), password, must_change=False
        )

    def grants(self, account: Account) -> Sequence[StreamId]:
        """See the port."""
        return self._acts.grants.grants(account.id)

    def set_grants(self, account: Account, stream_ids: Sequence[StreamId]) -> None:
        """See the port."""
        self._acts.set_grants(local_operator(), CONSOLE, self._user(account), stream_ids)

    def _user(self, account: Account) -> User:
        return self._acts.users.get(account.id)


def _account(user: User) -> Account:
    return Account(
        id=user.id,
        username=user.username,
        role=user.role,
        farm_id=user.farm_id,
        enabled=user.enabled,
        must_change_password=user.must_change_password,
        last_login_at=user.last_login_at,
        version=user.version,
    )

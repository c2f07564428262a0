"""The own account, API keys, accounts of others, and the audit trail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from ..answers import ApiKey, ApiKeyMade, AuditRow, Grants, Me, User
from ..connection import given
from ..credentials import Login
from .base import Subject

Scope = Literal["read", "write", "metrics"]
Role = Literal["viewer", "manager", "admin"]


class Auth(Subject):
    """The own account: ``print(barn.auth.me().role)``. Logging in is the credential's work."""

    def me(self) -> Me:
        """The account or key that asks."""
        return self._api.get(Me, "/auth/me")

    def password(self, current_password: str, new_password: str) -> None:
        """Change the own password; the account's other logins end."""
        body = {"current_password": current_password, "new_password": new_password}
        self._api.do("POST", "/auth/password", body)

    def logout(self) -> None:
        """End this login; its tokens stop working at once."""
        self._api.do("POST", "/auth/logout")
        if isinstance(self._api.credential, Login):
            self._api.credential.forget()


class ApiKeys(Subject):
    """Own keys: ``made = barn.api_keys.add("stall display", ["read"]); keep(made.key)``."""

    def list(self) -> Iterator[ApiKey]:
        """The own keys, without their secrets."""
        return self._api.pages(ApiKey, "/api-keys")

    def add(
        self, name: str, scopes: Sequence[Scope], expires_at: datetime | None = None
    ) -> ApiKeyMade:
        """Make a key; its secret is in this answer and nowhere else."""
        body = given(name=name, scopes=scopes, expires_at=expires_at)
        return self._api.send(ApiKeyMade, "POST", "/api-keys", body)

    def revoke(self, key_id: UUID) -> None:
        """End a key."""
        self._api.do("DELETE", f"/api-keys/{key_id}")


class Users(Subject):
    """Accounts, by administrators: ``barn.users.add("vet", password, "viewer")``."""

    def list(self, limit: int = 100) -> Iterator[User]:
        """All accounts by name; ``limit`` a page."""
        return self._api.pages(User, "/users", {"limit": limit})

    def get(self, user_id: UUID) -> User:
        """One account."""
        return self._api.get(User, f"/users/{user_id}")

    def add(self, username: str, password: str, role: Role, farm_id: UUID | None = None) -> User:
        """Make an account; its password must be changed at the first login."""
        body = given(username=username, password=password, role=role, farm_id=farm_id)
        return self._api.send(User, "POST", "/users", body)

    def change(
        self, user_id: UUID, role: Role, enabled: bool, version: int, farm_id: UUID | None = None
    ) -> User:
        """Change role, farm or state; ``version`` is the one that was read."""
        body = given(role=role, enabled=enabled, version=version, farm_id=farm_id)
        return self._api.send(User, "PUT", f"/users/{user_id}", body)

    def remove(self, user_id: UUID) -> None:
        """Remove an account."""
        self._api.do("DELETE", f"/users/{user_id}")

    def grants(self, user_id: UUID) -> Grants:
        """The streams granted to an account."""
        return self._api.get(Grants, f"/users/{user_id}/grants")

    def set_grants(self, user_id: UUID, stream_ids: Sequence[UUID]) -> Grants:
        """Replace the streams granted to an account."""
        path = f"/users/{user_id}/grants"
        return self._api.send(Grants, "PUT", path, {"stream_ids": stream_ids})


class Audit(Subject):
    """Who did what: ``for row in barn.audit.list(): print(row.at, row.username, row.action)``."""

    def list(self, limit: int = 100) -> Iterator[AuditRow]:
        """Every row, newest first; ``limit`` a page."""
        return self._api.pages(AuditRow, "/audit", {"limit": limit})

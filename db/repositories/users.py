"""Accounts: users, refresh families, API keys. Hashes come in, never secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.accounts import Role
from engine.domain.errors import Conflict, NotFound
from engine.domain.ids import FarmId, UserId

__all__ = ["ApiKey", "RefreshOutcome", "Role", "Rotation", "User", "UserRepository"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class User:
    """A stored account. ``farm_id`` None: every farm of the server."""

    id: UserId
    username: str
    password_hash: str = field(repr=False)
    role: Role
    farm_id: FarmId | None
    enabled: bool
    must_change_password: bool
    created_at: datetime
    last_login_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored API key without its secret."""

    id: UUID
    user_id: UserId
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class RefreshOutcome(StrEnum):
    """ROTATED: exchanged. REUSED: it had been exchanged before, and its family is now revoked.
    REFUSED: unknown, expired or revoked."""

    ROTATED = "rotated"
    REUSED = "reused"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of a refresh token; ``user`` and ``family_id`` are set when it was exchanged."""

    outcome: RefreshOutcome
    user: User | None = None
    family_id: UUID | None = None
    user_id: UserId | None = None


class UserRepository:
    """Accounts in PostgreSQL. Raises StoreUnavailable when it does not answer."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("users")

    def any(self) -> bool:
        """True once the server has an account."""
        with transaction(self._pool, "looking for accounts") as connection:
            row = connection.execute(self._sql["any_user"]).fetchone()
            return bool(row and row[0])

    def add_first_admin(self, username: str, password_hash: str) -> bool:
        """Make the first account, with a password to be changed; False if there is one already."""
        with transaction(self._pool, "making the first account") as connection:
            connection.execute(self._sql["lock_first_account"])
            row = connection.execute(
                self._sql["add_first_admin"],
                {"username": username, "password_hash": password_hash},
            ).fetchone()
            return row is not None

    def find(self, username: str) -> User | None:
        """The account of that name, compared as it is stored."""
        return self._one("user_by_name", {"username": username})

    def get(self, user_id: UserId) -> User:
        """The account; raises NotFound."""
        return _found(self._one("user_by_id", {"user_id": user_id}))

    def list(self, farm_id: FarmId | None, after: str = "", limit: int = 100) -> Sequence[User]:
        """Accounts by name after ``after``, of one farm or of all."""
        with transaction(self._pool, "listing the accounts") as connection:
            rows = _rows(
                connection,
                self._sql["users_of_farm"],
                {"farm_id": farm_id, "after": after, "limit": limit},
            )
            return [_user(row) for row in rows]

    def add(
        self,
        username: str,
        password_hash: str,
        role: Role,
        farm_id: FarmId | None,
        must_change_password: bool,
    ) -> User:
        """A new account; Conflict if the name is taken."""
        user = self._one(
            "add_user",
            {
                "username": username,
                "password_hash": password_hash,
                "role": role,
                "farm_id": farm_id,
                "must_change_password": must_change_password,
            },
        )
        if user is None:
            raise Conflict("An account of that name exists.")
        return user

    def update(self, user: User) -> User:
        """Store role, farm and state changed from ``user.version``.

        Raises NotFound, Conflict for a stale version, and Conflict rather than leave the server
        without an administrator.
        """
        with transaction(self._pool, "changing an account") as connection:
            connection.execute(self._sql["lock_admins"])
            changed = _user_or_none(
                connection,
                self._sql["update_user"],
                {
                    "user_id": user.id,
                    "role": user.role,
                    "farm_id": user.farm_id,
                    "enabled": user.enabled,
                    "version": user.version,
                },
            )
            if changed is None:
                _found(_user_or_none(connection, self._sql["user_by_id"], {"user_id": user.id}))
                raise Conflict("The account was changed by someone else.", "Read it again.")
            self._require_admin(connection)
            return changed

    def remove(self, user_id: UserId) -> None:
        """Remove the account and its logins; NotFound, or Conflict for the last administrator."""
        with transaction(self._pool, "removing an account") as connection:
            connection.execute(self._sql["lock_admins"])
            row = connection.execute(self._sql["remove_user"], {"user_id": user_id}).fetchone()
            if row is None:
                raise NotFound("There is no such account.")
            self._require_admin(connection)

    def set_password(
        self, user_id: UserId, password_hash: str, must_change: bool, keep_family: UUID | None
    ) -> None:
        """Store a password and end the account's logins but ``keep_family``; raises NotFound."""
        with transaction(self._pool, "changing a password") as connection:
            row = connection.execute(
                self._sql["set_password"],
                {
                    "user_id": user_id,
                    "password_hash": password_hash,
                    "must_change_password": must_change,
                },
            ).fetchone()
            if row is None:
                raise NotFound("There is no such account.")
            self._revoke_all(connection, user_id, "password changed", keep_family)

    def rehash(self, user_id: UserId, old_hash: str, new_hash: str) -> None:
        """Replace a hash made with older parameters, unless the password changed meanwhile."""
        self._run(
            "rehash_password", {"user_id": user_id, "old_hash": old_hash, "new_hash": new_hash}
        )

    # --- logins --------------------------------------------------------------------------------

    def open_family(self, user_id: UserId, token_hash: bytes, expires_at: datetime) -> UUID:
        """A new login with its first refresh token; returns the family's id."""
        with transaction(self._pool, "logging in") as connection:
            connection.execute(self._sql["forget_expired_families"])
            connection.execute(self._sql["mark_login"], {"user_id": user_id})
            row = connection.execute(self._sql["open_family"], {"user_id": user_id}).fetchone()
            assert row is not None  # INSERT ... RETURNING gives a row or raises
            family_id = UUID(str(row[0]))
            self._add_token(connection, token_hash, family_id, expires_at)
            return family_id

    def rotate(self, token_hash: bytes, fresh_hash: bytes, expires_at: datetime) -> Rotation:
        """Exchange a refresh token for a fresh one, exactly once however many ask at a time."""
        with transaction(self._pool, "refreshing a login") as connection:
            used = connection.execute(
                self._sql["use_refresh_token"], {"token_hash": token_hash}
            ).fetchone()
            if used is None:
                return self._judge_unusable(connection, token_hash)
            family_id, user_id = used
            self._add_token(connection, fresh_hash, family_id, expires_at)
            user = _user_or_none(
                connection,
                self._sql["session_user"],
                {"user_id": user_id, "family_id": family_id},
            )
            if user is None:
                return Rotation(RefreshOutcome.REFUSED, user_id=user_id)
            return Rotation(RefreshOutcome.ROTATED, user, family_id, user_id)

    def revoke_family(self, family_id: UUID, because: str) -> None:
        """End one login."""
        self._run("revoke_family", {"family_id": family_id, "because": because})

    def revoke_all(self, user_id: UserId, because: str) -> None:
        """End every login of an account."""
        with transaction(self._pool, "ending logins") as connection:
            self._revoke_all(connection, user_id, because, None)

    def in_session(self, user_id: UserId, family_id: UUID) -> User | None:
        """The account if it is enabled and that login of it has not been ended."""
        return self._one("session_user", {"user_id": user_id, "family_id": family_id})

    # --- keys ----------------------------------------------------------------------------------

    def add_key(
        self,
        user_id: UserId,
        name: str,
        key_hash: bytes,
        scopes: Sequence[str],
        expires_at: datetime | None,
    ) -> ApiKey:
        """A new API key of an account."""
        with transaction(self._pool, "making an API key") as connection:
            rows = _rows(
                connection,
                self._sql["add_api_key"],
                {
                    "user_id": user_id,
                    "name": name,
                    "key_hash": key_hash,
                    "scopes": [str(scope) for scope in scopes],
                    "expires_at": expires_at,
                },
            )
            return _key(rows[0])

    def keys(self, user_id: UserId) -> Sequence[ApiKey]:
        """The account's keys that are not revoked, oldest first."""
        with transaction(self._pool, "listing API keys") as connection:
            rows = _rows(connection, self._sql["api_keys_of_user"], {"user_id": user_id})
            return [_key(row) for row in rows]

    def revoke_key(self, user_id: UserId, key_id: UUID) -> None:
        """Revoke a key of the account; raises NotFound."""
        with transaction(self._pool, "revoking an API key") as connection:
            row = connection.execute(
                self._sql["revoke_api_key"], {"user_id": user_id, "key_id": key_id}
            ).fetchone()
            if row is None:
                raise NotFound("There is no such key.")

    def by_key(self, key_hash: bytes) -> tuple[ApiKey, User] | None:
        """The valid key of that hash with its enabled owner."""
        with transaction(self._pool, "checking an API key") as connection:
            rows = _rows(connection, self._sql["api_key_by_hash"], {"key_hash": key_hash})
            if not rows:
                return None
            key = _key(rows[0])
            user = _user_or_none(connection, self._sql["user_by_id"], {"user_id": key.user_id})
            if user is None or not user.enabled:
                return None
            connection.execute(self._sql["mark_api_key_used"], {"key_id": key.id})
            return key, user

    # --- pieces --------------------------------------------------------------------------------

    def _one(self, name: str, values: Mapping[str, object]) -> User | None:
        with transaction(self._pool, "reading accounts") as connection:
            return _user_or_none(connection, self._sql[name], values)

    def _run(self, name: str, values: Mapping[str, object]) -> None:
        with transaction(self._pool, "changing accounts") as connection:
            connection.execute(self._sql[name], values)

    def _add_token(
        self, connection: Connection, token_hash: bytes, family_id: UUID, expires_at: datetime
    ) -> None:
        connection.execute(
            self._sql["add_refresh_token"],
            {"token_hash": token_hash, "family_id": family_id, "expires_at": expires_at},
        )

    def _judge_unusable(self, connection: Connection, token_hash: bytes) -> Rotation:
        row = connection.execute(
            self._sql["refresh_token_state"], {"token_hash": token_hash}
        ).fetchone()
        if row is None:
            return Rotation(RefreshOutcome.REFUSED)
        family_id, user_id, was_used, was_revoked = row
        if not was_used or was_revoked:
            return Rotation(RefreshOutcome.REFUSED, user_id=user_id)
        connection.execute(
            self._sql["revoke_family"],
            {"family_id": family_id, "because": "refresh token reused"},
        )
        return Rotation(RefreshOutcome.REUSED, user_id=user_id)

    def _revoke_all(
        self, connection: Connection, user_id: UserId, because: str, keep: UUID | None
    ) -> None:
        connection.execute(
            self._sql["revoke_families_of_user"],
            {"user_id": user_id, "because": because, "except_family_id": keep},
        )

    def _require_admin(self, connection: Connection) -> None:
        if connection.execute(self._sql["lock_admins"]).fetchone() is None:
            raise Conflict("The server would be left without an administrator.")


def _rows(connection: Connection, sql: bytes, values: Mapping[str, object]) -> Sequence[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, values).fetchall()


def _user_or_none(connection: Connection, sql: bytes, values: Mapping[str, object]) -> User | None:
    rows = _rows(connection, sql, values)
    return _user(rows[0]) if rows else None


def _found(user: User | None) -> User:
    if user is None:
        raise NotFound("There is no such account.")
    return user


def _user(row: Row) -> User:
    return User(**{**row, "role": Role(row["role"])})


def _key(row: Row) -> ApiKey:
    return ApiKey(**{**row, "scopes": tuple(row["scopes"])})

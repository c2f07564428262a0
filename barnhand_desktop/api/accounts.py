"""Logging in, staying logged in, and finding out who a request is made by."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from psycopg_pool import ConnectionPool

from barnhand_desktop.api.access import Caller, Scope
from barnhand_desktop.api.passwords import Passwords, new_password, require_good
from barnhand_desktop.api.tokens import (
    API_KEY_PREFIX,
    AccessTokens,
    TokenRefused,
    fingerprint,
    new_secret,
)
from db.repositories.users import ApiKey, RefreshOutcome, User, UserRepository
from engine.domain.errors import OperatorMistake
from engine.domain.ports import Clock

log = logging.getLogger(__name__)

REFRESH_LIFE_S = 14 * 24 * 3600
FIRST_ADMIN = "admin"


class LoginRefused(OperatorMistake):
    """Wrong name or password, or an account that is switched off; which of them is not said."""


class RefreshReused(TokenRefused):
    """A refresh token came a second time: it was stolen, or its thief was first."""

    def __init__(self, user_id: UUID) -> None:
        super().__init__(
            "The refresh token was used before; every session of this login is ended.",
            "Log in again.",
        )
        self.user_id = user_id


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A fresh access token and the only refresh token that continues its login."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_in_s: int
    caller: Caller


class Accounts:
    """Accounts over the stored users. Every method may block on the database or on hashing."""

    def __init__(
        self, users: UserRepository, tokens: AccessTokens, passwords: Passwords, clock: Clock
    ) -> None:
        self._users = users
        self._tokens = tokens
        self._passwords = passwords
        self._clock = clock

    def log_in(self, username: str, password: str) -> TokenPair:
        """Open a session. LoginRefused says the same, after the same work, for every cause."""
        user = self._users.find(username)
        right = self._passwords.check(None if user is None else user.password_hash, password)
        if user is None or not right or not user.enabled:
            raise LoginRefused("The name or the password is wrong.")
        if self._passwords.outdated(user.password_hash):
            self._users.rehash(user.id, user.password_hash, self._passwords.hash(password))
        refresh = new_secret()
        family_id = self._users.open_family(user.id, fingerprint(refresh), self._refresh_end())
        return self._pair(user, family_id, refresh)

    def refresh(self, token: str) -> TokenPair:
        """Exchange a refresh token. A token used before revokes its family: RefreshReused."""
        fresh = new_secret()
        rotation = self._users.rotate(fingerprint(token), fingerprint(fresh), self._refresh_end())
        if rotation.outcome is RefreshOutcome.REUSED and rotation.user_id is not None:
            raise RefreshReused(rotation.user_id)
        if rotation.family_id is None or rotation.user is None:
            raise TokenRefused("The refresh token is not valid.", "Log in again.")
        return self._pair(rotation.user, rotation.family_id, fresh)

    def log_out(self, caller: Caller) -> None:
        """End the caller's login; its access tokens stop working at once."""
        if caller.family_id is not None:
            self._users.revoke_family(caller.family_id, "logout")

    def change_password(self, caller: Caller, current: str, new: str) -> None:
        """Set a new password and end the account's other logins."""
        user = self._users.get(caller.user_id)
        if not self._passwords.check(user.password_hash, current):
            raise LoginRefused("The current password is wrong.")
        require_good(new, user.username)
        if new == current:
            raise OperatorMistake("The new password is the old one.")
        self._users.set_password(
            user.id, self._passwords.hash(new), must_change=False, keep_family=caller.family_id
        )

    def identify(self, credential: str) -> Caller:
        """The caller of an access token or API key; TokenRefused for everything else."""
        if credential.startswith(API_KEY_PREFIX):
            return self._by_key(credential)
        claims = self._tokens.read(credential)
        user = self._users.in_session(claims.user_id, claims.family_id)
        if user is None:
            raise TokenRefused("The session has ended.", "Log in again.")
        return _caller(user, family_id=claims.family_id, expires_at=claims.expires_at)

    def add_key(
        self, caller: Caller, name: str, scopes: Sequence[Scope], expires_at: datetime | None
    ) -> tuple[str, ApiKey]:
        """A new API key of the caller's and its record; the key is never shown again."""
        if expires_at is not None and expires_at <= self._clock.now():
            raise OperatorMistake("The key would have expired already.")
        secret = new_secret(API_KEY_PREFIX)
        key = self._users.add_key(
            caller.user_id, name, fingerprint(secret), sorted(set(scopes)), expires_at
        )
        return secret, key

    def _by_key(self, secret: str) -> Caller:
        found = self._users.by_key(fingerprint(secret))
        if found is None:
            raise TokenRefused("The API key is not valid.")
        key, user = found
        return _caller(
            user, api_key_id=key.id, scopes=frozenset(key.scopes), expires_at=key.expires_at
        )

    def _pair(self, user: User, family_id: UUID, refresh: str) -> TokenPair:
        access = self._tokens.mint(user.id, family_id, self._clock.now())
        return TokenPair(access, refresh, self._tokens.life_s, _caller(user, family_id=family_id))

    def _refresh_end(self) -> datetime:
        return self._clock.now() + timedelta(seconds=REFRESH_LIFE_S)


def _caller(
    user: User,
    family_id: UUID | None = None,
    api_key_id: UUID | None = None,
    scopes: frozenset[str] | None = None,
    expires_at: datetime | None = None,
) -> Caller:
    return Caller(
        user_id=user.id,
        username=user.username,
        role=user.role,
        farm_id=user.farm_id,
        must_change_password=user.must_change_password,
        family_id=family_id,
        api_key_id=api_key_id,
        scopes=scopes,
        expires_at=expires_at,
    )


def ensure_admin(pool: ConnectionPool) -> str | None:
    """Make the account ``admin`` on a server without users.

    Returns its random one-time password, to be shown to the person once and kept nowhere, or None
    when there are users already. Safe to call from several processes at once.
    """
    users = UserRepository(pool)
    if users.any():
        return None
    password = new_password()
    if users.add_first_admin(FIRST_ADMIN, Passwords().hash(password)):
        return password
    return None

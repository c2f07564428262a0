"""Who asks: an account with its password, or an API key. Tokens stay in memory.

::

    Barnhand(url, Login("anna", password))
    Barnhand(url, ApiKey(os.environ["BARN_KEY"]))
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from .answers import Tokens
from .errors import LoginEnded, Unauthenticated, UnexpectedAnswer, Unreachable

Exchange = Callable[[str, dict[str, str]], Tokens]
"""Posts a body to a path without a credential and without a second try."""

RENEW_BEFORE_S = 30.0
"""An access token with less than this left is exchanged before it is used."""


class Credential(Protocol):
    """Gives bearer tokens. Both methods may be called from any thread."""

    def token(self, exchange: Exchange) -> str:
        """A token that should be good now; Refused or Unreachable."""

    def renewed(self, refused: str, exchange: Exchange) -> str | None:
        """Another token after ``refused`` was not taken; None if there can be none."""


class ApiKey:
    """A key of ``POST /api-keys``."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "ApiKey(...)"

    def token(self, exchange: Exchange) -> str:
        """The key itself."""
        return self._key

    def renewed(self, refused: str, exchange: Exchange) -> str | None:
        """A key that is not taken has no successor."""
        return None


class Login:
    """An account. Logs in when first used and exchanges refresh tokens from then on.

    A refresh token is good once: a second use ends the whole login. So exchanges are made one at a
    time, and one whose answer was lost is never tried again. The password is forgotten after the
    first login, unless ``remember``: then a login that has ended is followed by a new one.
    """

    def __init__(
        self,
        username: str,
        password: str,
        remember: bool = False,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.username = username
        self._password: str | None = password
        self._remember = remember
        self._mono_s = mono_s
        self._lock = threading.Lock()
        self._access: str | None = None
        self._refresh: str | None = None
        self._good_until_s = 0.0

    def __repr__(self) -> str:
        return f"Login({self.username!r}, ...)"

    def token(self, exchange: Exchange) -> str:
        """The access token, fetched or exchanged when its time is up."""
        with self._lock:
            if self._access is None or self._mono_s() >= self._good_until_s - RENEW_BEFORE_S:
                return self._renew(exchange)
            return self._access

    def renewed(self, refused: str, exchange: Exchange) -> str | None:
        """The token that another thread got meanwhile, or a new one; LoginEnded."""
        with self._lock:
            if self._access is not None and self._access != refused:
                return self._access
            return self._renew(exchange)

    def forget(self) -> None:
        """Drop tokens and password."""
        with self._lock:
            self._access = self._refresh = self._password = None

    def _renew(self, exchange: Exchange) -> str:
        refresh = self._refresh
        if refresh is not None:
            try:
                return self._take(exchange("/auth/refresh", {"refresh_token": refresh}))
            except (Unreachable, UnexpectedAnswer) as error:
                if not isinstance(error, Unreachable) or error.maybe_done:
                    self._refresh = self._access = None
                raise
            except Unauthenticated:
                self._refresh = self._access = None
                if self._password is None:
                    raise
        if self._password is None:
            raise LoginEnded(401, "token_refused", "The login has ended. Log in anew.")
        body = {"username": self.username, "password": self._password}
        return self._take(exchange("/auth/login", body))

    def _take(self, tokens: Tokens) -> str:
        self._access, self._refresh = tokens.access_token, tokens.refresh_token
        self._good_until_s = self._mono_s() + tokens.expires_in
        if not self._remember:
            self._password = None
        return tokens.access_token

"""Password hashing: Argon2id, bounded in memory, and as slow for unknown users as for known."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from engine.domain.errors import EnvironmentFault, OperatorMistake

# OWASP Password Storage Cheat Sheet: Argon2id, 19 MiB, two passes, one lane.
_MEMORY_KIB = 19 * 1024
_PASSES = 2
_LANES = 1
_AT_ONCE = 2
_WAIT_S = 5.0

PASSWORD_MIN = 12
PASSWORD_MAX = 256


class HashingBusy(EnvironmentFault):
    """More passwords wait to be checked than this machine should hash at once."""


class Passwords:
    """Hashes and checks passwords; at most two at a time, so that logins cannot fill memory."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES, type=Type.ID
        )
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    @cached_property
    def _nobody(self) -> str:
        """A hash no password is known for, checked when the account does not exist."""
        return self._hasher.hash(secrets.token_urlsafe(32))

    def prepare(self) -> None:
        """Make the hash for unknown accounts now, so that the first of them is not slower."""
        _ = self._nobody

    def hash(self, password: str) -> str:
        """The encoded Argon2id hash with its parameters."""
        with self._slot():
            return self._hasher.hash(password)

    def check(self, stored: str | None, password: str) -> bool:
        """True if ``password`` is the one of ``stored``; None does the same work and is False."""
        with self._slot():
            try:
                self._hasher.verify(stored or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """True if a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=_WAIT_S):
            raise HashingBusy("Too many logins at once.", "Try again in a moment.")
        try:
            yield
        finally:
            self._slots.release()


def new_password() -> str:
    """A one-time password of 99 random bits, in groups that a person can type."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def require_good(password: str, username: str) -> None:
    """OperatorMistake unless the password is 12 to 256 characters and not the account's name."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise OperatorMistake(f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters.")
    if username.casefold() in password.casefold() and len(password) < len(username) + PASSWORD_MIN:
        raise OperatorMistake("The password is built on the account's name.")

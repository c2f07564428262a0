"""Connections to the live-state server with time limits, and its errors translated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from engine.domain.errors import OperatorMistake, StoreUnavailable

_ANSWER_S = 2.0
_CONNECT_S = 2.0


def connect(url: str, answer_s: float = _ANSWER_S) -> redis.Redis:
    """A client for ``url`` that gives up after ``answer_s``; connects on first use.

    Raises OperatorMistake for an address that is none.
    """
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=answer_s,
            socket_connect_timeout=_CONNECT_S,
            socket_keepalive=True,
            health_check_interval=10,
            client_name="barnhand",
        )
    except ValueError as error:
        raise OperatorMistake(
            f"The address of the live-state server is not one: {error}.",
            "It looks like redis://:password@host:6379/0.",
        ) from error


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise StoreUnavailable (or OperatorMistake for a refused password) instead of the client's
    errors; ``doing`` completes "while ..."."""
    try:
        yield
    except redis.AuthenticationError as error:
        raise OperatorMistake(
            f"The live-state server refused the password while {doing}.",
            "Check the password in its address.",
        ) from error
    except (redis.RedisError, OSError) as error:
        raise StoreUnavailable(
            f"The live-state server is away (while {doing}): {error}.",
            "Barnhand keeps working and tries again.",
        ) from error

"""What can go wrong, as exceptions.

Every refusal of the API is a ``Refused`` with the stable ``code`` of its problem document::

    try:
        barn.horses.get(horse_id)
    except NotFound:
        print("there is no such horse")
    except Refused as error:
        print(error.code, error.detail)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class ClientError(Exception):
    """Everything that this client raises by itself."""


class Unreachable(ClientError):
    """The server does not answer. ``maybe_done``: the request may have reached it all the same."""

    def __init__(self, message: str, maybe_done: bool) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done


class Untrusted(Unreachable):
    """The server's certificate is not one that was said to be good; nothing was sent to it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, maybe_done=False)


class UnexpectedAnswer(ClientError):
    """The answer is not what the API says it is: another program, or another version, answers."""


@dataclass(frozen=True)
class FieldProblem:
    """One field that did not fit."""

    field: str
    message: str


class Refused(ClientError):
    """The API answered with a problem document (RFC 9457).

    ``code`` never changes its meaning, ``detail`` is for people, ``errors`` name the fields of a
    request that does not fit, ``retry_after_s`` is said with 429 and 503.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: tuple[FieldProblem, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        fields = "".join(f" {error.field}: {error.message}." for error in errors)
        super().__init__(f"{status} {code}: {detail}{fields}")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.retry_after_s = retry_after_s


class Invalid(Refused):
    """The request does not fit, or makes no sense (400, 405, 406, 413, 415, 416, 422)."""


class Unauthenticated(Refused):
    """No valid credential (401)."""


class LoginRefused(Unauthenticated):
    """Name or password is wrong, or the account is off."""


class LoginEnded(Unauthenticated):
    """The token, key or whole login is not good any more: log in anew."""


class Forbidden(Refused):
    """Not for this account or key (403)."""


class NotFound(Refused):
    """No such object for this account (404)."""


class Conflict(Refused):
    """Somebody else changed it meanwhile, or its state does not allow it (409)."""


class RateLimited(Refused):
    """Too many requests, and waiting did not help in the time allowed (429)."""


class Unavailable(Refused):
    """Something that the server needs does not answer (503)."""


class ServerMistake(Refused):
    """A mistake of the server (5xx other than 503); it was logged there."""


_BY_STATUS: dict[int, type[Refused]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
    503: Unavailable,
}
_BY_CODE: dict[str, type[Refused]] = {
    "login_refused": LoginRefused,
    "refresh_reused": LoginEnded,
    "token_refused": LoginEnded,
}


def refusal(status: int, problem: Any, retry_after: str | None) -> Refused:
    """The exception for a refusing answer; ``problem`` is its parsed body, None if it has none
    that can be read (HEAD, or a proxy in between)."""
    told = problem if isinstance(problem, dict) else {}
    code = str(told.get("code", "error"))
    family = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if family is None:
        family = ServerMistake if status >= 500 else Invalid
    listed = told.get("errors")
    errors = tuple(
        FieldProblem(str(one.get("field", "")), str(one.get("message", "")))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
    )
    detail = str(told.get("detail") or told.get("title") or "no reason was given")
    return family(status, code, detail, errors, seconds(retry_after))


def seconds(text: str | None) -> float | None:
    """A Retry-After in seconds; None for none and for dates, which this API does not send."""
    try:
        return None if text is None else max(float(text), 0.0)
    except ValueError:
        return None


class JobEnded(ClientError):
    """Background work ended without a result: it failed or was cancelled. ``state`` is which."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(f"the work is {state}: {message}" if message else f"the work is {state}")
        self.state = state


class WaitedTooLong(ClientError):
    """Something did not come to pass in the time given for it."""


class SocketClosed(ClientError):
    """The server closed the socket for good, with ``code`` and ``reason``."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class SlowReader(SocketClosed):
    """Events were not taken as fast as they came (4409); what was waiting is lost."""


class SocketRefused(SocketClosed):
    """The token is not good, or not for this (4400, 4401, 4403, 4408), or there are too many
    sockets or messages (4429)."""

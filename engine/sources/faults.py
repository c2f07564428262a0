"""Foreign exceptions of opening and reading, as sentences for a person.

FFmpeg's and the HTTP library's own messages contain the URL that was opened, password included.
They are never shown, and the cause that is chained carries only the error number and its name.
"""

from __future__ import annotations

import errno

import av
import av.error
import requests

from engine.domain.errors import (
    BarnhandError,
    EnvironmentFault,
    OperatorMistake,
    SourceUnreachable,
    SourceUnreadable,
)

_NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}
_CHECK_NETWORK = "Check that it has power and is on the network."


def refused_login(shown: str) -> OperatorMistake:
    """The server wants another user name or password."""
    return OperatorMistake(
        f"{shown} refused the user name or password.", "Enter them again in the stream's settings."
    )


def no_such_stream(shown: str) -> EnvironmentFault:
    """The server is there, the path is not (yet)."""
    return SourceUnreachable(
        f"{shown} answers, but has no stream at this path.",
        "Compare the part after the host name with the camera's manual.",
    )


def no_answer(shown: str, timeout_s: float) -> EnvironmentFault:
    """Nothing came within the time-out."""
    return SourceUnreachable(f"{shown} did not answer within {timeout_s:g} s.", _CHECK_NETWORK)


def unknown_codec(shown: str, live: bool) -> BarnhandError:
    """Pictures arrive in a coding that cannot be decoded; a camera may be set to another one."""
    kind = SourceUnreachable if live else SourceUnreadable
    return kind(
        f"{shown} uses a picture coding that cannot be decoded.",
        "Set it to H.264 or H.265." if live else "Convert it to H.264 in an MP4 file.",
    )


def quiet_cause(error: Exception) -> OSError:
    """The error's number and name without the URL, fit to be chained and logged."""
    return OSError(getattr(error, "errno", 0) or 0, type(error).__name__)


def from_ffmpeg(error: Exception, shown: str, timeout_s: float, live: bool) -> BarnhandError:
    """What an exception of PyAV means. ``shown`` names the source without credentials."""
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return refused_login(shown)
    if isinstance(error, av.error.HTTPNotFoundError):
        return no_such_stream(shown)
    if isinstance(error, av.error.HTTPClientError | av.error.HTTPServerError):
        return SourceUnreachable(f"{shown} answered with an error.", "Look at the camera's state.")
    if isinstance(error, TimeoutError | av.error.ExitError):
        return no_answer(shown, timeout_s)
    if isinstance(error, av.error.ProtocolNotFoundError):
        return OperatorMistake(f"{shown} uses a protocol that is not allowed here.")
    if isinstance(error, av.error.InvalidDataError):
        if live:
            return SourceUnreachable(
                f"{shown} answers, but not with a video stream.", "Check the port and the path."
            )
        return SourceUnreadable(
            f"{shown} is not a video that can be read.", "Play it in another player to check it."
        )
    if isinstance(error, OSError):
        return from_network(error, shown)
    return SourceUnreachable(f"{shown} cannot be read ({type(error).__name__}).")


def from_network(error: OSError, shown: str) -> BarnhandError:
    """What an operating system error on a connection means."""
    number = error.errno
    if isinstance(error, ConnectionRefusedError):
        return SourceUnreachable(
            f"{shown} refused the connection.",
            "Check the port, and that the camera's stream is switched on.",
        )
    if number in _NO_ROUTE:
        return SourceUnreachable(f"{shown} cannot be reached.", _CHECK_NETWORK)
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return SourceUnreachable(f"{shown} broke the connection.", _CHECK_NETWORK)
    if number == errno.EIO:  # FFmpeg reports a host name that does not resolve like this
        return SourceUnreachable(
            f"{shown} cannot be reached.", "Check the spelling of the host name and the network."
        )
    return SourceUnreachable(f"{shown} cannot be read ({type(error).__name__}).", _CHECK_NETWORK)


def from_requests(error: Exception, shown: str, timeout_s: float) -> BarnhandError:
    """What an exception of ``requests`` means."""
    if isinstance(error, requests.Timeout):
        return no_answer(shown, timeout_s)
    if isinstance(error, requests.exceptions.SSLError):
        return OperatorMistake(
            f"{shown} has a certificate that cannot be verified.",
            "Use http, or install the camera's certificate.",
        )
    if isinstance(
        error,
        requests.exceptions.InvalidURL
        | requests.exceptions.InvalidSchema
        | requests.exceptions.MissingSchema,
    ):
        return OperatorMistake(f"{shown} is not a web address.")
    text = repr(error)
    if "refused" in text:
        return from_network(ConnectionRefusedError(errno.ECONNREFUSED, ""), shown)
    return SourceUnreachable(f"{shown} cannot be reached.", _CHECK_NETWORK)

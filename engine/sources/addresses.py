"""Addresses as people type them: which kind of source they name, and where passwords may stand.

Credentials join an address only in ``with_credentials``, at the moment of opening. Everything that
is shown or logged goes through ``redacted``.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from engine.domain.errors import OperatorMistake
from engine.domain.push import SCHEME as PUSH_SCHEME
from engine.domain.streams import SourceKind
from engine.domain.web_sites import PREFIX, is_web_page

_KINDS = {
    "rtsp": SourceKind.RTSP,
    "rtsps": SourceKind.RTSP,
    "rtmp": SourceKind.RTMP,
    "rtmps": SourceKind.RTMP,
    PUSH_SCHEME: SourceKind.RTMP_PUSH,
    "http": SourceKind.HTTP,
    "https": SourceKind.HTTP,
    "file": SourceKind.FILE,
    "usb": SourceKind.USB,
    "simulated": SourceKind.SIMULATED,
}
DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):")
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
# Cameras that take the password in the query spell it in one of these ways.
_SECRET_IN_QUERY = re.compile(
    r"([?&](?:password|passwd|pwd|pass|psw|loginpas|token|auth|key|user|usr|username|loginuse)=)"
    r"[^&#]*",
    re.IGNORECASE,
)

_PUSH_KEY = re.compile(rf"^({PUSH_SCHEME}://[^/]*/[^/]*/).+", re.IGNORECASE)


def kind_of(address: str) -> SourceKind:
    """What a typed address names; a path that exists as a folder is a FOLDER.

    Raises OperatorMistake for an empty address and for schemes this program does not speak.
    """
    address = address.strip()
    if not address:
        raise OperatorMistake("The address is empty.", "Type a camera's URL or a path to a video.")
    if address.startswith("/dev/video"):
        return SourceKind.USB
    if is_web_page(address):
        return SourceKind.WEB_VIDEO
    scheme = _SCHEME.match(address)  # at least two letters, so that C:\clips is a path
    if scheme and not Path(address).exists():
        try:
            return _KINDS[scheme[1].lower()]
        except KeyError:
            raise OperatorMistake(
                f"Addresses that begin with {scheme[1]}: are not known.",
                "Known are rtsp, rtmp, rtmp-listen, http, https, usb, simulated, and paths.",
            ) from None
    return SourceKind.FOLDER if Path(address).is_dir() else SourceKind.FILE


def split_credentials(address: str) -> tuple[str, str, str]:
    """A typed URL as (address without credentials, user name, password)."""
    parts = urlsplit(address)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return address, "", ""
    user, _, password = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=host)), unquote(user), unquote(password)


def with_credentials(address: str, username: str, password: str) -> str:
    """The URL to open: the credentials percent-encoded before the host, where there are any."""
    if not username and not password:
        return address
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        parts._replace(netloc=f"{quote(username, safe='')}:{quote(password, safe='')}@{host}")
    )


def redacted(address: str) -> str:
    """The address fit to be shown and logged: without user, password and secret query values."""
    plain = _PUSH_KEY.sub(r"\1***", _USERINFO.sub("", address))
    return _SECRET_IN_QUERY.sub(r"\1***", plain)


def host_and_port(address: str) -> tuple[str, int] | None:
    """Where a URL's server listens, None where the address names no server."""
    if address.lower().startswith(PUSH_SCHEME):
        return None
    parts = urlsplit(address.removeprefix(PREFIX))
    try:
        port = parts.port or DEFAULT_PORTS.get(parts.scheme.lower(), 0)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None

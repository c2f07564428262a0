"""Streams that remote callers made lead where they led when they were checked, and nowhere else.

Their host's addresses were checked and kept with them (``networks.PINNED``). A name that stands for
something else later (DNS rebinding), a redirect or a playlist must not open a way into the local
network: connections go to a pinned address, redirects are refused, and a playlist may name other
hosts in the public internet only. OWASP, "Server-Side Request Forgery Prevention".
"""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from engine.domain.errors import OperatorMistake, SourceUnreachable
from engine.domain.networks import PINNED, is_public
from engine.domain.streams import SourceKind, Stream
from engine.sources.addresses import host_and_port

_REDIRECTS = range(300, 400)
_AT_ONCE = 8
_REDIRECTS_AT_MOST = 5
FETCHED = {
    "http_persistent": "0",
    "format_whitelist": (
        "hls,mpegts,mov,matroska,flv,mpeg,avi,asf,ogg,mpjpeg,mjpeg,h264,hevc,m4v,ivf,obu,aac,mp3,"
        "ac3,webvtt"
    ),
}
"""Options of FFmpeg beside a Fetcher. Some of FFmpeg's formats (a list of further files, a session
description) open connections of their own, so only those that do not are read."""


def pinned_of(stream: Stream) -> tuple[str, ...]:
    """The addresses the stream may lead to; none if it is free."""
    pinned = stream.extra.get(PINNED)
    return tuple(str(one) for one in pinned) if isinstance(pinned, list | tuple) else ()


def knocking_place(stream: Stream) -> tuple[str, int] | None:
    """Where to see whether the stream's server is back; None where it names none. The site of a
    web video is always there, and may be reached through a proxy only."""
    if stream.kind is SourceKind.WEB_VIDEO:
        return None
    place, pinned = host_and_port(stream.address), pinned_of(stream)
    return (pinned[0], place[1]) if place is not None and pinned else place


def address_now(host: str, pinned: tuple[str, ...], shown: str) -> str:
    """The pinned address to connect to: one that the name stands for now, where it is known.

    Raises SourceUnreachable when the name stands for none of them any more.
    """
    try:
        found = _addresses(host)
    except OSError:
        return pinned[0]
    usable = [address for address in found if address in pinned]
    if not usable:
        raise SourceUnreachable(
            f"The host name of {shown} stands for another address than when it was added.",
            "If the camera moved, remove it and add it again.",
        )
    return usable[0]


def _addresses(host: str) -> list[str]:
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class _PinnedAdapter(HTTPAdapter):
    """Connects to the address it is told, while requests and TLS carry the name. Hosts other than
    ``host`` must lie in the public internet."""

    def __init__(self, host: str, pinned: tuple[str, ...], shown: str) -> None:
        self._host = host.lower()
        self._pinned = pinned
        self._shown = shown
        super().__init__(pool_connections=_AT_ONCE, pool_maxsize=_AT_ONCE)

    def _address_of(self, host: str) -> str:
        if host.lower() == self._host:
            return address_now(host, self._pinned, self._shown)
        found = _addresses(host)
        if not found or not all(is_public(address) for address in found):
            raise OperatorMistake(
                f"{self._shown} leads to an address outside the public internet.",
                "Only the console of this program may add such a camera.",
            )
        return found[0]

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """See ``HTTPAdapter``."""
        place, further = super().build_connection_pool_key_attributes(request, verify, cert)
        name = str(place["host"])
        pinned: dict[str, Any] = {**place, "host": self._address_of(name)}
        named: dict[str, Any] = dict(further)
        if pinned["scheme"] == "https":
            named |= {"server_hostname": name, "assert_hostname": name}
        return pinned, named

    def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
        """See ``HTTPAdapter``."""
        request.headers["Host"] = urlsplit(str(request.url)).netloc.rpartition("@")[2]


class PinnedSession(requests.Session):
    """A session that reaches a stream's host at its pinned addresses and follows no redirect."""

    def __init__(self, stream: Stream, shown: str) -> None:
        super().__init__()
        self._shown = shown
        self.trust_env = False  # a proxy of the environment would look names up itself
        host = urlsplit(stream.address).hostname or ""
        adapter = _PinnedAdapter(host, pinned_of(stream), shown)
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)

    def send(self, request: requests.PreparedRequest, **named: Any) -> requests.Response:
        """See ``requests.Session``; OperatorMistake for a redirect."""
        named["allow_redirects"] = False
        answer = super().send(request, **named)
        if answer.status_code in _REDIRECTS and "Location" in answer.headers:
            answer.close()
            raise OperatorMistake(
                f"{self._shown} leads on to another address, which is refused.",
                "Enter the address that it leads to.",
            )
        return answer


def session_for(stream: Stream, shown: str) -> requests.Session:
    """A session for an HTTP stream, pinned where the stream is."""
    return PinnedSession(stream, shown) if pinned_of(stream) else requests.Session()


class PublicSession(requests.Session):
    """A session that stays in the public internet: each name is looked up once, checked, and the
    connection goes to what was found; so does every step of a redirect."""

    def __init__(self, shown: str, proxy: str = "") -> None:
        super().__init__()
        self.trust_env = False
        self.max_redirects = _REDIRECTS_AT_MOST
        if proxy:
            self.proxies = {"http": proxy, "https": proxy}
        adapter = _PinnedAdapter("", (), shown)
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)


class Fetcher:
    """Opens what FFmpeg asks for over a checked session: playlists, segments, files."""

    def __init__(self, session: requests.Session, timeout_s: tuple[float, float]) -> None:
        self._session = session
        self._timeout_s = timeout_s

    def __call__(self, url: str, flags: int, options: Mapping[str, str]) -> io.RawIOBase:
        """The body of an address, as PyAV's ``io_open`` wants it."""
        if not url.lower().startswith(("http://", "https://")):
            raise OperatorMistake("A playlist leads to something that is no web address.")
        body = _Body(self._session, url, self._timeout_s)
        return body

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


class _Body(io.RawIOBase):
    """An answer's body as a file; seeking asks for the rest anew where the server can."""

    def __init__(self, session: requests.Session, url: str, timeout_s: tuple[float, float]) -> None:
        super().__init__()
        self._session = session
        self._url = url
        self._timeout_s = timeout_s
        self._at = 0
        self._answer = self._ask(0)
        ranges = self._answer.headers.get("Accept-Ranges", "").lower() == "bytes"
        length = self._answer.headers.get("Content-Length", "")
        self._size = int(length) if ranges and length.isdigit() else None

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True if the server answers for parts."""
        return self._size is not None

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; none at the end. Raises OSError."""
        try:
            data: bytes = self._answer.raw.read(size if size >= 0 else None)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise TimeoutError from error
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionResetError from error
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; OSError where the server answers only from the beginning."""
        size = self._size
        if size is None:
            raise OSError("not seekable")
        target = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: size}[whence] + offset
        if target != self._at:
            self._answer.close()
            self._answer = self._ask(target)
            self._at = target
        return target

    def tell(self) -> int:
        """The place."""
        return self._at

    def close(self) -> None:
        """Hang up."""
        self._answer.close()
        super().close()

    def _ask(self, begin: int) -> requests.Response:
        headers = {"Accept-Encoding": "identity"}
        if begin:
            headers["Range"] = f"bytes={begin}-"
        answer = self._session.get(self._url, stream=True, timeout=self._timeout_s, headers=headers)
        if answer.status_code >= 400 or (begin and answer.status_code != 206):
            answer.close()
            raise ConnectionResetError
        return answer

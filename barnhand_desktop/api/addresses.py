"""Which camera addresses a remote caller may store: schemes on a list, no way into the machine.

The rules are the API's security rules: link-local and cloud metadata ranges are refused, the
resolved addresses are pinned with the stream, credentials in a URL are split off.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

from engine.domain.errors import OperatorMistake
from engine.domain.networks import holds_no_camera, is_loopback, is_public
from engine.domain.push import SCHEME as PUSH_SCHEME
from engine.domain.push import read_push_address
from engine.domain.streams import SourceKind
from engine.domain.web_sites import PREFIX, is_known_site, is_web_page, page_of

Resolve = Callable[[str, int], Sequence[str]]

_KIND_BY_SCHEME = {
    "rtsp": SourceKind.RTSP,
    "rtsps": SourceKind.RTSP,
    "rtmp": SourceKind.RTMP,
    "rtmps": SourceKind.RTMP,
    "http": SourceKind.HTTP,
    "https": SourceKind.HTTP,
    "simulated": SourceKind.SIMULATED,
    "file": SourceKind.FILE,
}
_PORT_BY_SCHEME = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_SIMULATED = re.compile(
    r"simulated:(//barn/)?[A-Za-z0-9_.-]{1,64}(\?[a-z]{1,16}=\w{1,16}(&[a-z]{1,16}=\w{1,16}){0,5})?\Z"
)
_ADDRESS_MAX = 2048
_SECRET_WORDS = re.compile(
    r"pass(w(or)?d)?|pwd|user(name)?|usr|login|auth|token|secret|key|sig(nature)?", re.IGNORECASE
)
MASK = "***"


class AddressRefused(OperatorMistake):
    """The address is not one that a remote caller may have opened."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What this server accepts. ``loopback``: cameras on this machine are allowed (only callers on
    this machine reach the server). ``media_root``: files below it are allowed. ``sites``: pages of
    these are allowed beside those of the known sites. ``push_ports``: the first and the last port
    at which cameras may push; ``push_remote``: from other machines too."""

    loopback: bool = False
    media_root: Path | None = None
    sites: tuple[str, ...] = ()
    push_ports: tuple[int, int] = (1935, 1966)
    push_remote: bool = False


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """An accepted address. ``pinned`` are the addresses its name stood for when it was checked."""

    kind: SourceKind
    address: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    pinned: tuple[str, ...] = ()


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host as the system resolves it; AddressRefused when there are none."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused("The camera's host name cannot be resolved.") from error
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


def check_address(text: str, rules: AddressRules, resolve_host: Resolve = resolve) -> CameraAddress:
    """The address split and checked; raises AddressRefused with a reason without secrets."""
    text = text.strip()
    if not text or len(text) > _ADDRESS_MAX or re.search(r"[\x00-\x20\x7f\\]", text):
        raise AddressRefused("The address is empty, too long or has characters no URL has.")
    scheme = text.partition(":")[0].lower()
    if scheme == PUSH_SCHEME:
        return _push_address(text, rules)
    if is_web_page(text, rules.sites):
        return _page_address(text, rules, resolve_host)
    kind = _KIND_BY_SCHEME.get(scheme)
    if kind is None:
        raise AddressRefused(
            "The address does not start with a scheme that is allowed here.",
            f"Allowed: {', '.join(sorted([*_KIND_BY_SCHEME, PUSH_SCHEME, PREFIX[:-1]]))}.",
        )
    if kind is SourceKind.SIMULATED:
        if not _SIMULATED.match(text):
            raise AddressRefused(
                "A simulated source is written simulated:NAME or simulated://barn/NAME."
            )
        return CameraAddress(kind, text)
    if kind is SourceKind.FILE:
        return CameraAddress(kind, str(_file_below(text, rules.media_root)))
    return _network_address(text, kind, rules, resolve_host)


def _network_address(
    text: str, kind: SourceKind, rules: AddressRules, resolve_host: Resolve
) -> CameraAddress:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressRefused("The address is not a URL.") from error
    if not host:
        raise AddressRefused("The address names no host.")
    port = port or _PORT_BY_SCHEME[parts.scheme]
    pinned = tuple(resolve_host(host, port))
    if not pinned:
        raise AddressRefused("The camera's host name cannot be resolved.")
    for address in pinned:
        require_allowed(address, rules)
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    return CameraAddress(kind, _without_credentials(parts), username, password, pinned)


def _page_address(text: str, rules: AddressRules, resolve_host: Resolve) -> CameraAddress:
    """A page of a known site, in the public internet."""
    try:
        parts = urlsplit(page_of(text))
        host, port = parts.hostname or "", parts.port
    except (OperatorMistake, ValueError) as error:
        raise AddressRefused("The address names no page with a video.") from error
    if parts.username or parts.password:
        raise AddressRefused("The address of a page carries no user name or password.")
    if not is_known_site(host, rules.sites):
        raise AddressRefused(
            "Pages of this site are not looked at for remote callers.",
            "Its host name can be allowed in the settings of this machine.",
        )
    pinned = tuple(resolve_host(host, port or _PORT_BY_SCHEME[parts.scheme.lower()]))
    if not pinned or not all(is_public(address) for address in pinned):
        raise AddressRefused("The site does not lie in the public internet.")
    return CameraAddress(SourceKind.WEB_VIDEO, text, pinned=pinned)


def _push_address(text: str, rules: AddressRules) -> CameraAddress:
    """Where a camera is to push; the key in it is taken out."""
    try:
        address, key = read_push_address(text)
    except OperatorMistake as error:
        raise AddressRefused(error.message, error.advice) from error
    first, last = rules.push_ports
    if not first <= address.port <= last:
        raise AddressRefused(f"Cameras push to the ports {first} to {last} of this machine.")
    if not address.local and not rules.push_remote:
        raise AddressRefused(
            "Other machines may not push here.", "Remote pushing is switched on in the settings."
        )
    return CameraAddress(SourceKind.RTMP_PUSH, str(address), password=key)


def _without_credentials(parts: SplitResult) -> str:
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path, parts.query, ""))


def require_allowed(address: str, rules: AddressRules) -> None:
    """AddressRefused for ranges that no camera is in: link-local, metadata, multicast, none."""
    if is_loopback(address):
        if rules.loopback:
            return
        raise AddressRefused("Addresses of this machine itself are refused to remote callers.")
    if holds_no_camera(address):
        raise AddressRefused("The address lies in a range where no camera may be.")


def _file_below(text: str, media_root: Path | None) -> Path:
    if media_root is None:
        raise AddressRefused("Files cannot be added as streams from here.")
    path = unquote(text.partition(":")[2])
    path = path.removeprefix("//").lstrip("/")
    if "\x00" in path:
        raise AddressRefused("The file is not below the media folder.")
    root = media_root.resolve()
    target = (root / path).resolve()
    if not target.is_relative_to(root) or target == root:
        raise AddressRefused("The file is not below the media folder.")
    return target


def masked(address: str) -> str:
    """The address fit for an answer: no user information, secrets in the query masked."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return MASK
    if not parts.netloc:
        return address
    query = parts.query
    pairs = parse_qsl(query, keep_blank_values=True)
    if any(_SECRET_WORDS.search(name) for name, _ in pairs):
        query = "&".join(
            f"{quote(name)}={MASK if _SECRET_WORDS.search(name) else quote(value)}"
            for name, value in pairs
        )
    return _without_credentials(parts._replace(query=query))


def same_place(first: str, second: str) -> bool:
    """True if both addresses name the same scheme, host and port; credentials may be kept then."""
    try:
        a, b = urlsplit(first), urlsplit(second)
        return (a.scheme, a.hostname, a.port) == (b.scheme, b.hostname, b.port)
    except ValueError:
        return False

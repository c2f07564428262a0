"""Which camera addresses a remote caller may store: schemes on a list, no way into the machine.

The rules are the API's security rules: link-local and cloud metadata ranges are refused, the
resolved addresses are pinned with the stream, credentials in a URL are split off. OWASP's
"Server-Side Request Forgery Prevention" lists the encodings that are unwrapped here.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

from engine.domain.errors import OperatorMistake
from engine.domain.streams import SourceKind

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
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
_REFUSED_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local; 169.254.169.254 is the metadata service of most clouds
        "100.100.100.200/32",  # metadata service of Alibaba Cloud
        "168.63.129.16/32",  # wire server of Azure
        "192.0.0.0/24",  # protocol assignments; metadata service of Oracle Cloud classic
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::/32",  # metadata service of AWS
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SECRET_WORDS = re.compile(
    r"pass(w(or)?d)?|pwd|user(name)?|usr|login|auth|token|secret|key|sig(nature)?", re.IGNORECASE
)
MASK = "***"


class AddressRefused(OperatorMistake):
    """The address is not one that a remote caller may have opened."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What this server accepts. ``loopback``: cameras on this machine are allowed (only callers on
    this machine reach the server). ``media_root``: files below it are allowed."""

    loopback: bool = False
    media_root: Path | None = None


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
    kind = _KIND_BY_SCHEME.get(scheme)
    if kind is None:
        raise AddressRefused(
            "The address does not start with a scheme that is allowed here.",
            f"Allowed: {', '.join(sorted(_KIND_BY_SCHEME))}.",
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


def _without_credentials(parts: SplitResult) -> str:
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path, parts.query, ""))


def require_allowed(address: str, rules: AddressRules) -> None:
    """AddressRefused for ranges that no camera is in: link-local, metadata, multicast, none."""
    ip = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    if ip.is_loopback and rules.loopback:
        return
    if ip.is_loopback:
        raise AddressRefused("Addresses of this machine itself are refused to remote callers.")
    if any(ip.version == network.version and ip in network for network in _REFUSED_NETWORKS):
        raise AddressRefused("The address lies in a range where no camera may be.")


def _unwrapped(ip: IPAddress) -> IPAddress:
    """The IPv4 address inside an IPv6 one (mapped, 6to4, Teredo server's client, NAT64)."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64 or (int(ip) >> 32 == 0 and int(ip) > 1):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None) or ip


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

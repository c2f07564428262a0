"""Reads what a person types as a camera's address. Pure: no file is opened, no host is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from engine.domain.errors import OperatorMistake
from engine.domain.push import SCHEME as PUSH_SCHEME
from engine.domain.push import read_push_address
from engine.domain.streams import SourceKind
from engine.domain.web_sites import is_web_page, page_of

SCHEMES = {
    "rtsp": SourceKind.RTSP,
    "rtsps": SourceKind.RTSP,
    "rtmp": SourceKind.RTMP,
    "rtmps": SourceKind.RTMP,
    "http": SourceKind.HTTP,
    "https": SourceKind.HTTP,
}
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Address:
    """What was typed, understood: credentials taken out of the address, a name to suggest."""

    kind: SourceKind
    address: str
    username: str
    password: str
    suggested_name: str


def read_address(text: str) -> Address:
    """Understand an RTSP, RTMP or HTTP URL, a page of YouTube, Twitch and the like (``web:`` before
    those of other sites), ``rtmp-listen:`` for a camera that pushes, a file or folder, ``usb:0``,
    ``simulated:NAME``, or a bare host name (taken as RTSP). Raises OperatorMistake saying what is
    wrong.
    """
    text = text.strip().strip('"')
    if not text:
        raise OperatorMistake("The address is empty.", "Type or paste the camera's address.")
    lower = text.lower()
    if lower.startswith("simulated:"):
        name = text.split(":", 1)[1].strip() or "paddock"
        title = name.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
        return Address(SourceKind.SIMULATED, f"simulated:{name}", "", "", f"Simulated {title}")
    usb = re.fullmatch(r"(?:usb:)?(\d{1,2})|(?:usb:)?(/dev/video\d+)", lower)
    if usb:
        device = usb.group(1) or usb.group(2)
        number = re.sub(r"\D", "", device)
        return Address(SourceKind.USB, f"usb:{number}", "", "", f"USB camera {number}")
    if lower.startswith(f"{PUSH_SCHEME}:"):
        push, key = read_push_address(text)
        name = f"Camera on port {push.port}"
        return Address(SourceKind.RTMP_PUSH, str(push), "", key, name)
    page = f"https://{text}" if is_web_page(f"https://{text}") and "://" not in text else text
    if is_web_page(page):
        host = urlsplit(page_of(page)).hostname or ""
        name = host.removeprefix("www.").removeprefix("m.")
        return Address(SourceKind.WEB_VIDEO, page, "", "", name)
    scheme = re.match(r"([a-z][a-z0-9+.-]+)://", lower)
    if scheme and scheme.group(1) == "file":
        return _path(unquote(urlsplit(text).path))
    if scheme:
        return _url(text, scheme.group(1))
    if _looks_like_path(text):
        return _path(text)
    return _url(f"rtsp://{text}", "rtsp")


def _looks_like_path(text: str) -> bool:
    if text.startswith(("/", "./", "../", "~", "\\\\")) or re.match(r"[A-Za-z]:[\\/]", text):
        return True
    return Path(text).suffix.lower() in VIDEO_AND_PICTURE or Path(text).exists()


VIDEO_AND_PICTURE = (
    *PICTURES,
    ".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".gif", ".flv",
    ".wmv", ".h264", ".h265", ".hevc",
)  # fmt: skip


def _path(text: str) -> Address:
    path = Path(text).expanduser()
    kind = SourceKind.FOLDER if path.is_dir() else SourceKind.FILE
    return Address(kind, str(path), "", "", path.stem or str(path))


def _url(text: str, scheme: str) -> Address:
    kind = SCHEMES.get(scheme)
    if kind is None:
        known = ", ".join(f"{s}://" for s in (*SCHEMES, PUSH_SCHEME))
        raise OperatorMistake(f"Addresses of kind {scheme}:// are not known.", f"Known: {known}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise OperatorMistake(f"This is no valid address: {error}.") from error
    if not host or not re.fullmatch(r"[\w.:%-]+", host):
        raise OperatorMistake(
            "The address names no camera.", "Example: rtsp://192.168.1.20:554/stream1"
        )
    where = f"[{host}]" if ":" in host else host
    where += f":{port}" if port is not None else ""
    clean = urlunsplit((parts.scheme.lower(), where, parts.path, parts.query, parts.fragment))
    user, word = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(kind, clean, user, word, host)


def kind_words(kind: SourceKind) -> str:
    """The kind as shown under the address field."""
    return {
        SourceKind.RTSP: "RTSP camera",
        SourceKind.RTMP: "RTMP stream",
        SourceKind.RTMP_PUSH: "Camera that sends its picture here (RTMP push)",
        SourceKind.WEB_VIDEO: "Video of a web page (YouTube, Twitch, …)",
        SourceKind.HTTP: "HTTP stream or file",
        SourceKind.FILE: "Video file, played in a loop",
        SourceKind.FOLDER: "Folder of videos or pictures",
        SourceKind.USB: "USB camera of this computer",
        SourceKind.SIMULATED: "Simulated barn (no real horses)",
    }[kind]

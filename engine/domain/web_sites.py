"""Sites whose pages hold a video that yt-dlp finds, and how their addresses are written."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from engine.domain.errors import OperatorMistake

PREFIX = "web:"
"""Written before the address of a page on any other site: ``web:https://site/page``."""

KNOWN_SITES = (
    "youtube.com",
    "youtu.be",
    "youtube-nocookie.com",
    "twitch.tv",
    "vimeo.com",
    "dailymotion.com",
    "dai.ly",
    "facebook.com",
    "fb.watch",
    "kick.com",
    "rumble.com",
    "streamable.com",
)
"""Sites that publish horse and barn cameras; subdomains are meant too."""


def is_known_site(host: str | None, further: Iterable[str] = ()) -> bool:
    """True if the host is one of the known sites or of ``further``, or below one."""
    name = (host or "").lower().rstrip(".")
    return any(
        name == site or name.endswith(f".{site}")
        for site in (*KNOWN_SITES, *(site.lower() for site in further))
    )


def is_web_page(address: str, further: Iterable[str] = ()) -> bool:
    """True if the address names a page on which yt-dlp is to look for the video."""
    if address.lower().startswith(PREFIX):
        return True
    try:
        parts = urlsplit(address)
        return parts.scheme.lower() in ("http", "https") and is_known_site(parts.hostname, further)
    except ValueError:
        return False


def page_of(address: str) -> str:
    """The page's own URL, without the prefix. Raises OperatorMistake if it is none."""
    address = address.strip()
    page = address[len(PREFIX) :] if address.lower().startswith(PREFIX) else address
    try:
        parts = urlsplit(page)
        named = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        named = False
    if not named:
        raise OperatorMistake(
            "This names no page with a video.",
            "Write it like https://www.youtube.com/watch?v=… or web:https://site/page.",
        )
    return page

"""The child process that asks yt-dlp where a page's video is.

A page is untrusted, and so is what a site's scripts do: yt-dlp runs apart, with a time limit and
limited memory, without plug-ins, configuration files, cache, log-in files or this program's
environment. A question comes over standard input, the answer goes to standard output, both one JSON
object. The proxy and the cookies reach the child nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from engine.domain.networks import is_public

_MEMORY_BYTES = 4 << 30
_PROTOCOLS = "https?|m3u8|m3u8_native"
_HEADERS = ("User-Agent", "Referer", "Origin", "Accept-Language", "Cookie")

_NOT_PUBLIC = "outside the public internet"
FAILURES: Sequence[tuple[str, str]] = (
    ("private_network", _NOT_PUBLIC),
    ("bot", r"not a bot|captcha|unusual traffic"),
    ("rate", r"HTTP Error 429|too many requests|rate.?limit"),
    ("geo", r"available (in|from) your (country|location|region)|geo.?restrict"),
    (
        "not_live",
        r"not currently live|is offline|will begin in|premieres? in|has not started|event will",
    ),
    ("private", r"private video|video is private|is private"),
    (
        "login",
        r"sign in|log ?in|logged|members?.only|subscriber|join this channel|confirm your age|"
        r"registered users|authenticat|requires? (payment|purchase)",
    ),
    (
        "removed",
        r"has been removed|no longer (available|exists)|video unavailable|does not exist|"
        r"account .{0,40}(terminated|closed|suspended)|HTTP Error (404|410)",
    ),
    ("drm", r"\bDRM\b"),
    ("refused", r"HTTP Error (401|403|451)|forbidden"),
    ("quality", r"requested format is not available"),
    ("proxy", r"proxy|tunnel connection"),
    ("unsupported", r"unsupported url|is not a valid url|no suitable extractor"),
    (
        "network",
        r"timed out|name or service|getaddrinfo|name resolution|connection|unreachable|"
        r"HTTP Error 5\d\d|certificate|ssl|incomplete",
    ),
)
"""What yt-dlp's messages mean, first match first: (kind, pattern)."""


def kind_of_failure(message: str) -> str:
    """Which of the kinds a message of yt-dlp is, ``other`` if none."""
    for kind, pattern in FAILURES:
        if re.search(pattern, message, re.IGNORECASE):
            return kind
    return "other"


def resolve(question: Mapping[str, Any]) -> dict[str, Any]:
    """Ask yt-dlp. ``question``: page, max_height_px, timeout_s, proxy, cookies (text or None),
    public_only (refuse addresses outside the public internet), generic (look through pages of sites
    it has no extractor for), javascript.

    The answer has url, protocol, live, duration_s, width_px, height_px, fps, title and headers, or
    ``failure`` (see FAILURES) and ``message``.
    """
    library: Any = import_module("yt_dlp")  # slow to load, and states no types
    faults: Any = import_module("yt_dlp.utils")
    import_module("yt_dlp.globals").plugin_dirs.value = []
    if question.get("public_only"):
        _stay_public(str(question.get("proxy") or ""))
    with tempfile.TemporaryDirectory(prefix="barnhand-video-") as folder:
        options = _options(question, Path(folder))
        try:
            with library.YoutubeDL(options) as asked:
                found = asked.extract_info(str(question["page"]), download=False)
        except faults.DownloadError as error:
            message = _plain(str(error))
            cause = error.exc_info[1] if error.exc_info else None
            kind = kind_of_failure(message)
            if isinstance(cause, faults.GeoRestrictedError):
                kind = "geo"
            elif isinstance(cause, faults.UserNotLive):
                kind = "not_live"
            return {"failure": kind, "message": message}
    return _answer(found)


def _options(question: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    height = int(question["max_height_px"])
    where = f"[height<=?{height}][protocol~='^({_PROTOCOLS})$']"
    options: dict[str, Any] = {
        # One stream of pictures; sound is not needed, so a silent one is as good.
        "format": f"bv[vcodec^=avc1]{where}/bv{where}/b{where}/bv*{where}",
        "quiet": True,
        "no_warnings": True,
        "logger": _Silent(),
        "noplaylist": True,
        "playlist_items": "1",
        "skip_download": True,
        "cachedir": False,
        "usenetrc": False,
        "enable_file_urls": False,
        "allow_unplayable_formats": False,
        "socket_timeout": float(question["timeout_s"]) / 3,
        "extractor_retries": 1,
        "retries": 1,
        "js_runtimes": {"deno": {}} if question.get("javascript") else {},
        "remote_components": (),
        "proxy": question.get("proxy") or "",
    }
    if not question.get("generic", True):
        # Of a known site only its own extractor: the generic one follows links anywhere.
        options["allowed_extractors"] = ["default", "-generic"]
    cookies = question.get("cookies")
    if cookies:  # yt-dlp writes cookies back, so it gets a copy
        jar = folder / "cookies.txt"
        jar.touch(0o600)
        jar.write_text(str(cookies), encoding="utf-8")
        options["cookiefile"] = str(jar)
    return options


class _Silent:
    """Takes yt-dlp's messages, which hold addresses with tokens."""

    def debug(self, message: str) -> None:
        """Dropped."""

    info = warning = error = debug


def _answer(found: Mapping[str, Any] | None) -> dict[str, Any]:
    if found and "entries" in found:
        found = next(iter(found["entries"] or ()), None)
    if not found or not found.get("url"):
        upcoming = bool(found) and str((found or {}).get("live_status")) == "is_upcoming"
        return {"failure": "not_live" if upcoming else "unsupported", "message": "no video"}
    headers = found.get("http_headers") or {}
    return {
        "url": str(found["url"]),
        "protocol": str(found.get("protocol") or ""),
        "live": bool(found.get("is_live")),
        "duration_s": found.get("duration"),
        "width_px": found.get("width"),
        "height_px": found.get("height"),
        "fps": found.get("fps"),
        "title": str(found.get("title") or ""),
        "headers": {name: str(headers[name]) for name in _HEADERS if headers.get(name)},
    }


def _plain(message: str) -> str:
    """yt-dlp's message without colour codes, its own advice and links."""
    message = re.sub(r"\x1b\[[0-9;]*m", "", message)
    message = re.sub(r"^ERROR:\s*", "", message)
    message = message.partition("; please report")[0].partition(" (caused by")[0]
    return re.sub(r"\w+://\S+", "…", message)[:300].strip()


def _stay_public(proxy: str) -> None:
    """Refuse to look up names that lie outside the public internet, the proxy's apart.

    Every connection of this process asks for its address here, redirects and literal addresses too.
    """
    ask: Callable[..., list[Any]] = socket.getaddrinfo
    host = re.sub(r"^\w+://(?:[^@/]*@)?", "", proxy).partition("/")[0].rpartition(":")[0]

    def public(name: Any, *further: Any, **named: Any) -> list[Any]:
        answers = ask(name, *further, **named)
        if host and name == host:
            return answers
        kept = [answer for answer in answers if is_public(str(answer[4][0]))]
        if not kept:
            raise socket.gaierror(socket.EAI_NONAME, _NOT_PUBLIC)
        return kept

    vars(socket)["getaddrinfo"] = public


def _limit_memory() -> None:
    """Bound the memory of this process where the system can."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(source: IO[str] = sys.stdin, sink: IO[str] = sys.stdout) -> int:
    """Answer one question."""
    question = json.loads(source.read())
    _limit_memory()
    with contextlib.redirect_stdout(sys.stderr):
        answer = resolve(question)
    sink.write(json.dumps(answer))
    sink.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

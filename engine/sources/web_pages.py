"""Where the video of a web page is: asked of yt-dlp in a child process, remembered for a minute."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.domain.errors import BarnhandError, OperatorMistake, SourceUnreachable
from engine.domain.ids import StreamId
from engine.settings import WebVideoSettings, proxy_addresses

log = logging.getLogger(__name__)

_AT_A_TIME = 2
_REMEMBERED_AT_MOST = 64
_ENVIRONMENT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "SSL_CERT_FILE")


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """What is asked. ``public_only``: neither page nor video may lie outside the public internet.
    ``generic``: pages of sites without an extractor of their own are looked through."""

    page: str
    max_height_px: int
    cookies_file: Path | None = None
    public_only: bool = False
    generic: bool = True


@dataclass(frozen=True, slots=True)
class FoundVideo:
    """A page's video. ``url`` and ``headers`` carry tokens and are hidden. ``proxy`` is the one it
    was found through: most sites bind an address to who asked for it."""

    url: str = field(repr=False)
    live: bool
    duration_s: float | None
    title: str
    headers: Mapping[str, str] = field(repr=False)
    proxy: str = field(default="", repr=False)


_WORDS: Mapping[str, tuple[str, str]] = {
    "bot": (
        "takes this computer for a robot and wants a log-in",
        "Give a cookies file of a logged-in browser, or another proxy.",
    ),
    "rate": (
        "was asked too often from here and refuses for a while",
        "It is tried again later; a cookies file or a proxy helps.",
    ),
    "geo": ("does not show this video in this country", "Use a proxy in a country where it does."),
    "not_live": ("is not live now", "It is tried again until the broadcast begins."),
    "private": (
        "keeps this video private",
        "Ask its owner to share it, and give a cookies file of an account that may see it.",
    ),
    "login": (
        "shows this video only to people who are logged in",
        "Give a cookies file of a logged-in browser.",
    ),
    "removed": ("has this video no longer", "Check the address in a browser."),
    "drm": ("protects this video against playing elsewhere", "Choose another source."),
    "refused": (
        "refuses to hand out this video",
        "Check in a browser that it plays; a cookies file or a proxy may help.",
    ),
    "quality": (
        "offers this video in no size that is allowed here",
        "Raise the largest picture height in the camera or in the settings.",
    ),
    "proxy": ("cannot be reached through the proxy", "Check the proxies in the settings."),
    "unsupported": (
        "shows no video that can be found on this page",
        "Open the page in a browser and copy the address of the video itself.",
    ),
    "network": ("cannot be reached", "Check the network and the address."),
    "timeout": ("did not answer in time", "It is tried again."),
    "private_network": (
        "leads to an address outside the public internet",
        "Only the console of this program may add such a camera.",
    ),
    "other": (
        "cannot be read",
        "Bring yt-dlp up to date: sites change, and old versions stop working.",
    ),
}
_FINAL = {"geo", "private", "login", "removed", "drm", "quality", "unsupported", "private_network"}


def failure(kind: str, shown: str, detail: str = "") -> BarnhandError:
    """The error for a kind of failure: OperatorMistake where asking again cannot help."""
    words, advice = _WORDS.get(kind, _WORDS["other"])
    said = f" ({detail})" if detail and kind == "other" else ""
    family = OperatorMistake if kind in _FINAL else SourceUnreachable
    return family(f"{shown} {words}{said}.", advice)


def default_command() -> tuple[str, ...]:
    """How this installation starts the child: a packaged program by its own name."""
    if getattr(sys, "frozen", False):
        return (sys.executable, "video-resolver")
    return (sys.executable, "-m", "engine.sources.web_resolver")


class PageFinder:
    """Finds pages' videos for any number of threads; at most two child processes at a time.

    A found address is used again for ``cache_s``. The proxies take turns of ``proxy_turn_s``, and a
    proxy through which nothing was found loses its turn at once.
    """

    def __init__(
        self,
        command: Sequence[str] | None = None,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = tuple(command or default_command())
        self._mono_s = mono_s
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(_AT_A_TIME)
        self._found: dict[tuple[PageQuestion, str], tuple[float, FoundVideo]] = {}
        self._asking: dict[StreamId, subprocess.Popen[bytes]] = {}
        self._cancelled: set[StreamId] = set()
        self._skipped = 0

    def find(
        self, stream_id: StreamId, question: PageQuestion, settings: WebVideoSettings, shown: str
    ) -> FoundVideo:
        """The page's video, asked anew or remembered.

        Raises OperatorMistake where the page will never do and SourceUnreachable where it may.
        """
        proxy = self._proxy(settings)
        now_s = self._mono_s()
        with self._lock:
            self._cancelled.discard(stream_id)
            known = self._found.get((question, proxy))
            if known is not None and now_s - known[0] < settings.cache_s:
                return known[1]
        try:
            found = self._ask(stream_id, question, settings, proxy, shown)
        except SourceUnreachable:
            with self._lock:
                self._skipped += bool(proxy)
            raise
        with self._lock:
            while len(self._found) >= _REMEMBERED_AT_MOST:
                del self._found[next(iter(self._found))]
            self._found[question, proxy] = (self._mono_s(), found)
        log.info("%s: found %s", shown, "a live video" if found.live else "a recorded video")
        return found

    def forget(self, question: PageQuestion) -> None:
        """The address found for this did not work: ask anew next time."""
        with self._lock:
            for key in [key for key in self._found if key[0] == question]:
                del self._found[key]

    def cancel(self, stream_id: StreamId) -> None:
        """Make a ``find`` of this stream that runs return with SourceUnreachable."""
        with self._lock:
            self._cancelled.add(stream_id)
            process = self._asking.get(stream_id)
        if process is not None:
            process.kill()

    def _proxy(self, settings: WebVideoSettings) -> str:
        proxies = proxy_addresses(settings.proxies)
        if not proxies:
            return ""
        with self._lock:
            turn = int(self._mono_s() / settings.proxy_turn_s) + self._skipped
        return proxies[turn % len(proxies)]

    def _ask(
        self,
        stream_id: StreamId,
        question: PageQuestion,
        settings: WebVideoSettings,
        proxy: str,
        shown: str,
    ) -> FoundVideo:
        asked = {
            "page": question.page,
            "max_height_px": question.max_height_px,
            "timeout_s": settings.find_timeout_s,
            "proxy": proxy,
            "cookies": _cookies(question.cookies_file),
            "public_only": question.public_only,
            "generic": question.generic,
            "javascript": settings.javascript,
        }
        end_s = time.monotonic() + settings.find_timeout_s
        if not self._turns.acquire(timeout=settings.find_timeout_s):
            raise failure("timeout", shown)
        try:
            answer = self._answer(stream_id, asked, end_s - time.monotonic(), shown)
        finally:
            self._turns.release()
        if "failure" in answer:
            kind, message = str(answer["failure"]), str(answer.get("message", ""))
            log.debug("%s: %s (%s)", shown, kind, message)
            raise failure(kind, shown, message)
        duration = answer.get("duration_s")
        return FoundVideo(
            url=str(answer["url"]),
            live=bool(answer.get("live")),
            duration_s=float(duration) if isinstance(duration, int | float) else None,
            title=str(answer.get("title", "")),
            headers={str(k): str(v) for k, v in dict(answer.get("headers", {})).items()},
            proxy=proxy,
        )

    def _answer(
        self, stream_id: StreamId, asked: Mapping[str, Any], timeout_s: float, shown: str
    ) -> dict[str, Any]:
        process = self._launch(shown)
        with self._lock:
            self._asking[stream_id] = process
            if stream_id in self._cancelled:
                process.kill()
        try:
            output, complaint = process.communicate(json.dumps(asked).encode(), max(timeout_s, 1.0))
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise failure("timeout", shown) from error
        finally:
            with self._lock:
                self._asking.pop(stream_id, None)
        if process.returncode == 0:
            with contextlib.suppress(ValueError):
                answer = json.loads(output)
                if isinstance(answer, dict):
                    return answer
        if stream_id in self._cancelled:
            raise SourceUnreachable(f"{shown} was closed.")
        last = (complaint.decode(errors="replace").strip().splitlines() or [""])[-1]
        kind = last.partition(":")[0][:60]
        log.warning("the search for a page's video ended by %s: %s", process.returncode, kind)
        raise failure("other", shown, kind)

    def _launch(self, shown: str) -> subprocess.Popen[bytes]:
        environment = {k: v for k in _ENVIRONMENT if (v := os.environ.get(k)) is not None}
        root = str(Path(__file__).resolve().parents[2])
        environment |= {"PYTHONPATH": root, "PYTHONUTF8": "1", "YTDLP_NO_PLUGINS": "1"}
        try:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            raise failure("other", shown, "yt-dlp cannot be started") from error


def _cookies(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorMistake(
            f"The cookies file {path} cannot be read.", "Export it again in Netscape format."
        ) from error
    head = text.lstrip()[:64].lower()
    if not head.startswith(("# netscape http cookie file", "# http cookie file")):
        raise OperatorMistake(
            f"The cookies file {path.name} is not in Netscape format.",
            "Export it again as cookies.txt.",
        )
    return text


FINDER = PageFinder()
"""The one that this process's cameras share."""

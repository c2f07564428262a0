"""Videos of YouTube, Twitch and other sites: yt-dlp finds them, FFmpeg reads them.

``Stream.extra`` may hold ``cookies_file`` (a path) and ``max_height_px`` of one camera. A stream
that a remote caller made carries ``pinned_addresses``; it stays inside the public internet.
"""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

from engine.domain.errors import BarnhandError, OperatorMistake, SourceUnreachable
from engine.domain.networks import PINNED, is_public
from engine.domain.streams import Stream
from engine.domain.web_sites import is_known_site, page_of
from engine.settings import CaptureSettings
from engine.sources.addresses import redacted
from engine.sources.container import ContainerSource, Opening
from engine.sources.options import stream_options
from engine.sources.pinned import FETCHED, Fetcher, PublicSession
from engine.sources.web_pages import FINDER, FoundVideo, PageFinder, PageQuestion, failure

_HEIGHT_PX = range(144, 2161)


def open_web_video(
    stream: Stream, settings: CaptureSettings, finder: PageFinder = FINDER
) -> WebVideoSource:
    """Find the page's video and open it.

    Raises OperatorMistake where trying again cannot help, SourceUnreachable where it may.
    """
    question = question_of(stream, settings)
    shown = redacted(question.page)
    found = finder.find(stream.id, question, settings.web_video, shown)
    fetcher = None
    try:
        fetcher = _fetcher(found, settings, shown) if question.public_only else None
        return WebVideoSource(
            Opening(
                url=found.url,
                shown=shown,
                live=False,  # segments come in bursts: paced by their times
                options={**_options(found, stream, settings), **(FETCHED if fetcher else {})},
                open_timeout_s=settings.connect_timeout_s + settings.read_timeout_s,
                read_timeout_s=settings.read_timeout_s,
                hardware=settings.hardware_decode,
                fetcher=fetcher,
            ),
            found,
            question,
            finder,
        )
    except BarnhandError as error:
        if fetcher is not None:
            fetcher.close()
        finder.forget(question)
        if (fault := _asked_again(error, shown)) is error:
            raise
        raise fault from error


def question_of(stream: Stream, settings: CaptureSettings) -> PageQuestion:
    """What is asked for a stream. Raises OperatorMistake for settings of it that make no sense."""
    page = page_of(stream.address)
    height = stream.extra.get("max_height_px", settings.web_video.max_height_px)
    if not isinstance(height, int) or isinstance(height, bool) or height not in _HEIGHT_PX:
        raise OperatorMistake(f"max_height_px of {stream.name} must be 144 to 2160.")
    cookies = stream.extra.get("cookies_file") or settings.web_video.cookies_file
    remote = PINNED in stream.extra
    known = is_known_site(urlsplit(page).hostname)
    return PageQuestion(
        page=page,
        max_height_px=height,
        cookies_file=Path(str(cookies)) if cookies else None,
        public_only=remote,
        generic=not (remote and known),
    )


def _options(found: FoundVideo, stream: Stream, settings: CaptureSettings) -> dict[str, str]:
    protocols = "http,https,tcp,tls,crypto,data"
    options = {"rw_timeout": str(int(settings.read_timeout_s * 1_000_000))}
    if found.proxy:
        options["http_proxy"] = found.proxy
        protocols += ",httpproxy"
    further = dict(found.headers)
    agent = further.pop("User-Agent", "")
    if agent:
        options["user_agent"] = agent
    lines = [f"{k}: {v}" for k, v in further.items() if not {"\r", "\n"} & set(k + v)]
    if lines:
        options["headers"] = "\r\n".join(lines) + "\r\n"
    return {**options, "protocol_whitelist": protocols, **stream_options(stream)}


def _fetcher(found: FoundVideo, settings: CaptureSettings, shown: str) -> Fetcher:
    """What reads a remote caller's video in FFmpeg's place. Refuses one that lies outside the
    public internet; what it leads to is checked as it is opened."""
    _require_public(found.url, shown)
    session = PublicSession(shown, found.proxy)
    session.headers.update(found.headers)
    return Fetcher(session, (settings.connect_timeout_s, settings.read_timeout_s))


def _require_public(url: str, shown: str) -> None:
    """Refuse a video that lies outside the public internet."""
    try:
        parts = urlsplit(url)
        answers = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError) as error:
        raise failure("network", shown) from error
    if not answers or not all(is_public(str(answer[4][0])) for answer in answers):
        raise failure("private_network", shown)


def _asked_again(error: BarnhandError, shown: str) -> BarnhandError:
    """A site that refuses an address it gave is asked for a new one, so its refusal is no mistake
    of a person."""
    if not isinstance(error, OperatorMistake) or "public internet" in error.message:
        return error
    return SourceUnreachable(
        f"{shown} handed out an address and then refused it.", "It is asked for a new one."
    )


class WebVideoSource(ContainerSource):
    """A ContainerSource over a page's video; what fails is looked for again at the next opening."""

    def __init__(
        self, opening: Opening, found: FoundVideo, question: PageQuestion, finder: PageFinder
    ) -> None:
        self._found = found
        self._question = question
        self._finder = finder
        super().__init__(opening)

    @property
    def title(self) -> str:
        """What the site calls the video."""
        return self._found.title

    @property
    def duration_s(self) -> float | None:
        """See ``FrameSource``; a broadcast has none, whatever its playlist says."""
        return None if self._found.live else super().duration_s

    def _fault(self, error: Exception) -> BarnhandError:
        fault = super()._fault(error)
        if not self._closing:
            self._finder.forget(self._question)
        return _asked_again(fault, self._opening.shown)

    def _end(self) -> BarnhandError:
        end = super()._end()
        if self._found.live:
            self._finder.forget(self._question)
        return end if not isinstance(end, OperatorMistake) else _asked_again(end, "The site")

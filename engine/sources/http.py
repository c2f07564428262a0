"""Sources behind http and https: MJPEG cameras, snapshot cameras, HLS and files on a server.

The first answer's Content-Type decides. MJPEG and single pictures are fetched with ``requests``,
which speaks the digest log-in these cameras want; everything else is FFmpeg's.
"""

from __future__ import annotations

import threading
import time
from collections import deque

import av
import cv2
import numpy as np
import requests
from av.codec.context import CodecContext
from av.packet import Packet
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from engine.domain.errors import (
    OperatorMistake,
    SourceEnded,
    SourceUnreachable,
)
from engine.domain.frames import Picture
from engine.domain.ports import FrameSource, SourcePicture
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.addresses import redacted
from engine.sources.container import ContainerSource, open_remote
from engine.sources.faults import from_requests, no_such_stream, quiet_cause, refused_login
from engine.sources.multipart import PART_AT_MOST_BYTES, PartSplitter, boundary_of
from engine.sources.options import stream_options
from engine.sources.pictures import ArrayPicture, picture_of
from engine.sources.pinned import session_for

_CHUNK_BYTES = 64 * 1024
_POLL_FPS = 2.0
_POLL_FPS_AT_MOST = 25.0


def open_http(stream: Stream, settings: CaptureSettings) -> FrameSource:
    """Ask the server what it has and open the source that fits."""
    require_web_address(stream)
    session = session_for(stream, redacted(stream.address))
    try:
        answer = _ask(session, stream, settings)
        content = answer.headers.get("Content-Type", "").lower()
        if content.startswith("multipart/"):
            return MultipartSource(session, answer, stream, settings)
        if content.startswith("image/"):
            answer.close()
            return SnapshotSource(session, stream, settings)
        answer.close()
    except BaseException:
        session.close()
        raise
    session.close()
    return _open_container(stream, settings)


def require_web_address(stream: Stream) -> None:
    """Raise OperatorMistake unless the address begins with http:// or https://."""
    if not stream.address.lower().startswith(("http://", "https://")):
        raise OperatorMistake(f"{redacted(stream.address)} is not a web address.")


_JPEG_END = b"\xff\xd9"
_END_WITHIN_BYTES = 1024
"""Some cameras pad behind the end. The marker cannot occur inside of coded pictures."""


class _JpegDecoder:
    """Decodes one JPEG at a time to its planes, other picture formats to BGR."""

    def __init__(self) -> None:
        self._codec = CodecContext.create("mjpeg", "r")

    def decode(self, body: bytes) -> Picture | None:
        """The picture, None if the bytes are none."""
        if body.startswith(b"\xff\xd8"):
            if _JPEG_END not in body[-_END_WITHIN_BYTES:]:
                return None  # cut short: the decoder would paint the missing part grey
            try:
                frames = self._codec.decode(Packet(body))
            except (av.FFmpegError, OSError):
                return None
            frame = frames[0] if frames else None
            return picture_of(frame) if isinstance(frame, av.VideoFrame) else None
        bgr = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        return None if bgr is None else ArrayPicture(np.asarray(bgr, np.uint8))


class MultipartSource:
    """An MJPEG camera: one HTTP answer that never ends, a JPEG in each part."""

    codec = "mjpeg"

    def __init__(
        self,
        session: requests.Session,
        answer: requests.Response,
        stream: Stream,
        settings: CaptureSettings,
    ) -> None:
        self._session = session
        self._answer = answer
        self._shown = redacted(stream.address)
        self._timeout_s = settings.read_timeout_s
        self._splitter = PartSplitter(boundary_of(answer.headers.get("Content-Type", "")))
        self._decoder = _JpegDecoder()
        self._ready: deque[SourcePicture] = deque()
        self._bytes = 0
        self._corrupt = 0
        self._closing = False

    @property
    def live(self) -> bool:
        """See ``FrameSource``."""
        return True

    @property
    def nominal_fps(self) -> float | None:
        """See ``FrameSource``."""
        return None

    @property
    def duration_s(self) -> float | None:
        """See ``FrameSource``."""
        return None

    def read(self) -> SourcePicture:
        """See ``FrameSource``. A server that drips bytes without a whole picture times out too."""
        deadline_s = time.monotonic() + self._timeout_s
        while not self._ready:
            if self._closing or time.monotonic() > deadline_s:
                raise SourceUnreachable(
                    f"{self._shown} sent no whole picture within {self._timeout_s:g} s."
                )
            self._feed(self._receive())
        return self._ready.popleft()

    def close(self) -> None:
        """See ``FrameSource``."""
        self._closing = True
        self._answer.close()
        self._session.close()

    def _receive(self) -> bytes:
        try:
            data: bytes = self._answer.raw.read1(_CHUNK_BYTES)
        except Exception as error:  # closed from another thread, the reader fails in many ways
            raise SourceUnreachable(
                f"{self._shown} stopped sending.", "It is opened again."
            ) from quiet_cause(error)
        if not data:
            raise SourceEnded(f"{self._shown} ended the stream.", "It is opened again.")
        return data

    def _feed(self, data: bytes) -> None:
        self._bytes += len(data)
        for body in self._splitter.feed(data):
            picture = self._decoder.decode(body)
            if picture is None:
                self._corrupt += 1
                continue
            self._ready.append(SourcePicture(picture, None, self._bytes, self._corrupt))
            self._bytes = self._corrupt = 0


class SnapshotSource:
    """A camera that gives one picture per request; asked again ``extra["poll_fps"]`` times a
    second (2 by default)."""

    codec = "jpeg"

    def __init__(
        self, session: requests.Session, stream: Stream, settings: CaptureSettings
    ) -> None:
        self._session = session
        self._stream = stream
        self._settings = settings
        self._fps = _poll_fps(stream)
        self._decoder = _JpegDecoder()
        self._due_mono_s = time.monotonic()
        self._closed = threading.Event()

    @property
    def live(self) -> bool:
        """See ``FrameSource``."""
        return True

    @property
    def nominal_fps(self) -> float | None:
        """See ``FrameSource``."""
        return self._fps

    @property
    def duration_s(self) -> float | None:
        """See ``FrameSource``."""
        return None

    def read(self) -> SourcePicture:
        """See ``FrameSource``."""
        shown = redacted(self._stream.address)
        if self._closed.wait(max(self._due_mono_s - time.monotonic(), 0.0)):
            raise SourceUnreachable(f"{shown} was closed.")
        self._due_mono_s = max(self._due_mono_s + 1.0 / self._fps, time.monotonic())
        body = self._fetch(shown)
        picture = self._decoder.decode(body)
        if picture is None:
            raise SourceUnreachable(f"{shown} sent something that is no picture.")
        return SourcePicture(picture, None, len(body))

    def close(self) -> None:
        """See ``FrameSource``."""
        self._closed.set()
        self._session.close()

    def _fetch(self, shown: str) -> bytes:
        body = bytearray()
        deadline_s = time.monotonic() + self._settings.read_timeout_s
        try:
            with _ask(self._session, self._stream, self._settings) as answer:
                for chunk in answer.iter_content(_CHUNK_BYTES):
                    body += chunk
                    if len(body) > PART_AT_MOST_BYTES or time.monotonic() > deadline_s:
                        raise SourceUnreachable(f"{shown} sends a picture that never ends.")
        except requests.RequestException as error:
            fault = from_requests(error, shown, self._settings.read_timeout_s)
            raise fault from quiet_cause(error)
        return bytes(body)


def _poll_fps(stream: Stream) -> float:
    value = stream.extra.get("poll_fps", _POLL_FPS)
    if not isinstance(value, int | float) or not 0 < value <= _POLL_FPS_AT_MOST:
        raise OperatorMistake(
            f"poll_fps of {stream.name} must be above 0 and at most {_POLL_FPS_AT_MOST:g}."
        )
    return float(value)


def _ask(session: requests.Session, stream: Stream, settings: CaptureSettings) -> requests.Response:
    """The opened answer (body unread), logged in as the server wants it."""
    shown = redacted(stream.address)
    try:
        answer = _get(session, stream, settings)
        if answer.status_code == 401 and stream.username and session.auth is None:
            session.auth = _login(stream, answer.headers.get("WWW-Authenticate", ""))
            answer.close()
            answer = _get(session, stream, settings)
    except requests.RequestException as error:
        connecting = isinstance(error, requests.ConnectTimeout)
        timeout_s = settings.connect_timeout_s if connecting else settings.read_timeout_s
        fault = from_requests(error, shown, timeout_s)
        raise fault from quiet_cause(error)
    if answer.ok:
        return answer
    answer.close()
    if answer.status_code in (401, 403):
        raise refused_login(shown)
    if answer.status_code == 404:
        raise no_such_stream(shown)
    raise SourceUnreachable(
        f"{shown} answered with error {answer.status_code}.", "Look at the camera's own page."
    )


def _get(session: requests.Session, stream: Stream, settings: CaptureSettings) -> requests.Response:
    return session.get(
        stream.address,
        stream=True,
        timeout=(settings.connect_timeout_s, settings.read_timeout_s),
        headers={"Accept": "*/*", "Accept-Encoding": "identity"},
    )


def _login(stream: Stream, challenge: str) -> AuthBase:
    if challenge.lower().startswith("digest"):
        return HTTPDigestAuth(stream.username, stream.password)
    return HTTPBasicAuth(stream.username, stream.password)


def _open_container(stream: Stream, settings: CaptureSettings) -> ContainerSource:
    """HLS, or a file on a web server. Neither paces itself: segments come in bursts."""
    options = {
        "rw_timeout": str(int(settings.read_timeout_s * 1_000_000)),
        "protocol_whitelist": "http,https,tcp,tls,crypto,data",
        **stream_options(stream),
    }
    return open_remote(stream, settings, options, live=False)

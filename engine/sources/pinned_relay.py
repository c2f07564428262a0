"""A door on this machine through which FFmpeg reaches one pinned RTSP or RTMP server.

FFmpeg looks names up by itself and follows redirects; for streams that remote callers made it gets
an address of this machine instead. Every connection to that goes on to an address that was checked
when the stream was made, with TLS where the stream has it, and no RTSP reply that leads elsewhere
comes back.
"""

from __future__ import annotations

import contextlib
import ipaddress
import selectors
import socket
import ssl
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from engine.domain.errors import BarnhandError, OperatorMistake, SourceUnreachable
from engine.domain.networks import is_public
from engine.domain.streams import Stream
from engine.runtime.worker import StopToken, Worker
from engine.sources.addresses import DEFAULT_PORTS
from engine.sources.faults import from_ffmpeg, no_answer, quiet_cause
from engine.sources.pinned import address_now, pinned_of
from engine.sources.rtsp_replies import ReplyRefused, RtspReplies

_BLOCK_BYTES = 65_536
_LOOK_S = 0.25
_PATIENCE_S = 30.0
"""A reader that takes nothing for so long has gone; capture reads on all the time."""


class PinnedRelay:
    """Carries FFmpeg's connections to one pinned server, one after the other, until closed.

    The first connection to the server is made at once, so that what is wrong with it is told as
    what it is. Raises SourceUnreachable and OperatorMistake.
    """

    def __init__(self, stream: Stream, shown: str, timeout_s: float) -> None:
        self._parts = urlsplit(stream.address)
        self._scheme = self._parts.scheme.lower()
        self._pinned = pinned_of(stream)
        self._shown = shown
        self._timeout_s = timeout_s
        self._refused: BarnhandError | None = None
        self._lock = threading.Lock()
        self._first: socket.socket | None = self._connect()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2)
        self._listener.settimeout(_LOOK_S)
        self._worker = Worker(f"relay {stream.name}"[:60], self._serve)
        self._worker.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """What FFmpeg opens in the stream's place; plain, as TLS ends here."""
        port = self._listener.getsockname()[1]
        scheme = "rtsp" if self._scheme.startswith("rtsp") else "rtmp"
        return urlunsplit(self._parts._replace(scheme=scheme, netloc=f"127.0.0.1:{port}"))

    @property
    def options(self) -> dict[str, str]:
        """Options of FFmpeg that go with ``url``: one TCP connection, nothing beside it."""
        if self._scheme.startswith("rtsp"):
            return {"rtsp_transport": "tcp", "protocol_whitelist": "rtsp,rtp,tcp"}
        # Servers with several names choose by this one.
        place = self._parts.netloc.rpartition("@")[2]
        tc_url = f"{self._scheme}://{place}/{application_of(self._parts.path)}"
        return {
            "rtmp_tcurl": tc_url,
            "protocol_whitelist": "rtmp,tcp",
            "format_whitelist": "flv,live_flv",
        }

    @property
    def refused(self) -> BarnhandError | None:
        """Why a connection was cut here, if one was."""
        with self._lock:
            return self._refused

    def close(self) -> None:
        """Cut what runs and take no more; returns at once."""
        self._worker.ask_to_stop()

    # --- the worker ------------------------------------------------------------------------------

    def _serve(self, token: StopToken) -> None:
        try:
            while not token.stopping:
                try:
                    near, _ = self._listener.accept()
                except TimeoutError:
                    continue
                with near:
                    self._carry(near, token)
        finally:
            self._listener.close()
            if self._first is not None:
                self._first.close()

    def _carry(self, near: socket.socket, token: StopToken) -> None:
        try:
            far, self._first = self._first or self._connect(), None
        except BarnhandError as fault:
            self._refuse(fault)
            return
        with far, contextlib.suppress(OSError):
            near.settimeout(_PATIENCE_S)
            far.settimeout(_PATIENCE_S)
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                _pump(near, far, RtspReplies() if self._scheme.startswith("rtsp") else None, token)
            except ReplyRefused as refused:
                self._refuse(self._refusal(refused))

    def _refusal(self, refused: ReplyRefused) -> BarnhandError:
        if refused.redirect:
            return OperatorMistake(
                f"{self._shown} leads on to another address, which is refused.",
                "Enter the address that it leads to.",
            )
        return SourceUnreachable(f"{self._shown} does not speak RTSP as it should.")

    def _refuse(self, fault: BarnhandError) -> None:
        with self._lock:
            self._refused = fault

    def _connect(self) -> socket.socket:
        """A connection to a pinned address that the name still stands for."""
        host = self._parts.hostname or ""
        port = self._parts.port or DEFAULT_PORTS[self._scheme]
        address = address_now(host, self._pinned, self._shown)
        try:
            far = socket.create_connection((address, port), timeout=self._timeout_s)
        except TimeoutError as error:
            raise no_answer(self._shown, self._timeout_s) from error
        except OSError as error:
            fault = from_ffmpeg(error, self._shown, self._timeout_s, live=True)
            raise fault from quiet_cause(error)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._scheme not in ("rtsps", "rtmps"):
            return far
        return self._encrypted(far, host, address)

    def _encrypted(self, far: socket.socket, host: str, address: str) -> socket.socket:
        try:
            return tls_context(host, address).wrap_socket(far, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            far.close()
            raise OperatorMistake(
                f"{self._shown} has a certificate that cannot be verified.",
                "Check the host name; a server in the internet needs a valid certificate.",
            ) from quiet_cause(error)
        except OSError as error:
            far.close()
            raise SourceUnreachable(
                f"{self._shown} does not speak TLS as it should.",
                "Check the port, or use the address without encryption.",
            ) from quiet_cause(error)


def tls_context(host: str, address: str) -> ssl.SSLContext:
    """TLS 1.2 or newer. A name in the public internet must have a valid certificate; cameras in
    the farm's own network have certificates of their own, which nobody can check."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not (is_public(address) and not _is_address(host)):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def application_of(path: str) -> str:
    """The application in an RTMP path, divided from the stream's name as FFmpeg does it."""
    parts = path.lstrip("/").split("/")
    if len(parts) < 2:
        return ""
    return "/".join(parts[:2]) if len(parts) > 2 and ":" not in parts[1] else parts[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _pump(
    near: socket.socket, far: socket.socket, replies: RtspReplies | None, token: StopToken
) -> None:
    """Carry bytes both ways until either side ends, or ``token`` says so."""
    with selectors.DefaultSelector() as ready:
        ready.register(near, selectors.EVENT_READ)
        ready.register(far, selectors.EVENT_READ)
        while not token.stopping:
            for key, _ in ready.select(_LOOK_S):
                if key.fileobj is near:
                    data = near.recv(_BLOCK_BYTES)
                    far.sendall(data)
                    ended = not data
                else:
                    ended = _from_far(near, far, replies)
                if ended:
                    return


def _from_far(near: socket.socket, far: socket.socket, replies: RtspReplies | None) -> bool:
    """Pass on what the server sent, with what TLS has decrypted of it already; True at its end.

    Never waits for the server: what came may be TLS's own (a session ticket), and the request that
    the server waits for still to be carried.
    """
    while True:
        far.settimeout(0.0)
        try:
            data = far.recv(_BLOCK_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            far.settimeout(_PATIENCE_S)
        if not data:
            return True
        if replies is not None:
            replies.feed(data)
        near.sendall(data)
        if not isinstance(far, ssl.SSLSocket) or not far.pending():
            return False

"""Cameras that are steered by GET requests, one connection each, by a dialect."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from engine.domain.errors import BarnhandError, EnvironmentFault, OperatorMistake
from engine.domain.ptz import Authentication, Capabilities, Motion, PtzConfig
from engine.ptz.dialects import Act, Dialect
from engine.sources.addresses import redacted
from engine.sources.faults import from_requests, quiet_cause

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 3.0
"""Specification: camera control, CGI dialect."""
ANSWER_AT_MOST_BYTES = 64 * 1024
SNAPSHOT_AT_MOST_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 80


class CameraRefused(OperatorMistake):
    """The camera answered and said no: it did not do what was asked."""


class CameraSilent(EnvironmentFault):
    """No usable answer came; the camera may have done what was asked all the same."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A camera's user name and password; never shown."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


class _Redaction(logging.Filter):
    """Takes secret query values out of what the HTTP library logs at its debug level.

    ``names`` are those that dialects give to user and password beside the usual ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the arguments of a record; lets every record pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                argument if isinstance(argument, int | float) else self._clean(str(argument))
                for argument in record.args
            )
        return True

    def _clean(self, text: str) -> str:
        text = redacted(text)
        for name in tuple(self.names):
            text = re.sub(rf"([?&]{re.escape(name)}=)[^&#\s]*", r"\1***", text)
        return text


_REDACTION = _Redaction()
for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_REDACTION)


class CgiDriver:
    """Meets the port PtzDriver over HTTP. Used by one thread; requests go out in order.

    Redirects are refused: they could carry credentials to another machine. Proxies and .netrc of
    the environment are not used.
    """

    renewal_s: float | None = None

    def __init__(self, config: PtzConfig, dialect: Dialect, credentials: Credentials) -> None:
        if config.authentication not in dialect.authentication:
            raise OperatorMistake(
                f"The dialect {config.dialect} does not log in by {config.authentication.value}.",
                f"It knows {', '.join(a.value for a in dialect.authentication)}.",
            )
        self._config = config
        self._dialect = dialect
        self._query = self._login_query(credentials)
        host = f"[{config.host}]" if ":" in config.host else config.host
        self._base = f"{'https' if config.tls else 'http'}://{host}:{config.port}"
        self._session = self._new_session(credentials)
        self._zooming: bool | None = None

    def __repr__(self) -> str:
        return f"CgiDriver({self._base}, {self._config.dialect})"

    @property
    def capabilities(self) -> Capabilities:
        """See PtzDriver."""
        return self._dialect.capabilities

    def move(self, motion: Motion) -> None:
        """See PtzDriver. These cameras zoom and turn by separate motors: changing from one to the
        other stops the first."""
        config = self._config
        turned = Motion(
            -motion.pan if config.invert_pan else motion.pan,
            -motion.tilt if config.invert_tilt else motion.tilt,
            motion.zoom,
        )
        zooming = self._dialect.act(turned)[0] in ("zoomin", "zoomout")
        request = self._dialect.move_request(turned, config.channel)
        if self._zooming is not None and self._zooming != zooming:
            self.stop()
        self._zooming = zooming
        self._command(request)

    def stop(self) -> None:
        """See PtzDriver."""
        self._command(self._dialect.stop_request(self._config.channel))
        self._zooming = None

    def go_to(self, preset: int) -> None:
        """See PtzDriver."""
        self._command(self._dialect.preset_request(preset, self._config.channel, store=False))

    def store(self, preset: int) -> None:
        """See PtzDriver."""
        self._command(self._dialect.preset_request(preset, self._config.channel, store=True))

    def perform(self, act: Act) -> None:
        """An act by its name: home, hscan, vscan. Raises OperatorMistake where it is not known."""
        self._command(self._dialect.act_request(act, self._config.channel))

    def snapshot(self) -> bytes:
        """See PtzDriver."""
        path = self._dialect.snapshot_request(self._config.channel)
        body = self._ask(path, SNAPSHOT_AT_MOST_BYTES)
        if not body.startswith(b"\xff\xd8"):
            raise CameraSilent(f"{self._base} sent something that is no JPEG picture.")
        return body

    def close(self) -> None:
        """See PtzDriver."""
        self._session.close()

    # --- requests -------------------------------------------------------------------------------

    def _command(self, path: str) -> None:
        answer = self._ask(path, ANSWER_AT_MOST_BYTES).decode("latin-1", "replace").strip()
        if self._dialect.refused(answer):
            said = redacted(answer[:_SHOWN_CHARACTERS])
            raise CameraRefused(
                f"{self._base} refused a command: {said}", "Try another dialect for this camera."
            )

    def _ask(self, path: str, at_most_bytes: int) -> bytes:
        joint = "&" if "?" in path else "?"
        url = f"{self._base}{path}{joint}{self._query}" if self._query else self._base + path
        try:
            with self._session.get(
                url,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                allow_redirects=False,
                stream=True,
            ) as answer:
                self._check(answer.status_code)
                return self._body(answer, at_most_bytes)
        except requests.RequestException as error:
            raise self._fault(error) from quiet_cause(error)

    def _body(self, answer: requests.Response, at_most_bytes: int) -> bytes:
        body = bytearray()
        deadline_s = time.monotonic() + READ_TIMEOUT_S
        for chunk in answer.iter_content(_CHUNK_BYTES):
            body += chunk
            if len(body) > at_most_bytes or time.monotonic() > deadline_s:
                raise CameraSilent(f"{self._base} sends an answer that does not end.")
        return bytes(body)

    def _check(self, status: int) -> None:
        if status in (401, 403):
            raise CameraRefused(
                f"{self._base} refused the user name or password.",
                "Enter them again in the stream's settings.",
            )
        if 300 <= status < 400:
            raise CameraRefused(
                f"{self._base} wants to send commands elsewhere, which is not followed.",
                "Enter the address and port that the camera itself answers at.",
            )
        if 400 <= status < 500:
            raise CameraRefused(
                f"{self._base} does not know this command (error {status}).",
                "Try another dialect for this camera.",
            )
        if status != 200:
            raise CameraSilent(f"{self._base} answered with error {status}.")

    def _fault(self, error: requests.RequestException) -> BarnhandError:
        connecting = isinstance(error, requests.ConnectTimeout)
        timeout_s = CONNECT_TIMEOUT_S if connecting else READ_TIMEOUT_S
        return from_requests(error, self._base, timeout_s)

    def _login_query(self, credentials: Credentials) -> str:
        if self._config.authentication is not Authentication.QUERY or not credentials.username:
            return ""
        names = self._dialect.user_name, self._dialect.password_name
        _REDACTION.names.update(names)
        values = credentials.username, credentials.password
        return urlencode(dict(zip(names, values, strict=True)))

    def _new_session(self, credentials: Credentials) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        if self._config.authentication is Authentication.BASIC and credentials.username:
            name, password = credentials.username.encode(), credentials.password.encode()
            session.auth = HTTPBasicAuth(name, password)
        return session

"""One server and one credential: requests, their retries, downloads and uploads."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import requests
from pydantic import BaseModel, TypeAdapter, ValidationError
from urllib3.exceptions import NewConnectionError

from .answers import Tokens
from .credentials import Credential
from .errors import LoginEnded, Refused, UnexpectedAnswer, Unreachable, Untrusted, refusal
from .pages import AnswerT, PageOf, each
from .trust import Public, Trust, TrustingAdapter, verification
from .uploads import UploadForm

BASE_PATH = "/api/v1"
AnyT = TypeVar("AnyT")

_AGAIN_S = (0.25, 0.5, 1.0, 2.0, 4.0)
_MAY_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_DOWNLOAD_BYTES = 1 << 16
_FRAMING = frozenset({"content-length", "transfer-encoding"})


class Connection:
    """Requests below ``/api/v1`` of one server. Good for several threads.

    ``connect_s`` and ``answer_s`` limit the time to connect and the silence of an answer.
    ``patience_s`` is how long a request may be tried again in all: after a lost connection or a 503
    if it changes nothing by being repeated, and after a 429, whose request was not looked at, in
    any case; as long as Retry-After says. Redirects are not followed, and neither the environment's
    proxies nor its ``.netrc`` are used, so that a token goes to this server and nowhere else.
    """

    def __init__(
        self,
        url: str,
        credential: Credential | None = None,
        trust: Trust | None = None,
        connect_s: float = 5.0,
        answer_s: float = 30.0,
        patience_s: float = 20.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not the address of a server: https://HOST:PORT")
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.trust = trust or Public()
        self.connect_s = connect_s
        self.credential = credential
        self._timeout = (connect_s, answer_s)
        self._patience_s = patience_s
        self._wait = wait
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = verification(self.trust)
        self._session.mount("https://", TrustingAdapter(self.trust))

    def close(self) -> None:
        """Close what is open."""
        self._session.close()

    # --- answers -------------------------------------------------------------------------------

    def get(self, kind: type[AnyT], path: str, query: Mapping[str, Any] | None = None) -> AnyT:
        """The answer to GET as ``kind`` (a model, or ``list[Model]``)."""
        return _read(kind, self.request("GET", path, query))

    def send(
        self,
        kind: type[AnyT],
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> AnyT:
        """The answer to a request with a JSON body as ``kind``."""
        return _read(kind, self.request(method, path, query, body))

    def do(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        """A request that has no answer but success."""
        self.request(method, path, None, body)

    def pages(
        self, kind: type[AnswerT], path: str, query: Mapping[str, Any] | None = None
    ) -> Iterator[AnswerT]:
        """Every item of a list, page by page."""

        def fetch(cursor: str | None) -> PageOf:
            further = {} if cursor is None else {"cursor": cursor}
            return self.get(PageOf, path, {**(query or {}), **further})

        return each(fetch, kind)

    def content(
        self, path: str, query: Mapping[str, Any] | None = None, accept: str = "*/*"
    ) -> bytes:
        """The bytes of a picture or another short file."""
        return self.request("GET", path, query, headers={"Accept": accept}).content

    def text(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """The text of a playlist or another short file."""
        return self.content(path, query).decode("utf-8")

    def upload(
        self, kind: type[AnyT], path: str, description: Mapping[str, Any], file: Path | str
    ) -> AnyT:
        """The answer to a form with a description and a file, which is read while it is sent."""
        with closing(UploadForm(plain(description), Path(file))) as form:
            return _read(kind, self.request("POST", path, form=form))

    def download(self, path: str, into: Path | str) -> Path:
        """Bring a file here; what a broken connection left is gone on with. ``into`` is written
        beside itself first, so that it is whole or not there at all."""
        target = Path(into)
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        ends_s = time.monotonic() + self._patience_s
        tag: str | None = None
        while True:
            have = part.stat().st_size if tag is not None and part.exists() else 0
            headers = {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}
            try:
                tag = self._bring(path, part, {"Accept": "*/*", **headers})
                part.replace(target)
                return target
            except _Broken as broken:
                if part.stat().st_size > have:
                    ends_s = time.monotonic() + self._patience_s
                tag = broken.tag
                if tag is None or time.monotonic() > ends_s:
                    part.unlink(missing_ok=True)
                    raise Unreachable(f"The download broke off: {broken}.", False) from broken
            except BaseException:
                part.unlink(missing_ok=True)
                raise

    def _bring(self, path: str, part: Path, headers: dict[str, str]) -> str | None:
        with closing(self.request("GET", path, headers=headers, stream=True)) as answer:
            tag = answer.headers.get("ETag")
            with part.open("ab" if answer.status_code == 206 else "wb") as file:
                try:
                    for piece in answer.iter_content(_DOWNLOAD_BYTES):
                        file.write(piece)
                except requests.RequestException as error:
                    raise _Broken(tag, str(error)) from error
            return tag

    # --- requests ------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        form: UploadForm | None = None,
        stream: bool = False,
        patient: bool = True,
    ) -> requests.Response:
        """One request below ``/api/v1`` and its successful answer; Refused or Unreachable.

        A query's None is left out; ids and instants in query and body are written as the API does.
        """
        sent = requests.Request(method, self.url + BASE_PATH + path, params=_query(query))
        sent.headers = {"Accept": "application/json", **(headers or {})}
        if form is not None:
            sent.data = form
            sent.headers["Content-Type"] = form.content_type
        elif isinstance(body, bytes):
            sent.data = body
        elif body is not None:
            sent.json = plain(body)
        repeat = method in _MAY_REPEAT
        if form is not None or not patient:
            return self._once(sent, stream)
        return self._patiently(sent, repeat, stream)

    def _patiently(self, sent: requests.Request, repeat: bool, stream: bool) -> requests.Response:
        ends_s = time.monotonic() + self._patience_s
        attempt = 0
        while True:
            try:
                return self._once(sent, stream)
            except (Refused, Unreachable) as error:
                wait_s = _again_in_s(error, repeat, attempt)
                if wait_s is None or time.monotonic() + wait_s > ends_s:
                    raise
            attempt += 1
            self._wait(wait_s)

    def _once(self, sent: requests.Request, stream: bool) -> requests.Response:
        """With the credential; once more with a new token when the first was refused."""
        if self.credential is None:
            return self._checked(sent, None, stream)
        token = self.credential.token(self._exchange)
        try:
            return self._checked(sent, token, stream)
        except LoginEnded:
            other = self.credential.renewed(token, self._exchange)
            if other is None or isinstance(sent.data, UploadForm):
                raise
        return self._checked(sent, other, stream)

    def bearer(self) -> str:
        """The token to authenticate a socket with; ValueError without a credential."""
        if self.credential is None:
            raise ValueError("listening needs a credential")
        return self.credential.token(self._exchange)

    def renewed(self, refused: str) -> str | None:
        """Another token after a socket's was refused; None if there can be none."""
        return None if self.credential is None else self.credential.renewed(refused, self._exchange)

    def _exchange(self, path: str, body: dict[str, str]) -> Tokens:
        sent = requests.Request("POST", self.url + BASE_PATH + path, json=body)
        return _read(Tokens, self._checked(sent, None, False))

    def _checked(
        self, sent: requests.Request, token: str | None, stream: bool
    ) -> requests.Response:
        prepared = self._session.prepare_request(sent)
        if token is not None:
            prepared.headers["Authorization"] = f"Bearer {token}"
        with _translated(self.url):
            answer = self._session.send(
                prepared,
                stream=stream,
                timeout=self._timeout,
                verify=self._session.verify,
                allow_redirects=False,
            )
        if answer.status_code != 204 and not _FRAMING & {name.lower() for name in answer.headers}:
            # A connection that ends within the head reads as a whole answer without a body.
            answer.close()
            raise Unreachable(f"{self.url} broke off its answer.", maybe_done=True)
        if answer.status_code in (200, 201, 202, 204, 206):
            return answer
        with closing(answer):
            try:
                problem = answer.json()
            except (ValueError, requests.RequestException):
                problem = None
        raise refusal(answer.status_code, problem, answer.headers.get("Retry-After"))


class _Broken(Exception):
    """A download stopped in the middle; with ``tag`` it can go on."""

    def __init__(self, tag: str | None, reason: str) -> None:
        super().__init__(reason)
        self.tag = tag


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise Untrusted(f"{url} is not trusted: {error}.") from error
    except requests.ConnectTimeout as error:
        raise Unreachable(f"{url} cannot be reached in time.", maybe_done=False) from error
    except requests.Timeout as error:
        raise Unreachable(f"{url} did not answer in time.", maybe_done=True) from error
    except requests.ConnectionError as error:
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        never_sent = isinstance(reason, NewConnectionError)
        raise Unreachable(f"{url} does not answer: {error}.", not never_sent) from error
    except requests.RequestException as error:
        raise Unreachable(f"{url}: {error}.", maybe_done=True) from error


def _again_in_s(error: Refused | Unreachable, repeat: bool, attempt: int) -> float | None:
    """Seconds after which to try again, None for never."""
    pause_s = _AGAIN_S[min(attempt, len(_AGAIN_S) - 1)] * random.uniform(0.8, 1.2)
    if isinstance(error, Untrusted):
        return None
    if isinstance(error, Unreachable):
        return pause_s if repeat or not error.maybe_done else None
    if error.status == 429 or (error.status == 503 and repeat):
        # Retry-After says when one more is taken; a little later lets others of us go first.
        told_s = error.retry_after_s
        return pause_s if told_s is None else told_s + pause_s / 10.0
    return None


def _read(kind: type[AnyT], answer: requests.Response) -> AnyT:
    try:
        return TypeAdapter(kind).validate_json(answer.content)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"{answer.url.partition('?')[0]} answers something else than {kind}: "
            f"{error.error_count()} fields do not fit."
        ) from error


def _query(query: Mapping[str, Any] | None) -> dict[str, Any]:
    written = {name: plain(value) for name, value in (query or {}).items() if value is not None}
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in written.items()
    }


def given(**values: Any) -> dict[str, Any]:
    """The values that are not None: what is left out is the API's own default."""
    return {name: value for name, value in values.items() if value is not None}


def plain(value: Any) -> Any:
    """A value as JSON knows it: ids as text, instants with their offset. ValueError for an instant
    without one, which could mean any hour."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value

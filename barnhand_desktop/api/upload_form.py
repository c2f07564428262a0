"""Reading an upload: a form of two parts, a JSON description and a file straight to the disk."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import python_multipart
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from barnhand_desktop.api.problems import Problem

DESCRIPTION_BYTES = 64 * 1024
OVERHEAD_BYTES = 2 * DESCRIPTION_BYTES
"""What a body may be longer than the file in it."""
IDLE_S = 30.0
_HEADER_BYTES = 8 * 1024
_AT_ONCE_BYTES = 128 * 1024
"""So much is hashed and written at once."""

DescriptionT = TypeVar("DescriptionT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class UploadRules(Generic[DescriptionT]):
    """What one kind of upload must be. ``prefix``: of the files' names while they are received.
    ``wrong_code``: of the problem for a wrong description. ``too_large``: the refusal of a file
    over ``limit_bytes``. ``total_s``: the longest that an upload may take."""

    prefix: str
    description: type[DescriptionT]
    wrong_code: str
    limit_bytes: int
    too_large: Callable[[int], Problem]
    total_s: float


@dataclass(frozen=True, slots=True)
class ReceivedFile(Generic[DescriptionT]):
    """A file that lies in the upload folder, what is said of it, and what it is."""

    path: Path
    description: DescriptionT
    file_name: str
    sha256: str
    size_bytes: int


@contextlib.asynccontextmanager
async def received_file(
    request: Request, folder: Path, rules: UploadRules[DescriptionT]
) -> AsyncIterator[ReceivedFile[DescriptionT]]:
    """The upload in a request, on disk while the block runs and gone after it, however it ends.

    Raises Problem: 400 for a form that is none or stops coming, 413 for a file over the limit, 415
    for another kind of body, 422 for a wrong description.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
        raise Problem(
            415, "unsupported_media_type", "Send multipart/form-data: description and file."
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=rules.prefix, suffix=".part", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            form = _Form(boundary, file, rules)
            await _read(request, form, rules.total_s)
            await run_in_threadpool(_to_disk, file)
        yield ReceivedFile(path, *form.result())
    finally:
        path.unlink(missing_ok=True)


def sweep_uploads(folder: Path, prefix: str, older_than_s: float) -> None:
    """Remove uploads that a killed process left behind."""
    for path in folder.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink()


def _to_disk(file: IO[bytes]) -> None:
    """What is answered as taken must not be lost with the power."""
    file.flush()
    os.fsync(file.fileno())


async def _read(request: Request, form: _Form[DescriptionT], total_s: float) -> None:
    """Hashing and the disk are for a thread: others are served by this loop meanwhile."""
    chunks = request.stream().__aiter__()
    waiting = bytearray()
    try:
        async with asyncio.timeout(total_s):
            while True:
                try:
                    chunk = await asyncio.wait_for(chunks.__anext__(), IDLE_S)
                except StopAsyncIteration:
                    break
                waiting += chunk
                if len(waiting) >= _AT_ONCE_BYTES:
                    await run_in_threadpool(form.feed, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(form.feed, bytes(waiting))
    except TimeoutError:
        raise Problem(400, "bad_request", "The upload stopped half way.") from None
    except ClientDisconnect:
        raise Problem(400, "bad_request", "The upload was given up.") from None
    form.end()


def form_document(description: str, file: str) -> dict[str, Any]:
    """The OpenAPI description of such a form: what its JSON part holds, and what its file is."""
    parts = {
        "description": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": f"JSON: {description}",
        },
        "file": {"type": "string", "format": "binary", "description": file},
    }
    schema = {"type": "object", "required": [*parts], "properties": parts}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


class _Form(Generic[DescriptionT]):
    """A form as it comes: ``description`` in memory, ``file`` to the disk, nothing else."""

    def __init__(self, boundary: bytes, file: IO[bytes], rules: UploadRules[DescriptionT]) -> None:
        self._file = file
        self._rules = rules
        self._hash = hashlib.sha256()
        self._size_bytes = 0
        self._text = bytearray()
        self._names: set[str] = set()
        self._part = ""
        self._file_name = ""
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._whole = False
        self._parser = python_multipart.MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _unreadable() from error

    def end(self) -> None:
        """The body has ended."""
        if not self._whole:
            raise _unreadable()

    def result(self) -> tuple[DescriptionT, str, str, int]:
        """Description, file name, SHA-256 and size. Problem 422 where something is missing."""
        if self._names != {"description", "file"}:
            raise Problem(
                422, "validation_failed", "The form needs the parts description and file."
            )
        try:
            description = self._rules.description.model_validate_json(bytes(self._text))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "description"
            raise Problem(
                422, self._rules.wrong_code, f"The description is wrong at {where}: {first['msg']}."
            ) from None
        return description, self._file_name, self._hash.hexdigest(), self._size_bytes

    # --- the parser's calls -------------------------------------------------------------------

    def _on_part_begin(self) -> None:
        self._part, self._disposition = "", b""
        self._header.clear()
        self._value.clear()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._header, data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._value, data[start:end])

    def _grow(self, text: bytearray, more: bytes) -> None:
        if len(text) + len(more) > _HEADER_BYTES:
            raise _unreadable()
        text += more

    def _on_header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._part = options.get(b"name", b"").decode("utf-8", "replace")
        if self._part not in ("description", "file") or self._part in self._names:
            raise Problem(422, "validation_failed", "The form has parts that are not known here.")
        self._names.add(self._part)
        if self._part == "file":
            self._file_name = options.get(b"filename", b"").decode("utf-8", "replace")[:200]

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._part == "description":
            if len(self._text) + len(piece) > DESCRIPTION_BYTES:
                raise Problem(413, "body_too_large", "The description is too long.")
            self._text += piece
            return
        self._size_bytes += len(piece)
        if self._size_bytes > self._rules.limit_bytes:
            raise self._rules.too_large(self._rules.limit_bytes)
        self._hash.update(piece)
        self._file.write(piece)

    def _on_end(self) -> None:
        self._whole = True


def _unreadable() -> Problem:
    return Problem(400, "bad_request", "The form cannot be read.")

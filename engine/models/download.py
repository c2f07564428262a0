"""Fetching one model file: streamed, bounded, checked, and put in place in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urldefrag

import requests

from engine.domain.errors import ModelUnavailable
from engine.models.integrity import noted_hash
from engine.models.manifest import ModelFile

Progress = Callable[[int, int | None], None]
"""Called with the bytes done and the total, None where the server does not state it."""

TIMEOUT_S = (5.0, 30.0)
"""Wait this long for a connection, and for the next bytes."""
SIZE_MAX_BYTES = 2 * 1024**3
_BLOCK_BYTES = 256 * 1024


def download(file: ModelFile, target: Path, progress: Progress | None = None) -> None:
    """Fetch ``file`` to ``target`` from the first of its addresses that works.

    An address ending in ``#name`` is a zip archive of which the member of that name (or whose path
    ends so) is taken. The content is written to a temporary file beside the target and renamed when
    its hash is right, so a target is always whole. Raises ModelUnavailable telling for every
    address what went wrong (no network, refused, wrong content), also when there is no address.
    """
    if not file.urls:
        raise ModelUnavailable(
            f"No download address is known for {file.name}.",
            "Copy the file into a folder named in BARNHAND_MODELS, or import it.",
        )
    failures: list[str] = []
    for url in file.urls:
        try:
            _fetch(url, file, target, progress)
            return
        except (requests.RequestException, OSError, zipfile.BadZipFile, _Refused) as error:
            failures.append(f"{url}: {_reason(error)}")
    raise ModelUnavailable(
        f"{file.name} could not be downloaded. {' '.join(failures)}",
        "Check the internet connection, or copy the file into a folder named in BARNHAND_MODELS.",
    )


class _Refused(Exception):
    """The content came, but is not what was meant."""


def _fetch(url: str, file: ModelFile, target: Path, progress: Progress | None) -> None:
    address, member = urldefrag(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
        part = Path(folder, "content")
        _stream(address, part, progress, None if member else file.size_bytes)
        if member:
            part = _extract(part, member, Path(folder, "member"))
        with part.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if file.sha256 is not None and digest != file.sha256:
            raise _Refused(
                f"the content is not the expected one (SHA-256 {digest[:12]}... instead of "
                f"{file.sha256[:12]}...); nothing was kept"
            )
        part.replace(target)
    if file.sha256 is None:
        noted_hash(target).write_text(digest, "ascii")


def _stream(url: str, target: Path, progress: Progress | None, expected: int | None) -> None:
    with requests.get(url, stream=True, timeout=TIMEOUT_S) as answer:
        answer.raise_for_status()
        stated = answer.headers.get("Content-Length", "")
        total = int(stated) if stated.isdigit() else expected
        limit = expected or SIZE_MAX_BYTES
        done = 0
        with target.open("wb") as out:
            for block in answer.iter_content(_BLOCK_BYTES):
                done += len(block)
                if done > limit:
                    raise _Refused(f"it is larger than the {limit} bytes it should have")
                out.write(block)
                if progress is not None:
                    progress(done, total)
            out.flush()
            os.fsync(out.fileno())
        if expected is not None and done != expected:
            raise _Refused(f"it has {done} bytes instead of {expected}")


def _extract(archive: Path, member: str, target: Path) -> Path:
    with zipfile.ZipFile(archive) as zipped:
        fitting = [
            info
            for info in zipped.infolist()
            if info.filename == member or info.filename.endswith(f"/{member}")
        ]
        if len(fitting) != 1:
            raise _Refused(f"the archive holds {len(fitting)} files named {member} and not one")
        if fitting[0].file_size > SIZE_MAX_BYTES:
            raise _Refused(f"{member} would unpack to {fitting[0].file_size} bytes")
        with zipped.open(fitting[0]) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, _BLOCK_BYTES)
    return target


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}."
    if isinstance(error, requests.Timeout):
        return "the server did not answer in time."
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server."
    return f"{error}."

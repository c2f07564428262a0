"""Forms with a file that is read while it is sent, so that a long video needs no memory."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

_PART_BYTES = 1 << 16


class UploadForm:
    """A multipart form: the JSON ``description`` first, then the ``file``.

    ``len()`` is its length in bytes, so that it is sent with a Content-Length. Close it.
    """

    def __init__(self, description: dict[str, Any], path: Path) -> None:
        boundary = secrets.token_hex(16)
        name = "".join(c if c.isprintable() and c not in '"\\' else "_" for c in path.name)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="description"\r\n'
            f"Content-Type: application/json\r\n\r\n{json.dumps(description)}\r\n"
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        tail = f"\r\n--{boundary}--\r\n"
        self._file = path.open("rb")
        self._parts: list[BinaryIO] = [BytesIO(head.encode()), self._file, BytesIO(tail.encode())]
        self._length = len(head.encode()) + path.stat().st_size + len(tail)
        self.content_type = f"multipart/form-data; boundary={boundary}"

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        while part := self.read(_PART_BYTES):
            yield part

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; everything that is left for -1."""
        taken = bytearray()
        while self._parts and (size < 0 or len(taken) < size):
            part = self._parts[0].read(-1 if size < 0 else size - len(taken))
            if part:
                taken += part
            else:
                self._parts.pop(0)
        return bytes(taken)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

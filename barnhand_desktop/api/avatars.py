"""Pictures that people give to horses: looked at before they are decoded, and made small.

The sides are read from the file header first (JPEG: ITU-T T.81, B.2.2; PNG: ISO 15948, 11.2.2), so
that a few bytes cannot ask for gigabytes of pixels.
"""

from __future__ import annotations

import struct
import threading

import numpy as np

from barnhand_desktop.api.problems import Problem

MEDIA_TYPES = ("image/jpeg", "image/png")
MOST_PIXELS = 40_000_000
SIDE_PX = 512
MOST_BYTES = 102_400
"""The longest picture that the table of horses takes."""
_DECODING = threading.BoundedSemaphore(2)
"""40 million pixels are 120 MB; so many pictures at once and no more."""
_QUALITIES = (90, 80, 70, 55, 40, 25)
_PNG = b"\x89PNG\r\n\x1a\n"
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""JPEG markers that begin a frame and tell its sides."""


def small_jpeg(picture: bytes) -> bytes:
    """A JPEG of at most 100 KB, 512 px on its longer side. Problem 422 for what is no JPEG or PNG
    or has more than 40 million pixels."""
    sides = _sides_px(picture)
    if sides is None or 0 in sides or sides[0] * sides[1] > MOST_PIXELS:
        raise _refused("Send a JPEG or PNG of at most 40 million pixels.")
    with _DECODING:
        return _made_small(picture)


def _made_small(picture: bytes) -> bytes:
    import cv2  # the process starts without it: pictures are rare

    try:
        decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        decoded = None
    if decoded is None:
        raise _refused("The picture is damaged.")
    scale = min(1.0, SIDE_PX / max(decoded.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in decoded.shape[:2])
    small = cv2.resize(decoded, (width, height), interpolation=cv2.INTER_AREA)
    for quality in _QUALITIES:
        made, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if made and encoded.size <= MOST_BYTES:
            return bytes(encoded.tobytes())
    raise _refused("The picture cannot be made small enough.")


def _sides_px(picture: bytes) -> tuple[int, int] | None:
    """Width and height that the header states; None for what is neither JPEG nor PNG."""
    if picture.startswith(_PNG) and picture[12:16] == b"IHDR" and len(picture) >= 24:
        width, height = struct.unpack(">II", picture[16:24])
        return int(width), int(height)
    if not picture.startswith(b"\xff\xd8"):
        return None
    place = 2
    while place + 9 <= len(picture) and picture[place] == 0xFF:
        marker = picture[place + 1]
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", picture[place + 5 : place + 9])
            return int(width), int(height)
        place += 2 + int.from_bytes(picture[place + 2 : place + 4], "big")
    return None


def _refused(detail: str) -> Problem:
    return Problem(422, "avatar_refused", detail)

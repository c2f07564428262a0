"""JPEG pictures of presets and scans."""

from __future__ import annotations

import cv2
import numpy as np

from engine.domain.errors import EnvironmentFault
from engine.domain.frames import Image

THUMBNAIL_WIDTH_PX = 320
THUMBNAIL_AT_MOST_BYTES = 50 * 1024
_QUALITIES = (85, 70, 50, 30, 15)


def jpeg_of(picture_bgr: Image, width_px: int = THUMBNAIL_WIDTH_PX) -> bytes:
    """A picture, uint8 (h, w, 3) BGR, as a JPEG of at most this width and 50 KB."""
    height, width = picture_bgr.shape[:2]
    scale = min(width_px / width, 1.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(picture_bgr, size, interpolation=cv2.INTER_AREA)
    body = b""
    for quality in _QUALITIES:
        done, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        body = np.asarray(coded).tobytes() if done else b""
        if 0 < len(body) <= THUMBNAIL_AT_MOST_BYTES:
            break
    return body


def decoded(jpeg: bytes) -> Image:
    """The picture of a JPEG, uint8 (h, w, 3) BGR. Raises EnvironmentFault when it is none."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise EnvironmentFault("The camera sent a picture that cannot be read.")
    return np.asarray(picture, np.uint8)


def thumbnail(jpeg: bytes) -> bytes:
    """A camera's JPEG made small: at most 320 px wide and 50 KB."""
    return jpeg_of(decoded(jpeg))

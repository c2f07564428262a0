"""What the first bytes of a file say it is, so that a wrong file gets a sentence of its own."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from engine.domain.errors import OperatorMistake, SourceUnreadable

_PICTURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)
_STILL_BRANDS = {b"heic", b"heix", b"mif1", b"avif"}
_MOVING_JPEG = {".mjpg", ".mjpeg"}


def picture_format(head: bytes) -> str | None:
    """The picture format whose signature the bytes carry, None if they carry none.

    GIF is not listed: a GIF is played as a video.
    """
    for signature, name in _PICTURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
        return "HEIF"
    return None


def require_video(path: Path) -> None:
    """Raise OperatorMistake or SourceUnreadable unless the file may be a video.

    Checks that it exists, is no folder, is not empty, is no still picture, and, for MP4 and MOV,
    that its index (the ``moov`` box) is there.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
            incomplete = head[4:8] in (b"ftyp", b"mdat", b"wide") and not _has_box(file, b"moov")
    except FileNotFoundError as error:
        raise OperatorMistake(
            f"There is no file {path}.", "Check the path and that its disk is connected."
        ) from error
    except IsADirectoryError as error:
        raise OperatorMistake(f"{path} is a folder.", "Add it as a folder source.") from error
    except OSError as error:
        raise OperatorMistake(
            f"{path} cannot be read: {error.strerror or error}.", "Check its permissions."
        ) from error
    if not head:
        raise SourceUnreadable(f"{path.name} is empty.", "Copy the recording again.")
    picture = picture_format(head)
    if picture == "JPEG" and path.suffix.lower() in _MOVING_JPEG:
        picture = None
    if picture is not None:
        raise SourceUnreadable(
            f"{path.name} is a picture ({picture}), not a video.",
            "Choose a video, or put pictures into a folder and add the folder.",
        )
    if incomplete:
        raise SourceUnreadable(
            f"{path.name} is cut off: the index that ends an MP4 recording is missing.",
            "Copy it again from the recorder; if it is the original, recording was interrupted.",
        )


def _has_box(file: BinaryIO, wanted: bytes) -> bool:
    """Walk the top-level boxes of an ISO media file (ISO/IEC 14496-12, 4.2)."""
    file.seek(0, 2)
    end = file.tell()
    position = 0
    while position + 8 <= end:
        file.seek(position)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        if header[4:8] == wanted:
            return True
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < 8:  # 0: the box reaches to the end of the file
            return False
        position += size
    return False

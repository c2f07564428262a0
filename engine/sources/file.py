"""A recorded video file, GIF included."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.container import ContainerSource, Opening
from engine.sources.options import stream_options
from engine.sources.sniff import require_video

_DECODE_THREADS_AT_MOST = 8
"""Two more than the cores: with only as many, one idles while its picture is taken."""


def path_of(address: str) -> Path:
    """The path that an address of kind FILE or FOLDER names (plain or ``file:`` URL)."""
    if address.startswith("file:"):
        return Path(unquote(urlsplit(address).path))
    return Path(address).expanduser()


def open_file(stream: Stream, settings: CaptureSettings) -> ContainerSource:
    """Open a file; its times count from 0. Raises OperatorMistake or SourceUnreadable."""
    return open_video(
        path_of(stream.address), settings, stream_options(stream), realtime=stream.realtime
    )


def open_video(
    path: Path, settings: CaptureSettings, options: dict[str, str], *, realtime: bool
) -> ContainerSource:
    """Open one video by path. Read as fast as possible, pictures are decoded several at a time."""
    require_video(path)
    threads = 1 if realtime else min((os.cpu_count() or 1) + 2, _DECODE_THREADS_AT_MOST)
    return ContainerSource(
        Opening(
            url=f"file:{path}",
            shown=path.name,
            live=False,
            options={"protocol_whitelist": "file,crypto,data", **options},
            hardware=settings.hardware_decode,
            decode_threads=threads,
            from_zero=True,
        )
    )

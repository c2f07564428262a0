"""Streams pulled from an RTMP server."""

from __future__ import annotations

from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.container import ContainerSource, open_remote
from engine.sources.options import stream_options


def open_rtmp(stream: Stream, settings: CaptureSettings) -> ContainerSource:
    """Connect and play; ``rw_timeout`` bounds every socket operation in microseconds."""
    options = {
        "rw_timeout": str(int(settings.read_timeout_s * 1_000_000)),
        "rtmp_live": "live",
        "analyzeduration": "1000000",
        "fpsprobesize": "0",
        "protocol_whitelist": "rtmp,rtmps,rtmpt,tcp,tls,http,https,crypto",
        **stream_options(stream),
    }
    return open_remote(stream, settings, options, live=True)

"""IP cameras over RTSP."""

from __future__ import annotations

from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.container import ContainerSource, open_remote
from engine.sources.options import stream_options


def open_rtsp(stream: Stream, settings: CaptureSettings) -> ContainerSource:
    """Connect over TCP (UDP only where the stream's options say so).

    ``timeout`` bounds every socket operation in microseconds; without it a frozen server blocks
    for ever. Sound is not even asked for. Without ``fpsprobesize`` FFmpeg watches the stream for a
    second to guess its rate before it hands out the first picture; ``nobuffer`` would throw away
    what it read meanwhile and wait for the next key picture.
    """
    options = {
        "rtsp_transport": "tcp",
        "timeout": str(int(settings.read_timeout_s * 1_000_000)),
        "allowed_media_types": "video",
        "analyzeduration": "1000000",
        "fpsprobesize": "0",
        "protocol_whitelist": "rtsp,rtsps,rtp,tcp,udp,tls,http,crypto,srtp",
        **stream_options(stream),
    }
    return open_remote(stream, settings, options, live=True)

"""The one way to open a source."""

from __future__ import annotations

from engine.domain.errors import OperatorMistake
from engine.domain.ports import FrameSource
from engine.domain.streams import SourceKind, Stream
from engine.settings import CaptureSettings
from engine.sources.addresses import kind_of, redacted
from engine.sources.file import open_file
from engine.sources.folder import open_folder
from engine.sources.http import open_http
from engine.sources.push_gate import GATES
from engine.sources.rtmp import open_rtmp
from engine.sources.rtmp_push import open_push
from engine.sources.rtsp import open_rtsp
from engine.sources.simulated import open_simulated
from engine.sources.usb import open_usb
from engine.sources.web_pages import FINDER
from engine.sources.web_video import open_web_video

__all__ = ["abandon_opening", "caller_waits", "kind_of", "open_source"]

_OPENERS = {
    SourceKind.RTSP: open_rtsp,
    SourceKind.RTMP: open_rtmp,
    SourceKind.RTMP_PUSH: open_push,
    SourceKind.HTTP: open_http,
    SourceKind.FILE: open_file,
    SourceKind.FOLDER: open_folder,
    SourceKind.USB: open_usb,
    SourceKind.SIMULATED: open_simulated,
    SourceKind.WEB_VIDEO: open_web_video,
}
_URL_KINDS = {SourceKind.RTSP, SourceKind.RTMP, SourceKind.RTMP_PUSH, SourceKind.HTTP}


def open_source(stream: Stream, settings: CaptureSettings) -> FrameSource:
    """Open a stream's source; returns once it is known to hold pictures, or raises.

    Raises OperatorMistake (SourceUnreadable among them) for what retrying cannot cure and
    SourceUnreachable for what it may. No message carries credentials.
    """
    if stream.kind in _URL_KINDS and kind_of(stream.address) is not stream.kind:
        raise OperatorMistake(
            f"{redacted(stream.address)} is not an address of kind {stream.kind}.",
            "Correct the address or the kind.",
        )
    return _OPENERS[stream.kind](stream, settings)


def abandon_opening(stream: Stream) -> None:
    """Make an opening of this stream that still waits come back with SourceUnreachable, and give
    back what is held for the next one (a port)."""
    if stream.kind is SourceKind.WEB_VIDEO:
        FINDER.cancel(stream.id)
    elif stream.kind is SourceKind.RTMP_PUSH:
        GATES.close(stream.id)


def caller_waits(stream: Stream) -> bool:
    """True if a camera that pushes waits to be received: opening need not be put off."""
    return stream.kind is SourceKind.RTMP_PUSH and GATES.caller_waits(stream.id)

"""A first look at a source before it is added."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.domain.errors import BarnhandError, SourceEnded, SourceUnreadable
from engine.domain.frames import Picture
from engine.domain.ids import new_stream_id
from engine.domain.ports import FrameSource
from engine.domain.streams import SourceKind, Stream
from engine.settings import CaptureSettings
from engine.sources.addresses import redacted
from engine.sources.registry import abandon_opening, open_source
from engine.sources.rtmp_push import open_push

PUSH_STARTS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a source turned out to be. ``fps`` None where it states none; ``codec`` is FFmpeg's
    name, or the kind for sources without one."""

    width: int
    height: int
    fps: float | None
    codec: str
    picture: Picture
    kind: SourceKind


def probe(stream: Stream, settings: CaptureSettings) -> ProbeReport:
    """Open the source, take one picture, close it. Blocks up to the capture time-outs.

    Raises what ``open_source`` and ``FrameSource.read`` raise; the messages are fit to be shown.
    """
    stream = replace(stream, id=new_stream_id())  # a running capture of it goes on undisturbed
    source = _opened(stream, settings)
    try:
        picture = source.read().picture
        return ProbeReport(
            width=picture.width_px,
            height=picture.height_px,
            fps=source.nominal_fps,
            codec=str(getattr(source, "codec", stream.kind.value)),
            picture=picture,
            kind=stream.kind,
        )
    except SourceEnded as error:
        raise SourceUnreadable(f"{redacted(stream.address)} sent no picture.") from error
    finally:
        source.close()
        abandon_opening(stream)


def _opened(stream: Stream, settings: CaptureSettings) -> FrameSource:
    """The source; a person gets the time to start a camera that pushes."""
    if stream.kind is not SourceKind.RTMP_PUSH:
        return open_source(stream, settings)
    patient = settings.model_copy(update={"connect_timeout_s": PUSH_STARTS_WITHIN_S})
    try:
        return open_push(stream, patient, provisional=True)
    except BarnhandError:
        abandon_opening(stream)
        raise

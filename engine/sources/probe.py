"""A first look at a source before it is added."""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.errors import SourceEnded, SourceUnreadable
from engine.domain.frames import Picture
from engine.domain.streams import SourceKind, Stream
from engine.settings import CaptureSettings
from engine.sources.addresses import redacted
from engine.sources.registry import open_source


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
    source = open_source(stream, settings)
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

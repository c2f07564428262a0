"""One picture of a recording in full size, with or without what was seen in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QRectF
from PySide6.QtGui import QImage, QPainter

from engine.domain.errors import EnvironmentFault
from engine.domain.frames import Image
from engine.domain.ids import HorseId
from engine.domain.recording import Edit
from engine.recording.layout import video_file
from engine.recording.reader import ChunkReader
from ui.live.overlay_paint import OverlayPainter, Placement, Switch
from ui.review.frames import ReviewFrame
from ui.review.pending import with_edits
from ui.review.picture_overlay import columns
from ui.theme import Theme
from ui.timeline.axis import local


@dataclass(frozen=True, slots=True)
class OverlayChoice:
    """What is drawn on a snapshot."""

    switches: Collection[Switch]
    names: Mapping[HorseId, str]
    edits: Sequence[Edit] = ()


def full_picture(media: Path, frame: ReviewFrame) -> Image:
    """The picture as it was recorded, uint8 BGRA; blocks. Raises BarnhandError, OSError."""
    with ChunkReader(video_file(media, frame.chunk)) as reader:
        picture = reader.picture_at(frame.pts_s).picture
    return picture.scaled_bgra(picture.width_px, picture.height_px)


def snapshot(bgra: Image, frame: ReviewFrame, choice: OverlayChoice | None, theme: Theme) -> QImage:
    """The picture as an image, with an overlay if one is wanted."""
    height, width = bgra.shape[:2]
    image = QImage(bgra.tobytes(), width, height, width * 4, QImage.Format.Format_RGB32).copy()
    if choice is None or frame.entry is None:
        return image
    entry = with_edits(frame.entry, choice.edits).entry
    skeletons = {} if frame.overlay is None else frame.overlay.skeletons
    artist = OverlayPainter(theme)
    artist.names = choice.names
    painter = QPainter(image)
    painter.setClipRect(QRectF(0, 0, width, height))
    wide, high = frame.picture_px
    placement = Placement(width / wide, height / high, 0.0, 0.0)
    overlay = columns(entry, frame.picture_px, skeletons)
    artist.paint(painter, overlay, (), placement, choice.switches)
    painter.end()
    return image


def snapshot_name(camera: str, frame: ReviewFrame) -> str:
    """``Yard 2026-11-21 13-51-07-240.png``."""
    at = local(frame.at_us, None)
    safe = "".join(c if c.isalnum() or c in " -_" else "_" for c in camera).strip() or "camera"
    return f"{safe} {at:%Y-%m-%d %H-%M-%S}-{at.microsecond // 1000:03d}.png"


def save_image(image: QImage, path: Path) -> Path:
    """Write it; blocks. Raises EnvironmentFault."""
    if not image.save(str(path)):
        raise EnvironmentFault(
            QCoreApplication.translate("Review", "The picture could not be written to {0}.").format(
                path
            ),
            QCoreApplication.translate("Review", "Choose another folder, or make room."),
        )
    return path

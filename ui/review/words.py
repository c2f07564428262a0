"""Pictures, recordings and edits as people read them."""

from __future__ import annotations

from datetime import tzinfo

from PySide6.QtCore import QCoreApplication

from engine.domain.ids import HorseId
from engine.domain.recording import (
    AddBox,
    AssignTrack,
    Chunk,
    ChunkState,
    DeleteBox,
    Edit,
    Extent,
)
from ui.review.frames import ReviewFrame
from ui.timeline.axis import local


def _tr(text: str) -> str:
    return QCoreApplication.translate("Review", text)


def exact_time(at_us: int, zone: tzinfo | None = None) -> str:
    """``13:51:07.240`` local time."""
    at = local(at_us, zone)
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def exact_day(at_us: int, zone: tzinfo | None = None) -> str:
    """``Sat 21 Nov 2026``."""
    at = local(at_us, zone)
    return f"{at:%a} {at.day} {at:%b %Y}"


def chunk_word(chunk: Chunk) -> str:
    """Where a recording stands: ``final``, ``provisional``, ``being written``, ``rescued``."""
    if chunk.state is ChunkState.OPEN:
        return _tr("being written")
    word = _tr("final") if chunk.final else _tr("provisional")
    parts = [word]
    if chunk.state is ChunkState.RESCUED:
        parts.append(_tr("rescued"))
    if chunk.locked:
        parts.append(_tr("locked"))
    return " · ".join(parts)


def chunk_tip(chunk: Chunk) -> str:
    """What the word means."""
    if chunk.state is ChunkState.OPEN:
        return _tr("This recording is still being written.")
    if chunk.final:
        return _tr("Every picture was analysed again after recording: these results are final.")
    return _tr("Results of the live analysis; the recording was not analysed again yet.")


def size_words(chunk: Chunk) -> str:
    """``1920 × 1080 · h264``."""
    return f"{chunk.width_px} × {chunk.height_px} · {chunk.codec}"


def frame_words(frame: ReviewFrame) -> str:
    """``picture 118 of 250``."""
    return _tr("picture {0} of {1}").format(frame.number, frame.count)


def extent_word(extent: Extent) -> str:
    """How far an edit reaches."""
    return {
        Extent.FRAME: _tr("this picture"),
        Extent.FROM_HERE: _tr("from here on"),
        Extent.CHUNK: _tr("the whole recording"),
    }[extent]


def edit_words(edit: Edit, at_us: int, who: str, horse: str, zone: tzinfo | None = None) -> str:
    """One pending edit in a sentence. ``at_us``: the picture's instant, ``who``: the track's name
    or number; ``horse``: whose it is to be, empty for a new guest."""
    clock = exact_time(at_us, zone)
    target = horse or _tr("a new guest")
    if isinstance(edit, DeleteBox):
        return _tr("{0}: delete {1} · {2}").format(clock, who, extent_word(edit.extent))
    if isinstance(edit, AssignTrack):
        return _tr("{0}: {1} is {2} · {3}").format(clock, who, target, extent_word(edit.extent))
    if isinstance(edit, AddBox):
        return _tr("{0}: add a box of {1}").format(clock, target)
    return _tr("{0}: move the box of {1}").format(clock, who)


def horse_of(edit: Edit) -> HorseId | None:
    """Whose an edit makes something; None for a guest, or where it is about no horse."""
    return edit.horse_id if isinstance(edit, AddBox | AssignTrack) else None


def speed_words(speed: float) -> str:
    """``1×``, ``0.25×``."""
    return f"{speed:g}×"

"""Where recordings lie below the media folder, and under which names.

``recordings/<stream id>/<day>/<time>_<begin of the chunk id>.mp4``, UTC. While a file is written it
ends in ``.part``. Beside it lies ``.overlay.json``, while written ``.overlay.jsonl``. Names are
made here, never by a caller from outside.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from engine.domain.errors import NotFound
from engine.domain.ids import StreamId
from engine.domain.recording import Chunk, ChunkId

RECORDINGS = "recordings"
PART = ".part"
OVERLAY = ".overlay.json"
OVERLAY_PART = ".overlay.jsonl"
JOURNAL = ".journal"
MEDIA_MARK = ".media-id"
_NAME = re.compile(r"(\d{6})_(\d{3})_([0-9a-f]{8})\.mp4")


def chunk_path(stream_id: StreamId, chunk_id: ChunkId, start_at: datetime) -> str:
    """The path of a chunk that starts about then, relative to the media folder, with ``/``."""
    start = start_at.astimezone(UTC)
    clock = f"{start:%H%M%S}_{start.microsecond // 1000:03d}"
    return f"{RECORDINGS}/{stream_id}/{start:%Y-%m-%d}/{clock}_{chunk_id.hex[:8]}.mp4"


def overlay_path(path: str) -> str:
    """Where a chunk's overlay lies."""
    return path.removesuffix(".mp4") + OVERLAY


def start_in(path: str) -> tuple[StreamId, datetime] | None:
    """The stream and about the start that a chunk's path states; None for other files."""
    parts = path.removesuffix(PART).split("/")
    if len(parts) != 4 or parts[0] != RECORDINGS:
        return None
    found = _NAME.fullmatch(parts[3])
    if found is None:
        return None
    try:
        whole = datetime.strptime(f"{parts[2]} {found[1]} +0000", "%Y-%m-%d %H%M%S %z")
        start_at = whole.replace(microsecond=int(found[2]) * 1000)
        return StreamId(UUID(parts[1])), start_at
    except ValueError:
        return None


def known_media_id(media: Path) -> UUID | None:
    """Which media folder this is; None for one that no engine has worked in. Raises OSError."""
    try:
        return UUID((media / RECORDINGS / MEDIA_MARK).read_text("ascii").strip())
    except (FileNotFoundError, ValueError):
        return None


def media_id(media: Path) -> UUID:
    """Which media folder this is; made with the first call. Raises OSError."""
    known = known_media_id(media)
    if known is None:
        mark = media / RECORDINGS / MEDIA_MARK
        mark.parent.mkdir(parents=True, exist_ok=True)
        made = uuid4()
        mark.write_text(f"{made}\n", "ascii")
        return made
    return known


def inside(media: Path, path: str) -> Path:
    """The file that a stored path names. Raises NotFound where it leads out of the media folder."""
    root = media.resolve()
    if "\x00" in path or not (found := (root / path).resolve()).is_relative_to(root):
        raise NotFound("That file does not lie in the media folder.")
    return found


def video_file(media: Path, chunk: Chunk) -> Path:
    """The chunk's video as it lies now, finished or still being written. Raises NotFound."""
    for path in (chunk.path, chunk.path + PART, chunk.path):
        found = inside(media, path)
        if found.is_file():
            return found
    raise NotFound("The video of this recording is not on this machine.")


def overlay_file(media: Path, chunk: Chunk) -> Path:
    """The chunk's overlay as it lies now. Raises NotFound."""
    finished = overlay_path(chunk.path)
    for path in (finished, finished.removesuffix(OVERLAY) + OVERLAY_PART, finished):
        found = inside(media, path)
        if found.is_file():
            return found
    raise NotFound("There is no overlay for this recording.")

"""A barn with recordings whose pictures say their own number, and the Review page over it.

Every picture carries its number as twelve black or white blocks along its upper edge, and one horse
(a dark square) whose box the overlay knows: what is painted can be read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import av
import numpy as np
from PySide6.QtCore import QPoint, QPointF
from pytestqt.qtbot import QtBot

from db.queue.jobs import PostgresJobQueue
from db.repositories.bookmarks import PostgresBookmarkRepository
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.edits import PostgresEditRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.timeline import PostgresTimelineRepository
from engine.domain.frames import Image
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.recording import Chunk, ChunkId, ChunkState
from engine.domain.streams import StreamHealth, StreamState
from engine.recording.layout import chunk_path, overlay_path
from engine.recording.overlay import (
    Overlay,
    OverlayEntry,
    OverlayTrack,
    document_of,
    write_overlay,
)
from tests.gui.console_bench import BenchCamera, make_bench
from tests.gui.stored_barn import StoredBarn
from ui.main_window import MainWindow
from ui.review.picture_area import PictureArea
from ui.review.review_page import ReviewPage
from ui.review.view import PlayerView

WIDTH, HEIGHT = 384, 216
FPS = 25
BITS, BLOCK_PX = 12, 32
SQUARE_PX = 40
CHUNK_PICTURES = 75
"""Three seconds a chunk, three groups of pictures in each."""


def numbered(number: int) -> Image:
    """A picture that says its number; uint8 BGR."""
    picture = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
    for bit in range(BITS):
        shade = 235 if number >> bit & 1 else 20
        picture[: BLOCK_PX - 8, bit * BLOCK_PX : (bit + 1) * BLOCK_PX] = shade
    x1, y1, x2, y2 = square(number)
    picture[y1:y2, x1:x2] = (40, 60, 90)
    return picture


def square(number: int) -> tuple[int, int, int, int]:
    """Where the horse is in a picture."""
    left = 20 + 2 * (number % 150)
    return left, 100, left + SQUARE_PX, 100 + SQUARE_PX


def number_in(area: PictureArea) -> int:
    """The number painted in a view; -1 where there is no picture."""
    if area.frame is None:
        return -1
    image, rect = area.grab().toImage(), area.picture_rect()
    number = 0
    for bit in range(BITS):
        x = rect.x() + (bit + 0.5) * BLOCK_PX / WIDTH * rect.width()
        y = rect.y() + (BLOCK_PX - 8) / 2 / HEIGHT * rect.height()
        ratio = image.devicePixelRatio()
        number |= (image.pixelColor(round(x * ratio), round(y * ratio)).lightness() > 128) << bit
    return number


def write_chunk(path: Path, numbers: Sequence[int], fps: int = FPS) -> None:
    """Encode pictures of these numbers with pictures that refer to later ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"preset": "veryfast", "g": "25", "bf": "2", "crf": "18"}
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in numbers:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), "bgr24")))
        container.mux(stream.encode())


@dataclass
class RecordedCamera:
    """A camera's recordings: chunks in order, and the track in them."""

    stream_id: StreamId
    start_at: datetime
    track_id: TrackId
    chunks: list[Chunk] = field(default_factory=list)

    def at(self, number: int) -> datetime:
        """When a picture was taken."""
        return self.start_at + timedelta(microseconds=number * 1_000_000 // FPS)


@dataclass
class ReviewBench:
    """The window with its Review page open over a stored barn."""

    window: MainWindow
    barn: StoredBarn
    media: Path
    qtbot: QtBot
    chunks: PostgresChunkRepository
    edits: PostgresEditRepository
    cameras: Mapping[str, RecordedCamera]

    @property
    def page(self) -> ReviewPage:
        return self.window.review

    def view(self, place: int = 0) -> PlayerView:
        return self.page.wall.views[place]

    def number(self, place: int = 0) -> int:
        """The number painted in a player."""
        return number_in(self.view(place).area)

    def go(self, number: int, camera: str = "Yard") -> None:
        """Seek to a picture and wait until it is painted."""
        self.page.head.move_to(self.cameras[camera].at(number))
        self.qtbot.waitUntil(lambda: self.number() == number)

    def point(self, x: float, y: float, place: int = 0) -> QPoint:
        """A point of the picture, on the player's widget."""
        placement = self.view(place).area.placement()
        spot = QPointF(placement.x + x * placement.scale_x, placement.y + y * placement.scale_y)
        return spot.toPoint()


def record(
    barn: StoredBarn,
    chunks: PostgresChunkRepository,
    media: Path,
    name: str,
    horse_id: HorseId | None,
    begin: datetime,
    pieces: Sequence[range],
    analysed_every: int = 2,
) -> RecordedCamera:
    """Recordings of these picture numbers; picture 0 was taken at ``begin``."""
    stream_id = barn.camera(name).id
    track_id = barn.track(horse_id, name, begin, 0.5)
    camera = RecordedCamera(stream_id, begin, track_id)
    for numbers in pieces:
        chunk_id = ChunkId(uuid4())
        start = camera.at(numbers.start)
        path = chunk_path(stream_id, chunk_id, start)
        write_chunk(media / path, numbers)
        entries = tuple(
            OverlayEntry((n - numbers.start) / FPS, camera.at(n), (_track(track_id, horse_id, n),))
            for n in numbers
            if n % analysed_every == 0
        )
        overlay = Overlay(chunk_id, stream_id, start, WIDTH, HEIGHT, {}, entries)
        write_overlay(media / overlay_path(path), document_of(overlay))
        end = camera.at(numbers.stop)
        chunk = Chunk(
            chunk_id, stream_id, start, end, path, "h264", WIDTH, HEIGHT, ChunkState.COMPLETE,
            (media / path).stat().st_size, overlay_path=overlay_path(path), horses=1,
        )  # fmt: skip
        chunks.put(chunk)
        camera.chunks.append(chunk)
    return camera


def _track(track_id: TrackId, horse_id: HorseId | None, number: int) -> OverlayTrack:
    box = tuple(float(v) for v in square(number))
    return OverlayTrack(
        track_id, 1, horse_id, 0, 1, 3, 0.91, 0.9, (box[0], box[1], box[2], box[3]),
        gait="walk", action="walking", posture="upright", speed_mps=1.4,
    )  # fmt: skip


def open_review(
    barn: StoredBarn,
    folder: Path,
    qtbot: QtBot,
    recorded: Callable[[PostgresChunkRepository, Path], Mapping[str, RecordedCamera]],
) -> ReviewBench:
    """Record, then open the window at its Review page."""
    media = folder / "media"
    media.mkdir()
    chunks = PostgresChunkRepository(barn.pool)
    edits = PostgresEditRepository(barn.pool)
    cameras = recorded(chunks, media)
    bench = make_bench(folder)
    for name, camera in cameras.items():
        health = StreamHealth(camera.stream_id, StreamState.ACTIVE)
        bench.engine.cameras[camera.stream_id] = BenchCamera(barn.camera(name), health)
    services = replace(
        bench.services,
        chunks=chunks,
        edits=edits,
        timeline=PostgresTimelineRepository(barn.pool),
        jobs=PostgresJobQueue(barn.pool),
        bookmarks=PostgresBookmarkRepository(barn.pool),
        media_folder=media,
        farm_id=DEFAULT_FARM,
        horses=barn.horses,
        identity=barn.identity,
        on_registry_changed=barn.on_changed,
    )
    window = MainWindow(services)
    window.resize(1440, 900)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.show_page("review")
    return ReviewBench(window, barn, media, qtbot, chunks, edits, cameras)


def ten_minutes_ago() -> datetime:
    """A whole second, long enough ago that nothing is live."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)

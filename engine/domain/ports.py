"""The engine's seams. Adapters in ``db``, ``engine.models`` and ``engine.sources`` meet them.

Each port has one contract suite in ``tests/contract`` that every adapter passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from engine.domain.commands import EngineCommand
from engine.domain.detections import DetectionBatch
from engine.domain.frames import Image, Picture
from engine.domain.geometry import FloatArray
from engine.domain.horses import Horse
from engine.domain.identity import (
    CommandId,
    CommandRecord,
    Correction,
    Effect,
    IdentityEvent,
    RegistrySnapshot,
    Review,
    ReviewId,
    Similar,
    TrackStrip,
    Verdict,
)
from engine.domain.ids import FarmId, HorseId, ModelId, StreamId, TrackId
from engine.domain.motion import MotionEvent
from engine.domain.notices import Notice
from engine.domain.poses import PoseBatch
from engine.domain.results import FrameResult
from engine.domain.skeletons import Skeleton
from engine.domain.streams import Stream, StreamHealth, StreamStatusChanged


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> datetime:
        """Current instant, timezone-aware UTC; may jump."""
        ...

    def mono_s(self) -> float:
        """Monotonic seconds; never jumps."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let this thread rest."""
        ...


# --- sources -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourcePicture:
    """One decoded picture as a source hands it over. ``packet_bytes`` is what it cost to receive
    since the picture before; ``corrupt`` counts refused packets since then."""

    picture: Picture
    pts_s: float | None
    packet_bytes: int = 0
    corrupt: int = 0


class FrameSource(Protocol):
    """An opened source, used by one thread. ``close`` may be called from any thread, and makes a
    blocked ``read`` return by raising SourceUnreachable within its time-out."""

    @property
    def live(self) -> bool:
        """True if the source paces itself (a camera); False if it can be read at any speed."""
        ...

    @property
    def nominal_fps(self) -> float | None:
        """Pictures per second the source states, None if it states none."""
        ...

    @property
    def duration_s(self) -> float | None:
        """Length of a recorded source in seconds, None where unknown or endless."""
        ...

    def read(self) -> SourcePicture:
        """The next picture.

        Raises SourceEnded at the end of a file or when a live server hung up, SourceUnreachable on
        time-out or network failure, SourceUnreadable when the content cannot be decoded.
        """
        ...

    def close(self) -> None: ...


# --- models ------------------------------------------------------------------------------------


class Detector(Protocol):
    """Finds horses, people and dogs. Used by one thread."""

    @property
    def model_id(self) -> ModelId: ...

    @property
    def input_size_px(self) -> tuple[int, int]:
        """Largest (width, height) a picture is scaled to fit before ``detect``."""
        ...

    def detect(
        self, pictures_bgr: Sequence[Image], scales: Sequence[float], min_score: float
    ) -> list[DetectionBatch]:
        """Detections of each picture, in the pixels of the unscaled picture.

        pictures_bgr: uint8 (h, w, 3), each already scaled to fit ``input_size_px``; ``scales``:
        scaled pixels per original pixel. Padding, normalisation, decoding and NMS are done here.
        """
        ...

    def close(self) -> None: ...


class PoseEstimator(Protocol):
    """Estimates keypoints in boxes (top-down). Used by one thread."""

    @property
    def model_id(self) -> ModelId: ...

    @property
    def skeleton(self) -> Skeleton: ...

    def estimate(self, jobs: Sequence[tuple[Picture, FloatArray]]) -> list[PoseBatch]:
        """Poses for each (picture, boxes_xyxy_px (N, 4)) pair, batched over all of them."""
        ...

    def close(self) -> None: ...


class Embedder(Protocol):
    """Turns the horse in a box into an appearance vector. Used by one thread."""

    @property
    def model_id(self) -> ModelId: ...

    @property
    def dimension(self) -> int: ...

    def embed(
        self,
        jobs: Sequence[tuple[Picture, FloatArray]],
        poses: Sequence[PoseBatch | None] | None = None,
    ) -> list[FloatArray]:
        """Unit vectors float32 (N, dimension) for each (picture, boxes_xyxy_px (N, 4)) pair.

        ``poses`` (one entry a job, rows follow its boxes) suppress the background where they are
        known: vectors of the same horse on another day agree better with them than without.
        """
        ...

    def close(self) -> None: ...


# --- what leaves the engine --------------------------------------------------------------------


class EngineSink(Protocol):
    """Receives what the engine makes. Every call returns at once and never raises: an
    implementation queues (bounded, counting drops) and works on its own thread."""

    def on_result(self, result: FrameResult) -> None: ...

    def on_identity(self, event: IdentityEvent) -> None: ...

    def on_motion(self, events: Sequence[MotionEvent]) -> None: ...

    def on_track_closed(self, summary: TrackSummary) -> None: ...

    def on_status(self, change: StreamStatusChanged) -> None: ...

    def on_health(self, healths: Sequence[StreamHealth]) -> None: ...

    def on_notice(self, notice: Notice) -> None: ...


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """A finished tracklet of one camera."""

    track_id: TrackId
    stream_id: StreamId
    number: int
    class_id: int
    started_at: datetime
    ended_at: datetime
    detections: int
    confidence: float


# --- stores ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DetectionRecord:
    """One stored detection as queries return it; keypoints by landmark name (x_px, y_px, score)."""

    at: datetime
    stream_id: StreamId
    track_id: TrackId
    horse_id: HorseId | None
    bbox_xyxy_px: tuple[float, float, float, float]
    score: float
    class_name: str
    skeleton: str | None
    keypoints: Mapping[str, tuple[float, float, float]]
    flags: int
    cursor: str


class StreamRepository(Protocol):
    """Stored streams of a farm. Credentials are encrypted at rest and decrypted on read."""

    def list(self, farm_id: FarmId | None = None) -> Sequence[Stream]: ...

    def get(self, stream_id: StreamId) -> Stream:
        """Raises NotFound."""
        ...

    def add(self, stream: Stream, farm_id: FarmId | None = None) -> Stream:
        """Raises Conflict when the farm has a stream of that name."""
        ...

    def update(self, stream: Stream) -> Stream:
        """Stores a change made to version ``stream.version``; Conflict if it is not current."""
        ...

    def remove(self, stream_id: StreamId) -> None: ...


class DetectionRepository(Protocol):
    """Stored detections."""

    def query(
        self,
        stream_id: StreamId | None = None,
        horse_id: HorseId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Sequence[DetectionRecord]:
        """Newest first; ``cursor`` continues after a record of an earlier page."""
        ...

    def count(self, start: datetime | None = None, end: datetime | None = None) -> int: ...


class HorseRepository(Protocol):
    """Known horses."""

    def list(self, farm_id: FarmId | None = None) -> Sequence[Horse]:
        """By number, merged and archived ones included."""
        ...

    def get(self, horse_id: HorseId) -> Horse:
        """One horse, the merged record itself where it was merged. Raises NotFound."""
        ...

    def avatar(self, horse_id: HorseId) -> bytes | None:
        """JPEG of at most 100 KB; None while there is none. Raises NotFound."""
        ...

    def similar(self, horse_id: HorseId, limit: int = 5) -> Sequence[Similar]:
        """Other horses of the farm that look like it, most similar first. Raises NotFound."""
        ...

    def strips(
        self,
        horse_id: HorseId | None = None,
        stream_id: StreamId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 500,
    ) -> Sequence[TrackStrip]:
        """Tracks of a horse and/or a camera, newest first."""
        ...

    def crop(self, track_id: TrackId) -> bytes | None:
        """JPEG of a track's best picture; None while there is none."""
        ...


class IdentityRepository(Protocol):
    """Corrections of identity: each is one transaction, one record and exactly undoable."""

    def preview(self, correction: Correction) -> Effect:
        """What it would change. Raises NotFound for unknown horses and tracks."""
        ...

    def apply(
        self,
        correction: Correction,
        actor: str,
        reason: str = "",
        expected: Mapping[HorseId, int] | None = None,
    ) -> CommandRecord:
        """Do it. Raises NotFound; OperatorMistake when it makes no sense (it says why); Conflict
        naming the other person's change when a horse is not of the ``expected`` version."""
        ...

    def undo(self, command_id: CommandId, actor: str) -> CommandRecord:
        """Put everything back as it was. Raises NotFound; Conflict naming the later command that
        depends on it, or saying that it is undone already."""
        ...

    def redo(self, command_id: CommandId, actor: str) -> CommandRecord:
        """Do an undone command again, under its own id. Raises NotFound, Conflict."""
        ...

    def history(
        self,
        farm_id: FarmId | None = None,
        horse_id: HorseId | None = None,
        limit: int = 100,
        before: CommandId | None = None,
    ) -> Sequence[CommandRecord]:
        """Newest first."""
        ...

    def reviews(self, farm_id: FarmId | None = None, limit: int = 50) -> Sequence[Review]:
        """Open questions, those put off last."""
        ...

    def decide(self, review_id: ReviewId, verdict: Verdict, actor: str) -> CommandRecord | None:
        """Answer one; the correction it led to, if any. Raises NotFound, Conflict."""
        ...


class RegistryFeed(Protocol):
    """Brings the registry of the store to the engine, at start and after every change."""

    def listen(self, handler: Callable[[RegistrySnapshot], None]) -> None:
        """Call ``handler`` with the registry now and within a second of every change, on the
        feed's own thread."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WallView:
    """A saved arrangement of the camera wall. ``tiles`` holds stream ids by position, None for an
    empty place; ``overlays`` the names of the switches that are on; ``slot`` 1..9 or None."""

    id: UUID
    name: str
    layout: int
    tiles: tuple[StreamId | None, ...]
    overlays: tuple[str, ...]
    slot: int | None


class ViewRepository(Protocol):
    """Saved and shared wall views."""

    def list(self) -> Sequence[WallView]: ...

    def save(self, view: WallView) -> None: ...

    def remove(self, view_id: UUID) -> None: ...


Reply = bytes | Future[bytes] | None
"""What a command is answered with; None: nothing, or not by this engine."""


class CommandBus(Protocol):
    """Brings commands of other processes to the engine (live-state adapter)."""

    def listen(self, handler: Callable[[EngineCommand], Reply]) -> None:
        """Call ``handler`` for every command, on the bus's own thread; its answer is the reply,
        a future's when it is there."""
        ...

    def close(self) -> None: ...

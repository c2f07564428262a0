"""Sessions: videos and stretches of recording that are analysed as the work of one horse.

A session is asked for (upload, stretch, live), analysed by a job, and keeps what was found: figures
with how many strides and how much of the time stand behind each, a table of strides, and where the
horse was. The training calendar says what is planned and what was done.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol
from uuid import UUID

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray, read_only
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.motion import Stride
from engine.domain.recording import JobId

SessionId = NewType("SessionId", UUID)
CalendarEntryId = NewType("CalendarEntryId", UUID)

LONGEST_STRETCH_S = 12 * 3600.0
"""A stretch of recordings that is asked for is at most so long."""


class SessionKind(StrEnum):
    """What the horse is doing there, as people call it."""

    TRAINING = "training"
    LUNGING = "lunging"
    TROT_UP = "trot_up"
    LESSON = "lesson"
    COMPETITION = "competition"
    REHABILITATION = "rehabilitation"
    FREE = "free"
    OTHER = "other"


class SessionMode(StrEnum):
    """How many pictures are looked at: TRAINING every one, HIGHLIGHTS 30 and PREVIEW 15 a second
    at most. Stretches of recordings are always looked at whole."""

    TRAINING = "training"
    HIGHLIGHTS = "highlights"
    PREVIEW = "preview"

    @property
    def most_fps(self) -> float:
        """Pictures a second at most."""
        return {"training": math.inf, "highlights": 30.0, "preview": 15.0}[self.value]


class SessionSource(StrEnum):
    """UPLOAD: a video in ``media/sessions``. STRETCH: recordings of cameras between two instants.
    LIVE: the same, begun now and ended later."""

    UPLOAD = "upload"
    STRETCH = "stretch"
    LIVE = "live"


class SessionState(StrEnum):
    """OPEN: a live one that goes on. QUEUED, RUNNING: its job waits or works. DONE, FAILED (the
    message says why), CANCELLED: its job ended."""

    OPEN = "open"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Session:
    """One session. ``horse_id`` None: nobody said which; an upload then tells of the horse that
    was seen most. ``start_at``: the first picture (``recorded_at`` of an upload, as said or when it
    was sent); ``end_at`` None while that is not known. ``stream_ids``: cameras of a stretch; of an
    upload at most one, whose calibration counts. ``video``: relative to the media folder, empty
    where there is none (any more). ``progress`` and ``message`` are of its job. ``locked`` keeps
    its details from being archived; ``archived_at``: they are gone, figures and report stay."""

    id: SessionId
    farm_id: FarmId
    title: str
    kind: SessionKind
    source: SessionSource
    mode: SessionMode
    state: SessionState
    start_at: datetime
    created_by: str
    created_at: datetime
    end_at: datetime | None = None
    horse_id: HorseId | None = None
    stream_ids: tuple[StreamId, ...] = ()
    note: str = ""
    video: str = ""
    video_name: str = ""
    size_bytes: int = 0
    sha256: str = ""
    report: str = ""
    job_id: JobId | None = None
    progress: float = 0.0
    message: str = ""
    locked: bool = False
    archived_at: datetime | None = None
    version: int = 1

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end, None while it has none."""
        return None if self.end_at is None else (self.end_at - self.start_at).total_seconds()


# --- what was found ----------------------------------------------------------------------------


class ScaleKind(StrEnum):
    """Where metres come from. GROUND: a calibration of the camera. BODY: the horse's own height,
    which somebody stated. USUAL_BODY: the height that horses of unknown height are taken to have.
    NONE: nothing tells them; speeds are in body lengths."""

    GROUND = "ground"
    BODY = "body"
    USUAL_BODY = "usual_body"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SessionScale:
    """``uncertainty``: share by which every length and speed may be wrong together; a share of what
    is told, None where nothing is known of it. ``height_m``: of the withers, that BODY scales use.
    """

    kind: ScaleKind
    uncertainty: float | None = None
    height_m: float | None = None


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One figure. ``value`` None: it cannot be told, and ``reason`` says why. ``unit``: ``m_s``,
    ``bl_s`` (body lengths a second), ``m``, ``bl``, ``s``, ``hz``, ``mm``, ``share``, ``count``.
    ``count``: strides (or seconds, where it rests on time) behind it. ``spread``: standard
    deviation from stride to stride, None where it is no mean of strides. ``coverage``: share of the
    session's time that it rests on, 0..1."""

    name: str
    value: float | None
    unit: str
    count: int = 0
    coverage: float = 0.0
    spread: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SessionMetrics:
    """The figures of a session by the name of their strategy, and what they rest on.

    ``seen_s``: seconds in which the horse was seen; ``pictures`` looked at, at ``fps``; ``tracks``
    that were joined; ``horses``: most seen at once. ``provisional``: from the live analysis alone.
    ``models``: name@version of what looked. ``remarks``: what a reader must know, in words.
    """

    session_id: SessionId
    values: Mapping[str, MetricValue]
    scale: SessionScale
    duration_s: float
    seen_s: float
    analysed_at: datetime
    pictures: int = 0
    fps: float = 0.0
    tracks: int = 0
    horses: int = 0
    provisional: bool = False
    models: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """Share of the session in which the horse was seen, 0..1."""
        return 0.0 if self.duration_s <= 0 else min(self.seen_s / self.duration_s, 1.0)


class HeatMapUnit(StrEnum):
    """METRES on the ground of a calibrated camera; SHARES of the picture, x right and y down."""

    METRES = "metres"
    SHARES = "shares"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Where the horse's feet were, seconds by cell. seconds: float32 (rows, columns), row 0 is the
    least y. ``bounds``: x and y of the first corner, then of the last, in ``unit``. ``stream_id``
    None: of an uploaded video. Raises Bug for an empty grid."""

    stream_id: StreamId | None
    unit: HeatMapUnit
    bounds: tuple[float, float, float, float]
    seconds: FloatArray

    def __post_init__(self) -> None:
        if self.seconds.ndim != 2 or not self.seconds.size:
            raise Bug(f"a heat map is a grid, not {self.seconds.shape}")
        read_only(self.seconds)


@dataclass(frozen=True, slots=True)
class SessionResult:
    """All that an analysis found."""

    metrics: SessionMetrics
    strides: Sequence[Stride] = ()
    heat_maps: Sequence[HeatMap] = ()


class SessionRepository(Protocol):
    """Sessions as they are stored."""

    def add(self, session: Session) -> Session:
        """Store a new one. Raises NotFound for a horse or camera that its farm does not have,
        OperatorMistake for a title or time that is none."""
        ...

    def get(self, session_id: SessionId) -> Session:
        """One, with where its job stands. Raises NotFound."""
        ...

    def list(
        self,
        farm_id: FarmId | None = None,
        horse_id: HorseId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        states: Collection[SessionState] = (),
        limit: int = 100,
        after: SessionId | None = None,
    ) -> Sequence[Session]:
        """Those that began in [start, end), newest first. ``after`` continues a page."""
        ...

    def update(self, session: Session) -> Session:
        """Store title, kind, mode, note, horse, locked, start, end and state of version
        ``session.version``. Raises NotFound, Conflict, OperatorMistake."""
        ...

    def queued(self, session_id: SessionId, job_id: JobId | None) -> Session:
        """It is to be analysed: first with None, before its job is submitted, then by which job
        (which may be over by then). Raises NotFound."""
        ...

    def uploaded(self, session_id: SessionId, video: str, size_bytes: int, sha256: str) -> Session:
        """Note where its video lies; an empty ``video``: nowhere any more. Raises NotFound."""
        ...

    def failed(self, session_id: SessionId, message: str) -> Session:
        """Note why it cannot be analysed. Raises NotFound."""
        ...

    def finish(
        self, session_id: SessionId, result: SessionResult, report: str, end_at: datetime | None
    ) -> Session:
        """Store what was found, in place of what was found before; DONE. Raises NotFound."""
        ...

    def save_provisional(self, metrics: SessionMetrics) -> None:
        """Store the figures of a live session until its analysis replaces them. Raises NotFound."""
        ...

    def metrics(self, session_id: SessionId) -> SessionMetrics | None:
        """Its figures, None while there are none. Raises NotFound."""
        ...

    def strides(self, session_id: SessionId, limit: int = 10_000) -> Sequence[Stride]:
        """Its strides by time; none once it is archived. Raises NotFound."""
        ...

    def heat_maps(self, session_id: SessionId) -> Sequence[HeatMap]:
        """Where the horse was, by camera. Raises NotFound."""
        ...

    def remove(self, session_id: SessionId) -> Session:
        """Forget it with all that was found; what it was, so that its files can go. Raises
        NotFound."""
        ...

    def due(self, before: datetime, limit: int = 100) -> Sequence[Session]:
        """Those to archive: begun before that instant, not locked, not archived, not at work."""
        ...

    def archive(self, session_id: SessionId, at: datetime) -> Session | None:
        """Drop its strides and forget its video; None, and nothing is changed, when it is locked,
        archived or at work meanwhile."""
        ...


# --- the calendar ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """Something planned or done with a horse (None: with all). ``whole_day``: only the days of its
    instants count. ``done``: it took place; ``session_id`` the session that shows it."""

    id: CalendarEntryId
    farm_id: FarmId
    title: str
    kind: SessionKind
    start_at: datetime
    end_at: datetime
    created_by: str
    created_at: datetime
    horse_id: HorseId | None = None
    whole_day: bool = False
    note: str = ""
    done: bool = False
    session_id: SessionId | None = None
    version: int = 1


class CalendarRepository(Protocol):
    """The training calendar as it is stored."""

    def list(
        self,
        farm_id: FarmId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        horse_id: HorseId | None = None,
        limit: int = 1000,
    ) -> Sequence[CalendarEntry]:
        """Those that reach into [start, end), oldest first."""
        ...

    def get(self, entry_id: CalendarEntryId) -> CalendarEntry:
        """One. Raises NotFound."""
        ...

    def add(self, entry: CalendarEntry) -> CalendarEntry:
        """Store a new one. Raises NotFound for a horse or session that its farm does not have,
        OperatorMistake for a title or time that is none."""
        ...

    def update(self, entry: CalendarEntry) -> CalendarEntry:
        """Store a change made to version ``entry.version``; farm and maker stay. Raises like
        ``add``, and Conflict."""
        ...

    def remove(self, entry_id: CalendarEntryId) -> None:
        """Raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """One figure of two sessions: ``difference`` is b minus a, ``low`` and ``high`` its 95 %
    interval; None where it cannot be told. ``verdict``: higher, lower, alike, or empty where
    ``reason`` says why there is none."""

    name: str
    unit: str
    a: float | None
    b: float | None
    difference: float | None
    low: float | None = None
    high: float | None = None
    verdict: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sessions side by side; ``remarks`` say what makes them hard to compare."""

    a: SessionId
    b: SessionId
    differences: tuple[MetricDifference, ...]
    remarks: tuple[str, ...] = field(default=())

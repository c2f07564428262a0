"""Camera control: who steers, where to, and what a camera can do.

Speeds are shares of a camera's full speed. Positive pan turns the view right, positive tilt up,
positive zoom in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, time
from enum import IntEnum, StrEnum
from typing import Protocol
from uuid import UUID

from engine.domain.errors import Bug
from engine.domain.ids import HorseId, StreamId


class Priority(IntEnum):
    """Who gives way to whom: a higher number takes the camera from a lower one, an equal
    OPERATOR or REMOTE takes it from another with a message to both."""

    FOLLOW = 0
    TOUR = 1
    REMOTE = 2
    OPERATOR = 3


@dataclass(frozen=True, slots=True)
class Motion:
    """How fast the view moves, each in -1..1. Diagonals are pan and tilt together.
    Raises Bug outside the range."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0

    def __post_init__(self) -> None:
        if not all(-1.0 <= share <= 1.0 for share in (self.pan, self.tilt, self.zoom)):
            raise Bug(f"a motion is made of shares in -1..1, not {self}")

    @property
    def still(self) -> bool:
        """Nothing moves."""
        return self.pan == 0.0 and self.tilt == 0.0 and self.zoom == 0.0


class Wire(StrEnum):
    """How a camera is spoken to: CGI by a dialect, or ONVIF."""

    CGI = "cgi"
    ONVIF = "onvif"


class Authentication(StrEnum):
    """Where CGI credentials travel."""

    BASIC = "basic"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class PtzConfig:
    """How one camera is steered; kept with its stream (credentials are the stream's
    own). ``dialect`` names an entry of the dialect file. ``invert_pan`` and
    ``invert_tilt`` are for cameras that hang from a ceiling."""

    wire: Wire
    dialect: str
    host: str
    port: int = 8080
    tls: bool = False
    authentication: Authentication = Authentication.BASIC
    channel: int = 0
    invert_pan: bool = False
    invert_tilt: bool = False
    home_preset: int = 1


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a camera was found to do."""

    move: bool
    zoom: bool
    diagonals: bool
    presets: int
    snapshot: bool
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """Who steers a camera. ``key`` tells two holders of one name apart (a console, a login)."""

    key: str
    name: str
    priority: Priority


@dataclass(frozen=True, slots=True)
class PtzState:
    """One look at a camera's control. ``moving`` None at rest. ``message`` is for people: who took
    the camera, why it does not answer. ``suspended``: analysis that needs a still camera waits."""

    stream_id: StreamId
    holder: Holder | None
    moving: Motion | None
    preset: int | None
    activity: str
    message: str
    fault: str
    suspended: bool
    capabilities: Capabilities | None


@dataclass(frozen=True, slots=True)
class Preset:
    """A stored view. People count 1 to 8. ``thumbnail``: JPEG of at most 50 KB, None before one
    was taken."""

    number: int
    name: str
    thumbnail: bytes | None = None
    set_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TourStep:
    """Go to a preset and stay."""

    preset: int
    dwell_s: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something runs by itself: on these weekdays (0 Monday), between two local times, every
    so many minutes (0: once at ``start``, or without pause for a tour)."""

    weekdays: frozenset[int]
    start: time
    end: time
    every_min: int = 0


@dataclass(frozen=True, slots=True)
class Tour:
    """Ordered presets of one camera."""

    id: UUID
    stream_id: StreamId
    name: str
    steps: tuple[TourStep, ...]
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """A barn scan: look at every preset, then record those with horses, then go home.
    ``settle_s`` 2 to 15 is the time a move may take; ``record_s`` 5 to 30."""

    stream_id: StreamId
    presets: tuple[int, ...]
    settle_s: float = 5.0
    record_s: float = 10.0
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class ScanView:
    """What a scan saw at one preset. ``picture``: JPEG. ``recording``: file name, empty before."""

    preset: int
    horses: int
    picture: bytes | None
    recording: str
    at: datetime
    fault: str = ""


class ScanPhase(StrEnum):
    """LOOKING at every preset, RECORDING those with horses, RETURNING home, then one of the
    ends."""

    LOOKING = "looking"
    RECORDING = "recording"
    RETURNING = "returning"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """``done`` of ``total`` steps of both phases; never runs backwards."""

    scan_id: UUID
    stream_id: StreamId
    phase: ScanPhase
    done: int
    total: int
    views: tuple[ScanView, ...]
    message: str


class PtzDriver(Protocol):
    """One camera's wire protocol, used by one thread. Every call may block up to 5 s (connect 2 s,
    read 3 s). Raises EnvironmentFault when the camera does not answer or refuses, OperatorMistake
    when it cannot do what is asked."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def renewal_s(self) -> float | None:
        """A motion that goes on is sent again this often, for cameras that stop by themselves;
        None: once is enough."""
        ...

    def move(self, motion: Motion) -> None:
        """Start moving; the camera goes on until ``stop``."""
        ...

    def stop(self) -> None: ...

    def go_to(self, preset: int) -> None: ...

    def store(self, preset: int) -> None: ...

    def snapshot(self) -> bytes:
        """JPEG."""
        ...

    def close(self) -> None: ...


class PtzControl(Protocol):
    """Camera control as fronts use it. Every method returns at once and may be called from any
    thread; what came of it is in ``state``. A motion stops by itself when it is not renewed for
    1 s. Raises NotFound for streams without camera control."""

    def cameras(self) -> Sequence[StreamId]: ...

    def state(self, stream_id: StreamId) -> PtzState: ...

    def hold(self, stream_id: StreamId, holder: Holder) -> bool:
        """Take the camera; False when one of higher priority has it."""
        ...

    def release(self, stream_id: StreamId, holder: Holder) -> None: ...

    def move(self, stream_id: StreamId, holder: Holder, motion: Motion) -> bool:
        """Move (and take) the camera; a still motion stops. False when another has it."""
        ...

    def stop(self, stream_id: StreamId, holder: Holder) -> None:
        """Stop at once; never refused, never dropped, retried until the camera has taken it."""
        ...

    def go_to(self, stream_id: StreamId, holder: Holder, preset: int) -> bool: ...

    def store(self, stream_id: StreamId, holder: Holder, preset: int, name: str = "") -> bool:
        """Store the present view as preset 1..8, with a thumbnail."""
        ...

    def presets(self, stream_id: StreamId) -> Sequence[Preset]:
        """The presets stored or loaded since the start, by number."""
        ...

    def load_presets(self, stream_id: StreamId, presets: Sequence[Preset]) -> None:
        """Know what a store keeps about a camera's presets (names, thumbnails)."""
        ...

    def snapshot(self, stream_id: StreamId) -> Future[bytes]:
        """A JPEG straight from the camera; the future carries the fault where none comes."""
        ...

    def follow(self, stream_id: StreamId, holder: Holder, horse_id: HorseId | None) -> bool:
        """Keep a horse in the picture; None ends it."""
        ...

    def start_tour(self, tour: Tour, holder: Holder) -> bool:
        """Begin now, whatever the tour's schedule. Raises OperatorMistake for a tour that cannot
        be made."""
        ...

    def set_plans(self, tours: Sequence[Tour], scans: Sequence[ScanPlan]) -> None:
        """Run stored tours and scans by their schedules from now on (those without one are left
        to people). Raises OperatorMistake for one that cannot be made."""
        ...

    def start_scan(self, plan: ScanPlan, holder: Holder) -> UUID:
        """Begin now, whatever the plan's schedule. Raises OperatorMistake for a plan outside its
        limits and while somebody of higher priority has the camera."""
        ...

    def stop_activity(self, stream_id: StreamId, holder: Holder) -> None:
        """End the tour, scan or following of a camera; a scan goes home. (``stop`` ends them too,
        and leaves the camera where it is.)"""
        ...

    def scan(self, stream_id: StreamId) -> ScanProgress | None:
        """The running or last scan of a camera."""
        ...


class PtzRepository(Protocol):
    """Presets, tours and plans of barn scans as they are stored."""

    def presets(self, stream_id: StreamId | None = None) -> Mapping[StreamId, Sequence[Preset]]:
        """Presets by camera, each camera's by number."""
        ...

    def save_preset(self, stream_id: StreamId, preset: Preset) -> None:
        """Store or replace one. Raises NotFound for a camera that is gone."""
        ...

    def tours(self, stream_id: StreamId | None = None) -> Sequence[Tour]:
        """Tours of a camera, or of all, by name."""
        ...

    def save_tour(self, tour: Tour) -> None:
        """Store one, or replace the one of its id. Raises NotFound."""
        ...

    def remove_tour(self, tour_id: UUID) -> None:
        """Forget one. Raises NotFound."""
        ...

    def scan_plans(self, stream_id: StreamId | None = None) -> Sequence[ScanPlan]:
        """The plan of a camera, or of all that have one."""
        ...

    def save_scan_plan(self, plan: ScanPlan) -> None:
        """Store or replace a camera's. Raises NotFound for a camera that is gone."""
        ...

"""Time budgets, alert rules and alerts, and the ports to what is stored about motion."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import NewType, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.domain.motion import Bout, BoutKind, Gait, Stride, TrackMotion
from engine.domain.notices import Severity

AlertId = NewType("AlertId", UUID)
RuleId = NewType("RuleId", UUID)


@dataclass(frozen=True, slots=True)
class OwnedBout:
    """A bout, or the part of it, that belongs to a horse (None: to nobody yet); its instants are
    cut to the identity span."""

    horse_id: HorseId | None
    bout: Bout


@dataclass(frozen=True, slots=True)
class OwnedStride:
    """A stride and whose it is."""

    horse_id: HorseId | None
    stride: Stride


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """Where a horse's time went between two instants. ``seen_s``: seconds it was seen on any
    camera (counted once where cameras overlap); the coverage is ``seen_s`` over the whole.
    ``actions_s``, ``postures_s``, ``gaits_s``: seconds by word; they add up to at most seen_s."""

    horse_id: HorseId
    start_at: datetime
    end_at: datetime
    seen_s: float
    actions_s: Mapping[str, float]
    postures_s: Mapping[str, float]
    gaits_s: Mapping[str, float]

    @property
    def coverage(self) -> float:
        """Share of the time that was seen, 0..1."""
        whole_s = (self.end_at - self.start_at).total_seconds()
        return 0.0 if whole_s <= 0 else min(self.seen_s / whole_s, 1.0)


METRICS = ("speed_mps", "stride_hz", "stride_m", "head_height_m", "back_deg", "symmetry",
           "shoulder_left_deg", "shoulder_right_deg", "elbow_left_deg", "elbow_right_deg",
           "hip_left_deg", "hip_right_deg", "knee_left_deg", "knee_right_deg")  # fmt: skip
"""Columns of stored pose metrics that can be plotted."""


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """Pose metrics over time, thinned for plotting. at_us: int64 (T,), microseconds since
    1970 UTC, rising. values: float32 (T, 3) by name of METRICS: mean, least and greatest of what
    fell into the bucket that begins there; NaN where nothing did. ``bucket_s`` 0: every row."""

    at_us: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float32]]
    bucket_s: float


class MotionRepository(Protocol):
    """Stored bouts, strides and pose metrics."""

    def bouts(
        self,
        start: datetime,
        end: datetime,
        horse_ids: Collection[HorseId] | None = None,
        stream_id: StreamId | None = None,
        kinds: Collection[BoutKind] | None = None,
        farm_id: FarmId | None = None,
        limit: int = 10_000,
        among: Collection[StreamId] | None = None,
    ) -> Sequence[OwnedBout]:
        """Bouts that reach into [start, end), cut to spans but not to the interval, oldest first.
        ``horse_ids`` None: of everybody and nobody. ``among``, here and below: only what these
        cameras saw (None: all)."""
        ...

    def strides(
        self,
        start: datetime,
        end: datetime,
        horse_id: HorseId | None = None,
        track_id: TrackId | None = None,
        gaits: Collection[Gait] | None = None,
        straight_only: bool = False,
        limit: int = 10_000,
        among: Collection[StreamId] | None = None,
    ) -> Sequence[OwnedStride]:
        """Strides that began in [start, end), oldest first."""
        ...

    def metrics(
        self,
        horse_id: HorseId,
        start: datetime,
        end: datetime,
        names: Collection[str] = METRICS,
        points: int = 1500,
        among: Collection[StreamId] | None = None,
    ) -> MetricSeries:
        """A horse's metrics, in at most ``points`` buckets."""
        ...

    def budgets(
        self,
        horse_ids: Collection[HorseId],
        start: datetime,
        end: datetime,
        step_s: float,
        among: Collection[StreamId] | None = None,
    ) -> Sequence[TimeBudget]:
        """Budgets of consecutive steps, by horse and start; the last step ends at ``end``."""
        ...

    def replace(self, motions: Sequence[TrackMotion]) -> None:
        """Take final bouts and strides for provisional ones, each over its track's interval;
        bouts that reach over the ends are cut there. Doing it twice changes nothing."""
        ...


# --- alerts ------------------------------------------------------------------------------------


class RuleKind(StrEnum):
    """What a rule watches for; ``engine.behaviour.rule_catalogue`` describes each."""

    CAST = "cast"
    ROLLING = "rolling"
    RESTLESS = "restless"
    LONG_RECUMBENCY = "long_recumbency"
    NO_RECUMBENCY = "no_recumbency"
    FOALING = "foaling"
    MISSING = "missing"
    TOO_MANY = "too_many"
    PERSON = "person"
    CAMERA_DOWN = "camera_down"
    MODEL_DEGRADED = "model_degraded"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """No sound and no desktop notification between two local times (over midnight when ``end`` is
    not after ``start``) on these weekdays (0 Monday; the day it begins). The alert is still kept
    in the list; critical ones are never quiet."""

    start: time
    end: time
    weekdays: frozenset[int] = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule of a farm. ``parameters`` by name of the catalogue, in its units; those left out
    have its defaults. ``horse_ids`` and ``stream_ids`` empty: all. ``cooldown_s``: after an alert
    the same rule says nothing more of the same horse or camera for so long."""

    id: RuleId
    farm_id: FarmId
    kind: RuleKind
    name: str
    severity: Severity
    enabled: bool = True
    parameters: Mapping[str, float] = field(default_factory=dict)
    horse_ids: frozenset[HorseId] = frozenset()
    stream_ids: frozenset[StreamId] = frozenset()
    quiet: QuietHours | None = None
    cooldown_s: float = 1800.0
    sound: bool = True
    notify: bool = True
    version: int = 1


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should look at. ``started_at`` is when what it tells of began and
    ``ended_at`` when it was over (None: it lasts or nobody knows). ``evidence``: the figures behind
    it by name (plain JSON values), shown beside it; ``key`` is what a cool-down counts by (rule and
    horse or camera). ``picture``: it has one."""

    id: AlertId
    farm_id: FarmId
    rule_id: RuleId | None
    kind: RuleKind
    severity: Severity
    message: str
    key: str
    started_at: datetime
    raised_at: datetime
    horse_id: HorseId | None = None
    track_id: TrackId | None = None
    stream_id: StreamId | None = None
    ended_at: datetime | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    quiet: bool = False
    picture: bool = False
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    note: str = ""


class AlertRepository(Protocol):
    """Alert rules and alerts as they are stored."""

    def rules(self, farm_id: FarmId | None = None) -> Sequence[AlertRule]:
        """All rules, by name. A farm without any gets the catalogue's defaults once."""
        ...

    def save_rule(self, rule: AlertRule) -> AlertRule:
        """Store a new one (version 1 and an unknown id) or change version ``rule.version``.
        Raises Conflict."""
        ...

    def remove_rule(self, rule_id: RuleId) -> None:
        """Its alerts stay. Raises NotFound."""
        ...

    def raise_(self, alert: Alert, picture: bytes | None = None, cooldown_s: float = 0.0) -> bool:
        """Store it, unless one of the same key began less than ``cooldown_s`` before or has not
        ended; False then. Safe when several workstations raise the same."""
        ...

    def end(self, key: str, at: datetime) -> Sequence[Alert]:
        """What that key told of is over; the alerts that it ended."""
        ...

    def acknowledge(self, alert_id: AlertId, actor: str, note: str, at: datetime) -> Alert:
        """Somebody has seen it. A second acknowledgement keeps the first one's name and adds to
        the note. Raises NotFound."""
        ...

    def list(
        self,
        farm_id: FarmId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        horse_id: HorseId | None = None,
        open_only: bool = False,
        limit: int = 200,
        before: AlertId | None = None,
    ) -> Sequence[Alert]:
        """Unacknowledged first, then newest first. ``before`` continues a page."""
        ...

    def get(self, alert_id: AlertId) -> Alert:
        """One. Raises NotFound."""
        ...

    def picture(self, alert_id: AlertId) -> bytes | None:
        """JPEG of the moment, None where there is none. Raises NotFound."""
        ...


# --- timeline ----------------------------------------------------------------------------------


class LaneKind(StrEnum):
    """What a timeline's run tells. SEEN: on a camera. NO_DATA: the camera gave no pictures.
    RECORDED: a chunk is on disk (``locked`` or ``plain``). ALERT: its value is the severity."""

    SEEN = "seen"
    GAIT = "gait"
    ACTION = "action"
    POSTURE = "posture"
    COMPANY = "company"
    ALERT = "alert"
    RECORDED = "recorded"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class TimelineRuns:
    """Lanes of a timeline at one level of detail: M runs, by lane, kind and start.

    ``lanes``: what each lane is of (a HorseId or a StreamId), ``values``: the words. lane: int32
    (M,), index into lanes. kind: int8 (M,), index into tuple(LaneKind). value: int16 (M,), index
    into values. start_us, end_us: int64 (M,), microseconds since 1970 UTC. share: float32 (M,),
    part of the run's time that the value really took, 1 where nothing was summed up. ``exact``:
    every bout is a run of its own.
    """

    lanes: tuple[UUID, ...]
    values: tuple[str, ...]
    lane: NDArray[np.int32]
    kind: NDArray[np.int8]
    value: NDArray[np.int16]
    start_us: NDArray[np.int64]
    end_us: NDArray[np.int64]
    share: NDArray[np.float32]
    exact: bool

    def __len__(self) -> int:
        return len(self.lane)


class TimelineRepository(Protocol):
    """Timelines at any zoom; the store sums up, the console draws what it gets."""

    def lanes(
        self,
        start: datetime,
        end: datetime,
        buckets: int,
        horse_ids: Collection[HorseId] = (),
        stream_ids: Collection[StreamId] = (),
        kinds: Collection[LaneKind] = tuple(LaneKind),
        farm_id: FarmId | None = None,
    ) -> TimelineRuns:
        """Runs of these horses' and cameras' lanes in about ``buckets`` steps of time: no more
        than a few thousand runs a lane, however much is stored."""
        ...

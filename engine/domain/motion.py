"""How horses move: gaits and actions of one picture as columns, bouts and strides as rows.

Rows refer to tracks, never to horses: identity spans say whose a bout or stride is, so correcting
an identity rewrites none of them. Limbs come in the order of ``skeletons.LIMBS``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray, read_only
from engine.domain.ids import StreamId, TrackId
from engine.domain.poses import PoseBatch

BoutId = NewType("BoutId", UUID)
StrideId = NewType("StrideId", UUID)

DEFAULT_HEIGHT_M = 1.60
"""Height at the withers of a horse of which nobody said it (specification: product, Decisions)."""


class _Label(IntEnum):
    @property
    def label(self) -> str:
        """The word that is stored, sent and translated for people."""
        return self.name.lower()


class Gait(_Label):
    """What the legs do."""

    UNKNOWN = 0
    STANDING = 1
    WALK = 2
    TROT = 3
    CANTER = 4
    GALLOP = 5


class Lead(_Label):
    """Leading front leg of a canter or gallop, the last to land. ONE and OTHER where the skeleton
    does not say which side is the left one."""

    NONE = 0
    LEFT = 1
    RIGHT = 2
    ONE = 3
    OTHER = 4


class Action(_Label):
    """What the horse does. RUNNING is trot or faster; RESTING is lying, or dozing on its feet."""

    UNKNOWN = 0
    STANDING = 1
    WALKING = 2
    RUNNING = 3
    GRAZING = 4
    RESTING = 5
    ALERT = 6
    ROLLING = 7


class Posture(_Label):
    """UPRIGHT on its feet; STERNAL lying on the breastbone; LATERAL flat on a side; LYING where
    the two cannot be told apart; CHANGING while it gets down or up."""

    UNKNOWN = 0
    UPRIGHT = 1
    STERNAL = 2
    LATERAL = 3
    LYING = 4
    CHANGING = 5


ANGLES = (
    "shoulder_left", "shoulder_right", "elbow_left", "elbow_right",
    "hip_left", "hip_right", "knee_left", "knee_right", "back",
)  # fmt: skip
"""Angles of ``MotionBatch.angles_deg`` (specification: engine, Motion), at p2 of p1-p2-p3:
shoulder (neck base or withers, shoulder, elbow), elbow (shoulder, elbow, hoof), hip (tail root,
hip, stifle or knee), knee (hip, knee, hoof), back (withers, croup, tail root). Which landmarks
stood for which joint depends on the skeleton; ``engine.motion.angles`` says it."""


@dataclass(frozen=True, slots=True)
class MotionBatch:
    """What the tracks of one picture do: N rows, those of the result's ``tracks``.

    gaits, leads, actions, postures: int8 (N,) of Gait, Lead, Action, Posture (UNKNOWN for people
    and dogs, and before there is evidence). gait_confidences, action_confidences: float32 (N,) in
    0..1. speeds_mps: float32 (N,) over the ground. stride_hz: float32 (N,). stride_m: float32
    (N,), length of the running stride. head_heights_m: float32 (N,), poll or head over the withers,
    negative below. back_deg lies in ``angles_deg``: float32 (N, len(ANGLES)). symmetries: float32
    (N,) in 0..1, 1 is even. scales_px_m: float32 (N,), picture pixels per metre at the horse.
    centres_px: float32 (N, 2), centre of mass in picture pixels. person_near: bool (N,). Every
    float is NaN where it is not known. ``poses``: corrected and smoothed keypoints for display and
    analysis (the result keeps the raw ones), None when there are none. ``issues``: for each row at
    most three words about what was wrong with the raw pose. ``lag_s``: by how much the smoothing
    trails behind. Raises Bug on mismatched lengths.
    """

    gaits: NDArray[np.int8]
    gait_confidences: FloatArray
    leads: NDArray[np.int8]
    actions: NDArray[np.int8]
    action_confidences: FloatArray
    postures: NDArray[np.int8]
    speeds_mps: FloatArray
    stride_hz: FloatArray
    stride_m: FloatArray
    head_heights_m: FloatArray
    angles_deg: FloatArray
    symmetries: FloatArray
    scales_px_m: FloatArray
    centres_px: FloatArray
    person_near: NDArray[np.bool_]
    poses: PoseBatch | None
    issues: tuple[tuple[str, ...], ...]
    lag_s: float = 0.0

    def __post_init__(self) -> None:
        count = len(self.gaits)
        columns: tuple[NDArray[np.generic], ...] = (
            self.gaits, self.gait_confidences, self.leads, self.actions, self.action_confidences,
            self.postures, self.speeds_mps, self.stride_hz, self.stride_m, self.head_heights_m,
            self.symmetries, self.scales_px_m, self.person_near,
        )  # fmt: skip
        if any(c.shape != (count,) for c in columns) or len(self.issues) != count:
            raise Bug("motion columns have different lengths")
        if self.angles_deg.shape != (count, len(ANGLES)) or self.centres_px.shape != (count, 2):
            raise Bug(f"motion angles {self.angles_deg.shape} do not fit {count} rows")
        if self.poses is not None and len(self.poses) != count:
            raise Bug(f"{len(self.poses)} smoothed poses for {count} rows")
        for column in (*columns, self.angles_deg, self.centres_px):
            read_only(column)

    def __len__(self) -> int:
        return len(self.gaits)


# --- what lasts --------------------------------------------------------------------------------


class BoutKind(StrEnum):
    """What a bout tells: gait (words of Gait), action (Action), posture (Posture), or company
    (``person``: somebody is near the horse)."""

    GAIT = "gait"
    ACTION = "action"
    POSTURE = "posture"
    COMPANY = "company"


@dataclass(frozen=True, slots=True)
class Bout:
    """One stretch of one value on one track. A running bout is told again with a later ``end_at``
    and the same id (every 10 s and when it ends); ``open`` says that it still runs.
    ``provisional`` ones come from the live lane and are replaced by the chunk lane's."""

    id: BoutId
    track_id: TrackId
    stream_id: StreamId
    kind: BoutKind
    value: str
    start_at: datetime
    end_at: datetime
    confidence: float
    provisional: bool = True
    open: bool = False

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return (self.end_at - self.start_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Asymmetry:
    """Head and pelvis, in millimetres, right minus left: differences of the two minima (HDmin,
    PDmin) and of the two maxima (HDmax, PDmax) of the vertical path during one stride of trot
    (or their means over many). NaN where not measured."""

    hd_min_mm: float = math.nan
    hd_max_mm: float = math.nan
    pd_min_mm: float = math.nan
    pd_max_mm: float = math.nan


@dataclass(frozen=True, slots=True)
class Stride:
    """One stride of one track, from footfall to next footfall of the reference limb (left hind).

    ``duty``, ``phases``: four values each by limb, share of the stride on the ground, and landing
    in 0..1 after the reference; NaN where a limb was not seen. ``length_m`` and ``speed_mps`` are
    over the ground. ``dissociation``: the two diagonals, landing of the hind after the front limb
    as a share of the stride, left-front pair first. ``straight``: the path hardly bends.
    ``quality`` in 0..1; asymmetry counts strides from ``GOOD_STRIDE`` on.
    """

    id: StrideId
    track_id: TrackId
    stream_id: StreamId
    start_at: datetime
    end_at: datetime
    gait: Gait
    lead: Lead
    stride_hz: float
    length_m: float
    speed_mps: float
    duty: tuple[float, float, float, float]
    phases: tuple[float, float, float, float]
    dissociation: tuple[float, float]
    symmetry: float
    asymmetry: Asymmetry
    straight: bool
    quality: float
    provisional: bool = True


GOOD_STRIDE = 0.5
"""Quality from which a stride is good enough for asymmetry."""

MotionEvent = Bout | Stride


@dataclass(frozen=True, slots=True)
class PoseSeries:
    """One track's poses over time, what gait and strides are measured from.

    t_s: float64 (T,), rising seconds. keypoints_px: float32 (T, K, 2). scores: float32 (T, K).
    boxes_xyxy_px: float32 (T, 4). ``scales_px_m``: float32 (T,), pixels per metre at the horse, NaN
    where unknown. ``camera_px``: float32 (T, 2), where a fixed point of the ground lies in the
    picture (zeros for a fixed camera; NaN where the camera follows the horse and its motion is
    unknown). Raises Bug on mismatched lengths.
    """

    t_s: NDArray[np.float64]
    poses: PoseBatch
    boxes_xyxy_px: FloatArray
    scales_px_m: FloatArray
    camera_px: FloatArray

    def __post_init__(self) -> None:
        count = len(self.t_s)
        fits = self.boxes_xyxy_px.shape == (count, 4) and self.scales_px_m.shape == (count,)
        if not fits or len(self.poses) != count or self.camera_px.shape != (count, 2):
            raise Bug("columns of a pose series have different lengths")
        for column in (self.t_s, self.boxes_xyxy_px, self.scales_px_m, self.camera_px):
            read_only(column)

    def __len__(self) -> int:
        return len(self.t_s)


@dataclass(frozen=True, slots=True)
class GroundCalibration:
    """How a fixed camera's picture lies on the ground: homography float64 (3, 3) from picture
    coordinates in 0..1 (x right, y down) to metres on the ground. From four points of known
    distances; kept in ``Stream.extra["ground"]`` (``engine.motion.calibration`` reads it)."""

    homography: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.homography.shape != (3, 3) or not np.isfinite(self.homography).all():
            raise Bug(f"a homography is 3x3 and finite, not {self.homography.shape}")
        read_only(self.homography)


@dataclass(frozen=True, slots=True)
class TrackMotion:
    """Everything the chunk lane found out about one track between two instants: it replaces what
    was provisional there."""

    track_id: TrackId
    stream_id: StreamId
    start_at: datetime
    end_at: datetime
    bouts: Sequence[Bout]
    strides: Sequence[Stride]

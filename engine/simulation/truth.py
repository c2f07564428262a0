"""Ground truth as frozen columns: what cameras see, and what happened between two times."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray, read_only

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NOBODY, SCENERY, PERSON = 0, -1, -2
"""Values of ``Sightings.hidden_by`` besides the ids of horses."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """Horses as one camera sees them at many times: M rows, by rising time, nearest horse last.

    t_s: float64 (M,), seconds of site time. time_index: int64 (M,), index into the asked times.
    horse_ids: int64 (M,), small numbers that are the same in every camera and run.
    full_boxes_xyxy_px: float32 (M, 4), the whole horse, hidden and cut-off parts included.
    boxes_xyxy_px: float32 (M, 4), the same cut to the picture.
    visible_boxes_xyxy_px: float32 (M, 4), around what nothing hides; zeros when nothing shows.
    visibility: float32 (M,), 0..1, share of the horse that shows in the picture.
    hidden_by: int64 (M,), who hides most of it: a horse's id, NOBODY, SCENERY or PERSON.
    keypoints_px: float32 (M, 26, 2) in EQUINE26 order; keypoints_m: float32 (M, 26, 3), the same
    landmarks in the site frame, metres. visible: bool (M, 26), False where the landmark
    is hidden by anything or outside. The keypoint columns have no rows if none were asked for.
    ground_m: float64 (M, 2), the ground under the middle of the trunk, x east and y north.
    yaw: float64 (M,), radians from east, counter-clockwise. distance_m: float64 (M,) from the
    camera along its axis. speed_mps, stride_hz: float64 (M,) now, 0 while standing.
    phase: float64 (M,), of the stride, 0..1. contacts: bool (M, 4), hoof bears on the ground, in
    the order of ``gaits.LIMBS``. gaits, leads, activities, actions, postures: str (M,); gaits
    without the lead; leads left, right or empty; actions and postures in the words of the engine's
    behaviour analysis.
    """

    camera: str
    t_s: Floats
    time_index: Ints
    horse_ids: Ints
    full_boxes_xyxy_px: FloatArray
    boxes_xyxy_px: FloatArray
    visible_boxes_xyxy_px: FloatArray
    visibility: FloatArray
    hidden_by: Ints
    keypoints_px: FloatArray
    keypoints_m: FloatArray
    visible: Bools
    ground_m: Floats
    yaw: Floats
    distance_m: Floats
    speed_mps: Floats
    stride_hz: Floats
    phase: Floats
    contacts: Bools
    gaits: NDArray[np.str_]
    leads: NDArray[np.str_]
    activities: NDArray[np.str_]
    actions: NDArray[np.str_]
    postures: NDArray[np.str_]

    def __post_init__(self) -> None:
        count = len(self.t_s)
        for field in fields(self):
            column = getattr(self, field.name)
            if not isinstance(column, np.ndarray):
                continue
            without = field.name in ("keypoints_px", "keypoints_m", "visible")
            if len(column) != count and not (without and len(column) == 0):
                raise Bug(f"truth column {field.name} has {len(column)} rows, not {count}")
            read_only(column)

    def __len__(self) -> int:
        return len(self.t_s)

    def select(self, rows: Bools | NDArray[np.intp]) -> Sightings:
        """The rows of a mask or index array, in that order."""
        chosen = {}
        for field in fields(self):
            column = getattr(self, field.name)
            is_rows = isinstance(column, np.ndarray) and len(column) == len(self)
            chosen[field.name] = column[rows] if is_rows else column
        return Sightings(**chosen)


@dataclass(frozen=True, slots=True)
class PeopleSightings:
    """People as one camera sees them: M rows by rising time. Columns as in ``Sightings``;
    with_horse: int64 (M,), id of the horse the person leads or stands by, 0 for none."""

    camera: str
    t_s: Floats
    time_index: Ints
    person_ids: Ints
    boxes_xyxy_px: FloatArray
    ground_m: Floats
    with_horse: Ints

    def __post_init__(self) -> None:
        for field in fields(self):
            column = getattr(self, field.name)
            if isinstance(column, np.ndarray):
                read_only(column)

    def __len__(self) -> int:
        return len(self.t_s)


@dataclass(frozen=True, slots=True)
class BarnTruth:
    """What one camera shows at one time, N horses, nearest last.

    ids: small stable numbers. looks, names: coat and name. boxes_xyxy_px: float32 (N, 4) of the
    whole horse, hidden parts included, cut to the picture. keypoints_px: float32 (N, 26, 2) in
    EQUINE26 order. visible: bool (N, 26), False where anything hides the landmark or the picture
    ends. contacts: bool (N, 4), hoof on the ground, in the order of ``gaits.LIMBS``. ``sightings``
    has every other column, in the same order of rows.
    """

    t_s: float
    ids: tuple[int, ...]
    names: tuple[str, ...]
    looks: tuple[str, ...]
    boxes_xyxy_px: FloatArray
    keypoints_px: FloatArray
    visible: Bools
    gaits: tuple[str, ...]
    actions: tuple[str, ...]
    contacts: Bools
    sightings: Sightings
    people: PeopleSightings


@dataclass(frozen=True, slots=True)
class TrueBout:
    """One stretch of one activity of one horse, seconds of site time; ``place`` names where it
    began, ``action``, ``posture``, ``gait`` and ``lead`` as in ``Sightings``."""

    horse_id: int
    start_s: float
    end_s: float
    activity: str
    action: str
    posture: str
    gait: str
    lead: str
    place: str


@dataclass(frozen=True, slots=True)
class Footfalls:
    """Hoof contacts, exact, by rising landing time; K rows.

    horse_ids: int64 (K,). limbs: int64 (K,), index into ``gaits.LIMBS``. on_s, off_s: float64
    (K,), landing and lift-off in site time. gaits: str (K,), without the lead.
    """

    horse_ids: Ints
    limbs: Ints
    on_s: Floats
    off_s: Floats
    gaits: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.on_s)


@dataclass(frozen=True, slots=True)
class Strides:
    """Strides, exact, from landing to landing of the left hind limb; K rows by rising start.

    start_s, end_s: float64 (K,), site time. stride_hz, speed_mps, stride_m: float64 (K,).
    duty, phases: float64 (K, 4) by limb, phases 0..1 of the stride from the left hind landing.
    steady: bool (K,), neither starting, stopping nor changing gait before its last lift-off.
    straight: bool (K,), the path bends less than 1 degree. asymmetry_mm: float64 (K, 4), hd_min,
    hd_max, pd_min, pd_max of this stride, right minus left, from the vertical paths of poll and
    croup; NaN outside steady trot.
    """

    horse_ids: Ints
    start_s: Floats
    end_s: Floats
    gaits: NDArray[np.str_]
    leads: NDArray[np.str_]
    stride_hz: Floats
    speed_mps: Floats
    stride_m: Floats
    duty: Floats
    phases: Floats
    steady: Bools
    straight: Bools
    asymmetry_mm: Floats

    def __len__(self) -> int:
        return len(self.start_s)


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """Something an alert may be about; ``kind`` is one of ``events.EventKind``."""

    horse_id: int
    kind: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class IntervalTruth:
    """Everything that happened in an interval of site time; bouts and footfalls that reach over its
    ends are cut at them or, for strides, left out."""

    start_s: float
    end_s: float
    bouts: tuple[TrueBout, ...]
    footfalls: Footfalls
    strides: Strides
    events: tuple[TrueEvent, ...]

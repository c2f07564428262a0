"""Where the ground lies in a camera's picture: from points of known distances, or known heights.

Kept in ``Stream.extra["ground"]`` as plain JSON in one of three kinds; points are shares of the
picture, x right and y down in 0..1:

``{"kind": "rectangle", "points": [4 corners in order], "width_m", "length_m"}``: the first two
corners are ``width_m`` apart, the second and third ``length_m``.
``{"kind": "distances", "points": [4], "distances_m": [6]}``: between points 1-2, 1-3, 1-4, 2-3,
2-4, 3-4.
``{"kind": "height", "foot": [x, y], "top": [x, y], "height_m"}``: something of known height that
stands on the ground; with ``"camera_m"``, the camera's own height, the scale changes with the row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeGuard

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray
from engine.domain.motion import GroundCalibration

GROUND_KEY = "ground"
"""Key in ``Stream.extra``."""
SMALLEST_AREA = 0.002
"""Share of the picture that four points must at least span: less, and a pixel's error is metres."""
SMALLEST_TRIANGLE = 0.05
"""Share of the four points' area that any three of them must span, else they lie on a line."""
SMALLEST_HEIGHT = 0.02
"""Share of the picture's height that a known height must at least span."""
DISTANCE_M = (0.2, 500.0)
HEIGHT_M = (0.2, 20.0)
GREATEST_MISFIT = 0.15
"""Told distances that contradict each other by more than this share of the longest are refused."""

Points = NDArray[np.float64]
PAIRS = tuple(combinations(range(4), 2))
_AGAIN = "Calibrate the camera again."


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of one camera's ground.

    ``calibration`` maps the picture onto the ground where four points were given.
    ``rows_px_m`` (base, slope): pixels per metre of something that stands at row y (0..1), as
    shares of the picture's height: ``base + slope * y``; slope 0 where only one height is known.
    ``error_m``: root mean square by which the answer misses the distances that were told.
    """

    calibration: GroundCalibration | None
    rows_px_m: tuple[float, float] | None
    error_m: float

    def place_m(self, points: FloatArray | Points) -> FloatArray:
        """Metres on the ground float32 (N, 2) of picture points (N, 2) in 0..1; NaN without four
        points, and for points at the horizon or above."""
        if self.calibration is None:
            return np.full((len(points), 2), np.nan, np.float32)
        matrix = self.calibration.homography
        mapped = points @ matrix[:, :2].T + matrix[:, 2]
        depth = mapped[:, 2:]
        below = depth > 1e-6
        placed = np.where(below, mapped[:, :2] / np.where(below, depth, 1.0), np.nan)
        return placed.astype(np.float32)

    def scales_px_m(self, points: FloatArray | Points, width_px: int, height_px: int) -> FloatArray:
        """Picture pixels per metre float32 (N,) of what stands at picture points (N, 2) in 0..1.

        With four points: from how far a step along the picture's row reaches on the ground, which
        is the scale across the line of sight of a camera held level.
        """
        if self.calibration is None:
            base, slope = self.rows_px_m or (math.nan, 0.0)
            scales = (base + slope * points[:, 1]) * height_px
            return np.where(scales > 0, scales, np.nan).astype(np.float32)
        step = np.array([0.5 / width_px, 0.0])
        apart = self.place_m(points + step) - self.place_m(points - step)
        metres = np.hypot(apart[:, 0], apart[:, 1])
        return np.where(metres > 1e-6, 1.0 / np.maximum(metres, 1e-6), np.nan).astype(np.float32)


def read_ground(extra: Mapping[str, object]) -> Ground | None:
    """The calibration kept in ``Stream.extra``, None when there is none.

    Raises OperatorMistake for one that makes no sense (see ``ground_of``).
    """
    told = extra.get(GROUND_KEY)
    if told is None:
        return None
    if not isinstance(told, Mapping):
        raise OperatorMistake("The ground calibration is damaged.", _AGAIN)
    return ground_of(told)


def with_ground(
    extra: Mapping[str, object], told: Mapping[str, object] | None
) -> dict[str, object]:
    """``Stream.extra`` with this calibration, or with none. Raises OperatorMistake (``ground_of``);
    what is kept is what was told, so the dialog shows it again."""
    kept = {key: value for key, value in extra.items() if key != GROUND_KEY}
    if told is not None:
        ground_of(told)
        kept[GROUND_KEY] = dict(told)
    return kept


def ground_of(told: Mapping[str, object]) -> Ground:
    """A ground from what a person told (see the module).

    Raises OperatorMistake with advice for points on a line, crossing sides, too small an area,
    impossible or contradicting distances, and anything that is no finite number.
    """
    kind = told.get("kind")
    if kind == "rectangle":
        width, length = _length(told, "width_m"), _length(told, "length_m")
        corners = np.array([[0.0, 0.0], [width, 0.0], [width, length], [0.0, length]])
        return _from_points(_points(told, "points", 4), corners)
    if kind == "distances":
        return _from_distances(_points(told, "points", 4), _distances(told))
    if kind == "height":
        return _from_height(told)
    raise OperatorMistake(f"There is no ground calibration of the kind {kind!r}.", _AGAIN)


# --- reading what was told ---------------------------------------------------------------------


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise OperatorMistake(f"The ground calibration's {what} is not a number.", _AGAIN)
    return float(value)


def _length(told: Mapping[str, object], name: str) -> float:
    value = _number(told.get(name), name)
    low, high = HEIGHT_M if name in ("height_m", "camera_m") else DISTANCE_M
    if not low <= value <= high:
        raise OperatorMistake(
            f"The ground calibration's {name} is {value:g} m.",
            f"State a length of {low:g} to {high:g} m.",
        )
    return value


def _points(told: Mapping[str, object], name: str, count: int) -> Points:
    rows = told.get(name)
    if not _is_list(rows) or len(rows) != count:
        raise OperatorMistake(f"The ground calibration needs {count} points.", _AGAIN)
    points = np.array([_point(row) for row in rows], np.float64)
    if (points < 0.0).any() or (points > 1.0).any():
        raise OperatorMistake("A point of the calibration lies outside the picture.", _AGAIN)
    return points


def _point(told: object) -> tuple[float, float]:
    if not _is_list(told) or len(told) != 2:
        raise OperatorMistake("A point of the ground calibration is damaged.", _AGAIN)
    return _number(told[0], "point"), _number(told[1], "point")


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _distances(told: Mapping[str, object]) -> NDArray[np.float64]:
    values = told.get("distances_m")
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != len(PAIRS):
        raise OperatorMistake(
            f"Four points need {len(PAIRS)} distances.", "Measure every pair of them."
        )
    return np.array([_length({"distance": v}, "distance") for v in values])


# --- from four points --------------------------------------------------------------------------


def _from_points(points: Points, ground_m: Points) -> Ground:
    _check_spread(points)
    matrix = cv2.getPerspectiveTransform(points.astype(np.float32), ground_m.astype(np.float32))
    matrix = np.asarray(matrix, np.float64)
    # Points in front of the camera, below the horizon, get a positive third coordinate.
    depth = points @ matrix[2, :2] + matrix[2, 2]
    matrix = matrix * np.sign(depth[0])
    if not np.isfinite(matrix).all() or not (depth * np.sign(depth[0]) > 1e-6).all():
        raise OperatorMistake(
            "The four points are no view of a piece of ground.",
            "Mark them in order around the piece, all on level ground.",
        )
    ground = Ground(GroundCalibration(matrix), None, 0.0)
    placed = ground.place_m(points)
    told, found = _lengths(ground_m), _lengths(placed.astype(np.float64))
    return Ground(ground.calibration, None, float(np.sqrt(np.mean((told - found) ** 2))))


def _check_spread(points: Points) -> None:
    around = _area(points)
    triangles = [_area(points[list(three)]) for three in combinations(range(4), 3)]
    whole = max(abs(t) for t in triangles)
    if whole < SMALLEST_AREA:
        raise OperatorMistake(
            "The four points lie too close together, or on a line.",
            "Take points that are further apart, such as the corners of the arena.",
        )
    if min(abs(t) for t in triangles) < SMALLEST_TRIANGLE * whole:
        raise OperatorMistake(
            "Three of the four points lie on a line, or two are the same.",
            "Move one of them away from the line.",
        )
    turns = np.sign([_area(points[[i, (i + 1) % 4, (i + 2) % 4]]) for i in range(4)])
    if abs(turns.sum()) != 4 or around == 0.0:
        raise OperatorMistake(
            "The sides between the four points cross each other.",
            "Mark the points in order, once around the piece of ground.",
        )


def _area(points: Points) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _lengths(points: Points) -> NDArray[np.float64]:
    return np.array([float(np.hypot(*(points[a] - points[b]))) for a, b in PAIRS])


def _from_distances(points: Points, told_m: NDArray[np.float64]) -> Ground:
    """Four places whose distances come nearest to those told, then as ``_from_points``."""
    longest = float(told_m.max())
    matrix = np.zeros((4, 4))
    for (a, b), distance in zip(PAIRS, told_m, strict=True):
        matrix[a, b] = matrix[b, a] = distance
    # Classical scaling (Torgerson 1952) gives a start, least squares the answer.
    middle = np.eye(4) - 0.25
    values, vectors = np.linalg.eigh(-0.5 * middle @ matrix**2 @ middle)
    start = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0.0))

    def misfit(flat: NDArray[np.float64]) -> NDArray[np.float64]:
        return _lengths(flat.reshape(4, 2)) - told_m

    places = np.asarray(least_squares(misfit, start.ravel()).x, np.float64).reshape(4, 2)
    error_m = float(np.sqrt(np.mean((_lengths(places) - told_m) ** 2)))
    if error_m > GREATEST_MISFIT * longest:
        raise OperatorMistake(
            "The distances contradict each other.",
            f"They miss by {error_m:.1f} m on average: measure them again, in the order asked.",
        )
    if _area(places) * _area(points) < 0:
        places[:, 1] *= -1.0
    calibration = _from_points(points, places).calibration
    return Ground(calibration, None, error_m)


def _from_height(told: Mapping[str, object]) -> Ground:
    foot, top = _points({"ends": [told.get("foot"), told.get("top")]}, "ends", 2)
    height_m = _length(told, "height_m")
    tall = float(foot[1] - top[1])
    if tall < SMALLEST_HEIGHT:
        raise OperatorMistake(
            "The known height is too small in the picture, or upside down.",
            "Mark its foot on the ground and its top, of something near the camera.",
        )
    scale = tall / height_m
    if told.get("camera_m") is None:
        return Ground(None, (scale, 0.0), 0.0)
    # A camera's own height is how far the horizon lies above the foot, at the foot's scale.
    camera_m = _length(told, "camera_m")
    horizon = float(foot[1]) - camera_m * scale
    return Ground(None, (-horizon / camera_m, 1.0 / camera_m), 0.0)

"""Boxes and keypoints between analysed pictures: linear, by id, over at most half a second.

Pure functions of what was analysed, for display (``between`` two pictures) and for overlay files
and stored tracks (``fill_gaps`` of a whole recording). Nothing is extrapolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray

LONGEST_S = 0.5
"""Over a longer time nobody knows where a horse was (specification)."""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """What one analysed picture showed, N rows.

    at_s: any time in seconds, the same for all keyframes. ids: int64 (N,), each once.
    boxes_xyxy_px: float32 (N, 4). keypoints_px: float32 (N, K, 2) and keypoint_scores (N, K), or
    None. Raises Bug on mismatched lengths.
    """

    at_s: float
    ids: NDArray[np.int64]
    boxes_xyxy_px: FloatArray
    keypoints_px: FloatArray | None = None
    keypoint_scores: FloatArray | None = None

    def __post_init__(self) -> None:
        count = len(self.ids)
        points, scores = self.keypoints_px, self.keypoint_scores
        if self.boxes_xyxy_px.shape != (count, 4) or (points is None) != (scores is None):
            raise Bug("keyframe columns have different lengths")
        if points is not None and scores is not None and points.shape != (*scores.shape, 2):
            raise Bug(f"keypoints {points.shape} do not fit scores {scores.shape}")

    def select(self, rows: NDArray[np.intp]) -> Keyframe:
        """The given rows, in that order."""
        points, scores = self.keypoints_px, self.keypoint_scores
        return Keyframe(
            self.at_s,
            self.ids[rows],
            self.boxes_xyxy_px[rows],
            None if points is None else points[rows],
            None if scores is None else scores[rows],
        )


def between(
    before: Keyframe, after: Keyframe, at_s: float, longest_s: float = LONGEST_S
) -> Keyframe:
    """What the picture at ``at_s`` between two keyframes showed: the ids that both have.

    A keypoint's score is the lower one of the two. Empty where the keyframes lie further apart than
    ``longest_s`` or ``at_s`` is not between them; at a keyframe's own time that keyframe.
    """
    if at_s == before.at_s:
        return before
    if at_s == after.at_s:
        return after
    gap_s = after.at_s - before.at_s
    _, rows, later = np.intersect1d(before.ids, after.ids, assume_unique=True, return_indices=True)
    if not before.at_s < at_s < after.at_s or gap_s > longest_s:
        rows, later = rows[:0], later[:0]
    one, two = before.select(rows), after.select(later)
    share = np.float32((at_s - before.at_s) / gap_s) if gap_s > 0 else np.float32(0)
    boxes = one.boxes_xyxy_px + share * (two.boxes_xyxy_px - one.boxes_xyxy_px)
    points, scores = None, None
    if one.keypoints_px is not None and two.keypoints_px is not None:
        points = one.keypoints_px + share * (two.keypoints_px - one.keypoints_px)
    if points is not None and one.keypoint_scores is not None and two.keypoint_scores is not None:
        scores = np.minimum(one.keypoint_scores, two.keypoint_scores)
    return Keyframe(at_s, one.ids, boxes, points, scores)


@dataclass(frozen=True, slots=True)
class FilledRows:
    """Rows of a recording, N of them, in no particular order: the ones put in by ``fill_gaps``.

    pictures: int64 (N,), index into the recording's times. ids: int64 (N,). boxes_xyxy_px: float32
    (N, 4). before: int64 (N,), the row of the track's last sighting before.
    """

    pictures: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes_xyxy_px: FloatArray
    before: NDArray[np.int64]


def fill_gaps(
    times_s: NDArray[np.float64],
    pictures: NDArray[np.int64],
    ids: NDArray[np.int64],
    boxes_xyxy_px: FloatArray,
    longest_s: float = LONGEST_S,
) -> FilledRows:
    """Boxes for the pictures in which a track was missed between two sightings.

    ``times_s`` float64 (P,), rising, of every picture. The sightings: ``pictures`` int64 (N,)
    (index into ``times_s``), ``ids`` int64 (N,), ``boxes_xyxy_px`` float32 (N, 4).
    """
    order = np.lexsort((pictures, ids))
    earlier, later = order[:-1], order[1:]
    gap_s = times_s[pictures[later]] - times_s[pictures[earlier]]
    missed = pictures[later] - pictures[earlier] - 1
    bridged = (ids[earlier] == ids[later]) & (missed > 0) & (gap_s <= longest_s)
    earlier, later, missed = earlier[bridged], later[bridged], missed[bridged]
    first, last = np.repeat(earlier, missed), np.repeat(later, missed)
    step = np.arange(len(first)) - np.repeat(np.cumsum(missed) - missed, missed) + 1
    filled = pictures[first] + step
    begin_s, end_s = times_s[pictures[first]], times_s[pictures[last]]
    share = ((times_s[filled] - begin_s) / (end_s - begin_s)).astype(np.float32)[:, None]
    boxes = boxes_xyxy_px[first] + share * (boxes_xyxy_px[last] - boxes_xyxy_px[first])
    return FilledRows(filled, ids[first], boxes, first.astype(np.int64))

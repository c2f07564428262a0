"""What was seen of each stored track in each picture, people's edits and short gaps included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray, iou_matrix
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import Skeleton
from engine.reanalysis.matching import Reference
from engine.reanalysis.sightings import Sighting
from engine.reanalysis.stored import CORRECTED, DELETED
from engine.tracking.interpolation import LONGEST_S, Keyframe, between

_DELETED_REACH_S = 0.25
"""A deleted row speaks for the pictures around it, as far as the live lane's pictures lie apart
under load."""
_SAME_PICTURE_S = 0.025
_SAME_BOX_IOU = 0.5
"""Keypoints of a box that a person moved further than this do not belong to the new one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One track in one picture. keypoints_px: float32 (K, 2), keypoint_scores (K,), zero where no
    pose is known."""

    box_xyxy_px: FloatArray
    score: float
    confidence: float
    keypoints_px: FloatArray
    keypoint_scores: FloatArray


Columns = dict[int, dict[int, Seen]]
"""By stored track, by picture."""


def columns_of(sightings: Sequence[Sighting], names: Sequence[NDArray[np.int64]]) -> Columns:
    """What the lane saw of each stored track."""
    columns: Columns = {}
    for index, (sighting, named) in enumerate(zip(sightings, names, strict=True)):
        for row in np.flatnonzero(named >= 0).tolist():
            columns.setdefault(int(named[row]), {})[index] = _seen(sighting, row)
    return columns


def _seen(sighting: Sighting, row: int) -> Seen:
    poses = sighting.poses
    nothing = np.zeros((0, 2), np.float32), np.zeros(0, np.float32)
    points, scores = nothing if poses is None else (poses.keypoints_px[row], poses.scores[row])
    return Seen(
        sighting.boxes_xyxy_px[row],
        float(sighting.scores[row]),
        float(sighting.confidences[row]),
        points,
        scores,
    )


def with_edits(
    columns: Columns, times_s: NDArray[np.float64], reference: Reference, flags: NDArray[np.int16]
) -> Columns:
    """The columns as people corrected them. ``flags``: int16 by row of the reference."""
    edited: Columns = {}
    for track in {*columns, *reference.tracks[flags & CORRECTED > 0].tolist()}:
        rows = np.flatnonzero(reference.tracks == track)
        mine = dict(columns.get(track, {}))
        gone = (flags[rows] & DELETED) > 0
        if gone.any():
            mine = _without_deleted(mine, times_s, reference.t_s[rows], gone)
        for row in rows[((flags[rows] & CORRECTED) > 0) & ~gone].tolist():
            _correct(mine, times_s, float(reference.t_s[row]), reference.boxes_xyxy_px[row])
        edited[int(track)] = mine
    return edited


def _without_deleted(
    mine: dict[int, Seen], times_s: NDArray[np.float64], rows_s: NDArray[np.float64],
    gone: NDArray[np.bool_],
) -> dict[int, Seen]:  # fmt: skip
    kept = {}
    for index, seen in mine.items():
        apart = np.abs(rows_s - times_s[index])
        nearest = int(np.argmin(apart))
        if not (gone[nearest] and apart[nearest] <= _DELETED_REACH_S):
            kept[index] = seen
    return kept


def _correct(
    mine: dict[int, Seen], times_s: NDArray[np.float64], at_s: float, box: FloatArray
) -> None:
    index = int(np.argmin(np.abs(times_s - at_s)))
    if abs(times_s[index] - at_s) > _SAME_PICTURE_S:
        return
    before = mine.get(index)
    if before is None:
        near = next(iter(mine.values()), None)
        count = 0 if near is None else len(near.keypoint_scores)
        points = np.zeros((count, 2), np.float32), np.zeros(count, np.float32)
        mine[index] = Seen(box, 1.0, 1.0, *points)
        return
    same = float(iou_matrix(before.box_xyxy_px[None], box[None])[0, 0]) >= _SAME_BOX_IOU
    scores = before.keypoint_scores if same else np.zeros_like(before.keypoint_scores)
    mine[index] = replace(before, box_xyxy_px=box, score=1.0, keypoint_scores=scores)


def without_gaps(
    mine: dict[int, Seen], times_s: NDArray[np.float64], blocked: frozenset[int] = frozenset()
) -> tuple[dict[int, Seen], frozenset[int]]:
    """The track with boxes and keypoints put in between sightings at most half a second apart, and
    the pictures in which they were put in. ``blocked``: pictures people emptied."""
    filled = dict(mine)
    put_in: set[int] = set()
    order = sorted(mine)
    for first, last in pairwise(order):
        if last - first < 2 or times_s[last] - times_s[first] > LONGEST_S:
            continue
        ends = _keyframe(times_s[first], mine[first]), _keyframe(times_s[last], mine[last])
        for index in range(first + 1, last):
            if index in blocked:
                continue
            mid = between(*ends, float(times_s[index]))
            filled[index] = _moved(mine[first], mid)
            put_in.add(index)
    return filled, frozenset(put_in)


def _keyframe(at_s: float, seen: Seen) -> Keyframe:
    return Keyframe(
        float(at_s),
        np.zeros(1, np.int64),
        seen.box_xyxy_px[None],
        seen.keypoints_px[None],
        seen.keypoint_scores[None],
    )


def _moved(seen: Seen, mid: Keyframe) -> Seen:
    assert mid.keypoints_px is not None and mid.keypoint_scores is not None
    return replace(
        seen,
        box_xyxy_px=mid.boxes_xyxy_px[0],
        keypoints_px=mid.keypoints_px[0],
        keypoint_scores=mid.keypoint_scores[0],
    )


def pose_batch(rows: Sequence[Seen], skeleton: Skeleton) -> PoseBatch:
    """The poses of some rows; those without any have score 0."""
    count = len(skeleton.landmarks)
    points = np.zeros((len(rows), count, 2), np.float32)
    scores = np.zeros((len(rows), count), np.float32)
    for index, seen in enumerate(rows):
        if len(seen.keypoint_scores) == count:
            points[index], scores[index] = seen.keypoints_px, seen.keypoint_scores
    return PoseBatch(points, scores, skeleton)

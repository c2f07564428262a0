"""Which stored track each of the lane's tracks is, picture by picture.

The live lane's rows lie on pictures the lane looked at too, so boxes of the same instant are paired
by overlap (Hungarian method). Every pair is a vote; a track of the lane is what its votes around an
instant say, so it may be one stored track first and another later where the live lane lost it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engine.domain.geometry import FloatArray, iou_matrix
from engine.reanalysis.sightings import Sighting

LEAST_IOU = 0.3
_AROUND = 2
"""Votes on each side that are heard with one."""
_REACH_S = 1.0
"""So far from its nearest vote a track is still what the vote said."""
_SAME_PICTURE_S = 0.06


@dataclass(frozen=True, slots=True)
class Reference:
    """Stored rows on the stretch's clock, N of them: t_s float64 (N,), tracks int64 (N,), class_ids
    int16 (N,), boxes_xyxy_px float32 (N, 4)."""

    t_s: NDArray[np.float64]
    tracks: NDArray[np.int64]
    class_ids: NDArray[np.int16]
    boxes_xyxy_px: FloatArray


def stored_tracks(sightings: Sequence[Sighting], reference: Reference) -> list[NDArray[np.int64]]:
    """For each sighting the stored track of its rows, int64 (N,), -1 for none."""
    times = np.array([s.stamp.captured_mono_s for s in sightings], np.float64)
    votes = _votes(sightings, times, reference)
    settled = {number: _settled(cast) for number, cast in votes.items()}
    return [_named(sighting, settled) for sighting in sightings]


def _votes(
    sightings: Sequence[Sighting], times: NDArray[np.float64], reference: Reference
) -> dict[int, list[tuple[float, int]]]:
    votes: dict[int, list[tuple[float, int]]] = {}
    if not len(times):
        return votes
    for t_s in np.unique(reference.t_s):
        nearest = int(np.argmin(np.abs(times - t_s)))
        if abs(times[nearest] - t_s) > _SAME_PICTURE_S:
            continue
        rows = np.flatnonzero(reference.t_s == t_s)
        for row, mine in _pairs(sightings[nearest], reference, rows):
            number = int(sightings[nearest].numbers[mine])
            votes.setdefault(number, []).append((float(t_s), int(reference.tracks[row])))
    return votes


def _pairs(
    sighting: Sighting, reference: Reference, rows: NDArray[np.intp]
) -> list[tuple[int, int]]:
    if not len(sighting.numbers):
        return []
    overlap = iou_matrix(reference.boxes_xyxy_px[rows], sighting.boxes_xyxy_px)
    same = reference.class_ids[rows][:, None] == sighting.class_ids[None, :]
    overlap = np.where(same, overlap, 0.0)
    theirs, mine = linear_sum_assignment(overlap, maximize=True)
    return [
        (int(rows[a]), int(b))
        for a, b in zip(theirs, mine, strict=True)
        if overlap[a, b] >= LEAST_IOU
    ]


def _settled(votes: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Votes, each replaced by what most of its neighbours say."""
    votes = sorted(votes)
    names = [name for _, name in votes]
    settled = []
    for index, (t_s, name) in enumerate(votes):
        heard = Counter(names[max(index - _AROUND, 0) : index + _AROUND + 1])
        most = max(heard.values())
        settled.append((t_s, name if heard[name] == most else heard.most_common(1)[0][0]))
    return settled


def _named(sighting: Sighting, settled: dict[int, list[tuple[float, int]]]) -> NDArray[np.int64]:
    t_s = sighting.stamp.captured_mono_s
    wishes: list[tuple[float, int, int]] = []
    for row, number in enumerate(sighting.numbers.tolist()):
        cast = settled.get(number, [])
        if not cast:
            continue
        apart_s, name = min((abs(at - t_s), name) for at, name in cast)
        if apart_s <= _REACH_S:
            wishes.append((apart_s, row, name))
    names = np.full(len(sighting.numbers), -1, np.int64)
    taken: set[int] = set()
    for _, row, name in sorted(wishes):
        if name not in taken:
            taken.add(name)
            names[row] = name
    return names

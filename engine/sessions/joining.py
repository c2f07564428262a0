"""Which tracks of a video are the one horse that a session is about.

The horse that fills most of the video is it. Its track may be lost and begun again: later and
earlier tracks are joined to it where nothing contradicts that they are the same horse. Two tracks
in one picture are two horses; so a track that is seen beside the chosen ones is another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import SubjectClass
from engine.domain.geometry import FloatArray
from engine.reanalysis.sightings import Sighting

TOGETHER_S = 0.3
"""Tracks that are seen at once for longer are two horses; less is a hand-over of the tracker."""
LONGEST_GAP_S = 10.0
"""Where other horses are about, a track that begins later than this after the chosen one ended is
not known to be the same; the tracker's own memory of lost tracks is as long."""
_REACH_BOXES, _REACH_BOXES_S = 1.5, 1.0
"""A horse is found again within so many widths of its box, and so many more a second."""
_SIZE_RATIO = 1.8


@dataclass(frozen=True, slots=True)
class Tracklet:
    """One track of the video. ``seen``: pictures that show it, as indices, rising. ``area``: its
    median share of the picture; ``first``, ``last``: its boxes xyxy in pixels when it came and
    went."""

    number: int
    seen: NDArray[np.int64]
    area: float
    first: FloatArray
    last: FloatArray

    @property
    def weight(self) -> float:
        """How much of the video it fills: pictures by the length of its box."""
        return len(self.seen) * math.sqrt(self.area)


def tracklets_of(sightings: Sequence[Sighting]) -> list[Tracklet]:
    """The horses among the tracks, by number."""
    seen: dict[int, list[int]] = {}
    boxes: dict[int, list[FloatArray]] = {}
    areas: dict[int, list[float]] = {}
    for index, sighting in enumerate(sightings):
        whole = float(sighting.width_px * sighting.height_px)
        for row in np.flatnonzero(sighting.class_ids == SubjectClass.HORSE).tolist():
            number, box = int(sighting.numbers[row]), sighting.boxes_xyxy_px[row]
            seen.setdefault(number, []).append(index)
            boxes.setdefault(number, []).append(box)
            areas.setdefault(number, []).append(
                float((box[2] - box[0]) * (box[3] - box[1])) / whole
            )
    return [
        Tracklet(
            number, np.array(seen[number], np.int64), float(np.median(areas[number])),
            boxes[number][0], boxes[number][-1],
        )
        for number in sorted(seen)
    ]  # fmt: skip


def one_horse(tracklets: Sequence[Tracklet], times_s: NDArray[np.float64]) -> tuple[int, ...]:
    """The numbers of the tracks that are the horse which fills most of the video, by time.

    times_s: float64 (P,), instants of the pictures. Empty where there is no horse.
    """
    if not tracklets:
        return ()
    alone = most_at_once(tracklets, times_s) <= 1
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    taken = np.zeros(len(times_s), np.int64)
    best: Tracklet | None = max(tracklets, key=lambda one: one.weight)
    chosen: list[Tracklet] = []
    left = list(tracklets)
    while best is not None:
        chosen.append(best)
        taken[best.seen] += 1
        # Who is seen beside the chosen ones stays another horse, whatever is joined to them.
        left = [
            one for one in left if one is not best and taken[one.seen].sum() * step_s <= TOGETHER_S
        ]
        fitting = left if alone else [one for one in left if _follows(chosen, one, times_s)]
        best = max(fitting, key=lambda one: one.weight, default=None)
    return tuple(one.number for one in sorted(chosen, key=lambda one: int(one.seen[0])))


def most_at_once(tracklets: Sequence[Tracklet], times_s: NDArray[np.float64]) -> int:
    """Most horses at once, for longer than a hand-over of the tracker takes."""
    counts = np.zeros(max(len(times_s), 1), np.int64)
    for one in tracklets:
        counts[one.seen] += 1
    if len(times_s) < 2:
        return int(counts.max())
    step_s = float(np.median(np.diff(times_s)))
    most = int(counts.max())
    while most > 1 and (counts >= most).sum() * step_s <= TOGETHER_S:
        most -= 1
    return most


def _follows(chosen: Sequence[Tracklet], one: Tracklet, times_s: NDArray[np.float64]) -> bool:
    """Whether it comes after or before one of the chosen ones where that went or came."""
    return any(
        _goes_on(*((other, one) if other.seen[0] <= one.seen[0] else (one, other)), times_s)
        for other in chosen
    )


def _goes_on(before: Tracklet, after: Tracklet, times_s: NDArray[np.float64]) -> bool:
    """Whether the later track begins near where and when the earlier one ended, at about its
    size."""
    gap_s = float(times_s[after.seen[0]] - times_s[before.seen[-1]])
    if gap_s > LONGEST_GAP_S:
        return False
    sizes = [float(math.sqrt(max(_area(box), 1.0))) for box in (before.last, after.first)]
    if max(sizes) / min(sizes) > _SIZE_RATIO:
        return False
    apart = _middle(after.first) - _middle(before.last)
    reach = sizes[0] * (_REACH_BOXES + _REACH_BOXES_S * max(gap_s, 0.0))
    return float(np.hypot(apart[0], apart[1])) <= reach


def _area(box: FloatArray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _middle(box: FloatArray) -> FloatArray:
    middle: FloatArray = ((box[:2] + box[2:]) / 2).astype(np.float32)
    return middle

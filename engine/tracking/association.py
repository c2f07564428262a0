"""Which detection continues which track: the passes of one picture, the surest first.

1. Sure detections continue confirmed tracks seen a moment ago, by place and, where a model gives
   it, appearance. A track is looked for where the filter expects it and where it would be had it
   gone straight on: hidden horses do either.
2. What is left of them takes unsure detections, by overlap alone (ByteTrack, Zhang et al. 2022).
3. Lost tracks are found again: where they were last seen (observation-centric recovery, OC-SORT,
   Cao et al. 2023), expected, or straight on; then by appearance within reach.
4. Tentative tracks take what nobody confirmed wanted: a ghost never takes a horse's detection.

Thresholds were chosen on simulated barns and crowds of several rates and fault levels, and on
variants (reversed, half rate, shaken) of the public sequence that `benchmarks/tracker_peers.py`
reports: its figures are not those of an unseen sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.tracks import TrackState
from engine.tracking.assignment import (
    Mask,
    assign,
    centres,
    distances_px,
    heights,
    overlaps,
    pair_costs,
    reach_px,
    size_gate,
)

Rows = NDArray[np.intp]
Costs = NDArray[np.floating[Any]]

SURE_MARGIN = 0.25
"""A detection this much above the camera's threshold is sure: it may find a lost track again."""
SUREST = 0.9
FRESH_S = 1.0
"""Tracks unseen for longer are looked for after those seen a moment ago."""
LEAST_OVERLAP = 0.4
"""Of a sure detection with a fresh track, where no appearance speaks for the pair."""
RECENT_S = 0.25
UNSURE_OVERLAP = 0.6
"""Unsure detections continue tracks seen that recently, at that overlap."""
STAYS_OVERLAP = 0.7
"""A horse that was here a moment ago and overlaps so much only turned, whatever it looks like."""
SETTLING_OVERLAP = 0.3
"""Of a tentative track with what nobody else wanted."""
EXPECTED_OVERLAP, LAST_OVERLAP, STRAIGHT_OVERLAP = 0.5, 0.5, 0.2
"""Overlap that finds a lost track again where it is expected, was last seen, would be straight
on."""
STRAIGHT_S = 3.0
"""Nobody is thought to have gone straight on for longer."""
WAITING_COST_S = 0.3
"""A second unseen costs a lost track as much as this much overlap."""
LOST_COST = 0.1
DIRECTION_COST = 0.2
"""Going against the track's direction of movement (momentum of OC-SORT)."""
HEIGHT_COST = 0.3
"""All of a height's disagreement: a height changes less than a width when a horse turns."""
STEADY_HEIGHTS = 0.1
"""A movement shorter than this many heights has no sure direction."""
GATE_S = 1.0
_LOST, _TENTATIVE = int(TrackState.LOST), int(TrackState.TENTATIVE)
"""Plain numbers: comparing columns with members of an enumeration is slow."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The N live tracks as association sees them.

    predicted_xyxy_px, straight_xyxy_px, last_xyxy_px: float32 (N, 4), where the filter expects each
    track, where it would be at its last speed, where it was last seen. unseen_s: float32 (N,).
    states: int8 (N,). classes: int16 (N,). barred: bool (N,), tracks that may not continue now
    (their horse is shown by another track).
    """

    predicted_xyxy_px: FloatArray
    straight_xyxy_px: FloatArray
    last_xyxy_px: FloatArray
    unseen_s: FloatArray
    states: NDArray[np.int8]
    classes: NDArray[np.int16]
    barred: Mask


@dataclass(frozen=True, slots=True)
class Sightings:
    """The M detections of one picture. boxes_xyxy_px: float32 (M, 4); scores: float32 (M,); classes
    int16 (M,); confident: bool (M,), at the camera's threshold or above; sure: bool (M,)."""

    boxes_xyxy_px: FloatArray
    scores: FloatArray
    classes: NDArray[np.int16]
    confident: Mask
    sure: Mask


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cosines clipped to 0..1 (N, M): ``mean`` with each track's running mean, NaN where a track
    has no vector; ``best`` with the best of all its vectors. ``threshold``: same horse from here
    on. ``like``: bool (N, M), rather like the track, or nobody knows. ``other``: bool (N, M), clear
    pictures of another horse, which cannot continue the track unless it stands just there."""

    mean: FloatArray
    best: FloatArray
    like: Mask
    other: Mask
    threshold: float
    iou_weight: float
    appearance_weight: float


def sure_from(confident_from: float) -> float:
    """Score from which a detection is sure."""
    return max(confident_from, min(confident_from + SURE_MARGIN, SUREST))


def associate(tracks: Standing, seen: Sightings, likeness: Likeness | None) -> tuple[Rows, Rows]:
    """Pairs of rows of ``tracks``, rising, and of ``seen``, each at most once."""
    if not len(tracks.states) or not len(seen.scores):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    return _Passes(tracks, seen, likeness).run()


class _Passes:
    """One picture's passes over what is still free.

    The overlaps that passes by place ask for imply boxes of like size (at IoU 0.2 areas differ by
    five at most, `assignment.SIZE_RATIO` squared is six), so that only looks need a gate of size.
    """

    def __init__(self, tracks: Standing, seen: Sightings, likeness: Likeness | None) -> None:
        self._tracks, self._seen, self._likeness = tracks, seen, likeness
        self._free_tracks = ~tracks.barred
        self._free_seen = np.ones(len(seen.scores), np.bool_)
        self._pairs: list[tuple[Rows, Rows]] = []
        self._lost = tracks.states == _LOST
        self._confirmed = tracks.states != _TENTATIVE
        self._expected = overlaps(tracks.predicted_xyxy_px, seen.boxes_xyxy_px)
        self._possible: Mask | None = None
        if len({*tracks.classes.tolist(), *seen.classes.tolist()}) > 1:
            self._possible = tracks.classes[:, None] == seen.classes[None, :]
        if likeness is not None:
            stays = (self._expected >= STAYS_OVERLAP) & (tracks.unseen_s <= RECENT_S)[:, None]
            possible = stays | ~likeness.other
            self._possible = possible if self._possible is None else self._possible & possible
        self._best = self._straight = self._expected
        lost = self._lost.nonzero()[0]
        if len(lost):
            straight = overlaps(tracks.straight_xyxy_px[lost], seen.boxes_xyxy_px)
            self._straight, self._best = self._expected.copy(), self._expected.copy()
            self._straight[lost] = straight
            self._best[lost] = np.maximum(straight, self._expected[lost])

    def run(self) -> tuple[Rows, Rows]:
        if self._likeness is None:
            self._continue_by_place()
        else:
            self._continue_by_look(self._likeness)
        if not self._seen.sure.all():
            self._continue_with_unsure()
        left = self._free_tracks & self._confirmed
        if left.any() and (self._free_seen & self._seen.confident).any():
            self._find_again_by_place()
            if self._likeness is not None:
                self._find_again_by_look(self._likeness)
        if not self._confirmed.all():
            self._settle()
        if len(self._pairs) == 1:
            return self._pairs[0]
        rows = np.concatenate([rows for rows, _ in self._pairs])
        order = rows.argsort()
        return rows[order], np.concatenate([picks for _, picks in self._pairs])[order]

    def _take(self, allowed: Mask, tracks: Mask, seen: Mask, costs: Callable[[], Costs]) -> None:
        """The best of the allowed pairs of free rows of both masks. Costs are asked for only where
        somebody has a choice."""
        allowed = allowed & ((self._free_tracks & tracks)[:, None] & (self._free_seen & seen))
        if self._possible is not None:
            allowed &= self._possible
        rows, picks = allowed.nonzero()
        if len(set(rows.tolist())) < len(rows) or len(set(picks.tolist())) < len(rows):
            rows, picks = assign(costs(), allowed)
        self._free_tracks[rows] = False
        self._free_seen[picks] = False
        self._pairs.append((rows, picks))

    def _fresh(self, longest_s: float) -> Mask:
        """Confirmed tracks seen in the last picture or not longer ago than that."""
        fresh: Mask = self._confirmed & (~self._lost | (self._tracks.unseen_s <= longest_s))
        return fresh

    def _continue_by_place(self) -> None:
        allowed = self._best >= LEAST_OVERLAP
        self._take(
            allowed, self._fresh(FRESH_S), self._seen.sure,
            lambda: 1.0 - self._best + self._doubts(),
        )  # fmt: skip

    def _continue_by_look(self, like: Likeness) -> None:
        tracks, boxes = self._tracks, self._seen.boxes_xyxy_px
        apart = distances_px(tracks.predicted_xyxy_px, boxes)
        near = apart <= reach_px(tracks.predicted_xyxy_px, tracks.unseen_s, GATE_S)[:, None]
        near &= size_gate(tracks.predicted_xyxy_px, boxes)
        near &= (self._best >= LEAST_OVERLAP) | (like.mean >= like.threshold)
        by_place = 1.0 - self._best + self._doubts()
        costs = pair_costs(by_place, like.mean, like.iou_weight, like.appearance_weight)
        self._take(near, self._fresh(FRESH_S), self._seen.sure, lambda: costs)

    def _doubts(self) -> FloatArray:
        """What speaks against a pair beside its overlap: absence, direction, another height."""
        tracks, boxes = self._tracks, self._seen.boxes_xyxy_px
        tall, seen_tall = heights(tracks.predicted_xyxy_px)[:, None], heights(boxes)[None, :]
        alike = np.minimum(tall, seen_tall) / np.maximum(tall, seen_tall)
        begin = centres(tracks.last_xyxy_px)
        going = (centres(tracks.predicted_xyxy_px) - begin) / tall
        leading = (centres(boxes)[None] - begin[:, None]) / tall[:, :, None]
        speed, stride = np.hypot(*going.T)[:, None], np.hypot(leading[..., 0], leading[..., 1])
        along = going[:, :1] * leading[..., 0] + going[:, 1:] * leading[..., 1]
        turned = 0.5 - 0.5 * along / np.maximum(speed * stride, 1e-9)
        known = np.minimum(speed / STEADY_HEIGHTS, 1.0) * np.minimum(stride / STEADY_HEIGHTS, 1.0)
        doubts: FloatArray = HEIGHT_COST * (1.0 - alike) + DIRECTION_COST * known * turned
        doubts[self._lost] += np.float32(LOST_COST)
        return doubts

    def _continue_with_unsure(self) -> None:
        allowed = self._expected >= UNSURE_OVERLAP
        self._take(allowed, self._fresh(RECENT_S), ~self._seen.sure, lambda: 1.0 - self._expected)

    def _find_again_by_place(self) -> None:
        tracks = self._tracks
        unseen_s = tracks.unseen_s[:, None]
        last = overlaps(tracks.last_xyxy_px, self._seen.boxes_xyxy_px)
        straight = np.where(unseen_s <= STRAIGHT_S, self._straight, np.float32(0.0))
        best = np.maximum(np.maximum(last, straight), self._expected)
        proven = (last >= LAST_OVERLAP) | (straight >= STRAIGHT_OVERLAP)
        proven |= self._expected >= EXPECTED_OVERLAP
        proven &= self._seen.sure[None, :] | (best >= UNSURE_OVERLAP)
        if self._likeness is not None:
            proven &= (unseen_s <= FRESH_S) | self._likeness.like
        self._take(
            proven, self._confirmed, self._seen.confident,
            lambda: 1.0 - best + WAITING_COST_S * unseen_s,
        )  # fmt: skip

    def _find_again_by_look(self, like: Likeness) -> None:
        """Lost tracks within reach of their last place that look the same."""
        tracks, boxes = self._tracks, self._seen.boxes_xyxy_px
        near = (
            distances_px(tracks.last_xyxy_px, boxes)
            <= (reach_px(tracks.last_xyxy_px, tracks.unseen_s, np.inf)[:, None])
        )
        near &= size_gate(tracks.last_xyxy_px, boxes)
        same = np.fmax(like.mean, like.best)
        near &= same >= like.threshold
        self._take(near, self._confirmed, self._seen.confident, lambda: 1.0 - same)

    def _settle(self) -> None:
        def costs() -> Costs:
            by_place: FloatArray = 1.0 - self._expected
            like = self._likeness
            if like is None:
                return by_place
            return pair_costs(by_place, like.mean, like.iou_weight, like.appearance_weight)

        allowed = self._expected >= SETTLING_OVERLAP
        self._take(allowed, ~self._confirmed, self._seen.confident, costs)

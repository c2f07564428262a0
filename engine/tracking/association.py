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
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.tracking.assignment import (
    FORBIDDEN,
    Mask,
    assign,
    distances_px,
    overlaps,
    pair_costs,
    reach_px,
    size_gate,
)
from engine.tracking.operands import operand

Rows = NDArray[np.intp]
Costs = NDArray[np.floating[Any]]
PairCosts = Callable[[Rows, Rows], Costs]
"""Costs (P,) of pairs of rows and picks, each (P,)."""

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
RIVAL_OVERLAP, RIVAL_LEAD = np.float32(0.2), np.float32(0.15)
"""Who overlaps that much with where another track is expected or was last seen, and looks so much
more like it, is not taken for this one, however well it lies."""
GATE_S = 1.0

NOTHING = operand(-1, np.intp)
_LEAST_OVERLAP, _UNSURE_OVERLAP = operand(LEAST_OVERLAP), operand(UNSURE_OVERLAP)
_SETTLING_OVERLAP, _STEADY_2 = operand(SETTLING_OVERLAP), operand(2.0 * STEADY_HEIGHTS)
_FRESH_S, _RECENT_S = operand(FRESH_S), operand(RECENT_S)
_ONE, _HEIGHT_COST, _TURN_COST = operand(1.0), operand(HEIGHT_COST), operand(DIRECTION_COST / 2)


class Standing(NamedTuple):
    """The N live tracks as association sees them.

    predicted_xyxy_px, last_xyxy_px: float32 (N, 4), where the filter expects each track, where it
    was last seen. straight_xyxy_px: float32 (lost, 4), where the lost ones would be at their last
    speed. unseen_s: float32 (N,). lost, confirmed (lost or active): bool (N,). classes: int16 (N,).
    barred: bool (N,), tracks that may not continue now (their horse is shown by another track).
    """

    predicted_xyxy_px: FloatArray
    straight_xyxy_px: FloatArray
    last_xyxy_px: FloatArray
    unseen_s: FloatArray
    lost: Mask
    confirmed: Mask
    classes: NDArray[np.int16]
    barred: Mask


class Sightings(NamedTuple):
    """The M detections of one picture. boxes_xyxy_px: float32 (M, 4); scores: float32 (M,); classes
    int16 (M,); sure: bool (M,); confident_from: the camera's threshold."""

    boxes_xyxy_px: FloatArray
    scores: FloatArray
    classes: NDArray[np.int16]
    sure: Mask
    confident_from: float


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


@lru_cache(maxsize=16)
def sure_from(confident_from: float) -> FloatArray:
    """Score from which a detection is sure, of no dimensions."""
    return operand(max(confident_from, min(confident_from + SURE_MARGIN, SUREST)))


def associate(tracks: Standing, seen: Sightings, likeness: Likeness | None) -> tuple[Rows, Rows]:
    """Pairs of rows of ``tracks``, rising, and of ``seen``, each at most once."""
    if not len(tracks.lost) or not len(seen.scores):
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
        self._free_seen = np.empty(len(seen.scores), np.bool_)
        self._free_seen.fill(True)
        self._picked = np.empty(len(tracks.lost), np.intp)
        self._picked.fill(NOTHING)
        self._lost, self._confirmed = tracks.lost, tracks.confirmed
        self._overlap(tracks.predicted_xyxy_px, tracks.straight_xyxy_px, seen.boxes_xyxy_px)
        self._possible: Mask | None = None
        if np.count_nonzero(tracks.classes) or np.count_nonzero(seen.classes):  # not horses alone
            self._possible = tracks.classes[:, None] == seen.classes[None, :]
        if likeness is not None:
            stays = (self._expected >= STAYS_OVERLAP) & (tracks.unseen_s <= RECENT_S)[:, None]
            possible = stays | ~(likeness.other | self._rivalled(likeness))
            self._possible = possible if self._possible is None else self._possible & possible

    def _overlap(self, predicted: FloatArray, straight: FloatArray, boxes: FloatArray) -> None:
        """Overlaps (N, M) of all tracks and (lost, M) of the lost ones straight on with the
        detections; and (N, M) the better of the two."""
        if not len(straight):
            self._best = self._expected = overlaps(predicted, boxes)
            self._straight = self._expected[:0]
            return
        both = overlaps(np.concatenate([predicted, straight]), boxes)
        self._expected, self._straight = both[: len(predicted)], both[len(predicted) :]
        self._best = self._expected.copy()
        lost = self._lost.nonzero()[0]
        self._best[lost] = np.maximum(self._straight, self._expected.take(lost, axis=0))

    def _rivalled(self, like: Likeness) -> Mask:
        """Pairs whose detection looks much more like another track that is or was seen there."""
        tracks = self._tracks
        last = overlaps(tracks.last_xyxy_px, self._seen.boxes_xyxy_px)
        near = np.maximum(last, self._expected) >= RIVAL_OVERLAP
        near &= (self._confirmed & ~tracks.barred)[:, None]
        same = np.fmax(like.mean, like.best)
        rival = np.where(near, same, np.float32(0.0)).max(axis=0, initial=0.0)
        rivalled: Mask = ~np.isnan(like.mean) & (same < rival - RIVAL_LEAD)
        return rivalled

    def run(self) -> tuple[Rows, Rows]:
        if self._likeness is None:
            self._continue_by_place()
        else:
            self._continue_by_look(self._likeness)
        if np.count_nonzero(self._free_seen):
            self._place_the_rest()
        rows = (self._picked != NOTHING).nonzero()[0]
        return rows, self._picked.take(rows)

    def _place_the_rest(self) -> None:
        unsure = self._free_seen & ~self._seen.sure
        if np.count_nonzero(unsure):
            self._continue_with_unsure(unsure)
        confident = self._seen.scores >= self._seen.confident_from
        if not np.count_nonzero(self._free_seen & confident):
            return
        if np.count_nonzero(self._free_tracks & self._confirmed):
            self._find_again_by_place(confident)
            if self._likeness is not None:
                self._find_again_by_look(self._likeness, confident)
        if np.count_nonzero(self._confirmed) < len(self._confirmed):
            self._settle(confident)

    def _take(self, allowed: Mask, tracks: Mask, seen: Mask, costs: PairCosts) -> None:
        """The best of the allowed pairs of free rows of both masks. Costs are asked for only where
        somebody has a choice."""
        if self._possible is not None:
            allowed = allowed & self._possible
        rows, picks = allowed.nonzero()
        tracks, seen = self._free_tracks & tracks, self._free_seen & seen
        if np.count_nonzero(tracks) < len(tracks) or np.count_nonzero(seen) < len(seen):
            free = tracks.take(rows) & seen.take(picks)
            rows, picks = rows[free], picks[free]
        if len(set(rows.tolist())) < len(rows) or len(set(picks.tolist())) < len(picks):
            rows, picks = self._choose(rows, picks, costs)
        self._free_tracks[rows] = False
        self._free_seen[picks] = False
        self._picked[rows] = picks

    def _choose(self, rows: Rows, picks: Rows, costs: PairCosts) -> tuple[Rows, Rows]:
        """The best of pairs some of which share a track or a detection."""
        table = np.full((len(self._free_tracks), len(self._free_seen)), FORBIDDEN)
        table[rows, picks] = costs(rows, picks)
        return assign(table)

    def _fresh(self, longest_s: FloatArray) -> Mask:
        """Confirmed tracks seen in the last picture or not longer ago than that."""
        if not len(self._tracks.straight_xyxy_px):
            return self._confirmed
        fresh = self._tracks.unseen_s <= longest_s
        fresh |= ~self._lost
        fresh &= self._confirmed
        return fresh

    def _continue_by_place(self) -> None:
        allowed = self._best >= _LEAST_OVERLAP
        self._take(allowed, self._fresh(_FRESH_S), self._seen.sure, self._costs_by_place)

    def _continue_by_look(self, like: Likeness) -> None:
        tracks, boxes = self._tracks, self._seen.boxes_xyxy_px
        apart = distances_px(tracks.predicted_xyxy_px, boxes)
        near = apart <= reach_px(tracks.predicted_xyxy_px, tracks.unseen_s, GATE_S)[:, None]
        near &= size_gate(tracks.predicted_xyxy_px, boxes)
        near &= (self._best >= LEAST_OVERLAP) | (like.mean >= like.threshold)

        def costs(rows: Rows, picks: Rows) -> Costs:
            return _mixed(self._costs_by_place(rows, picks), like, rows, picks)

        self._take(near, self._fresh(_FRESH_S), self._seen.sure, costs)

    def _costs_by_place(self, rows: Rows, picks: Rows) -> Costs:
        """Overlap, and what speaks against a pair beside it: absence, direction, another height."""
        boxes = np.array(
            [
                self._tracks.last_xyxy_px.take(rows, axis=0),
                self._tracks.predicted_xyxy_px.take(rows, axis=0),
                self._seen.boxes_xyxy_px.take(picks, axis=0),
            ]
        )
        _, expected_px, seen_px = np.maximum(boxes[..., 3] - boxes[..., 1], _ONE)
        alike = np.minimum(expected_px, seen_px) / np.maximum(expected_px, seen_px)
        # Complex numbers, all twice as long; a way as long as a steady one or longer counts as 1.
        middles = (boxes[..., :2] + boxes[..., 2:]).view(np.complex64)[..., 0]
        ways = (middles[1:] - middles[0]) / expected_px
        ways /= np.maximum(np.abs(ways), _STEADY_2)
        known = np.abs(ways)
        against = known[0] * known[1] - (ways[0] * ways[1].conj()).real
        costs: Costs = _ONE - self._best[rows, picks]
        costs += _HEIGHT_COST * (_ONE - alike)
        costs += _TURN_COST * against
        if len(self._straight):
            costs += LOST_COST * self._lost.take(rows)
        return costs

    def _continue_with_unsure(self, unsure: Mask) -> None:
        allowed = self._expected >= _UNSURE_OVERLAP
        self._take(
            allowed, self._fresh(_RECENT_S), unsure,
            lambda rows, picks: 1.0 - self._expected[rows, picks],
        )  # fmt: skip

    def _find_again_by_place(self, confident: Mask) -> None:
        tracks = self._tracks
        unseen_s = tracks.unseen_s[:, None]
        last = overlaps(tracks.last_xyxy_px, self._seen.boxes_xyxy_px)
        straight = self._expected.copy()
        straight[self._lost] = self._straight
        straight[tracks.unseen_s > STRAIGHT_S] = 0.0
        best = np.maximum(np.maximum(last, straight), self._expected)
        proven = (last >= LAST_OVERLAP) | (straight >= STRAIGHT_OVERLAP)
        proven |= self._expected >= EXPECTED_OVERLAP
        proven &= self._seen.sure[None, :] | (best >= UNSURE_OVERLAP)
        if self._likeness is not None:
            proven &= (unseen_s <= FRESH_S) | self._likeness.like
        self._take(
            proven, self._confirmed, confident,
            lambda rows, picks: 1.0 - best[rows, picks] + WAITING_COST_S * tracks.unseen_s[rows],
        )  # fmt: skip

    def _find_again_by_look(self, like: Likeness, confident: Mask) -> None:
        """Lost tracks within reach of their last place that look the same."""
        tracks, boxes = self._tracks, self._seen.boxes_xyxy_px
        near = (
            distances_px(tracks.last_xyxy_px, boxes)
            <= (reach_px(tracks.last_xyxy_px, tracks.unseen_s, np.inf)[:, None])
        )
        near &= size_gate(tracks.last_xyxy_px, boxes)
        same = np.fmax(like.mean, like.best)
        near &= same >= like.threshold
        self._take(
            near, self._confirmed, confident,
            lambda rows, picks: 1.0 - same[rows, picks],
        )  # fmt: skip

    def _settle(self, confident: Mask) -> None:
        def costs(rows: Rows, picks: Rows) -> Costs:
            by_place = 1.0 - self._expected[rows, picks]
            like = self._likeness
            return by_place if like is None else _mixed(by_place, like, rows, picks)

        allowed = self._expected >= _SETTLING_OVERLAP
        self._take(allowed, ~self._confirmed, confident, costs)


def _mixed(by_place: Costs, like: Likeness, rows: Rows, picks: Rows) -> Costs:
    """Costs of pairs by place and look."""
    return pair_costs(by_place, like.mean[rows, picks], like.iou_weight, like.appearance_weight)

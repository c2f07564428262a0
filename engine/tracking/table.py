"""Bookkeeping of the live tracks of one camera, one row each, as columns."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, TrackId, new_track_id
from engine.domain.tracks import TrackState
from engine.tracking.assignment import Mask
from engine.tracking.colours import COLOUR_NAMES, colour_index
from engine.tracking.operands import operand

NO_NUMBER = 0
"""Of a track that was never given out: numbers are for people, and ghosts shall not use them up."""
SCORE_KEEP = 0.8
"""Share of the old value in the running mean of detection scores."""
_KEEP, _TAKE, _ONE = operand(SCORE_KEEP), operand(1.0 - SCORE_KEEP), operand(1.0)
TENTATIVE, ACTIVE, LOST = (
    operand(int(s), np.int8) for s in (TrackState.TENTATIVE, TrackState.ACTIVE, TrackState.LOST)
)
"""As columns hold them: comparing those with members of an enumeration is slow."""
_COLUMNS = {
    "numbers": np.int64,
    "classes": np.int16,
    "states": np.int8,
    "colours": np.int8,
    "hits": np.float32,
    "needed": np.int16,
    "scores": np.float32,
    "seen_mono_s": np.float64,
    "seen_epoch_s": np.float64,
}


class TrackTable:
    """Rows of live tracks; added at the end, dropped by mask, in step with motion and looks."""

    def __init__(self, first_number: int) -> None:
        self.numbers = np.zeros(0, np.int64)
        self.classes = np.zeros(0, np.int16)
        self.states = np.zeros(0, np.int8)
        self.colours = np.zeros(0, np.int8)
        self.hits = np.zeros(0, np.float32)
        self.needed = np.zeros(0, np.int16)
        self.scores = np.zeros(0, np.float32)
        self.seen_mono_s = np.zeros(0, np.float64)
        self.seen_epoch_s = np.zeros(0, np.float64)
        self.ids: list[TrackId] = []
        self.started_at: list[datetime] = []
        self.horses: list[HorseId | None] = []
        self._next_number = first_number

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, track_id: TrackId) -> int | None:
        """Where a track is, None when it is closed."""
        return self.ids.index(track_id) if track_id in self.ids else None

    def add(
        self,
        classes: NDArray[np.int16],
        scores: FloatArray,
        stamp: FrameStamp,
        needed: NDArray[np.intp],
    ) -> None:
        """Append new tracks begun by detections of these classes and scores; ``needed`` hits
        confirm each. All (N,)."""
        count = len(needed)
        ids = [new_track_id() for _ in range(count)]
        colours = self._new_colours(ids)
        new = {
            "numbers": np.full(count, NO_NUMBER),
            "classes": classes,
            "states": np.where(needed <= 1, ACTIVE, TENTATIVE),
            "colours": np.array(colours),
            "hits": np.ones(count),
            "needed": needed,
            "scores": scores,
            "seen_mono_s": np.full(count, stamp.captured_mono_s),
            "seen_epoch_s": np.full(count, stamp.captured_at.timestamp()),
        }
        for name, kind in _COLUMNS.items():
            values = np.concatenate([getattr(self, name), new[name].astype(kind)])
            setattr(self, name, values)
        self.ids += ids
        self.started_at += [stamp.captured_at] * count
        self.horses += [None] * count

    def keep(self, rows: Mask) -> None:
        """Drop all rows not in the mask."""
        for name in _COLUMNS:
            setattr(self, name, getattr(self, name)[rows])
        stays = np.flatnonzero(rows).tolist()
        self.ids = [self.ids[row] for row in stays]
        self.started_at = [self.started_at[row] for row in stays]
        self.horses = [self.horses[row] for row in stays]

    def hit(self, rows: NDArray[np.intp], scores: FloatArray, stamp: FrameStamp) -> None:
        """Count the given rows' new detections; enough of them confirm a track."""
        at = slice(None) if len(rows) == len(self) else rows
        hits, means = self.hits[at], self.scores[at]
        hits += _ONE
        means *= _KEEP
        means += _TAKE * scores
        self.hits[at], self.scores[at] = hits, means
        self.seen_mono_s[at] = stamp.captured_mono_s
        self.seen_epoch_s[at] = stamp.captured_at.timestamp()
        waiting = self.states == TENTATIVE
        self.states[at] = ACTIVE
        if np.count_nonzero(waiting):
            self.states[waiting & (self.hits < self.needed)] = TENTATIVE

    def number(self, rows: NDArray[np.intp]) -> None:
        """Give the rows that have none the next numbers."""
        unnumbered = rows[self.numbers[rows] == NO_NUMBER]
        if not len(unnumbered):
            return
        self.numbers[unnumbered] = np.arange(len(unnumbered)) + self._next_number
        self._next_number += len(unnumbered)

    def miss(self, seen_rows: NDArray[np.intp]) -> None:
        """Active tracks not among the seen rows are lost."""
        missed = self.states == ACTIVE
        missed[seen_rows] = False
        self.states[missed] = LOST

    def seen_at(self, row: int) -> datetime:
        """When a track was last seen, UTC."""
        return datetime.fromtimestamp(float(self.seen_epoch_s[row]), UTC)

    def barred(self) -> Mask:
        """Of several tracks with one horse all but the one seen last, bool (N,)."""
        barred = np.zeros(len(self), np.bool_)
        if not any(self.horses):
            return barred
        latest: dict[HorseId, int] = {}
        for row, horse in enumerate(self.horses):
            if horse is None:
                continue
            other = latest.get(horse)
            if other is None:
                latest[horse] = row
            elif self.seen_mono_s[row] >= self.seen_mono_s[other]:
                barred[other], latest[horse] = True, row
            else:
                barred[row] = True
        return barred

    def _new_colours(self, ids: list[TrackId]) -> list[int]:
        """Colours of new tracks: none that a live track has, a lost one may come back; once those
        use all ten, none of a track in view; once those do too, each its own."""
        taken = set(self.colours.tolist())
        if len(taken) == len(COLOUR_NAMES):
            taken = set(self.colours[self.states != LOST].tolist())
        colours: list[int] = []
        for identity in ids:
            every = len(taken) == len(COLOUR_NAMES)
            colours.append(colour_index(identity, () if every else taken))
            taken.add(colours[-1])
        return colours

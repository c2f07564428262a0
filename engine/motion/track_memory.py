"""What is remembered of every track of one camera, as columns with one slot a track.

Lengths are in body units: the mean side of the track's box, slowly followed, so that thresholds
mean the same for near and far horses. A body position is a landmark's place against the trunk's
middle in these units; a walking horse's trunk stands still in them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.ids import TrackId

HISTORY = 8
"""Body positions kept for each landmark."""
PATH = 32
"""Trunk positions kept for the speed."""
_START = 8
Doubles = NDArray[np.float64]
Slots = NDArray[np.intp]


class TrackMemory:
    """Columns of S slots for K landmarks. All start as NaN (numbers) or 0 (counts).

    seen_s: float64 (S,), when the track was last posed. unit_px: (S,). middle_px: (S, 2), of the
    trunk. box_px: (S, 2), the box's middle then. shape: (S, K, 2), usual body position of each
    landmark. history: (S, HISTORY, K, 2) body positions believed, newest last, NaN where not;
    history_s: float64 (S, HISTORY). smooth, rate: (S, K, 2), smoothed body position and its change
    a second. good_s: float64 (S, K), when the landmark was last believed; good_score: (S, K).
    rejected: int16 (S, K), how often in a row a landmark was taken for an error. swapped_s:
    float64 (S, 2), since when the model tells front and hind sides the other way round.
    scores: (S, K), of the corrected landmarks.
    scale: (S,), logarithm of pixels per metre; profile, drop: (S,). path_s: float64 (S, PATH);
    path: (S, PATH, 2), px or metres; path_scale: (S, PATH), logarithm of the unsmoothed scale;
    path_depth: (S, PATH), the same by the learned ground.
    """

    def __init__(self, landmarks: int) -> None:
        self.landmarks = landmarks
        self._slot_of: dict[TrackId, int] = {}
        self._free: list[int] = []
        self._size = 0
        k = landmarks
        self._shapes: dict[str, tuple[tuple[int, ...], type[np.generic], float]] = {
            "seen_s": ((), np.float64, np.nan),
            "unit_px": ((), np.float32, np.nan),
            "middle_px": ((2,), np.float32, np.nan),
            "box_px": ((2,), np.float32, np.nan),
            "shape": ((k, 2), np.float32, np.nan),
            "history": ((HISTORY, k, 2), np.float32, np.nan),
            "history_s": ((HISTORY,), np.float64, np.nan),
            "smooth": ((k, 2), np.float32, np.nan),
            "rate": ((k, 2), np.float32, 0.0),
            "good_s": ((k,), np.float64, -np.inf),
            "good_score": ((k,), np.float32, 0.0),
            "rejected": ((k,), np.int16, 0),
            "swapped_s": ((2,), np.float64, np.nan),
            "scores": ((k,), np.float32, 0.0),
            "scale": ((), np.float32, np.nan),
            "profile": ((), np.float32, np.nan),
            "drop": ((), np.float32, np.nan),
            "path_s": ((PATH,), np.float64, np.nan),
            "path": ((PATH, 2), np.float64, np.nan),
            "path_scale": ((PATH,), np.float32, np.nan),
            "path_depth": ((PATH,), np.float32, np.nan),
        }
        self.seen_s: Doubles
        self.unit_px: FloatArray
        self.middle_px: FloatArray
        self.box_px: FloatArray
        self.shape: FloatArray
        self.history: FloatArray
        self.history_s: Doubles
        self.smooth: FloatArray
        self.rate: FloatArray
        self.good_s: Doubles
        self.good_score: FloatArray
        self.rejected: NDArray[np.int16]
        self.swapped_s: Doubles
        self.scores: FloatArray
        self.scale: FloatArray
        self.profile: FloatArray
        self.drop: FloatArray
        self.path_s: Doubles
        self.path: Doubles
        self.path_scale: FloatArray
        self.path_depth: FloatArray
        self._grow(_START)

    def __len__(self) -> int:
        return len(self._slot_of)

    def slots(self, track_ids: Sequence[TrackId]) -> Slots:
        """The slot of each track, new ones empty."""
        missing = [track for track in track_ids if track not in self._slot_of]
        if len(missing) > len(self._free):
            self._grow(max(2 * self._size, self._size + len(missing)))
        for track in missing:
            self._slot_of[track] = self._free.pop()
        return np.array([self._slot_of[track] for track in track_ids], np.intp)

    def forget(self, track_ids: Collection[TrackId]) -> None:
        """Empty and free the slots of these tracks; unknown ones are passed over."""
        known = [track for track in track_ids if track in self._slot_of]
        slots = [self._slot_of.pop(track) for track in known]
        self.clear(np.array(slots, np.intp))
        self._free += slots

    def forget_before(self, t_s: float) -> None:
        """Forget tracks not posed since."""
        old = [track for track, slot in self._slot_of.items() if self.seen_s[slot] < t_s]
        if old:
            self.forget(old)

    def clear(self, slots: Slots, but: Collection[str] = ()) -> None:
        """Empty the columns of these slots except those named."""
        if len(slots):
            for name, (_, _, empty) in self._shapes.items():
                if name not in but:
                    getattr(self, name)[slots] = empty

    def _grow(self, size: int) -> None:
        for name, (shape, kind, empty) in self._shapes.items():
            column = np.full((size, *shape), empty, kind)
            if self._size:
                column[: self._size] = getattr(self, name)
            setattr(self, name, column)
        self._free += list(range(size - 1, self._size - 1, -1))
        self._size = size

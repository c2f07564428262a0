"""A small diverse set of appearance vectors per track, chosen for coverage.

One mean vector fails across light and side; a set keeps the horse's left, right, lit and shaded
looks apart. A full set takes a new vector only where it spreads the set: when the newcomer is less
like any member than the two most alike members are like each other, the worse of those two goes
(greedy max-min dispersion, Ravi, Rosenkrantz and Tayi 1994).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

CAPACITY = 16
"""Vectors kept per track (specification)."""
SAME_LOOK = 0.97
"""From this cosine on two vectors show the same look; only the better one is kept."""
QUALITY_FLOOR = 0.3
"""Crops below this quality (score times the share that nobody covers) are not learned."""
_EMPTY = -2.0
"""Below any cosine: marks pairs with an empty place."""


class Galleries:
    """The sets of N tracks as columns: rows are added, kept and offered vectors together."""

    def __init__(self) -> None:
        self.vectors: FloatArray = np.zeros((0, CAPACITY, 0), np.float32)
        self.qualities: FloatArray = np.zeros((0, CAPACITY), np.float32)
        self.counts: NDArray[np.intp] = np.zeros(0, np.intp)
        self._alike: FloatArray = np.zeros((0, CAPACITY, CAPACITY), np.float32)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def width(self) -> int:
        """Length D of a vector, 0 before the first."""
        return int(self.vectors.shape[2])

    def add(self, count: int) -> None:
        """Append ``count`` empty sets."""
        self.vectors = np.concatenate(
            [self.vectors, np.zeros((count, CAPACITY, self.width), np.float32)]
        )
        self.qualities = np.concatenate([self.qualities, np.zeros((count, CAPACITY), np.float32)])
        self.counts = np.concatenate([self.counts, np.zeros(count, np.intp)])
        blank = np.full((count, CAPACITY, CAPACITY), _EMPTY, np.float32)
        self._alike = np.concatenate([self._alike, blank])

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all rows not in the mask."""
        self.vectors, self.qualities = self.vectors[rows], self.qualities[rows]
        self.counts, self._alike = self.counts[rows], self._alike[rows]

    def of(self, row: int) -> tuple[FloatArray, FloatArray]:
        """One track's vectors float32 (k, D) and qualities float32 (k,), k at most 16; copies."""
        count = int(self.counts[row])
        return self.vectors[row, :count].copy(), self.qualities[row, :count].copy()

    def similarity(self, embeddings: FloatArray) -> FloatArray:
        """Best cosine with any member, clipped to 0..1, (tracks, vectors); 0 for an empty set.

        ``embeddings``: unit float32 (vectors, D) of the sets' width, else all 0.
        """
        if embeddings.shape[1] != self.width or not len(self) or not len(embeddings):
            return np.zeros((len(self), len(embeddings)), np.float32)
        every = self.vectors.reshape(-1, self.width) @ embeddings.T
        best = every.reshape(len(self), CAPACITY, len(embeddings)).max(axis=1)
        clipped: FloatArray = np.clip(best, 0.0, 1.0)
        return clipped

    def offer(self, rows: NDArray[np.intp], embeddings: FloatArray, qualities: FloatArray) -> None:
        """Let each given row take its new unit vector float32 (rows, D) where it adds coverage.

        ``rows`` are distinct. ``qualities`` (rows,) in 0..1; poor crops are passed over. Vectors
        of another width (another model) empty all sets first.
        """
        if embeddings.shape[1] != self.width:
            self._forget(embeddings.shape[1])
        good = qualities >= QUALITY_FLOOR
        rows, embeddings, qualities = rows[good], embeddings[good], qualities[good]
        if not len(rows):
            return
        cosines = np.einsum("rkd,rd->rk", self.vectors[rows], embeddings)
        cosines[np.arange(CAPACITY)[None, :] >= self.counts[rows, None]] = _EMPTY
        places = self._places(rows, cosines, qualities)
        taken = places >= 0
        self._put(rows[taken], places[taken], embeddings[taken], qualities[taken], cosines[taken])

    def _places(
        self, rows: NDArray[np.intp], cosines: FloatArray, qualities: FloatArray
    ) -> NDArray[np.intp]:
        """Where each newcomer goes, -1 for nowhere."""
        every = np.arange(len(rows))
        nearest = cosines.argmax(axis=1)
        closest = cosines[every, nearest]
        counts = self.counts[rows]
        places = np.where(counts < CAPACITY, counts, -1)
        full = np.flatnonzero(counts >= CAPACITY)
        if len(full):
            alike = self._alike[rows[full]].reshape(len(full), -1)
            pair = alike.argmax(axis=1)
            one, two = pair // CAPACITY, pair % CAPACITY
            known = self.qualities[rows[full]]
            turn = np.arange(len(full))
            worse = np.where(known[turn, one] < known[turn, two], one, two)
            spreads = closest[full] < alike[turn, pair]
            places[full] = np.where(spreads, worse, -1)
        repeats = closest >= SAME_LOOK
        better = qualities > self.qualities[rows, nearest]
        return np.where(repeats, np.where(better, nearest, -1), places)

    def _put(
        self,
        rows: NDArray[np.intp],
        places: NDArray[np.intp],
        embeddings: FloatArray,
        qualities: FloatArray,
        cosines: FloatArray,
    ) -> None:
        self.vectors[rows, places] = embeddings
        self.qualities[rows, places] = qualities
        self.counts[rows] = np.maximum(self.counts[rows], places + 1)
        self._alike[rows, places, :] = cosines
        self._alike[rows, :, places] = cosines
        self._alike[rows, places, places] = _EMPTY

    def _forget(self, width: int) -> None:
        count = len(self)
        self.vectors = np.zeros((count, CAPACITY, width), np.float32)
        self.qualities = np.zeros((count, CAPACITY), np.float32)
        self.counts = np.zeros(count, np.intp)
        self._alike = np.full((count, CAPACITY, CAPACITY), _EMPTY, np.float32)

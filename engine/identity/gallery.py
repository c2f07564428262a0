"""The approved appearance vectors of every known horse, and who looks like a given track.

A horse owns a block of 16 places in one FAISS inner-product index; unit vectors make the inner
product the cosine. A small herd is compared vector by vector. In a larger one, four leading vectors
a horse pick the candidates first, so that the time stays flat as the herd grows, and the
candidates are then compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId
from engine.tracking.gallery import CAPACITY, Galleries

EXACT_FLOATS = 640_000
"""So many numbers (2.5 MB) are compared in a fraction of a millisecond by any processor."""
LEADERS = 4
"""Vectors a horse that stand for it in the coarse search."""
HITS = 48
"""Nearest vectors asked of the index for each query."""
CANDIDATES = 32
"""Horses compared exactly after a search."""
QUERIES = 8
"""Vectors of a track that take part in a search, the best ones."""
_GROWTH = 64
_inner_products_by_index: Callable[..., None] = vars(faiss)["fvec_inner_products_by_idx"]
"""FAISS's own; its type stubs leave it out."""


@dataclass(frozen=True, slots=True)
class Match:
    """A known horse and how much it looks like the track asked about, clipped cosine 0..1."""

    horse_id: HorseId
    similarity: float


class HorseGallery:
    """Vectors of one model. Built by one thread, then owned by another; never shared."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._sets = Galleries()
        self._rows: dict[HorseId, int] = {}
        self._horses: list[HorseId | None] = []
        self._free: list[int] = []
        self._all = faiss.IndexFlatIP(dimension)
        self._leaders = faiss.IndexFlatIP(dimension)

    def __len__(self) -> int:
        """Horses with a place."""
        return len(self._rows)

    def __contains__(self, horse_id: object) -> bool:
        return horse_id in self._rows

    @property
    def horses(self) -> Collection[HorseId]:
        """Everyone with a place."""
        return self._rows.keys()

    @property
    def exact(self) -> bool:
        """True while a search compares every vector."""
        return len(self._rows) * CAPACITY * self.dimension <= EXACT_FLOATS

    def vectors(self, horse_id: HorseId) -> FloatArray:
        """A horse's approved unit vectors float32 (k, D), k at most 16; empty for strangers."""
        row = self._rows.get(horse_id)
        if row is None:
            return np.zeros((0, self.dimension), np.float32)
        return self._sets.of(row)[0]

    # --- changes ------------------------------------------------------------------------------

    def load(self, known: Mapping[HorseId, FloatArray]) -> None:
        """Add many horses at once; each array float32 (k, D), of which the most diverse stay."""
        rows = {horse: self._place(horse) for horse in known}
        for turn in range(max((len(v) for v in known.values()), default=0)):
            having = [horse for horse, vectors in known.items() if len(vectors) > turn]
            self._sets.offer(
                np.array([rows[horse] for horse in having], np.intp),
                np.stack([known[horse][turn] for horse in having]),
                np.ones(len(having), np.float32),
            )
        self._publish(rows.values())

    def learn(self, horse_id: HorseId, vectors: FloatArray, qualities: FloatArray) -> list[int]:
        """Let a horse's set take unit vectors (k, D) that add coverage; which ones it took."""
        row = self._place(horse_id)
        taken = []
        for index in range(len(vectors)):
            before = self._sets.vectors[row].tobytes()
            self._sets.offer(
                np.array([row]), vectors[index : index + 1], qualities[index : index + 1]
            )
            if self._sets.vectors[row].tobytes() != before:
                taken.append(index)
        if taken:
            self._publish([row])
        return taken

    def remove(self, horse_id: HorseId) -> None:
        """Forget a horse; nothing happens for a stranger."""
        row = self._rows.pop(horse_id, None)
        if row is None:
            return
        self._horses[row] = None
        for column in (self._sets.vectors, self._sets.qualities, self._sets.counts):
            column[row] = 0
        self._publish([row])
        self._free.append(row)

    def _place(self, horse_id: HorseId) -> int:
        row = self._rows.get(horse_id)
        if row is not None:
            return row
        if not self._free:
            first = len(self._horses)
            self._sets.add(_GROWTH)
            nothing = np.zeros((0, self.dimension), np.float32)  # tells the sets their width
            self._sets.offer(np.zeros(0, np.intp), nothing, np.zeros(0, np.float32))
            self._horses += [None] * _GROWTH
            self._all.add(np.zeros((_GROWTH * CAPACITY, self.dimension), np.float32))
            self._leaders.add(np.zeros((_GROWTH * LEADERS, self.dimension), np.float32))
            self._free = list(range(first + _GROWTH - 1, first - 1, -1))
        row = self._free.pop()
        self._rows[horse_id] = row
        self._horses[row] = horse_id
        return row

    def _publish(self, rows: Iterable[int]) -> None:
        """Copy the sets of some rows into the indexes."""
        every = _stored(self._all, self.dimension)
        leaders = _stored(self._leaders, self.dimension)
        for row in rows:
            block = self._sets.vectors[row]
            every[row * CAPACITY : (row + 1) * CAPACITY] = block
            leaders[row * LEADERS : (row + 1) * LEADERS] = _spread(
                block, int(self._sets.counts[row])
            )

    # --- questions ----------------------------------------------------------------------------

    def rank(self, vectors: FloatArray, limit: int = 5) -> list[Match]:
        """The known horses most like a track's unit vectors float32 (k, D), best first."""
        if not len(self._rows) or not len(vectors):
            return []
        queries = np.ascontiguousarray(vectors[:QUERIES])
        index, width = (self._all, CAPACITY) if self.exact else (self._leaders, LEADERS)
        # Of this thread only: waking helpers takes longer than the search.
        faiss.omp_set_num_threads(1)
        scores, places = index.search(queries, min(HITS, index.ntotal))
        best: dict[int, float] = {}
        for score, place in zip(scores.ravel().tolist(), places.ravel().tolist(), strict=True):
            row = place // width
            if score > best.get(row, 0.0):
                best[row] = score
        rows = sorted(best, key=best.__getitem__, reverse=True)[:CANDIDATES]
        return self._compared(queries, np.array(rows, np.intp))[:limit]

    def rank_among(self, vectors: FloatArray, horses: Iterable[HorseId]) -> list[Match]:
        """Some horses by likeness to a track's unit vectors float32 (k, D), best first; horses
        without vectors are left out."""
        rows = [row for horse in horses if (row := self._rows.get(horse)) is not None]
        if not rows or not len(vectors):
            return []
        return self._compared(vectors[:QUERIES], np.array(rows, np.intp))

    def _compared(self, queries: FloatArray, rows: NDArray[np.intp]) -> list[Match]:
        rows = rows[self._sets.counts[rows] > 0]
        if not len(rows):
            return []
        cosines = self._cosines(queries, rows)
        similar = set_similarity(cosines.max(axis=2))
        order = np.argsort(-similar, kind="stable")
        found: list[Match] = []
        for place in order:
            horse = self._horses[rows[place]]
            if horse is not None:
                found.append(Match(horse, float(similar[place])))
        return found

    def _cosines(self, queries: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
        """Of each query with every place of some rows, float32 (queries, rows, CAPACITY). In one
        thread, unlike a matrix product, which wakes BLAS helpers that a busy machine starves."""
        places = (rows[:, None] * CAPACITY + np.arange(CAPACITY)).astype(np.int64).ravel()
        wanted = np.tile(places, (len(queries), 1))
        queries = np.ascontiguousarray(queries, np.float32)
        found = np.empty(wanted.shape, np.float32)
        faiss.omp_set_num_threads(1)
        _inner_products_by_index(
            faiss.swig_ptr(found), faiss.swig_ptr(queries), self._all.get_xb(),
            faiss.swig_ptr(wanted), self.dimension, *wanted.shape,
        )  # fmt: skip
        return found.reshape(len(queries), len(rows), CAPACITY)


def set_similarity(best: FloatArray) -> FloatArray:
    """Likeness of a track to horses, (H,) in 0..1, from the best cosine of each of its vectors
    with each horse, (k, H).

    The mean over the better half of the vectors: a horse known from its left only must not lose
    because the track also shows its right, and one lucky crop must not decide alone.
    """
    half = (len(best) + 1) // 2
    top = np.sort(best, axis=0)[len(best) - half :]
    clipped: FloatArray = np.clip(top.mean(axis=0), 0.0, 1.0).astype(np.float32)
    return clipped


def pair_similarity(one: FloatArray, other: FloatArray) -> float:
    """Likeness of two sets of unit vectors (k, D) and (m, D), 0..1; 0 when either is empty."""
    if not len(one) or not len(other):
        return 0.0
    cosines = np.einsum("qd,md->qm", one, other)
    return float(set_similarity(cosines.max(axis=1, keepdims=True))[0])


def _stored(index: faiss.IndexFlatIP, dimension: int) -> FloatArray:
    """The vectors inside a flat index, to be changed in place, float32 (ntotal, D)."""
    flat = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * dimension)
    view: FloatArray = flat.reshape(index.ntotal, dimension)
    return view


def _spread(block: FloatArray, count: int) -> FloatArray:
    """Leading vectors (LEADERS, D) of a set: the first, then always the least alike; zeros fill."""
    chosen: list[int] = [0] if count else []
    nearest = block[:count] @ block[0]
    while len(chosen) < min(LEADERS, count):
        place = int(nearest.argmin())
        chosen.append(place)
        nearest = np.maximum(nearest, block[:count] @ block[place])
    leaders = np.zeros((LEADERS, block.shape[1]), np.float32)
    leaders[: len(chosen)] = block[chosen]
    return leaders


def best_first(vectors: FloatArray, qualities: FloatArray) -> Sequence[int]:
    """Order of a track's vectors by falling quality."""
    order: list[int] = np.argsort(-qualities, kind="stable").tolist()
    return order

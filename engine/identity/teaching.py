"""Which appearance vectors of a track are kept, and which may teach its horse's gallery."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b

import numpy as np

from engine.domain.geometry import FloatArray
from engine.domain.identity import FeaturesSeen, IdentityEvent
from engine.domain.ids import ModelId
from engine.identity.cases import Case
from engine.identity.gallery import HorseGallery, best_first

KEEP_QUALITY = 0.5
"""Poorer vectors are neither stored nor learned."""
UNSURE_KEPT = 4
"""Vectors stored of a track that teaches nobody (yet): a person may decide later."""
SETTLED_S = 20.0
"""Between two lessons of one track."""


class Teacher:
    """Lets sure tracks teach their horses and hands vectors to the store. Used by one thread."""

    def __init__(self, emit: Callable[[IdentityEvent], None]) -> None:
        self._emit = emit
        self.model_id: ModelId | None = None

    def has_lesson(self, qualities: FloatArray) -> bool:
        """Whether any vector of a track is good enough to know a horse by: one that nobody could
        recognise again would be founded anew by every camera."""
        return bool((qualities >= KEEP_QUALITY).any())

    def learn(
        self,
        case: Case,
        gallery: HorseGallery,
        vectors: FloatArray,
        qualities: FloatArray,
        now_s: float,
        at: datetime,
    ) -> None:
        """Offer a track's vectors to its horse; those it took are stored as approved ones."""
        if case.horse_id is None:
            return
        case.sent_mono_s = now_s
        good = qualities >= KEEP_QUALITY
        vectors, qualities = vectors[good], qualities[good]
        taken = gallery.learn(case.horse_id, vectors, qualities)
        self._store(case, vectors[taken], qualities[taken], True, at)

    def keep(
        self, case: Case, vectors: FloatArray, qualities: FloatArray, approved: bool, at: datetime
    ) -> None:
        """Store the best few vectors of a track without teaching anybody here."""
        order = [i for i in best_first(vectors, qualities) if qualities[i] >= KEEP_QUALITY]
        chosen = order[:UNSURE_KEPT]
        self._store(case, vectors[chosen], qualities[chosen], approved, at)

    def _store(
        self, case: Case, vectors: FloatArray, qualities: FloatArray, approved: bool, at: datetime
    ) -> None:
        fresh = []
        for index, vector in enumerate(vectors):
            name = blake2b(vector.tobytes() + bytes([approved]), digest_size=8).digest()
            if name not in case.sent:
                case.sent.add(name)
                fresh.append(index)
        if not fresh or self.model_id is None:
            return
        self._emit(
            FeaturesSeen(
                case.track_id,
                self.model_id,
                np.ascontiguousarray(vectors[fresh], np.float32),
                np.ascontiguousarray(qualities[fresh], np.float32),
                approved,
                at,
            )
        )

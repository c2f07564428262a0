"""One mean appearance vector per track: exponential average, renormalised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

KEEP = 0.8
"""Share of the old vector in the average (specification)."""


class TrackAppearance:
    """Unit vectors of N tracks, float32 (N, D); NaN rows have none yet."""

    def __init__(self) -> None:
        self.vectors: FloatArray = np.zeros((0, 0), np.float32)
        self.agreement: FloatArray = np.zeros((0,), np.float32)

    @property
    def known(self) -> bool:
        """True once any vector was seen."""
        return bool(self.vectors.shape[1])

    def add(self, count: int, embeddings: FloatArray | None) -> None:
        """Append ``count`` rows with their first vectors, or without."""
        if embeddings is not None and embeddings.shape[1] != self.vectors.shape[1]:
            self.vectors = np.full((len(self.vectors), embeddings.shape[1]), np.nan, np.float32)
        width = self.vectors.shape[1]
        new = embeddings if embeddings is not None else np.full((count, width), np.nan, np.float32)
        self.vectors = np.concatenate([self.vectors, new])
        self.agreement = np.concatenate([self.agreement, np.ones(count, np.float32)])

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all rows not in the mask."""
        self.vectors, self.agreement = self.vectors[rows], self.agreement[rows]

    def similarity(self, embeddings: FloatArray | None) -> FloatArray | None:
        """Cosine clipped to 0..1, (tracks, detections); None without vectors of this width."""
        if embeddings is None or not self.known or embeddings.shape[1] != self.vectors.shape[1]:
            return None
        cosine: FloatArray = np.clip(self.vectors @ embeddings.T, 0.0, 1.0)
        return cosine

    def has_look(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of the given rows have a vector."""
        if not self.known:
            return np.zeros(len(rows), np.bool_)
        known: NDArray[np.bool_] = ~np.isnan(self.vectors[rows, 0])
        return known

    def blend(self, rows: NDArray[np.intp], embeddings: FloatArray) -> None:
        """Average the new vectors of the given rows in."""
        if embeddings.shape[1] != self.vectors.shape[1]:
            self.vectors = np.full((len(self.vectors), embeddings.shape[1]), np.nan, np.float32)
        old = self.vectors[rows]
        fresh = np.isnan(old[:, 0])
        cosine = np.clip(np.sum(old * embeddings, axis=1), 0.0, 1.0)
        mixed = np.where(fresh[:, None], embeddings, KEEP * old + (1 - KEEP) * embeddings)
        norm = np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9)
        self.vectors[rows] = mixed / norm
        agreement = KEEP * self.agreement[rows] + (1 - KEEP) * cosine
        self.agreement[rows] = np.where(fresh, self.agreement[rows], agreement)

"""Tones of the training pictures and the map that shrinks what changes on one horse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.skeletons import EQUINE26
from engine.models.body_outline import LEAST_SCORE
from engine.models.coat_tones import LEAST_KNOWN, PLACES, ToneMap, coat_tones, known_landmarks
from engine.training.discriminant import (
    ClipFeatures,
    ScatterWeights,
    principal_axes,
    shrinking_map,
)
from engine.training.embedder_data import HorseSet
from engine.training.embedder_features import filled_crop, placed

DIMENSION = 32
"""Numbers that the tones of a horse become: about half of the places' own."""

WEIGHTS = ScatterWeights(variant=0.0, ridge=0.3)
"""As for the network's features, without random variants and with a firmer ridge because a few
dozen numbers are noisier than a thousand."""


@dataclass(frozen=True)
class ToneTable:
    """Tones (N, TONES) in the order of a set, of its pictures with the background suppressed and
    without; NaN where unknown."""

    suppressed: FloatArray
    bare: FloatArray

    def of(self, suppressed: bool) -> FloatArray:
        """One of the two."""
        return self.suppressed if suppressed else self.bare


def read_tones(data: HorseSet) -> ToneTable:
    """Tones of every picture, cut as the engine cuts it."""
    suppressed, bare = (
        np.stack([_tones(data, row, keep) for row in range(len(data))]) for keep in (True, False)
    )
    return ToneTable(suppressed, bare)


def _tones(data: HorseSet, row: int, keep: bool) -> FloatArray:
    shown, inside, matrix = placed(data, row, keep)
    marks = np.asarray(data.landmarks[row], np.float32)
    known = known_landmarks(marks[:, :2], marks[:, 2], EQUINE26.roles, LEAST_SCORE, matrix)
    return coat_tones(np.ascontiguousarray(filled_crop(shown, inside)[:, :, ::-1]), known)


def fit_tones(table: ToneTable, data: HorseSet, trained: NDArray[np.bool_]) -> ToneMap | None:
    """Regularised discriminant analysis of the trained horses' clips, in closed form.

    None when no two horses among them are known well enough.
    """
    wanted = trained & data.dated & (_known(table.suppressed) >= LEAST_KNOWN)
    if len(set(data.horses[wanted])) < 2:
        return None
    seen = np.isfinite(table.suppressed)
    counts = (seen & wanted[:, None]).sum(axis=0)
    sums = np.where(seen & wanted[:, None], table.suppressed, 0.0).sum(axis=0)
    middle = sums / np.maximum(counts, 1)
    clips, first = np.unique(data.clips[wanted], return_index=True)

    def columns(tones: FloatArray) -> ClipFeatures:
        centred = np.where(np.isfinite(tones), tones - middle, 0.0)[wanted].astype(np.float64)
        return ClipFeatures(
            centred, np.searchsorted(clips, data.clips[wanted]),
            data.horses[wanted][first], data.days[wanted][first],
        )  # fmt: skip

    clean = columns(table.suppressed)
    _, shrink = shrinking_map(clean, columns(table.bare), clean, WEIGHTS)
    turned = shrink @ principal_axes(clean.features @ shrink, DIMENSION)
    return ToneMap(middle.astype(np.float32), turned.astype(np.float32))


def _known(tones: FloatArray) -> NDArray[np.int64]:
    return np.asarray(np.isfinite(tones[:, : len(PLACES)]).sum(axis=1), np.int64)

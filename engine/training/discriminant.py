"""Regularised discriminant analysis: the start of the projection, in closed form.

Directions in which one horse differs from itself (frames, days, with and without background) are
shrunk; directions in which whole days differ from each other (light, camera) are shrunk too. See
Hatch, Kajarekar and Stolcke 2006 (within-class covariance normalisation) for the idea.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class ScatterWeights:
    """Weights of the scatters that are shrunk, and the share of their mean added to all."""

    variant: float = 0.3
    background: float = 1.0
    day_of_horse: float = 1.0
    day_of_all: float = 1.0
    ridge: float = 0.1


@dataclass(frozen=True)
class ClipFeatures:
    """Features (N, F) and the clip of each row, with horse and day of each clip."""

    features: Matrix
    clip_of_row: NDArray[np.int64]
    horses: NDArray[np.str_]
    days: NDArray[np.str_]

    def means(self) -> Matrix:
        """Mean of each clip, (clips, F)."""
        count = len(self.horses)
        sums = np.zeros((count, self.features.shape[1]))
        np.add.at(sums, self.clip_of_row, self.features)
        return sums / np.bincount(self.clip_of_row, minlength=count)[:, None]


def principal_axes(features: Matrix, count: int) -> Matrix:
    """The directions of largest variance, (F, at most ``count``); fewer when there are fewer rows.

    Of the two Gram matrices the smaller is taken apart.
    """
    centred = features - features.mean(axis=0)
    rows, columns = centred.shape
    if rows > columns:
        _, axes = np.linalg.eigh(centred.T @ centred)
        return np.asarray(axes[:, ::-1][:, :count], np.float64)
    strengths, mixes = np.linalg.eigh(centred @ centred.T)
    kept = np.nonzero(strengths > 1e-9 * strengths[-1])[0][::-1][:count]
    return np.asarray(centred.T @ mixes[:, kept] / np.sqrt(strengths[kept]), np.float64)


def shrinking_map(
    clean: ClipFeatures, unsuppressed: ClipFeatures, varied: ClipFeatures, weights: ScatterWeights
) -> tuple[Matrix, Matrix]:
    """Middle (F,) and map (F, F) that makes the unwanted scatter round; strongest spread last."""
    means = clean.means()
    scatter = _about(clean, means)
    scatter += weights.variant * _about(varied, means)
    scatter += weights.background * _about(unsuppressed, means)
    apart = _between_days_of_one_horse(clean, means)
    if len(apart):
        scatter += weights.day_of_horse * (apart.T @ apart) / len(apart)
    shifts = _between_days(clean, means)
    if len(shifts):
        scatter += weights.day_of_all * (shifts.T @ shifts) / len(shifts)
    size = len(scatter)
    scatter += weights.ridge * np.trace(scatter) / size * np.eye(size)
    strengths, axes = np.linalg.eigh(scatter)
    return means.mean(axis=0), axes / np.sqrt(strengths)


def _about(columns: ClipFeatures, means: Matrix) -> Matrix:
    apart = columns.features - means[columns.clip_of_row]
    return np.asarray(apart.T @ apart / max(len(apart), 1), np.float64)


def _between_days_of_one_horse(clean: ClipFeatures, means: Matrix) -> Matrix:
    first, second = np.nonzero(
        np.triu(
            (clean.horses[:, None] == clean.horses[None])
            & (clean.days[:, None] != clean.days[None])
        )
    )
    return np.asarray((means[first] - means[second]) / np.sqrt(2.0), np.float64)


def _between_days(clean: ClipFeatures, means: Matrix) -> Matrix:
    """How the mean of each day with at least two clips differs from the mean of all."""
    shifts = [
        means[clean.days == day].mean(axis=0) - means.mean(axis=0)
        for day in np.unique(clean.days)
        if (clean.days == day).sum() >= 2
    ]
    return np.array(shifts).reshape(-1, means.shape[1])

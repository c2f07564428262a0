"""Accuracy figures with their counts: PCK for landmarks, recall and precision for boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray, iou_matrix


@dataclass(frozen=True)
class LandmarkErrors:
    """Errors of N animals and K landmarks relative to the diagonal of their labelled points.

    relative: float32 (N, K); not a number where a landmark is not labelled.
    """

    relative: FloatArray

    def pck(self, share: float) -> float:
        """Share of labelled landmarks nearer than ``share`` of the diagonal; nan when none."""
        known = self.relative[np.isfinite(self.relative)]
        return float((known < share).mean()) if len(known) else float("nan")

    def pck_by_landmark(self, share: float) -> FloatArray:
        """PCK per landmark, float32 (K,); nan for those never labelled."""
        known = np.isfinite(self.relative)
        hits = (np.where(known, self.relative, np.inf) < share).sum(axis=0)
        counts = known.sum(axis=0)
        with np.errstate(invalid="ignore"):
            shares: FloatArray = np.where(counts > 0, hits / np.maximum(counts, 1), np.nan).astype(
                np.float32
            )
        return shares

    @property
    def points(self) -> int:
        """How many labelled landmarks were measured."""
        return int(np.isfinite(self.relative).sum())


def landmark_errors(found_px: FloatArray, labelled: FloatArray) -> LandmarkErrors:
    """Compare answers (N, K, 2) with labels (N, K, 3) whose third column is a weight.

    The diagonal is that of the box of the labelled points (the measure of the accuracy bars).
    """
    known = labelled[..., 2] > 0
    spread = np.where(known[..., None], labelled[..., :2], np.nan)
    extent = np.nanmax(spread, axis=1) - np.nanmin(spread, axis=1)
    diagonal = np.maximum(np.hypot(extent[:, 0], extent[:, 1]), 1e-6)
    distance = np.hypot(*np.moveaxis(found_px - labelled[..., :2], -1, 0)) / diagonal[:, None]
    return LandmarkErrors(np.where(known, distance, np.nan).astype(np.float32))


def bootstrap_interval(
    values: NDArray[np.float64], groups: tuple[str, ...], rounds: int = 1000, seed: int = 1
) -> tuple[float, float]:
    """95 % interval of the mean of ``values`` (nan ignored), drawing whole groups (horses)."""
    names = sorted(set(groups))
    where = {name: np.array([g == name for g in groups]) for name in names}
    sums = np.array([np.nansum(values[where[n]]) for n in names])
    counts = np.array([np.isfinite(values[where[n]]).sum() for n in names])
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(names), size=(rounds, len(names)))
    means = sums[draws].sum(axis=1) / np.maximum(counts[draws].sum(axis=1), 1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


@dataclass(frozen=True)
class BoxMatches:
    """What became of the answers of one picture: scores and whether each matched a label.

    scores: float32 (N,). matched: bool (N,). labels: how many boxes should have been found.
    """

    scores: FloatArray
    matched: NDArray[np.bool_]
    labels: int


def match_boxes(
    boxes_xyxy_px: FloatArray, scores: FloatArray, labels_xyxy_px: FloatArray, iou: float = 0.5
) -> BoxMatches:
    """Give each label the best free answer with at least ``iou``, answers by falling score."""
    order = np.argsort(-scores, kind="stable")
    overlap = iou_matrix(boxes_xyxy_px[order], labels_xyxy_px)
    taken = np.zeros(len(labels_xyxy_px), bool)
    matched = np.zeros(len(order), bool)
    for row in range(len(order)):
        free = np.where(taken, -1.0, overlap[row]) if len(taken) else np.empty(0)
        if len(free) and free.max() >= iou:
            taken[int(free.argmax())] = True
            matched[row] = True
    return BoxMatches(scores[order].astype(np.float32), matched, len(labels_xyxy_px))


def recall_at(matches: list[BoxMatches], threshold: float) -> float:
    """Share of labels found by answers scoring at least ``threshold``."""
    found = sum(int((m.matched & (m.scores >= threshold)).sum()) for m in matches)
    return found / max(sum(m.labels for m in matches), 1)


def threshold_at_false_pictures(best_scores: FloatArray, share: float = 0.01) -> float:
    """The lowest threshold at which at most ``share`` of negative pictures hold an answer.

    best_scores: the highest score on each negative picture (0 when there is no answer).
    """
    allowed = int(np.floor(share * len(best_scores)))
    ordered = np.sort(best_scores)[::-1]
    return float(np.nextafter(ordered[allowed], np.float32(2.0))) if len(ordered) else 0.0

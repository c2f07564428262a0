"""How much a crop can be trusted to show what a horse looks like."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import AnalysisFrame
from engine.domain.geometry import FloatArray
from engine.domain.tracks import TrackBatch
from engine.tracking.assignment import covered_shares

FULL_SIZE_PX = 64.0
"""A horse this large on its shorter side shows enough; smaller ones count in proportion."""
CUT_FACTOR = 0.6
"""Part of the horse is outside the picture."""
EDGE_PX = 2.0
SHARP_RATIO = 0.2
"""Laplacian variance over grey variance of a crop scaled to 64 px: sharp from here on (the
variance-of-Laplacian focus measure, Pech-Pacheco et al. 2000, made independent of contrast). Of 150
photographs of horses 95 % reach 0.27; motion over an eighth of the crop leaves a median of 0.17, a
Gaussian blur of 1 px at this size 0.08."""
SHARP_AT_MOST = 16
"""Crops whose sharpness is measured in one picture; the others wait their turn."""
_SIDE_PX = 64


def crop_qualities(frame: AnalysisFrame, tracks: TrackBatch, turn: int) -> FloatArray:
    """Quality of each row's crop, float32 (N,) in 0..1: detection score, size, how much of it
    nobody covers, whether the picture cuts it, sharpness. 0 for rows that are no confirmed horse
    and for those whose sharpness was not measured; ``turn`` grows by one with every picture."""
    boxes = tracks.boxes_xyxy_px
    sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
    width, height = frame.picture.width_px, frame.picture.height_px
    cut = (boxes[:, :2] < EDGE_PX).any(axis=1)
    cut |= (boxes[:, 2] > width - EDGE_PX) | (boxes[:, 3] > height - EDGE_PX)
    quality = tracks.scores * (1.0 - covered_shares(boxes)) * np.clip(sides / FULL_SIZE_PX, 0, 1)
    quality = np.where(cut, quality * CUT_FACTOR, quality).astype(np.float32)
    horses = np.flatnonzero(tracks.confirmed_horses)
    measured = np.roll(horses, -(turn * SHARP_AT_MOST) % max(len(horses), 1))[:SHARP_AT_MOST]
    sharp = np.zeros(len(tracks), np.float32)
    for row in measured:
        sharp[row] = _sharpness(frame, boxes[row])
    result: NDArray[np.float32] = (quality * sharp).astype(np.float32)
    return result


def _sharpness(frame: AnalysisFrame, box_xyxy_px: FloatArray) -> float:
    """0..1; 0 where the box lies outside the picture."""
    picture = frame.detector_bgr
    x1, y1, x2, y2 = (round(float(v) * frame.scale) for v in box_xyxy_px)
    crop = picture[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    if crop.shape[0] < 8 or crop.shape[1] < 8:
        return 0.0
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    contrast = float(small.var())
    if contrast < 1.0:
        return 0.0
    detail = float(cv2.Laplacian(small, cv2.CV_32F).var())
    return min(detail / contrast / SHARP_RATIO, 1.0)

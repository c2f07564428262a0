"""Augmentation: what turns one labelled crop into many plausible ones. NumPy and OpenCV only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.skeletons import EQUINE26, Skeleton
from engine.training.crowding import crowded, on_background, without_rider

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class PoseVariation:
    """How far crops are varied. Angles in degrees; scale is the horse's size relative to a box
    padded by 1.25; shifts are shares of the box."""

    flip: float = 0.5
    rotation_deg: float = 30.0
    scale: tuple[float, float] = (0.72, 1.28)
    shift: float = 0.10
    colour: float = 0.8
    grey: float = 0.12
    dark: float = 0.15
    blur: float = 0.2
    noise: float = 0.2
    occlusion: float = 0.5
    crowd: float = 0.25
    background: float = 0.12
    rider: float = 0.2


def mirrored(
    picture: Picture, landmarks: FloatArray, skeleton: Skeleton = EQUINE26
) -> tuple[Picture, FloatArray]:
    """The picture mirrored left to right, with left and right landmarks exchanged.

    landmarks: float32 (K, 3), x and y in pixels of the picture and a weight.
    """
    turned = landmarks[list(skeleton.flip_order)].copy()
    turned[:, 0] = picture.shape[1] - 1 - turned[:, 0]
    return np.ascontiguousarray(picture[:, ::-1]), turned


def placement(
    box_xyxy_px: FloatArray, size_px: int, padding: float, scale: float, angle_deg: float,
    shift: tuple[float, float],
) -> NDArray[np.float64]:  # fmt: skip
    """2x3 map from the crop to a network input of ``size_px`` squared.

    With scale 1, angle 0 and no shift it equals ``crop_affine`` of a square output.
    """
    x1, y1, x2, y2 = (float(v) for v in box_xyxy_px)
    side = max(x2 - x1, y2 - y1, 1.0)
    centre = np.array([(x1 + x2) / 2 + shift[0] * side, (y1 + y2) / 2 + shift[1] * side])
    zoom = size_px / (side * padding) * scale
    angle = math.radians(angle_deg)
    linear = zoom * np.array(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    )
    offset = size_px / 2.0 - linear @ centre
    return np.concatenate([linear, offset[:, None]], axis=1)


def place(
    picture: Picture, landmarks: FloatArray, matrix: NDArray[np.float64], size_px: int,
    fill: tuple[int, int, int] = (0, 0, 0),
) -> tuple[Picture, FloatArray]:  # fmt: skip
    """Apply a placement; landmarks that leave the picture get weight 0."""
    flags = cv2.INTER_LINEAR
    placed = cv2.warpAffine(picture, matrix, (size_px, size_px), flags=flags, borderValue=fill)
    marks = landmarks.copy()
    marks[:, :2] = marks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    inside = ((marks[:, :2] >= 0) & (marks[:, :2] <= size_px - 1)).all(axis=1)
    marks[~inside, 2] = 0.0
    return np.asarray(placed, np.uint8), marks.astype(np.float32)


def recoloured(picture: Picture, rng: np.random.Generator, how: PoseVariation) -> Picture:
    """Light, contrast, tint, grey (as from an infra-red lamp), darkness, blur, noise."""
    values = picture.astype(np.float32)
    if rng.random() < how.colour:
        values *= rng.uniform(0.75, 1.3, size=3).astype(np.float32) * rng.uniform(0.8, 1.2)
        middle = float(values.mean())
        values = (values - middle) * rng.uniform(0.65, 1.35) + middle + rng.uniform(-20, 20)
    if rng.random() < how.grey:
        values[:] = (values @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    if rng.random() < how.dark:
        values = 255.0 * (np.clip(values, 0, 255) / 255.0) ** rng.uniform(1.2, 2.5)
        values *= rng.uniform(0.3, 0.8)
    if rng.random() < how.blur:
        values = _blurred(values, rng)
    if rng.random() < how.noise:
        grain = rng.standard_normal((*picture.shape[:2], 1), dtype=np.float32)
        values = values + grain * rng.uniform(2, 14)
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _blurred(values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Out of focus, moving, or from a small camera picture."""
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), rng.uniform(0.5, 2.0)), np.float32)
    if kind == 1:
        length = int(rng.integers(3, 9))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1.0 / length
        return np.asarray(cv2.filter2D(values, -1, kernel), np.float32)
    height, width = values.shape[:2]
    share = rng.uniform(0.25, 0.7)
    small = cv2.resize(values, (int(width * share), int(height * share)))
    return np.asarray(cv2.resize(small, (width, height)), np.float32)


def occluded(picture: Picture, other: Picture, rng: np.random.Generator) -> Picture:
    """Patches of another picture (often another horse) or plain bars laid over this one.

    Landmarks under a patch keep their labels: an occluded leg is still asked for.
    """
    covered = picture.copy()
    size = picture.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.25:
            width, height = int(size * rng.uniform(0.02, 0.07)), size
        else:
            width, height = (int(size * v) for v in rng.uniform(0.08, 0.32, size=2))
        x, y = int(rng.integers(0, size - width + 1)), int(rng.integers(0, size - height + 1))
        if rng.random() < 0.65:
            from_x = int(rng.integers(0, other.shape[1] - width + 1))
            from_y = int(rng.integers(0, other.shape[0] - height + 1))
            patch = other[from_y : from_y + height, from_x : from_x + width]
        else:
            patch = rng.integers(0, 256, size=(1, 1, 3), dtype=np.uint8)
        covered[y : y + height, x : x + width] = patch
    return covered


def vary(
    crop: Picture, landmarks: FloatArray, box_xyxy_px: FloatArray,
    other: tuple[Picture, FloatArray], background: Picture, size_px: int,
    rng: np.random.Generator, how: PoseVariation,
) -> tuple[Picture, FloatArray]:  # fmt: skip
    """One random variant: network input uint8 (size, size, 3) and landmarks (K, 3) in its pixels.

    ``other`` is the crop and landmarks of another animal, which may stand before or behind this
    one or give occluding patches; at least ``size_px`` on each side. ``background`` is a picture
    to stand before.
    """
    if rng.random() < how.rider:
        crop = without_rider(crop, landmarks, background, rng)
    if rng.random() < how.background:
        crop = on_background(crop, landmarks, background, rng)
    if rng.random() < how.crowd:
        crop, _ = crowded(crop, landmarks, *other, rng)
    angle = float(np.clip(rng.normal(0, how.rotation_deg / 2), -60, 60))
    shift = (float(rng.normal(0, how.shift / 1.5)), float(rng.normal(0, how.shift / 1.5)))
    scale = float(rng.uniform(*how.scale))
    matrix = placement(box_xyxy_px, size_px, 1.25, scale, angle, shift)
    fill = tuple(int(v) for v in rng.integers(0, 256, 3)) if rng.random() < 0.3 else (0, 0, 0)
    picture, marks = place(crop, landmarks, matrix, size_px, (fill[0], fill[1], fill[2]))
    if rng.random() < how.flip:
        picture, marks = mirrored(picture, marks)
    if rng.random() < how.occlusion:
        picture = occluded(picture, other[0], rng)
    return recoloured(picture, rng, how), marks

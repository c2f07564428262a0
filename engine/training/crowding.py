"""Crowded and transplanted horses: another horse before or behind this one, another background.

Both cut horses out by the outline of their landmarks (``engine.models.body_outline``), which is
rough: edges are feathered, and riders stay behind with the old background. The labels stay those
of the horse in the middle, so that the network learns whose landmarks a box asks for.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.skeletons import EQUINE26, Skeleton
from engine.models.body_outline import body_outline

Picture = NDArray[np.uint8]

FEATHER_PX = 2.0
"""Standard deviation of the soft edge of a cut-out, in crop pixels."""
LEAST_BACK_PX = 16.0
"""A back that is shorter in the picture is seen from the front or rear: there is no side of it."""


def horse_mask(
    landmarks: FloatArray, height_px: int, width_px: int, skeleton: Skeleton = EQUINE26
) -> Picture | None:
    """The horse's outline filled: uint8 (height, width), 255 inside; None where too few landmarks
    (float32 (K, 3), x and y in pixels and a weight, 0 unknown) say where the horse is."""
    known = {
        role: landmarks[row, :2].astype(np.float64)
        for role, row in skeleton.roles
        if landmarks[row, 2] > 0
    }
    pieces = body_outline(known)
    if not pieces:
        return None
    mask = np.zeros((height_px, width_px), np.uint8)
    for piece in pieces:
        cv2.fillConvexPoly(mask, np.round(piece).astype(np.int32), 255)
    return mask


def crowded(
    picture: Picture,
    landmarks: FloatArray,
    other: Picture,
    other_landmarks: FloatArray,
    rng: np.random.Generator,
) -> tuple[Picture, FloatArray | None]:
    """Lay another horse partly before (half of the time) or behind the one in ``picture``.

    Both are crops uint8 (h, w, 3) with landmarks float32 (K, 3) in their pixels. The other horse
    gets 0.7 to 1.3 times the size of this one and lies 0.35 to 0.95 of a horse's length beside it,
    mirrored at random. Returns the picture and where the other horse's landmarks are now (weights
    kept), or the unchanged picture and None when either outline is unknown.
    """
    height, width = picture.shape[:2]
    mask = horse_mask(other_landmarks, *other.shape[:2])
    mine = horse_mask(landmarks, height, width)
    if mask is None or mine is None:
        return picture, None
    marks = other_landmarks
    if rng.random() < 0.5:
        other, mask = other[:, ::-1], mask[:, ::-1]
        marks = marks[list(EQUINE26.flip_order)].copy()
        marks[:, 0] = other.shape[1] - 1 - marks[:, 0]
    (x1, y1, x2, y2), (ox1, oy1, ox2, oy2) = _extent(mine), _extent(np.ascontiguousarray(mask))
    zoom = float(rng.uniform(0.7, 1.3)) * (y2 - y1) / max(oy2 - oy1, 1.0)
    away = float(rng.uniform(0.35, 0.95) * rng.choice((-1.0, 1.0)))
    centre = np.array([(x1 + x2) / 2 + away * (x2 - x1), y2 + rng.uniform(-0.12, 0.08) * (y2 - y1)])
    foot = np.array([(ox1 + ox2) / 2, oy2])
    matrix = np.concatenate([np.eye(2) * zoom, (centre - zoom * foot)[:, None]], axis=1)
    size = (width, height)
    laid = cv2.warpAffine(np.ascontiguousarray(other), matrix, size, flags=cv2.INTER_LINEAR)
    cover = cv2.warpAffine(np.ascontiguousarray(mask), matrix, size, flags=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        cover = cv2.bitwise_and(cover, cv2.bitwise_not(mine))
    placed = marks.copy()
    placed[:, :2] = placed[:, :2] * zoom + matrix[:, 2]
    return _blended(picture, np.asarray(laid, np.uint8), np.asarray(cover, np.uint8)), placed


def on_background(
    picture: Picture, landmarks: FloatArray, background: Picture, rng: np.random.Generator
) -> Picture:
    """The horse of ``picture`` before a piece of another picture (unchanged when its outline is
    unknown). ``background``: uint8 of any size of at least 32 px a side."""
    height, width = picture.shape[:2]
    mask = horse_mask(landmarks, height, width)
    if mask is None:
        return picture
    grown = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    scene = _piece(background, width, height, rng)
    return _blended(scene, picture, np.asarray(grown, np.uint8))


def without_rider(
    picture: Picture, landmarks: FloatArray, background: Picture, rng: np.random.Generator
) -> Picture:
    """What sits on the back covered by a piece of another picture: landmarks of ridden horses then
    teach loose ones, too. Unchanged where withers or hip are not known. ``background`` as above.

    Covered is the space over the line from withers to hip, as high as this line is long; of the
    rider's legs beside the trunk the labels stay.
    """
    withers, hip = (landmarks[EQUINE26.landmarks.index(name)] for name in ("withers", "hip"))
    if min(withers[2], hip[2]) <= 0:
        return picture
    back = hip[:2] - withers[:2]
    length = float(np.hypot(back[0], back[1]))
    if length < LEAST_BACK_PX:
        return picture
    # Up from the back: of both normals the one that rises in the picture.
    up = np.array([-back[1], back[0]], np.float32)
    up = up if up[1] < 0 else -up
    low = 0.04 * up
    corners = [withers[:2] + 0.06 * back + low, hip[:2] + low, hip[:2] + up, withers[:2] + up]
    mask = np.full(picture.shape[:2], 255, np.uint8)
    cv2.fillConvexPoly(mask, np.round(np.array(corners)).astype(np.int32), 0)
    scene = _piece(background, picture.shape[1], picture.shape[0], rng)
    return _blended(scene, picture, mask)


def _piece(background: Picture, width_px: int, height_px: int, rng: np.random.Generator) -> Picture:
    side = int(rng.uniform(0.5, 1.0) * min(background.shape[:2]))
    x = int(rng.integers(0, background.shape[1] - side + 1))
    y = int(rng.integers(0, background.shape[0] - side + 1))
    scene = cv2.resize(background[y : y + side, x : x + side], (width_px, height_px))
    return np.asarray(scene, np.uint8)


def _extent(mask: Picture) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 1.0, 1.0
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _blended(below: Picture, above: Picture, mask: Picture) -> Picture:
    share = cv2.GaussianBlur(mask.astype(np.float32) / 255.0, (0, 0), FEATHER_PX)[..., None]
    mixed = below.astype(np.float32) * (1.0 - share) + above.astype(np.float32) * share
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)

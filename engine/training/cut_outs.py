"""Horses cut out of their pictures, laid before each other: detectors learn to tell two apart.

Two horses that stand close share one box in a detector that has hardly seen such pictures. Here
the silhouettes are known, so the box of the horse behind is that of what is left to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import SubjectClass
from engine.domain.geometry import FloatArray
from engine.training.augment import PoseVariation, recoloured
from engine.training.crowding import FEATHER_PX, horse_mask
from engine.training.detector_data import Sample, masked_pictures
from engine.training.pose_data import PoseInstance, clip_instances, is_held_out, picture_instances

Image = NDArray[np.uint8]

SIDE_PX = 288
LEAST_LANDMARKS = 14
"""Outlines by fewer landmarks lack legs or the head."""
EVERY = 24
"""Of clips, one frame in that many: neighbours are the same silhouette."""

COVERED_MOST = 0.65
"""A labelled box that is covered by more than this teaches nothing."""
VISIBLE_LEAST = 0.2
"""Nor does a horse of known silhouette of which less than this is left to be seen."""

_COAT = PoseVariation(colour=0.9, grey=0.1, dark=0.25, blur=0.1, noise=0.1)


@dataclass(frozen=True)
class CutOut:
    """A horse alone: picture uint8 (h, w, 3) BGR, mask uint8 (h, w), 255 on the horse."""

    picture: Image
    mask: Image


def read_cut_outs(data: Path, every: int = EVERY) -> list[CutOut]:
    """All horses below ``data`` whose silhouette is known and that training may see: by masks, or
    by the outline of their landmarks."""
    found: list[CutOut] = []
    for folder in sorted(p for p in data.iterdir() if p.is_dir() and not p.name.endswith("_neg")):
        found += [c for c in _cut_outs_of(folder, every) if min(c.mask.shape) >= 24]
    return found


def _cut_outs_of(folder: Path, every: int) -> Iterator[CutOut]:
    if (folder / "masks").is_dir() and (folder / "images").is_dir():
        for picture, mask, group in masked_pictures(folder):
            if not is_held_out(f"{folder.name}/{group}"):
                yield _cut(picture, mask)
        return
    instances: Iterator[tuple[Image, PoseInstance]] = iter(())
    if (folder / "annotations.json").is_file():
        instances = picture_instances(folder, "horse")
    elif (folder / "index.csv").is_file():
        instances = clip_instances(folder, every)
    for rgb, instance in instances:
        if is_held_out(f"{folder.name}/{instance.group}"):
            continue
        if (instance.landmarks[:, 2] > 0).sum() >= LEAST_LANDMARKS:
            outline = horse_mask(instance.landmarks, *rgb.shape[:2])
            if outline is not None and outline.any():
                yield _cut(np.ascontiguousarray(rgb[:, :, ::-1]), outline)


def _cut(picture: Image, mask: Image) -> CutOut:
    x1, y1, x2, y2 = extent(mask)
    picture, mask = picture[y1:y2, x1:x2], mask[y1:y2, x1:x2]
    scale = min(1.0, SIDE_PX / max(mask.shape))
    size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
    return CutOut(
        np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8),
    )


def extent(mask: Image) -> tuple[int, int, int, int]:
    """Corners x1, y1, x2, y2 of what is above 127 in a mask; zeros where nothing is."""
    rows = np.flatnonzero((mask > 127).any(axis=1))
    columns = np.flatnonzero((mask > 127).any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def with_horses(sample: Sample, horses: Sequence[CutOut], rng: np.random.Generator) -> Sample:
    """The scene with ``horses`` laid into it one after the other, each partly before the last one
    (the first before a horse that is there, if there is a large one).

    Boxes of horses laid in are those of what can be seen of them in the end.
    """
    height, width = sample.picture.shape[:2]
    place = _first_place(sample, rng)
    picture = sample.picture.copy()
    laid: list[Image] = []
    for horse in horses:
        shown, mask = _placed(horse, place, (height, width), rng)
        if not (mask > 127).any():
            continue
        share = cv2.GaussianBlur(mask.astype(np.float32) / 255.0, (0, 0), FEATHER_PX / 2.0)
        picture = np.asarray(
            picture * (1.0 - share[..., None]) + shown * share[..., None], np.uint8
        )
        laid.append(mask)
        place = np.array(extent(mask), np.float32)
    return _labelled(sample, picture, laid)


def _first_place(sample: Sample, rng: np.random.Generator) -> FloatArray:
    """The box beside which the first horse is laid: a large horse's, or anywhere."""
    height, width = sample.picture.shape[:2]
    sides = sample.boxes[:, 2:] - sample.boxes[:, :2]
    large = (sample.class_ids == SubjectClass.HORSE) & (sides.min(axis=1, initial=1e9) >= 40)
    if large.any() and rng.random() < 0.5:
        chosen: FloatArray = sample.boxes[int(rng.choice(np.flatnonzero(large)))]
        return chosen
    tall = height * rng.uniform(0.3, 0.75)
    wide = tall * rng.uniform(0.8, 1.4)
    x, y = rng.uniform(0, max(width - wide, 1.0)), rng.uniform(0, max(height - tall, 1.0))
    return np.array([x, y, x + wide, y + tall], np.float32)


def _placed(
    horse: CutOut, beside: FloatArray, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Image, Image]:
    """The horse and its mask on an empty canvas of (height, width), partly over ``beside``."""
    picture, mask = recoloured(horse.picture, rng, _COAT), horse.mask
    if rng.random() < 0.5:
        picture, mask = picture[:, ::-1], mask[:, ::-1]
    x1, y1, x2, y2 = (float(v) for v in beside)
    zoom = (y2 - y1) / mask.shape[0] * rng.uniform(0.75, 1.25)
    away = float(rng.uniform(0.05, 0.8) * rng.choice((-1.0, 1.0)))
    foot = np.array([mask.shape[1] / 2.0, float(mask.shape[0])])
    centre = np.array([(x1 + x2) / 2 + away * (x2 - x1), y2 + rng.uniform(-0.05, 0.2) * (y2 - y1)])
    matrix = np.concatenate([np.eye(2) * zoom, (centre - zoom * foot)[:, None]], axis=1)
    flags = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    to = (size[1], size[0])
    laid = cv2.warpAffine(np.ascontiguousarray(picture), matrix, to, flags=flags)
    cover = cv2.warpAffine(np.ascontiguousarray(mask), matrix, to, flags=flags)
    return np.asarray(laid, np.uint8), np.asarray(cover, np.uint8)


def _labelled(sample: Sample, picture: Image, laid: Sequence[Image]) -> Sample:
    """The scene's labels after ``laid`` masks came before everything, one over the other."""
    cover = np.zeros(picture.shape[:2], np.bool_)
    seen: list[tuple[int, int, int, int]] = []
    hidden: list[tuple[int, int, int, int]] = []
    for mask in reversed(laid):
        whole = mask > 127
        left = whole & ~cover
        enough = left.sum() >= VISIBLE_LEAST * whole.sum()
        (seen if enough else hidden).append(extent(np.where(left, np.uint8(255), np.uint8(0))))
        cover |= whole
    covered = np.array([_share(cover, box) for box in sample.boxes]).reshape(-1)
    kept = covered <= COVERED_MOST
    boxes = np.array(seen, np.float32).reshape(-1, 4)
    return Sample(
        picture,
        np.concatenate([sample.boxes[kept], boxes]),
        np.concatenate(
            [sample.class_ids[kept], np.full(len(boxes), SubjectClass.HORSE, np.int16)]
        ).astype(np.int16),
        np.concatenate(
            [sample.ignored, sample.boxes[~kept], np.array(hidden, np.float32).reshape(-1, 4)]
        ),
    )


def _share(cover: NDArray[np.bool_], box: FloatArray) -> float:
    x1, y1, x2, y2 = (int(v) for v in np.maximum(box, 0))
    inside = cover[y1:y2, x1:x2]
    return float(inside.mean()) if inside.size else 0.0


def drawn(cut_outs: Sequence[CutOut], rng: np.random.Generator) -> list[CutOut]:
    """One to three of the horses, by chance; two most often."""
    count = int(rng.choice((1, 2, 3), p=(0.35, 0.5, 0.15)))
    return [cut_outs[int(row)] for row in rng.integers(0, len(cut_outs), count)]

"""Close-ups: what a camera nearer to the animal would have shown of a labelled picture.

Collections of pictures show whole animals. A camera in a stall shows heads, flanks and legs that
fill the picture, so a part of each picture is cut out as if it were a whole one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.domain.detections import SubjectClass
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray, box_areas_px2, clip_boxes
from engine.training.detector_data import LabelledPicture

LEAST_ANIMAL_PX = 90.0
"""Longer side of an animal of which a part still shows something."""
LEAST_WINDOW_PX = 40
SIDES = (0.4, 1.0)
"""Mean side of the window, relative to the longer side of the animal's box; chosen, like the
limits below, by looking at 40 close-ups: smaller ones show coats without an animal."""
LEAST_SHOWN, LEAST_FILLED = 0.5, 0.4
"""A cut animal keeps its label where so much of its box is seen, or where what is seen fills so
much of the picture; otherwise it is neither present nor absent."""
_LEAST_BOX_PX = 8.0


def close_up(
    picture_bgr: Image, labelled: LabelledPicture, rng: np.random.Generator
) -> tuple[Image, LabelledPicture] | None:
    """A window uint8 (h, w, 3) of the picture around a part of one of its animals, with labels in
    the window's pixels; None where no animal is large enough or none keeps its label."""
    sides = labelled.boxes_xyxy_px[:, 2:] - labelled.boxes_xyxy_px[:, :2]
    animals = np.flatnonzero(
        (labelled.class_ids != SubjectClass.PERSON) & (sides.max(axis=1) >= LEAST_ANIMAL_PX)
    )
    if not len(animals):
        return None
    box = labelled.boxes_xyxy_px[rng.choice(animals)]
    x1, y1, x2, y2 = _window(box, picture_bgr.shape[:2], rng)
    if min(x2 - x1, y2 - y1) < LEAST_WINDOW_PX:
        return None
    known = _seen_in(labelled, x1, y1, x2 - x1, y2 - y1)
    return (picture_bgr[y1:y2, x1:x2], known) if len(known.class_ids) else None


def _window(
    box: FloatArray, size: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """A window (x1, y1, x2, y2) that looks at the upper three quarters of the box, where heads
    and backs are."""
    limits = np.array([size[1], size[0]], np.float64)
    extent = (box[2:] - box[:2]).astype(np.float64)
    aspect = float(np.exp(rng.uniform(-0.175, 0.175)))
    side = rng.uniform(*SIDES) * extent.max()
    window = np.minimum([side * aspect, side / aspect], limits)
    at = rng.uniform((-0.05, -0.05), (1.05, 0.75))
    low = np.clip(box[:2] + at * extent - window / 2.0, 0.0, limits - window)
    x1, y1, x2, y2 = np.round(np.concatenate([low, low + window])).astype(int)
    return int(x1), int(y1), int(x2), int(y2)


def _seen_in(
    labelled: LabelledPicture, left: int, top: int, width_px: int, height_px: int
) -> LabelledPicture:
    corner = np.array([left, top] * 2, np.float32)
    boxes = clip_boxes(labelled.boxes_xyxy_px - corner, width_px, height_px)
    areas = box_areas_px2(boxes)
    shown = areas / np.maximum(box_areas_px2(labelled.boxes_xyxy_px), 1.0)
    fills = areas / (width_px * height_px)
    there = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= _LEAST_BOX_PX
    kept = there & ((shown >= LEAST_SHOWN) | (fills >= LEAST_FILLED))
    ignored = clip_boxes(labelled.ignored_xyxy_px - corner, width_px, height_px)
    return replace(
        labelled,
        boxes_xyxy_px=boxes[kept],
        class_ids=labelled.class_ids[kept],
        ignored_xyxy_px=np.concatenate([ignored[box_areas_px2(ignored) > 0], boxes[there & ~kept]]),
        annotated=0,
    )

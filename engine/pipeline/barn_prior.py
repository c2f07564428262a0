"""What a barn knows and a general detector does not: no dog fills a barn camera's picture.

Detectors trained on everyday pictures call dark and silhouetted horses dogs with high confidence
(seen with two COCO models). Barn cameras hang at 2 to 4 m and see dogs small, so a dog as tall as
a good part of the picture is a horse candidate. Where a verifier looks at every animal this is not
needed: it tells horses from dogs by what they look like, and its answer stands.
"""

from __future__ import annotations

import numpy as np

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.geometry import iou_matrix
from engine.settings import DetectionSettings

SAME_ANIMAL_IOU = 0.5
"""A dog box that overlaps a horse box this much is a second name for the same animal."""


def with_barn_prior(
    found: DetectionBatch, height_px: int, settings: DetectionSettings
) -> DetectionBatch:
    """The detections with implausibly tall dogs called horses, or dropped where a horse box is
    there already. ``height_px`` is the picture's height."""
    if not settings.lookalikes_are_horses or not len(found):
        return found
    heights = found.boxes_xyxy_px[:, 3] - found.boxes_xyxy_px[:, 1]
    tall = (found.class_ids == SubjectClass.DOG) & (
        heights >= settings.dog_height_share * height_px
    )
    if not tall.any():
        return found
    horses = found.class_ids == SubjectClass.HORSE
    overlap = iou_matrix(found.boxes_xyxy_px, found.boxes_xyxy_px[horses])
    named_already = tall & (overlap > SAME_ANIMAL_IOU).any(axis=1)
    classes = np.where(tall, SubjectClass.HORSE, found.class_ids).astype(np.int16)
    renamed = DetectionBatch(found.boxes_xyxy_px, found.scores, classes)
    return renamed.select(~named_already)

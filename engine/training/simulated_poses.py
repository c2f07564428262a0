"""Horses of the simulated farm as further pose pictures: every coat, posture and light.

They teach what the photographs lack (lying and rolling horses, night, horses behind others), at a
low weight, and are never measured against: drawn horses say nothing about accuracy on real ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from engine.simulation.barn import SimulatedBarn
from engine.simulation.scenarios import shared_farm
from engine.training.pose_data import Picture, PoseInstance, PoseSet, cut_instance, stacked

SOURCE = "simulated"
SEEN_WEIGHT, HIDDEN_WEIGHT = 0.5, 0.25
LEAST_HEIGHT_PX = 70.0
LEAST_VISIBLE = 0.5
LEAST_LANDMARKS = 10

_SIGHTS = (
    ("rounds", "stall"), ("rounds", "paddock"), ("rounds", "paddock2"), ("rounds", "arena"),
    ("rounds", "aisle"), ("night", "stall"), ("night", "stall2"), ("events", "stall"),
    ("events", "paddock"), ("rounds", "yard"),
)  # fmt: skip
"""(programme, camera), drawn in turn."""
_HERD = 10
_SPAN_S = 1800.0


def simulated_pose_set(count: int, seed: int = 1) -> PoseSet:
    """About ``count`` labelled crops, the same for the same seed."""
    cut = []
    for picture, instance in _instances(count, seed):
        crop, marks, box = cut_instance(picture, instance)
        cut.append((crop, marks, box, f"{SOURCE}/{instance.group}", SOURCE))
    return stacked(cut)


def _instances(count: int, seed: int) -> Iterator[tuple[Picture, PoseInstance]]:
    rng = np.random.default_rng(seed)
    given = tried = 0
    while given < count and tried < 40 * count:
        programme, camera = _SIGHTS[tried % len(_SIGHTS)]
        herd = seed + tried // (4 * len(_SIGHTS))
        farm = shared_farm(programme, herd, _HERD)
        at_s = float(rng.uniform(0.0, _SPAN_S))
        tried += 1
        barn = SimulatedBarn(camera, herd, farm=farm, size_px=(1280, 720))
        seen = farm.sightings(camera, np.array([at_s]))
        scale = 1280 / 960  # sightings are in pixels of the camera's own 960 px wide picture
        picture: Picture | None = None
        for row in np.flatnonzero(seen.visibility >= LEAST_VISIBLE):
            box = (seen.boxes_xyxy_px[row] * scale).astype(np.float32)
            if min(box[2] - box[0], box[3] - box[1]) < LEAST_HEIGHT_PX:
                continue
            shown = seen.visible[row]
            if shown.sum() < LEAST_LANDMARKS:
                continue
            if picture is None:
                drawn = cv2.cvtColor(barn.picture_at(at_s), cv2.COLOR_BGR2RGB)
                picture = np.asarray(drawn, np.uint8)
            weights = np.where(shown, SEEN_WEIGHT, HIDDEN_WEIGHT)[:, None]
            points = seen.keypoints_px[row] * scale
            marks = np.concatenate([points, weights], axis=1).astype(np.float32)
            group = f"{programme}-{camera}-{herd}-{at_s:.2f}-{int(seen.horse_ids[row])}"
            yield picture, PoseInstance(SOURCE, group, marks, box)
            given += 1

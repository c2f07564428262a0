"""Contact sheets: frames of a clip with the boxes and skeletons a model draws, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.frames import Image
from engine.domain.ports import Detector, PoseEstimator
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import Skeleton
from engine.sources.pictures import ArrayPicture
from engine.training.evaluation import answers_of
from engine.training.tracklets import frames_bgr

LEFT, RIGHT, MIDDLE = (60, 60, 255), (80, 220, 80), (255, 220, 60)
"""BGR: left landmarks red, right green, the others light blue."""

_BOX_COLOURS = {SubjectClass.HORSE: (0, 200, 255), SubjectClass.PERSON: (255, 120, 120)}
_BONE = (230, 230, 230)
_BARE = 48
"""Grey level in place of pictures."""
_SIDE_PX = 420


def frames_of(clip: Path, count: int) -> list[Image]:
    """``count`` frames spread evenly over a clip, BGR; OperatorMistake when it cannot be read."""
    capture = cv2.VideoCapture(str(clip))
    total = 0
    try:
        while capture.grab():
            total += 1
    finally:
        capture.release()
    if not total:
        raise OperatorMistake(f"{clip} holds no readable pictures.")
    rows = set(np.linspace(0, total - 1, min(total, count)).round().astype(int).tolist())
    return [p for index, p in enumerate(frames_bgr(clip, 1)) if index in rows]


def look_at(
    pictures: Sequence[Image], detector: Detector, pose: PoseEstimator | None, least_score: float,
    least_landmark: float = 0.3, columns: int = 5, bare: bool = False,
) -> tuple[Image, dict[str, float]]:  # fmt: skip
    """All pictures with what is found in them, side by side, uint8 BGR; and how much it is.

    ``bare``: what is found alone, on grey, to be shown where the pictures may not be.
    ``with_horse``: share of the pictures with a horse's box. ``horses``: boxes a picture.
    ``landmarks``: share of the landmarks of all horses that score ``least_landmark``.
    """
    tiles, counts = [], []
    sure: list[float] = []
    for picture in pictures:
        found = answers_of(detector, picture, least_score)
        horses = found.boxes_xyxy_px[found.class_ids == SubjectClass.HORSE]
        counts.append(len(horses))
        drawn = np.full_like(picture, _BARE) if bare else picture.copy()
        draw_boxes(drawn, found)
        if pose is not None and len(horses):
            poses = pose.estimate([(ArrayPicture(picture.copy()), horses)])[0]
            draw_poses(drawn, poses, least_landmark)
            sure += (poses.scores >= least_landmark).mean(axis=1).tolist()
        tiles.append(_tile(drawn))
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    figures = {
        "frames": len(counts),
        "with_horse": round(float(np.mean(np.array(counts) > 0)), 3),
        "horses": round(float(np.mean(counts)), 2),
        "landmarks": round(float(np.mean(sure)), 3) if sure else 0.0,
    }
    return np.asarray(np.vstack(rows), np.uint8), figures


def draw_boxes(picture: Image, found: DetectionBatch) -> None:
    """Boxes and scores, drawn into the picture."""
    for box, score, kind in zip(found.boxes_xyxy_px, found.scores, found.class_ids, strict=True):
        colour = _BOX_COLOURS.get(SubjectClass(int(kind)))
        if colour is None:
            continue
        x1, y1, x2, y2 = (int(v) for v in box)
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, max(1, picture.shape[1] // 400))
        cv2.putText(
            picture, f"{score:.2f}", (x1 + 2, max(y1, 12)), cv2.FONT_HERSHEY_SIMPLEX,
            picture.shape[1] / 1200, colour, 1, cv2.LINE_AA,
        )  # fmt: skip


def draw_poses(picture: Image, poses: PoseBatch, least_score: float) -> None:
    """Bones and landmarks that score at least ``least_score``, drawn into the picture."""
    skeleton = poses.skeleton
    width = max(1, picture.shape[1] // 450)
    for points, scores in zip(poses.keypoints_px, poses.scores, strict=True):
        places = [(int(x), int(y)) for x, y in points]
        for start, end in skeleton.bones:
            if min(scores[start], scores[end]) >= least_score:
                cv2.line(picture, places[start], places[end], _BONE, width, cv2.LINE_AA)
        for index, place in enumerate(places):
            if scores[index] >= least_score:
                cv2.circle(picture, place, 2 * width, _side_colour(skeleton, index), -1)


def _side_colour(skeleton: Skeleton, index: int) -> tuple[int, int, int]:
    for left, right in skeleton.pairs:
        if index == left:
            return LEFT
        if index == right:
            return RIGHT
    return MIDDLE


def _tile(picture: Image) -> Image:
    height, width = picture.shape[:2]
    scale = _SIDE_PX / width
    size = (_SIDE_PX, max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)

"""Measuring a model as the product serves it: figures with counts and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.ports import Detector, PoseEstimator
from engine.domain.skeletons import EQUINE26, Skeleton
from engine.sources.pictures import ArrayPicture
from engine.training.accuracy import (
    BoxMatches,
    bootstrap_interval,
    landmark_errors,
    match_boxes,
    recall_at,
    threshold_at_false_pictures,
)
from engine.training.crowding import crowded
from engine.training.detector_data import annotated_pictures, loose_pictures
from engine.training.pose_data import (
    Picture,
    PoseInstance,
    clip_instances,
    cut_instance,
    is_held_out,
    picture_instances,
)

Report = dict[str, object]
SHARES = (0.05, 0.1)
LEAST_SCORE = 0.01
_AT_ONCE = 16


def landmark_order(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Pairs (row of EQUINE26, row of ``skeleton``) of the same anatomical role."""
    return [
        (row, skeleton.index_by_role[role])
        for role, row in EQUINE26.roles
        if role in skeleton.index_by_role
    ]


def _pose_instances(data: Path) -> Iterator[tuple[Picture, PoseInstance]]:
    if (data / "index.csv").is_file():
        return clip_instances(data, every=1)
    if (data / "annotations.json").is_file():
        return picture_instances(data)
    raise OperatorMistake(
        f"{data} is no pose data.", "Expected index.csv with clips, or annotations.json."
    )


def evaluate_pose(
    estimator: PoseEstimator, data: Path, held_out_only: bool = False,
    tell: Callable[[str], None] = lambda _line: None,
) -> Report:  # fmt: skip
    """PCK at 0.05 and 0.1 of the diagonal of the labelled points' box, in all and per landmark.

    The crop is made from the labelled box, so this measures pose alone. ``held_out_only``: only
    what ``barnhand train`` keeps from training. Landmarks the model's skeleton lacks are not
    counted. OperatorMistake for folders of another layout.
    """
    order = landmark_order(estimator.skeleton)
    ours, theirs = [a for a, _ in order], [b for _, b in order]
    found: list[FloatArray] = []
    labels: list[FloatArray] = []
    groups: list[str] = []
    batch: list[tuple[Picture, PoseInstance]] = []

    def finish() -> None:
        jobs = [
            (ArrayPicture(np.ascontiguousarray(picture[:, :, ::-1])), instance.box_xyxy_px[None])
            for picture, instance in batch
        ]
        for (_, instance), poses in zip(batch, estimator.estimate(jobs), strict=True):
            found.append(poses.keypoints_px[0, theirs])
            labels.append(instance.landmarks[ours])
            groups.append(instance.group)
        batch.clear()

    for picture, instance in _pose_instances(data):
        if held_out_only and not is_held_out(f"{instance.source}/{instance.group}"):
            continue
        if not (instance.landmarks[ours, 2] > 0).any():
            continue
        batch.append((picture, instance))
        if len(batch) == _AT_ONCE:
            finish()
            tell(f"{len(found)} animals measured")
    if batch:
        finish()
    if not found:
        raise OperatorMistake(f"{data} has nothing to measure.")
    return _pose_report(np.stack(found), np.stack(labels), tuple(groups), ours)


def evaluate_crowded(
    estimator: PoseEstimator, data: Path, held_out_only: bool = False, seed: int = 1,
    tell: Callable[[str], None] = lambda _line: None,
) -> Report:  # fmt: skip
    """PCK of horses with another horse of the same data laid before or behind them.

    Besides the keys of ``evaluate_pose``: ``taken_0.1``, the share of labelled landmarks whose
    answer is off by more than a tenth of the diagonal and lies within a tenth of the other horse's
    same landmark: skeletons that were shared. Crowding is drawn from ``seed``, so two models see
    the same pictures. OperatorMistake when fewer than two animals have a known outline.
    """
    order = landmark_order(estimator.skeleton)
    ours, theirs = [a for a, _ in order], [b for _, b in order]
    cuts = [
        (*cut_instance(picture, instance), instance.group)
        for picture, instance in _pose_instances(data)
        if not held_out_only or is_held_out(f"{instance.source}/{instance.group}")
    ]
    rng = np.random.default_rng(seed)
    found, labels, others, groups = [], [], [], []
    for number, (crop, marks, box, group) in enumerate(cuts):
        beside = cuts[int(rng.integers(len(cuts)))]
        picture, other = crowded(crop, marks, beside[0], beside[1], rng)
        if other is None or not (marks[ours, 2] > 0).any():
            continue
        job = (ArrayPicture(np.ascontiguousarray(picture[:, :, ::-1])), box[None])
        found.append(estimator.estimate([job])[0].keypoints_px[0, theirs])
        labels.append(marks[ours])
        others.append(other[ours])
        groups.append(group)
        if number % 100 == 99:
            tell(f"{number + 1} animals measured")
    if not found:
        raise OperatorMistake(f"{data} has no two animals with a known outline.")
    answers, wanted, rivals = np.stack(found), np.stack(labels), np.stack(others)
    report = _pose_report(answers, wanted, tuple(groups), ours)
    report["taken_0.1"] = _taken(answers, wanted, rivals, 0.1)
    return report


def _taken(answers: FloatArray, wanted: FloatArray, rivals: FloatArray, share: float) -> float:
    """Share of labelled landmarks that sit on the other animal's instead, (N, K, 2) and (N, K, 3)
    twice; the diagonal is that of the wanted animal."""
    mine = landmark_errors(answers, wanted).relative
    off_px = np.hypot(*np.moveaxis(answers - wanted[..., :2], -1, 0))
    to_rival_px = np.hypot(*np.moveaxis(answers - rivals[..., :2], -1, 0))
    known = np.isfinite(mine)
    with np.errstate(divide="ignore", invalid="ignore"):
        theirs = mine * to_rival_px / off_px
    taken = (mine > share) & (theirs < share) & (rivals[..., 2] > 0)
    return float(taken[known].mean())


def _pose_report(
    found: FloatArray, labels: FloatArray, groups: tuple[str, ...], landmarks: list[int]
) -> Report:
    errors = landmark_errors(found, labels)
    report: Report = {}
    for share in SHARES:
        hits = np.where(
            np.isfinite(errors.relative), errors.relative < share, np.nan
        ).astype(np.float64)  # fmt: skip
        low, high = bootstrap_interval(hits, groups)
        report[f"pck_{share}"] = errors.pck(share)
        report[f"pck_{share}_interval"] = [low, high]
    counts = np.isfinite(errors.relative).sum(axis=0)
    shares = {share: errors.pck_by_landmark(share) for share in SHARES}
    report["frames"], report["horses"] = len(found), len(set(groups))
    report["points"] = errors.points
    report["per_landmark"] = {
        EQUINE26.landmarks[landmark]: {
            **{f"pck_{share}": float(shares[share][row]) for share in SHARES},
            "points": int(counts[row]),
        }
        for row, landmark in enumerate(landmarks)
        if counts[row]
    }
    return report


def answers_of(detector: Detector, picture_bgr: Image, least_score: float) -> DetectionBatch:
    """Detections of a whole picture, in its pixels."""
    width_px, height_px = detector.input_size_px
    height, width = picture_bgr.shape[:2]
    scale = min(width_px / width, height_px / height)
    size = max(1, int(width * scale)), max(1, int(height * scale))
    scaled = np.asarray(cv2.resize(picture_bgr, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return detector.detect([scaled], [scale], least_score)[0]


def _horses(detector: Detector, picture_bgr: Image) -> DetectionBatch:
    found = answers_of(detector, picture_bgr, LEAST_SCORE)
    return found.select(found.class_ids == SubjectClass.HORSE)


def evaluate_detector(
    detector: Detector, data: Path, negatives: Path | None = None, threshold: float = 0.3,
    held_out_only: bool = False, tell: Callable[[str], None] = lambda _line: None,
) -> Report:  # fmt: skip
    """Recall and precision of horses at IoU 0.5, every picture counted.

    With ``negatives`` (pictures without horses) also ``recall_0.5_at_fp1``: recall at the lowest
    threshold that calls a horse on at most 1 % of them. Horses that the data does not label count
    as false, so precision is a lower bound. OperatorMistake for folders of another layout.
    """
    if not (data / "annotations.json").is_file():
        raise OperatorMistake(f"{data} is no detector data.", "Expected annotations.json.")
    matches: list[BoxMatches] = []
    for found in annotated_pictures(data):
        if held_out_only and not is_held_out(f"{found.source}/{found.group}"):
            continue
        answers = _horses(detector, found.picture_bgr)
        labels = [
            box
            for box, kind in zip(found.boxes, found.class_ids, strict=True)
            if kind == SubjectClass.HORSE
        ]
        boxes = np.array(labels, np.float32).reshape(-1, 4)
        matches.append(match_boxes(answers.boxes_xyxy_px, answers.scores, boxes))
        if len(matches) % 100 == 0:
            tell(f"{len(matches)} pictures measured")
    if not matches:
        raise OperatorMistake(f"{data} has nothing to measure.")
    report = _detector_report(matches, threshold)
    if negatives is not None:
        peaks = [float(_horses(detector, p).scores.max(initial=0.0)) for p in _pictures(negatives)]
        if not peaks:
            raise OperatorMistake(f"{negatives} holds no pictures.")
        at = threshold_at_false_pictures(np.array(peaks, np.float32))
        report["recall_0.5_at_fp1"] = recall_at(matches, at)
        report["threshold_at_fp1"] = at
        report["negatives"] = len(peaks)
        report["false_pictures"] = float((np.array(peaks) >= threshold).mean())
    return report


def _pictures(folder: Path) -> Iterator[Image]:
    source = folder / "images" if (folder / "images").is_dir() else folder
    return (found.picture_bgr for found in loose_pictures(source))


def _detector_report(matches: list[BoxMatches], threshold: float) -> Report:
    hits = [(m.matched & (m.scores >= threshold)).sum() for m in matches]
    answers = [(m.scores >= threshold).sum() for m in matches]
    per_picture = np.array(
        [h / m.labels if m.labels else np.nan for h, m in zip(hits, matches, strict=True)]
    )
    low, high = bootstrap_interval(per_picture, tuple(str(i) for i in range(len(matches))))
    return {
        "recall_0.5": recall_at(matches, threshold),
        "recall_0.5_interval_of_picture_mean": [low, high],
        "precision_0.5": float(sum(hits) / max(sum(answers), 1)),
        "threshold": threshold,
        "frames": len(matches),
        "horses": sum(m.labels for m in matches),
    }

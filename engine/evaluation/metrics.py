"""Figures of a tracker's result against ground truth, computed by the public TrackEval package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import iou_matrix
from engine.evaluation.mot import NO_CLASS, MotTable

SUBJECT_CLASS = 1
"""The class that counts in ground truth that states classes (MOT Challenge: pedestrian)."""
DISTRACTOR_CLASSES = (2, 7, 8, 12)
"""Person on vehicle, static person, distractor, reflection: finding them is neither right nor
wrong (TrackEval's preprocessing for MOT16 and later)."""
DISTRACTOR_OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class TrackingFigures:
    """HOTA and its parts (means over overlaps 0.05 to 0.95), IDF1 and CLEAR at overlap 0.5.

    All but the counts in 0..1 (mota may be negative). ``fragmentations``: interruptions of truly
    tracked objects.
    """

    hota: float
    deta: float
    assa: float
    loca: float
    idf1: float
    idp: float
    idr: float
    mota: float
    id_switches: int
    fragmentations: int
    false_positives: int
    misses: int
    objects: int
    tracks: int
    object_boxes: int
    track_boxes: int


def tracking_figures(truth: MotTable, tracks: MotTable, frames: int) -> TrackingFigures:
    """Score ``tracks`` against ``truth`` over frames 1 to ``frames``.

    Truth rows flagged 0, or of another class than the subject's where classes are stated, are not
    asked for; boxes on distractors are taken out. Raises OperatorMistake where an id occurs twice
    in a frame or TrackEval is not installed.
    """
    clear, hota, identity = _metrics()
    data = _trackeval_data(truth, tracks, frames)
    by_hota, by_clear = hota.eval_sequence(data), clear.eval_sequence(data)
    by_id = identity.eval_sequence(data)
    return TrackingFigures(
        hota=float(np.mean(by_hota["HOTA"])),
        deta=float(np.mean(by_hota["DetA"])),
        assa=float(np.mean(by_hota["AssA"])),
        loca=float(np.mean(by_hota["LocA"])),
        idf1=float(by_id.get("IDF1", 0.0)),
        idp=float(by_id.get("IDP", 0.0)),
        idr=float(by_id.get("IDR", 0.0)),
        mota=float(by_clear.get("MOTA", 0.0)),
        id_switches=int(by_clear["IDSW"]),
        fragmentations=int(by_clear["Frag"]),
        false_positives=int(by_clear["CLR_FP"]),
        misses=int(by_clear["CLR_FN"]),
        objects=data["num_gt_ids"],
        tracks=data["num_tracker_ids"],
        object_boxes=data["num_gt_dets"],
        track_boxes=data["num_tracker_dets"],
    )


def _metrics() -> tuple[Any, Any, Any]:
    try:
        from trackeval.metrics import CLEAR, HOTA, Identity
    except ImportError as error:
        raise OperatorMistake(
            "The public tracking metrics (TrackEval) are not installed.",
            "Run the program through python3 dev.py, which installs them.",
        ) from error
    quiet = {"PRINT_CONFIG": False}
    return CLEAR(quiet), HOTA(), Identity(quiet)


def _trackeval_data(truth: MotTable, tracks: MotTable, frames: int) -> dict[str, Any]:
    """The input of a metric's ``eval_sequence``: lists with one entry per frame, ids from 0."""
    _refuse_doubles(truth, "ground truth")
    _refuse_doubles(tracks, "tracks")
    per_frame = [_frame(truth, tracks, frame) for frame in range(1, frames + 1)]
    truth_ids = np.unique(np.concatenate([truth.ids[t] for t, _, _ in per_frame]))
    track_ids = np.unique(np.concatenate([tracks.ids[r] for _, r, _ in per_frame]))
    return {
        "num_timesteps": frames,
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(track_ids),
        "num_gt_dets": sum(len(t) for t, _, _ in per_frame),
        "num_tracker_dets": sum(len(r) for _, r, _ in per_frame),
        "gt_ids": [np.searchsorted(truth_ids, truth.ids[t]) for t, _, _ in per_frame],
        "tracker_ids": [np.searchsorted(track_ids, tracks.ids[r]) for _, r, _ in per_frame],
        "similarity_scores": [overlap for _, _, overlap in per_frame],
    }


def _frame(
    truth: MotTable, tracks: MotTable, frame: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """One frame's counting rows of both tables and their overlaps (truth, tracks)."""
    one, two = truth.rows_of(frame), tracks.rows_of(frame)
    overlap = iou_matrix(truth.boxes_xyxy_px[one], tracks.boxes_xyxy_px[two]).astype(np.float64)
    classes = truth.classes[one]
    asked = truth.scores[one] != 0
    asked &= (classes == SUBJECT_CLASS) | (classes == NO_CLASS)
    counted = np.ones(two.stop - two.start, np.bool_)
    distractors = np.isin(classes, DISTRACTOR_CLASSES)
    if distractors.any() and counted.any():
        near = np.where(overlap >= DISTRACTOR_OVERLAP, overlap, 0.0)
        rows, columns = linear_sum_assignment(-near)
        counted[columns[(near[rows, columns] > 0) & distractors[rows]]] = False
    return (
        np.flatnonzero(asked) + one.start,
        np.flatnonzero(counted) + two.start,
        overlap[asked][:, counted],
    )


def _refuse_doubles(table: MotTable, what: str) -> None:
    pairs = np.stack([table.frames, table.ids], axis=1)
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    if (counts > 1).any():
        frame, number = kinds[counts.argmax()].tolist()
        raise OperatorMistake(
            f"In the {what}, id {number} occurs {counts.max()} times in frame {frame}.",
            "Is a detection file given as ground truth?",
        )

"""The product's tracker over recorded detections, boxes only, judged against ground truth."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.frames import FrameStamp
from engine.domain.ids import new_stream_id
from engine.evaluation.metrics import TrackingFigures, tracking_figures
from engine.evaluation.mot import NO_CLASS, MotTable, find_sequence_info, read_mot
from engine.settings import EngineSettings
from engine.tracking.tracker import Tracker

ASSUMED_FPS = 25.0
"""Pictures per second where neither an option nor a seqinfo.ini tells."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TrackerRun:
    """A tracker's output (rows of confirmed tracks as they were given out, picture by picture) and
    what an update cost."""

    tracks: MotTable
    update_ms: float


def track_detections(
    detections: MotTable, frames: int, fps: float, settings: EngineSettings | None = None
) -> TrackerRun:
    """Run the tracker with the product's settings over frames 1 to ``frames``.

    Online: what is given out for a picture is never revised later. Scores outside 0..1 are brought
    there first.
    """
    settings = settings or EngineSettings()
    tracker = Tracker(new_stream_id(), settings.tracking)
    scores = unit_scores(detections.scores)
    columns: list[list[float]] = []
    times_s: list[float] = []
    for frame in range(1, frames + 1):
        rows = detections.rows_of(frame)
        boxes, strong = detections.boxes_xyxy_px[rows], scores[rows]
        order = np.argsort(-strong, kind="stable")
        found = DetectionBatch(
            boxes[order], strong[order], np.full(len(order), SubjectClass.HORSE, np.int16)
        )
        t_s = frame / fps
        stamp = FrameStamp(tracker.stream_id, frame, EPOCH + timedelta(seconds=t_s), t_s, t_s)
        began_s = time.perf_counter()
        seen = tracker.update(found, stamp, settings.detection.confidence)
        times_s.append(time.perf_counter() - began_s)
        for row in range(len(seen)):
            box = seen.boxes_xyxy_px[row].tolist()
            columns.append([frame, int(seen.numbers[row]), *box, float(seen.scores[row])])
    return TrackerRun(_table(columns), float(np.median(times_s)) * 1e3)


def _table(columns: list[list[float]]) -> MotTable:
    values = np.array(columns, np.float64).reshape(-1, 7)
    return MotTable(
        frames=values[:, 0].astype(np.int64),
        ids=values[:, 1].astype(np.int64),
        boxes_xyxy_px=values[:, 2:6].astype(np.float32),
        scores=values[:, 6].astype(np.float32),
        classes=np.full(len(values), NO_CLASS, np.int64),
    )


def unit_scores(
    scores: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Detection scores in 0..1: as they are where they lie there, all 1 where every score is the
    same (a file without scores), else squashed by the logistic function (margins of a classifier).
    """
    if len(scores) and scores.min() == scores.max() and not 0 < scores[0] <= 1:
        return np.ones_like(scores)
    if len(scores) and (scores.min() < 0 or scores.max() > 1):
        squashed = 1 / (1 + np.exp(-np.clip(scores.astype(np.float64), -30, 30)))
        return np.asarray(squashed, np.float32)
    return scores


def evaluate_files(
    truth_path: Path, detections_path: Path, fps: float | None = None
) -> tuple[dict[str, object], MotTable]:
    """Figures of the tracker on a sequence, as a report, and the tracks.

    Raises OperatorMistake for damaged, empty or mismatched files.
    """
    truth, detections = read_mot(truth_path), read_mot(detections_path)
    _check_match(truth, detections)
    info = find_sequence_info(truth_path, detections_path)
    fps, fps_from = _fps(fps, info.fps if info else None)
    frames = max(truth.last_frame, detections.last_frame)
    run = track_detections(detections, frames, fps)
    figures = tracking_figures(truth, run.tracks, frames)
    name = (info.name if info else None) or truth_path.resolve().parent.name
    report = {
        **rounded(figures),
        "data": name,
        "frames": frames,
        "seconds": round(frames / fps, 2),
        "fps": fps,
        "fps_from": fps_from,
        "detections": len(detections),
        "update_ms": round(run.update_ms, 3),
        "mode": "boxes only, online: confirmed tracks as given out with each picture",
        "metrics": "TrackEval: HOTA (mean over overlaps), Identity and CLEAR at overlap 0.5",
        "not_shown": _not_shown(frames, frames / fps, figures),
    }
    return report, run.tracks


def _fps(given: float | None, stated: float | None) -> tuple[float, str]:
    if given is not None:
        return given, "--fps"
    if stated is not None:
        return stated, "seqinfo.ini"
    return ASSUMED_FPS, "assumed: no seqinfo.ini and no --fps"


def rounded(figures: TrackingFigures) -> dict[str, object]:
    """The figures by name, ratios to five places."""
    return {
        name: round(value, 5) if isinstance(value, float) else value
        for name, value in asdict(figures).items()
    }


def _check_match(truth: MotTable, detections: MotTable) -> None:
    if (truth.ids < 0).all():
        raise OperatorMistake(
            "The ground truth has no ids.", "Are --gt and --det the wrong way round?"
        )
    shared = np.intersect1d(truth.frames, detections.frames)
    if not len(shared):
        raise OperatorMistake(
            f"The files share no frame: truth {truth.frames[0]} to {truth.last_frame}, "
            f"detections {detections.frames[0]} to {detections.last_frame}.",
            "Do they belong to the same sequence?",
        )


def _not_shown(frames: int, seconds: float, figures: TrackingFigures) -> str:
    return (
        f"{frames} pictures ({seconds:.1f} s) of {figures.objects} objects: one sequence says "
        "little about others, nothing about appearance and, unless it shows horses, nothing about "
        "horses."
    )

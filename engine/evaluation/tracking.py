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
from engine.domain.geometry import FloatArray
from engine.domain.ids import new_stream_id
from engine.evaluation.metrics import TrackingFigures, tracking_figures
from engine.evaluation.mot import NO_CLASS, MotTable, find_sequence_info, read_mot
from engine.settings import EngineSettings
from engine.tracking.interpolation import LONGEST_S, fill_gaps
from engine.tracking.tracker import Tracker

ASSUMED_FPS = 25.0
"""Pictures per second where neither an option nor a seqinfo.ini tells."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TrackerRun:
    """A tracker's output.

    ``online``: what was given out with each picture, never revised. ``saved``: the same with gaps
    of up to half a second filled (``engine.tracking.interpolation``), as overlay files show it.
    ``update_ms``: median cost of a picture.
    """

    online: MotTable
    saved: MotTable
    update_ms: float


def track_detections(
    detections: MotTable, frames: int, fps: float, settings: EngineSettings | None = None
) -> TrackerRun:
    """Run the tracker with the product's settings over frames 1 to ``frames``.

    Scores outside 0..1 are brought there first (``unit_scores``).
    """
    settings = settings or EngineSettings()
    tracker = Tracker(new_stream_id(), settings.tracking)
    scores = unit_scores(detections.scores)
    lines: list[list[float]] = []
    times_s: list[float] = []
    for frame in range(1, frames + 1):
        rows = detections.rows_of(frame)
        order = np.argsort(-scores[rows], kind="stable")
        found = DetectionBatch(
            detections.boxes_xyxy_px[rows][order],
            scores[rows][order],
            np.full(len(order), SubjectClass.HORSE, np.int16),
        )
        t_s = frame / fps
        stamp = FrameStamp(tracker.stream_id, frame, EPOCH + timedelta(seconds=t_s), t_s, t_s)
        began_s = time.perf_counter()
        seen = tracker.update(found, stamp, settings.detection.confidence)
        times_s.append(time.perf_counter() - began_s)
        for number, box, score in zip(
            seen.numbers.tolist(), seen.boxes_xyxy_px.tolist(), seen.scores.tolist(), strict=True
        ):
            lines.append([frame, number, *box, score])
    online = _table(np.array(lines, np.float64).reshape(-1, 7))
    return TrackerRun(online, filled(online, fps), float(np.median(times_s)) * 1e3)


def filled(tracks: MotTable, fps: float) -> MotTable:
    """The tracks with gaps of up to half a second interpolated."""
    times_s = np.arange(tracks.last_frame + 1) / fps
    rows = fill_gaps(times_s, tracks.frames, tracks.ids, tracks.boxes_xyxy_px)
    put_in = np.column_stack(
        [rows.pictures, rows.ids, rows.boxes_xyxy_px, tracks.scores[rows.before]]
    )
    given = np.column_stack([tracks.frames, tracks.ids, tracks.boxes_xyxy_px, tracks.scores])
    return _table(np.concatenate([given, put_in]))


def _table(lines: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> MotTable:
    """From rows of frame, id, the box's corners and score."""
    lines = lines[np.argsort(lines[:, 0], kind="stable")]
    return MotTable(
        frames=lines[:, 0].astype(np.int64),
        ids=lines[:, 1].astype(np.int64),
        boxes_xyxy_px=lines[:, 2:6].astype(np.float32),
        scores=lines[:, 6].astype(np.float32),
        classes=np.full(len(lines), NO_CLASS, np.int64),
    )


def unit_scores(scores: FloatArray) -> FloatArray:
    """Detection scores in 0..1: as they are where they lie there, all 1 where every score is the
    same and no score (a file without scores), else squashed by the logistic function (margins).
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
    """Figures of the tracker on a sequence, as a report, and the tracks as saved.

    Raises OperatorMistake for damaged, empty or mismatched files.
    """
    truth, detections = read_mot(truth_path), read_mot(detections_path)
    _check_match(truth, detections)
    info = find_sequence_info(truth_path, detections_path)
    fps, fps_from = _fps(fps, info.fps if info else None)
    frames = max(truth.last_frame, detections.last_frame)
    run = track_detections(detections, frames, fps)
    figures = tracking_figures(truth, run.saved, frames)
    report = {
        **figures_report(figures, tracking_figures(truth, run.online, frames)),
        "data": (info.name if info else None) or truth_path.resolve().parent.name,
        "frames": frames,
        "seconds": round(frames / fps, 2),
        "fps": fps,
        "fps_from": fps_from,
        "detections": len(detections),
        "update_ms": round(run.update_ms, 3),
        "not_shown": (
            f"{frames} pictures ({frames / fps:.1f} s) of {figures.objects} objects: one sequence "
            "says little about others, nothing about appearance and, unless it shows horses, "
            "nothing about horses."
        ),
    }
    return report, run.saved


def figures_report(saved: TrackingFigures, online: TrackingFigures) -> dict[str, object]:
    """Figures of the tracks as saved by name, those of the online output under ``online``, and what
    they mean."""
    return {
        **_rounded(saved),
        "online": _rounded(online),
        "mode": (
            f"boxes only; tracks as saved, gaps up to {LONGEST_S:g} s interpolated; 'online': what "
            "was given out with each picture, never revised"
        ),
        "metrics": "TrackEval: HOTA (mean over overlaps), Identity and CLEAR at overlap 0.5",
    }


def _rounded(figures: TrackingFigures) -> dict[str, object]:
    return {
        name: round(value, 5) if isinstance(value, float) else value
        for name, value in asdict(figures).items()
    }


def _fps(given: float | None, stated: float | None) -> tuple[float, str]:
    if given is not None:
        return given, "--fps"
    if stated is not None:
        return stated, "seqinfo.ini"
    return ASSUMED_FPS, "assumed: no seqinfo.ini and no --fps"


def _check_match(truth: MotTable, detections: MotTable) -> None:
    if (truth.ids < 0).all():
        raise OperatorMistake(
            "The ground truth has no ids.", "Are --gt and --det the wrong way round?"
        )
    if not len(np.intersect1d(truth.frames, detections.frames)):
        raise OperatorMistake(
            f"The files share no frame: truth {truth.frames[0]} to {truth.last_frame}, "
            f"detections {detections.frames[0]} to {detections.last_frame}.",
            "Do they belong to the same sequence?",
        )

"""The tracker in the simulated barn, boxes only, with a typical detector's faults modelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from scipy.optimize import linear_sum_assignment

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import iou_matrix
from engine.evaluation.imperfect_detector import LEVELS, ImperfectDetector, Sighting
from engine.evaluation.metrics import tracking_figures
from engine.evaluation.mot import MotTable, mot_table
from engine.evaluation.tracking import figures_report, track_detections
from engine.settings import EngineSettings
from engine.simulation.barn import SimulatedBarn
from engine.simulation.truth import Sightings

ASKED_FROM = 0.1
"""A horse counts as ground truth from this visible share on."""
SMALLEST_PX = 8.0
SAME_OVERLAP = 0.5
CHUNK = 500


def simulate(
    barn: SimulatedBarn, level: str, fps: float, frames: int, seed: int
) -> tuple[MotTable, MotTable]:
    """Ground truth and faulty detections of the barn's first ``frames`` pictures.

    Raises OperatorMistake for an unknown level of faults.
    """
    if level not in LEVELS:
        raise OperatorMistake(f"There is no fault level {level!r}.", f"Use {', '.join(LEVELS)}.")
    camera = barn.camera
    detector = ImperfectDetector(LEVELS[level], camera.width_px, camera.height_px, seed)
    truth: list[list[float]] = []
    found: list[list[float]] = []
    for frame, sighting in enumerate(_pictures(barn, fps, frames), 1):
        asked = sighting.visible >= ASKED_FROM
        for number, box in zip(
            sighting.ids[asked].tolist(), sighting.boxes_xyxy_px[asked].tolist(), strict=True
        ):
            truth.append(_line(frame, number, box, 1.0))
        boxes, scores = detector.look(sighting, 1.0 / fps)
        for box, score in zip(boxes.tolist(), scores.tolist(), strict=True):
            found.append(_line(frame, -1, box, score))
    return _table(truth), _table(found)


def _pictures(barn: SimulatedBarn, fps: float, frames: int) -> Iterator[Sighting]:
    """What each picture shows, asked of the farm in large pieces."""
    for first in range(0, frames, CHUNK):
        times_s = np.arange(first, min(first + CHUNK, frames)) / fps
        rows = barn.farm.sightings(barn.camera, times_s, keypoints=False)
        ends = np.searchsorted(rows.time_index, np.arange(len(times_s) + 1))
        for begin, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            yield _sighting(rows, slice(begin, end))


def _sighting(rows: Sightings, part: slice) -> Sighting:
    boxes, shown = rows.boxes_xyxy_px[part], rows.visible_boxes_xyxy_px[part]
    present = (shown[:, 2:] - shown[:, :2] > SMALLEST_PX).all(axis=1)
    return Sighting(
        rows.horse_ids[part][present],
        boxes[present],
        shown[present],
        rows.visibility[part][present],
    )


def _line(frame: int, number: int, box: list[float], score: float) -> list[float]:
    return [frame, number, box[0], box[1], box[2] - box[0], box[3] - box[1], score]


def _table(lines: list[list[float]]) -> MotTable:
    return mot_table(np.array(lines, np.float64).reshape(-1, 7))


def evaluate_simulated(
    camera: str, horses: int, minutes: float, seed: int, level: str, fps: float,
    settings: EngineSettings | None = None,
) -> tuple[dict[str, object], MotTable]:  # fmt: skip
    """Figures of the tracker in the simulated barn, as a report, and the tracks as saved.

    Raises OperatorMistake for an unknown camera or level, or impossible numbers.
    """
    frames = round(minutes * 60 * fps)
    if frames < 1 or fps <= 0:
        raise OperatorMistake("A simulation needs some minutes and pictures a second.")
    barn = SimulatedBarn(camera, seed, horses)
    truth, detections = simulate(barn, level, fps, frames, seed)
    run = track_detections(detections, frames, fps, settings)
    report: dict[str, object] = {
        **figures_report(
            tracking_figures(truth, run.saved, frames), tracking_figures(truth, run.online, frames)
        ),
        "tracks_per_horse": _tracks_per_horse(truth, run.saved, frames),
        "data": f"simulated:{camera}?seed={seed}&horses={horses}",
        "frames": frames,
        "seconds": round(frames / fps, 2),
        "fps": fps,
        "faults": {"level": level, **asdict(LEVELS[level])},
        "detections": len(detections),
        "update_ms": round(run.update_ms, 3),
        "not_shown": "Simulated horses and modelled faults: exact, but no measure of real video.",
    }
    return report, run.saved


def _tracks_per_horse(truth: MotTable, tracks: MotTable, frames: int) -> dict[str, int]:
    """How many tracks each horse was given over the time, by its id."""
    tracks_of: dict[int, set[int]] = {number: set() for number in np.unique(truth.ids).tolist()}
    for frame in range(1, frames + 1):
        one, two = truth.rows_of(frame), tracks.rows_of(frame)
        overlap = iou_matrix(truth.boxes_xyxy_px[one], tracks.boxes_xyxy_px[two])
        rows, columns = linear_sum_assignment(-overlap)
        same = overlap[rows, columns] >= SAME_OVERLAP
        for row, column in zip(rows[same].tolist(), columns[same].tolist(), strict=True):
            tracks_of[int(truth.ids[one][row])].add(int(tracks.ids[two][column]))
    return {str(number): len(found) for number, found in tracks_of.items()}

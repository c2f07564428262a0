"""The tracker in the simulated barn, boxes only, with a typical detector's faults modelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from engine.domain.errors import OperatorMistake
from engine.evaluation.imperfect_detector import LEVELS, ImperfectDetector, Sighting
from engine.evaluation.metrics import tracking_figures
from engine.evaluation.mot import MotTable, mot_table
from engine.evaluation.tracking import rounded, track_detections
from engine.settings import EngineSettings
from engine.simulation.barn import BarnTruth, SimulatedBarn
from engine.simulation.cameras import HEIGHT_PX, WIDTH_PX

OPEN_SHARE = 0.8
"""Share of the landmarks that a camera sees of a horse with nothing before it: the trunk hides
some on the far side."""
EDGE_SHARE = 0.12
"""How far a box reaches beyond the outermost landmarks that are seen, in box sizes."""
ASKED_FROM = 0.1
"""A horse counts as ground truth from this visible share on."""
SMALLEST_PX = 8.0


def sighting_of(truth: BarnTruth) -> Sighting:
    """What a perfect detector would know: boxes, the parts that can be seen, and their share."""
    boxes = truth.boxes_xyxy_px
    visible = np.clip(truth.visible.mean(axis=1) / OPEN_SHARE, 0.0, 1.0).astype(np.float32)
    shown = boxes.copy()
    for index in np.flatnonzero((visible < 1.0) & (truth.visible.sum(axis=1) >= 2)):
        points = truth.keypoints_px[index][truth.visible[index]]
        edge = EDGE_SHARE * (boxes[index, 2:] - boxes[index, :2])
        shown[index, :2] = np.maximum(boxes[index, :2], points.min(axis=0) - edge)
        shown[index, 2:] = np.minimum(boxes[index, 2:], points.max(axis=0) + edge)
    present = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) > SMALLEST_PX
    ids = np.array(truth.ids, np.int64)
    return Sighting(ids[present], boxes[present], shown[present], visible[present])


def simulate(
    barn: SimulatedBarn, level: str, fps: float, frames: int, seed: int
) -> tuple[MotTable, MotTable]:
    """Ground truth and faulty detections of the barn's first ``frames`` pictures.

    Raises OperatorMistake for an unknown level of faults.
    """
    if level not in LEVELS:
        raise OperatorMistake(f"There is no fault level {level!r}.", f"Use {', '.join(LEVELS)}.")
    detector = ImperfectDetector(LEVELS[level], WIDTH_PX, HEIGHT_PX, seed)
    truth: list[list[float]] = []
    found: list[list[float]] = []
    for frame, sighting in enumerate(_sightings(barn, fps, frames), 1):
        asked = sighting.visible >= ASKED_FROM
        for number, box in zip(
            sighting.ids[asked].tolist(), sighting.boxes_xyxy_px[asked].tolist(), strict=True
        ):
            truth.append(_line(frame, number, box, 1.0))
        boxes, scores = detector.look(sighting, 1.0 / fps)
        for box, score in zip(boxes.tolist(), scores.tolist(), strict=True):
            found.append(_line(frame, -1, box, score))
    return _table(truth), _table(found)


def _sightings(barn: SimulatedBarn, fps: float, frames: int) -> Iterator[Sighting]:
    for index in range(frames):
        yield sighting_of(barn.truth_at(index / fps))


def _line(frame: int, number: int, box: list[float], score: float) -> list[float]:
    return [frame, number, box[0], box[1], box[2] - box[0], box[3] - box[1], score]


def _table(lines: list[list[float]]) -> MotTable:
    return mot_table(np.array(lines, np.float64).reshape(-1, 7))


def evaluate_simulated(
    camera: str, horses: int, minutes: float, seed: int, level: str, fps: float,
    settings: EngineSettings | None = None,
) -> tuple[dict[str, object], MotTable]:  # fmt: skip
    """Figures of the tracker in the simulated barn, as a report, and the tracks.

    Raises OperatorMistake for an unknown camera or level, or impossible numbers.
    """
    frames = round(minutes * 60 * fps)
    if frames < 1 or fps <= 0:
        raise OperatorMistake("A simulation needs some minutes and pictures a second.")
    barn = SimulatedBarn(camera, seed, horses)
    truth, detections = simulate(barn, level, fps, frames, seed)
    run = track_detections(detections, frames, fps, settings)
    report: dict[str, object] = {
        **rounded(tracking_figures(truth, run.tracks, frames)),
        "data": f"simulated:{camera}?seed={seed}&horses={horses}",
        "frames": frames,
        "seconds": round(frames / fps, 2),
        "fps": fps,
        "faults": {"level": level, **asdict(LEVELS[level])},
        "detections": len(detections),
        "update_ms": round(run.update_ms, 3),
        "mode": "boxes only, online: confirmed tracks as given out with each picture",
        "metrics": "TrackEval: HOTA (mean over overlaps), Identity and CLEAR at overlap 0.5",
        "not_shown": "Simulated horses and modelled faults: exact, but no measure of real video.",
    }
    return report, run.tracks

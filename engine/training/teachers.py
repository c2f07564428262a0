"""Teachers: detectors of the product, asked for labels while training data is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import DetectionBatch
from engine.models.detectors import DetectorOptions, GridDetector, grid_detector
from engine.models.manifest import ModelEntry
from engine.models.sessions import Device, Execution, Session, open_session
from engine.training.detector_data import DOUBTFUL
from engine.training.evaluation import answers_of


class ModelTeacher:
    """Meets Teacher with a detector of the manifest; cows, sheep and zebras that it sees count as
    horses."""

    def __init__(self, detector: GridDetector) -> None:
        self._detector = detector

    def answers(self, picture_bgr: NDArray[np.uint8]) -> DetectionBatch:
        """See Teacher."""
        return answers_of(self._detector, picture_bgr, DOUBTFUL)

    def close(self) -> None:
        """Close the detector."""
        self._detector.close()


def model_teacher(entry: ModelEntry, file: Path, threads: int = 1) -> ModelTeacher:
    """Open a detector's file as a teacher on the CPU; ModelInvalid when it is not one."""
    execution = Execution(device="cpu", threads=threads)

    def open_on(_device: Device) -> Session:
        return open_session(file, entry.runtime, entry.input, execution)

    options = DetectorOptions(minimum_box_px=8.0, for_verifier=True, batch_limit=1)
    return ModelTeacher(grid_detector(entry, open_on, "cpu", options))

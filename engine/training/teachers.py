"""Teachers: detectors of the product, asked for labels while training data is read."""

from __future__ import annotations

from dataclasses import replace
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
    """Meets Teacher with a detector of the manifest; cows and sheep it sees count as horses.

    ``for_animals``: the same model, answering whatever may be an animal.
    """

    def __init__(self, detector: GridDetector, for_animals: GridDetector) -> None:
        self._detector, self._for_animals = detector, for_animals

    def answers(self, picture_bgr: NDArray[np.uint8]) -> DetectionBatch:
        """See Teacher."""
        return answers_of(self._detector, picture_bgr, DOUBTFUL)

    def animals(self, picture_bgr: NDArray[np.uint8]) -> DetectionBatch:
        """See Teacher."""
        return answers_of(self._for_animals, picture_bgr, DOUBTFUL)

    def close(self) -> None:
        """Close the detectors."""
        self._detector.close()
        self._for_animals.close()


def model_teacher(entry: ModelEntry, file: Path, threads: int = 1) -> ModelTeacher:
    """Open a detector's file as a teacher on the CPU; ModelInvalid when it is not one."""
    execution = Execution(device="cpu", threads=threads)

    def open_on(_device: Device) -> Session:
        return open_session(file, entry.runtime, entry.input, execution)

    options = DetectorOptions(minimum_box_px=8.0, lookalikes_are_horses=True, batch_limit=1)
    return ModelTeacher(
        grid_detector(entry, open_on, "cpu", options),
        grid_detector(entry, open_on, "cpu", replace(options, for_verifier=True)),
    )

"""Teachers: detectors of the product, asked for labels while training data is read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import DetectionBatch
from engine.models.detectors import DetectorOptions, GridDetector, grid_detector
from engine.models.manifest import ModelEntry, Runtime
from engine.models.sessions import Device, Execution, Session
from engine.training.detector_data import DOUBTFUL, Teacher


class ModelTeacher(Teacher):
    """A detector of the manifest as a teacher; cows and sheep it sees count as horses."""

    def __init__(self, detector: GridDetector) -> None:
        self._detector = detector

    def answers(self, picture_bgr: NDArray[np.uint8]) -> DetectionBatch:
        """See Teacher."""
        width_px, height_px = self._detector.input_size_px
        height, width = picture_bgr.shape[:2]
        scale = min(width_px / width, height_px / height)
        size = max(1, int(width * scale)), max(1, int(height * scale))
        scaled = np.asarray(cv2.resize(picture_bgr, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        return self._detector.detect([scaled], [scale], DOUBTFUL)[0]

    def close(self) -> None:
        """Close the detector."""
        self._detector.close()


def model_teacher(entry: ModelEntry, file: Path, threads: int = 1) -> ModelTeacher:
    """Open a detector's file as a teacher on the CPU; ModelInvalid when it is not one."""
    execution = Execution(device="cpu", threads=threads)

    def open_on(_device: Device) -> Session:
        if entry.runtime is Runtime.OPENVINO:
            from engine.models.openvino_session import OpenVinoSession

            return OpenVinoSession(file, entry.input, execution)
        from engine.models.onnx_session import OnnxSession

        return OnnxSession(file, entry.input, execution)

    options = DetectorOptions(minimum_box_px=8.0, lookalikes_are_horses=True, batch_limit=1)
    return ModelTeacher(grid_detector(entry, open_on, "cpu", options))

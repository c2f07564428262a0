"""YOLO checkpoints (.pt) to ONNX files through ultralytics, held to what torch answers."""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine.domain.errors import Bug, OperatorMistake
from engine.domain.frames import Image
from engine.models.manifest import InputSpec
from engine.models.onnx_session import OnnxSession
from engine.models.sessions import Execution
from engine.models.ultralytics_session import UltralyticsSession, load_network, ultralytics_tasks

OPSET = 17
SCORE_TOLERANCE = 1e-3
BOX_TOLERANCE_PX = 0.1
"""Largest differences allowed between torch and ONNX Runtime, boxes where the score is at least
LEAST_SCORE (a box nobody would take may be anywhere)."""
LEAST_SCORE = 0.01
STRIDE_PX = 32


@contextmanager
def quiet_ultralytics() -> Iterator[Any]:
    """The library offline and without its warnings; gives its module of networks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield ultralytics_tasks()


def export_yolo(checkpoint: Path, target: Path, side_px: int = 640) -> tuple[float, float]:
    """Write the network of a detection checkpoint as ONNX, for any batch and any size.

    Returns the largest differences (score, box in pixels) found between torch and ONNX Runtime; Bug
    (and no file) when they are too large. OperatorMistake when the package onnx is absent,
    ModelInvalid when the checkpoint is not a detector's.
    """
    if importlib.util.find_spec("onnx") is None:
        raise OperatorMistake(
            "Writing ONNX files of YOLO needs the package onnx.", "Install the extra [train]."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with quiet_ultralytics(), tempfile.TemporaryDirectory(dir=target.parent) as folder:
        network, _ = load_network(checkpoint)
        # The exporter names its file after the checkpoint's.
        network.pt_path, network.task = str(Path(folder) / "network.pt"), "detect"
        exporter = importlib.import_module("ultralytics.engine.exporter").Exporter(
            overrides={
                "format": "onnx", "imgsz": side_px, "dynamic": True, "simplify": False,
                "opset": OPSET, "device": "cpu", "verbose": False,
            }
        )  # fmt: skip
        written = exporter(model=network)
        part = Path(str(written[0] if isinstance(written, list | tuple) else written))
        apart = differences(checkpoint, part, generated_pictures(side_px))
        if not (apart[0] <= SCORE_TOLERANCE and apart[1] <= BOX_TOLERANCE_PX):
            raise Bug(f"the exported {target.name} differs from torch by {apart}")
        part.replace(target)
    return apart


def generated_pictures(side_px: int) -> list[Image]:
    """Square and wide pictures of noise and soft shapes, batches of one and two."""
    chance = np.random.default_rng(1)
    wide = max(side_px * 3 // 5 // STRIDE_PX, 1) * STRIDE_PX
    pictures = []
    for batch, height in ((1, side_px), (2, wide)):
        coarse = chance.integers(0, 256, (batch, height // 16, side_px // 16, 3), dtype=np.uint8)
        pictures.append(np.asarray(coarse.repeat(16, axis=1).repeat(16, axis=2), np.uint8))
    return pictures


def differences(checkpoint: Path, exported: Path, batches: Sequence[Image]) -> tuple[float, float]:
    """Largest difference of a score, and of a box that scores, between the two files' answers on
    batches (B, H, W, 3) whose sides are multiples of 32."""
    side = batches[0].shape[1]
    spec = InputSpec(width_px=side, height_px=side, dynamic_size=True)
    torch_session = UltralyticsSession(checkpoint, spec, Execution("cpu"))
    onnx_session = OnnxSession(exported, spec, Execution("cpu"))
    score, box = 0.0, 0.0
    try:
        for pictures in batches:
            wanted, served = torch_session.run(pictures)[0], onnx_session.run(pictures)[0]
            if wanted.shape != served.shape:
                return float("inf"), float("inf")
            score = max(score, float(np.abs(wanted[:, 4:] - served[:, 4:]).max()))
            scoring = wanted[:, 4:].max(axis=1) >= LEAST_SCORE
            apart = np.abs(wanted[:, :4] - served[:, :4]).max(axis=1)[scoring]
            box = max(box, float(apart.max(initial=0.0)))
    finally:
        torch_session.close()
        onnx_session.close()
    return score, box

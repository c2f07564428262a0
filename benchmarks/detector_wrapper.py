"""The detector wrapper against the bare runtime call on a tensor that is ready.

Ours is ``Detector.detect`` on pictures already scaled to fit: padding, normalisation, running,
decoding, suppression. The peer only runs the same file with the same number of threads on the same
pictures, padded and normalised beforehand. Interleaved pairs of a dozen pictures each; the median
ratio of times stands with its 5 and 95 % points. Bar: at most 1.10.

    BARNHAND_MODELS=FOLDER python -m benchmarks.detector_wrapper [--pairs 15] [--model NAME ...]

Every detector of the manifest whose files are on this machine is measured.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from benchmarks.pairs import PAIRS, measure
from engine.domain.frames import Image
from engine.models.detectors import GridDetector, grid_detector
from engine.models.manifest import ModelEntry, Runtime, Task, read_manifest
from engine.models.normalisation import Normaliser
from engine.models.sessions import Device, Execution, Session, open_session
from engine.models.store import ModelStore
from engine.simulation.barn import SimulatedBarn

MODELS = Path(__file__).resolve().parents[1] / "resources" / "models"
PICTURES = 12
BAR = 1.10


def scenes(detector: GridDetector) -> tuple[list[Image], float]:
    """Pictures of the simulated paddock scaled to fit a detector, and the scale."""
    barn = SimulatedBarn("paddock")
    width, height = detector.input_size_px
    pictures: list[Image] = []
    scale = 1.0
    for index in range(PICTURES):
        picture = barn.picture_at(index / 5)
        scale = min(width / picture.shape[1], height / picture.shape[0])
        size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
        pictures.append(np.asarray(cv2.resize(picture, size), np.uint8))
    return pictures, scale


def bare_call(entry: ModelEntry, file: Path, threads: int) -> Callable[[Any], object]:
    """Only the runtime, on a ready tensor."""
    if entry.runtime is Runtime.OPENVINO:
        import openvino

        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        compiled = openvino.Core().compile_model(str(file), "CPU", options | {"NUM_STREAMS": 1})
        request = compiled.create_infer_request()
        return lambda tensor: request.infer({0: tensor}, share_inputs=True)
    if entry.runtime is Runtime.ONNX:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(file), settings, providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        return lambda tensor: session.run(None, {name: tensor})
    import torch
    from ultralytics.nn.tasks import load_checkpoint

    network = load_checkpoint(str(file))[0].fuse().eval()

    def run(tensor: Any) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(tensor))

    return run


def wrapper_ratio(entry: ModelEntry, file: Path, pairs: int, threads: int) -> float:
    """Print and return the median ratio for one model."""

    def open_on(_device: Device) -> Session:
        return open_session(file, entry.runtime, entry.input, Execution("cpu", threads))

    detector = grid_detector(entry, open_on, "cpu")
    pictures, scale = scenes(detector)
    normalise = Normaliser(entry.input)
    tensors = []
    for picture in pictures:
        canvas = detector.letterbox.canvas(*picture.shape[:2])
        tensors.append(normalise(detector.letterbox.fill([picture], canvas)).copy())
    run = bare_call(entry, file, threads)

    def ours() -> None:
        for picture in pictures:
            detector.detect([picture], [scale], 0.1)

    def bare() -> None:
        for tensor in tensors:
            run(tensor)

    ratio = measure(ours, bare, pairs)
    shape = "x".join(str(side) for side in tensors[0].shape[:1:-1])
    print(f"{entry.name} at {shape}, {PICTURES} pictures, {threads} threads: {ratio}")
    detector.close()
    return ratio.median


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when every median is within the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args(arguments)
    folders = [Path(f) for f in os.environ.get("BARNHAND_MODELS", "").split(os.pathsep) if f]
    manifest = read_manifest(MODELS / "manifest.toml")
    store = ModelStore(manifest, MODELS / "none", folders, MODELS)
    entries = [
        entry
        for entry in store.available(Task.DETECTOR)
        if not chosen.model or entry.name in chosen.model
    ]
    if not entries:
        print("No detector is on this machine: name a folder of models in BARNHAND_MODELS.")
        return 2
    medians = [
        wrapper_ratio(entry, store.locate(entry), chosen.pairs, chosen.threads) for entry in entries
    ]
    kept = max(medians) <= BAR
    print(f"bar {BAR:.2f}: {'kept' if kept else 'missed'} (worst median {max(medians):.2f})")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())

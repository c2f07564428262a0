"""Pose pre- and post-processing: ours against rtmlib, and the whole against the bare runtime.

The first measurement uses a network of RTMPose's form (17 landmarks, 256x256, SimCC) that does
nothing, so that all that is timed is cropping, normalising, decoding and mapping back, in
``SimccPose.estimate`` and in rtmlib's ``RTMPose``. Bar: at most 0.33 of rtmlib's time. It is
skipped, and said so, where rtmlib is not installed. The second uses the pose model on this machine:
the whole of ``estimate`` against running the same file on crops that are ready.

Interleaved pairs; the median ratio of times stands with its 5 and 95 % points.

    BARNHAND_MODELS=FOLDER python -m benchmarks.pose_processing [--pairs 15] [--horses 8]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from benchmarks.pairs import PAIRS, Ratio, measure
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.models.crops import top_down_crops
from engine.models.manifest import ModelEntry, Runtime, Task, read_manifest
from engine.models.normalisation import Normaliser
from engine.models.pose_estimators import TopDownPose, pose_estimator
from engine.models.sessions import Device, Execution, Session, open_session
from engine.models.store import ModelStore
from engine.simulation.barn import SimulatedBarn
from engine.sources.pictures import ArrayPicture

MODELS = Path(__file__).resolve().parents[1] / "resources" / "models"
SIDE_PX = 256
LANDMARKS = 17
REPEATS = 5
BAR = 0.33


def scene(horses: int) -> tuple[Image, FloatArray]:
    """A 1080p picture of the simulated paddock and horse-sized boxes in it."""
    picture = np.asarray(
        cv2.resize(SimulatedBarn("paddock").picture_at(3.0), (1920, 1080)), np.uint8
    )
    chance = np.random.default_rng(2)
    corners = chance.uniform((0, 0), (1400, 700), (horses, 2))
    sizes = chance.uniform((250, 200), (500, 380), (horses, 2))
    return picture, np.concatenate([corners, corners + sizes], axis=1).astype(np.float32)


def opened(entry: ModelEntry, file: Path) -> TopDownPose:
    """The entry's estimator on one CPU thread."""

    def open_on(_device: Device) -> Session:
        return open_session(file, entry.runtime, entry.input, Execution("cpu", 1))

    return pose_estimator(entry, open_on, "cpu")


def against_rtmlib(pairs: int, horses: int) -> Ratio | None:
    """Processing alone, on a network that does nothing; None without rtmlib."""
    try:
        from rtmlib import RTMPose
    except ImportError:
        return None
    from tests.helpers.tiny_models import constant_model

    picture, boxes = scene(horses)
    logits = np.random.default_rng(1).random((2, LANDMARKS, 2 * SIDE_PX), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        file = constant_model(
            Path(folder) / "nothing.onnx",
            {"simcc_x": logits[0], "simcc_y": logits[1]},
            [1, 3, SIDE_PX, SIDE_PX],
        )
        entry = read_manifest(MODELS / "manifest.toml").named("rtmpose-m-ap10k")
        ours = opened(entry, file)
        theirs = RTMPose(str(file), model_input_size=(SIDE_PX, SIDE_PX))
        check(ours, theirs, picture, boxes)
        jobs = [(ArrayPicture(picture), boxes)]
        rows = boxes.tolist()
        ratio = measure(
            lambda: [ours.estimate(jobs) for _ in range(REPEATS)],
            lambda: [theirs(picture, rows) for _ in range(REPEATS)],
            pairs,
        )
        ours.close()
    return ratio


def check(ours: TopDownPose, theirs: object, picture: Image, boxes: FloatArray) -> None:
    """Both must say the same before their times mean anything."""
    found = ours.estimate([(ArrayPicture(picture), boxes)])[0]
    assert callable(theirs)
    keypoints, _ = theirs(picture, boxes.tolist())
    apart = float(np.abs(found.keypoints_px - keypoints).max())
    print(f"largest difference from rtmlib's keypoints: {apart:.4f} px")


def against_bare(entry: ModelEntry, file: Path, pairs: int, horses: int) -> Ratio:
    """The whole of ``estimate`` against the runtime alone on ready crops."""
    picture, boxes = scene(horses)
    pose = opened(entry, file)
    spec = entry.input
    wrapped = ArrayPicture(picture)
    crops, _ = top_down_crops(
        [(wrapped, box) for box in boxes], spec.width_px, spec.height_px, entry.padding
    )
    tensors = [tensor[None].copy() for tensor in Normaliser(spec)(crops)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    ratio = measure(
        lambda: pose.estimate([(wrapped, boxes)]),
        lambda: [session.run(None, {name: tensor}) for tensor in tensors],
        pairs,
    )
    pose.close()
    return ratio


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when the bar is kept or its peer is absent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--horses", type=int, default=8)
    chosen = parser.parse_args(arguments)
    folders = [Path(f) for f in os.environ.get("BARNHAND_MODELS", "").split(os.pathsep) if f]
    store = ModelStore(read_manifest(MODELS / "manifest.toml"), MODELS / "none", folders, MODELS)
    for entry in store.available(Task.POSE):
        if entry.runtime is Runtime.ONNX:
            whole = against_bare(entry, store.locate(entry), chosen.pairs, chosen.horses)
            print(f"{entry.name}, {chosen.horses} horses, whole against bare runtime: {whole}")
    ratio = against_rtmlib(chosen.pairs, chosen.horses)
    if ratio is None:
        print("rtmlib is not installed: processing was not compared (pip install rtmlib)")
        return 0
    print(f"processing of {REPEATS} x {chosen.horses} horses against rtmlib: {ratio}")
    kept = ratio.median <= BAR
    print(f"bar {BAR:.2f}: {'kept' if kept else 'missed'}")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())

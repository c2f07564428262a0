"""``barnhand train`` and ``barnhand evaluate``: arguments in, files and figures out.

torch and the runtimes are imported when a command runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from engine.domain.errors import OperatorMistake
from engine.evaluation.commands import add_tracking_arguments, evaluate_tracking
from engine.evaluation.motion_commands import (
    add_alert_arguments,
    add_behaviour_arguments,
    add_gait_arguments,
    add_motion_arguments,
    evaluate_alert_rules,
    evaluate_gait_folder,
    evaluate_motion,
    evaluate_simulated_behaviour,
)
from engine.training import clip_commands, embedder_commands

if TYPE_CHECKING:
    from engine.models.manifest import ModelEntry, Task
    from engine.models.sessions import Device
    from engine.models.store import ModelStore
    from engine.models.verification import SpeciesVerifier
    from engine.training.detector_data import Teacher

INTERRUPTED = 130
"""Exit status after Ctrl-C: the checkpoint is written, ``--resume`` goes on."""


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


# --- train -------------------------------------------------------------------------------------


def train_parser() -> argparse.ArgumentParser:
    """Arguments of ``barnhand train``."""
    parser = argparse.ArgumentParser(
        prog="barnhand train", description="Train one of the product's own models on pictures."
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    for name, epochs in (("pose", 60), ("detector", 40), ("embedder", 4)):
        task = tasks.add_parser(name)
        task.add_argument("--data", type=Path, required=True, help="folder of data folders")
        task.add_argument("--out", type=Path, required=True, help="checkpoints and results")
        task.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
        task.add_argument("--epochs", type=int, default=epochs)
        task.add_argument("--steps", type=int, default=100, help="batches in an epoch")
        task.add_argument("--minutes", type=float, help="bend the schedule to this much time")
        task.add_argument("--batch", type=int, default=32 if name == "pose" else 8)
        task.add_argument("--threads", type=int, help="CPU threads")
        task.add_argument("--seed", type=int, default=1)
        task.add_argument("--resume", action="store_true", help="continue the checkpoint in --out")
        if name == "embedder":
            embedder_commands.add_training_arguments(task)
        if name == "pose":
            task.add_argument(
                "--family", choices=("own", "rtmpose"), default="own",
                help="own: the bundled network; rtmpose: RTMPose-m, needs the extra [mmpose]",
            )  # fmt: skip
            task.add_argument(
                "--skeleton", choices=("ap10k", "equine26"), default="ap10k",
                help="landmarks of --family rtmpose",
            )  # fmt: skip
            task.add_argument("--backbone", type=Path, help="EfficientNet-lite0 weights (.pth)")
            task.add_argument(
                "--simulated", type=int, default=600, metavar="N",
                help="horses of the simulated farm to add (0: none)",
            )  # fmt: skip
            task.add_argument(
                "--from", dest="start", type=Path, metavar="CHECKPOINT",
                help="go on from a finished run's best.pt at a lower rate",
            )  # fmt: skip
        if name == "detector":
            task.add_argument(
                "--family", choices=("own", "yolo"), default="own",
                help="own: the bundled network; yolo: YOLO by ultralytics",
            )  # fmt: skip
            task.add_argument(
                "--side-px", type=int, default=640, help="picture size of --family yolo"
            )
            task.add_argument(
                "--start", type=Path,
                help="YOLOX-nano ONNX to start from; with --family yolo a .pt, or yolo11s.yaml",
            )  # fmt: skip
            task.add_argument(
                "--part", choices=("proposals", "verifier"), default="proposals",
                help="proposals: where animals are; verifier: which of them are horses",
            )  # fmt: skip
            task.add_argument(
                "--proposals", help="detector whose animals --part verifier learns to judge"
            )
            task.add_argument(
                "--backbone", type=Path, help="EfficientNet-lite0 weights (.pth) of the verifier"
            )
            task.add_argument(
                "--teacher", type=Path, action="append", default=[], metavar="MODEL",
                help="detector file that completes the labels; give two, the better first",
            )  # fmt: skip
    return parser


def run_train(argv: Sequence[str]) -> int:
    """Run ``barnhand train``; returns the exit status. Raises OperatorMistake for wrong data."""
    wanted = train_parser().parse_args(list(argv))
    _check_device(wanted.device)
    finished = _TRAININGS[wanted.task](wanted)
    if not finished:
        _tell("Interrupted. Run the same command with --resume to go on.")
        return INTERRUPTED
    return 0


def _check_device(device: str) -> None:
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise OperatorMistake("This machine has no usable GPU.", "Use --device cpu.")
    try:
        torch.device(device)
    except RuntimeError as error:
        raise OperatorMistake(f"{device!r} is no device: {error}") from error


def _train_pose(wanted: argparse.Namespace) -> bool:
    if wanted.family == "rtmpose":
        from engine.training.mmpose_training import train_rtmpose

        return train_rtmpose(
            wanted.data, wanted.out, wanted.device, wanted.epochs, wanted.resume,
            minutes=wanted.minutes, steps=wanted.steps, batch=wanted.batch,
            threads=wanted.threads, seed=wanted.seed, start=wanted.start,
            skeleton=wanted.skeleton, tell=_tell,
        )  # fmt: skip
    from engine.training.pose_training import train_pose

    return train_pose(
        wanted.data, wanted.out, wanted.device, wanted.epochs, wanted.resume,
        minutes=wanted.minutes, steps=wanted.steps, batch=wanted.batch, threads=wanted.threads,
        seed=wanted.seed, backbone=wanted.backbone, start=wanted.start, simulated=wanted.simulated,
        tell=_tell,
    )  # fmt: skip


def _train_detector(wanted: argparse.Namespace) -> bool:
    if wanted.family == "yolo":
        from engine.training.yolo_training import train_yolo

        return train_yolo(
            wanted.data, wanted.out, wanted.device, wanted.epochs, wanted.resume,
            minutes=wanted.minutes, batch=wanted.batch, threads=wanted.threads, seed=wanted.seed,
            start=wanted.start, teachers=_teachers(wanted.teacher), side_px=wanted.side_px,
            tell=_tell,
        )  # fmt: skip
    if wanted.part == "verifier":
        return _train_verifier(wanted)
    from engine.training.detector_training import train_detector

    return train_detector(
        wanted.data, wanted.out, wanted.device, wanted.epochs, wanted.resume,
        minutes=wanted.minutes, steps=wanted.steps, batch=wanted.batch, threads=wanted.threads,
        seed=wanted.seed, start=wanted.start, teachers=_teachers(wanted.teacher), tell=_tell,
    )  # fmt: skip


def _train_verifier(wanted: argparse.Namespace) -> bool:
    from engine.models.detectors import DetectorOptions, grid_detector
    from engine.models.manifest import Task
    from engine.models.sessions import Execution, Session, open_session
    from engine.training.publication import DETECTOR_NAME
    from engine.training.verifier_training import train_verifier

    entry, path = _model(wanted.proposals or DETECTOR_NAME, Task.DETECTOR, None)

    def open_on(device: Device) -> Session:
        return open_session(path, entry.runtime, entry.input, Execution(device, 1))

    options = DetectorOptions(minimum_box_px=8.0, for_verifier=True, batch_limit=1)
    detector = grid_detector(entry, open_on, "cpu", options)
    try:
        return train_verifier(
            wanted.data, wanted.out, detector, wanted.device, wanted.epochs, wanted.resume,
            minutes=wanted.minutes, steps=wanted.steps, batch=max(wanted.batch, 16),
            threads=wanted.threads, seed=wanted.seed, backbone=wanted.backbone,
            teachers=_teachers(wanted.teacher), tell=_tell,
        )  # fmt: skip
    finally:
        detector.close()


_TRAININGS: dict[str, Callable[[argparse.Namespace], bool]] = {
    "pose": _train_pose,
    "detector": _train_detector,
    "embedder": lambda wanted: embedder_commands.train(wanted, lambda: _store(None), _tell),
}


def _teachers(paths: Sequence[Path]) -> list[Teacher]:
    from engine.models.manifest import Task
    from engine.training.teachers import model_teacher

    if len(paths) not in (0, 2):
        raise OperatorMistake("Give two teachers or none.", "Labels count where two agree.")
    return [model_teacher(*_model(str(path), Task.DETECTOR, None)) for path in paths]


# --- evaluate ----------------------------------------------------------------------------------


def evaluate_parser() -> argparse.ArgumentParser:
    """Arguments of ``barnhand evaluate``."""
    parser = argparse.ArgumentParser(
        prog="barnhand evaluate", description="Measure a model, as the product runs it, on data."
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    for name in ("pose", "detector", "reid"):
        task = tasks.add_parser(name)
        task.add_argument("--data", type=Path, required=True, help="one data folder")
        task.add_argument("--model", help="name in the manifest or a file; else the preferred one")
        task.add_argument("--models", type=Path, help="a further folder with model files")
        task.add_argument("--report", type=Path, help="write the figures to this JSON file")
        task.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
        task.add_argument(
            "--held-out", action="store_true", help="only what `barnhand train` never trains on"
        )
        if name == "reid":
            embedder_commands.add_evaluation_arguments(task)
        if name == "pose":
            task.add_argument(
                "--crowded", action="store_true", help="with another horse laid beside each"
            )
        if name == "detector":
            task.add_argument("--negatives", type=Path, help="pictures without horses")
            task.add_argument("--threshold", type=float, default=0.3)
            task.add_argument(
                "--alone", action="store_true", help="the detector without its verifier"
            )
    clip_commands.add_arguments(tasks.add_parser("clips"))
    add_tracking_arguments(tasks.add_parser("tracking"))
    add_gait_arguments(tasks.add_parser("gait"))
    add_motion_arguments(tasks.add_parser("motion"))
    add_behaviour_arguments(tasks.add_parser("behaviour"))
    add_alert_arguments(tasks.add_parser("alerts"))
    return parser


def run_evaluate(argv: Sequence[str]) -> int:
    """Run ``barnhand evaluate``: print the figures and write the report; 0 when measured."""
    wanted = evaluate_parser().parse_args(list(argv))
    simulated = ("tracking", "motion", "behaviour", "alerts")
    one_clip = wanted.task == "clips" and wanted.data.is_file()
    if wanted.task not in simulated and not wanted.data.is_dir() and not one_clip:
        raise OperatorMistake(f"There is no data folder {wanted.data}.")
    report = _EVALUATIONS[wanted.task](wanted)
    text = json.dumps(report, indent=2)
    if wanted.report is not None:
        try:
            wanted.report.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise OperatorMistake(f"The report cannot be written: {error}") from error
    _tell(text)
    return 0


def _evaluate_pose(wanted: argparse.Namespace) -> dict[str, object]:
    from engine.models.manifest import Task
    from engine.models.pose_estimators import pose_estimator
    from engine.models.sessions import Execution, Session, open_session
    from engine.training.evaluation import evaluate_crowded, evaluate_pose

    entry, path = _model(wanted.model, Task.POSE, wanted.models)

    def open_on(device: Device) -> Session:
        return open_session(path, entry.runtime, entry.input, Execution(device))

    estimator = pose_estimator(entry, open_on, wanted.device)
    try:
        measure = evaluate_crowded if wanted.crowded else evaluate_pose
        figures = measure(estimator, wanted.data, wanted.held_out, tell=_tell)
    finally:
        estimator.close()
    return {"model": entry.id, "data": wanted.data.name, **figures}


def _evaluate_detector(wanted: argparse.Namespace) -> dict[str, object]:
    from engine.models.detectors import DetectorOptions, grid_detector
    from engine.models.manifest import Task
    from engine.models.sessions import Execution, Session, open_session
    from engine.training.evaluation import evaluate_detector

    entry, path = _model(wanted.model, Task.DETECTOR, wanted.models)

    def open_on(device: Device) -> Session:
        return open_session(path, entry.runtime, entry.input, Execution(device))

    # Look-alike classes are off: cows that are called cows are no false alarms here.
    options = DetectorOptions(minimum_box_px=8.0, lookalikes_are_horses=False)
    verifier = None if wanted.alone else _verifier(entry, wanted.models, wanted.device)
    detector = grid_detector(entry, open_on, wanted.device, options, verifier)
    try:
        figures = evaluate_detector(
            detector, wanted.data, wanted.negatives, wanted.threshold, wanted.held_out, _tell
        )
    finally:
        detector.close()
    named = {"model": entry.id, "verifier": detector.verifier_id, "data": wanted.data.name}
    return {**named, **figures}


def _verifier(detector: ModelEntry, folder: Path | None, device: Device) -> SpeciesVerifier | None:
    """The second opinion that the detector's entry asks for, as the product uses it."""
    from engine.models.manifest import Task
    from engine.models.sessions import Execution, Session, open_session
    from engine.models.verification import SpeciesVerifier

    if detector.verification is None:
        return None
    entry, path = _model(detector.verification.model, Task.VERIFIER, folder)

    def open_on(device: Device) -> Session:
        return open_session(path, entry.runtime, entry.input, Execution(device))

    return SpeciesVerifier(entry, open_on, device)


_EVALUATIONS: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    "pose": _evaluate_pose,
    "detector": _evaluate_detector,
    "reid": lambda wanted: embedder_commands.evaluate(wanted, _model, _tell),
    "clips": lambda wanted: clip_commands.evaluate(wanted, _store(wanted.models), _tell),
    "tracking": evaluate_tracking,
    "gait": evaluate_gait_folder,
    "motion": evaluate_motion,
    "behaviour": evaluate_simulated_behaviour,
    "alerts": evaluate_alert_rules,
}


def _model(name: str | None, task: Task, folder: Path | None) -> tuple[ModelEntry, Path]:
    """The model of that name or file, or the preferred one that is on this machine."""
    store = _store(folder)
    if name is not None:
        return store.resolve(name, task)
    present = store.available(task)
    if not present:
        raise OperatorMistake(
            f"No model for {task} is on this machine.", "Name a file with --model."
        )
    return present[0], store.locate(present[0], may_download=False)


def _store(folder: Path | None) -> ModelStore:
    """What is bundled, and a further folder."""
    from engine.models.manifest import read_manifest
    from engine.models.store import ModelStore

    bundled = Path(str(files("resources") / "models"))
    extra = (folder,) if folder is not None else ()
    return ModelStore(read_manifest(bundled / "manifest.toml"), bundled, extra, bundled)

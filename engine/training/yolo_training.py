"""``barnhand train detector --family yolo``: YOLO trained by ultralytics on our pictures.

The library trains; reading the data, resuming, measuring and publishing are ours. It never asks the
network for anything: its checks for mixed precision and fonts, which would download, are not run,
and checkpoints are unpickled with an allow-list.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.domain.frames import Image
from engine.models.detectors import DetectorOptions, grid_detector
from engine.models.manifest import InputSpec, Layout, ModelEntry, ModelFile, Task
from engine.models.onnx_session import OnnxSession
from engine.models.sessions import Device, Execution, Session
from engine.models.ultralytics_session import load_network
from engine.training.accuracy import match_boxes, recall_at, threshold_at_false_pictures
from engine.training.cards import Figure, ModelCard, manifest_text
from engine.training.detector_data import LabelledPicture, Teacher, read_detector_data
from engine.training.export import sha256_of_file
from engine.training.publication import KNOWN_SOURCES, Published, version_of_today
from engine.training.yolo_data import YoloFolder, write_yolo_folder
from engine.training.yolo_export import export_yolo, quiet_ultralytics

_log = logging.getLogger(__name__)

DEFAULT_ARCHITECTURE = "yolo11n.yaml"
RUN = "yolo"
RANK = 18
"""Before the published YOLO11 (20 to 24), behind the bundled models."""
LICENCE = "AGPL-3.0-or-later (ultralytics)"


def train_yolo(
    data: Path, out: Path, device: str = "cpu", epochs: int = 40, resume: bool = False,
    minutes: float | None = None, batch: int = 8, threads: int | None = None, seed: int = 1,
    start: Path | None = None, teachers: Sequence[Teacher] = (), side_px: int = 640,
    tell: Callable[[str], None] = _log.info,
) -> bool:  # fmt: skip
    """Train, export, measure and publish a YOLO detector of horses (and persons, where labelled).

    ``start``: a checkpoint (.pt) to go on from, or the name of an architecture that ultralytics
    ships (``yolo11s.yaml``), whose weights are then random. An epoch is one pass over all pictures;
    ``minutes`` bends the schedule. Returns False when interrupted: the epochs finished until then
    are kept, ``resume`` goes on. Raises OperatorMistake for unusable data or checkpoints.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    pictures = read_detector_data(data, out / "cache", teachers)
    folder = write_yolo_folder(pictures, out / "cache")
    tell(f"{folder.trained} pictures to train on, {folder.held_out} held out")
    last = out / RUN / "weights" / "last.pt"
    if resume and not last.is_file():
        raise OperatorMistake(f"There is no checkpoint to resume in {out}.")
    if side_px % 32 or side_px < 32:
        raise OperatorMistake(f"Pictures of {side_px} px do not fit: take a multiple of 32.")
    settings = {
        "task": "detect", "mode": "train", "data": str(folder.folder), "epochs": epochs,
        "batch": batch, "imgsz": side_px, "device": _device(device), "seed": seed, "workers": 4,
        "amp": "bf16" if device.startswith("cuda") else False, "plots": False, "verbose": False,
        "project": str(out.resolve()), "name": RUN, "exist_ok": True, "pretrained": False,
        "close_mosaic": min(10, epochs // 3), "deterministic": True,
        "time": minutes / 60.0 if minutes is not None else None,
        "resume": str(last) if resume else False,
    }  # fmt: skip
    with quiet_ultralytics():
        settings["model"] = str(last) if resume else _architecture(start)
        if not _run(settings, folder, None if resume else start, tell):
            return False
    best = last.with_name("best.pt")
    name = (start.stem if start is not None else Path(DEFAULT_ARCHITECTURE).stem).lower()
    published = publish_yolo(
        best if best.is_file() else last, pictures, folder, out, f"{name}-own", side_px,
        [
            f"{epochs} epochs over {folder.trained} pictures by ultralytics, batches of {batch} at "
            f"{side_px} px, seed {seed}; the best epoch on held-out pictures was kept."
            if folder.unseen
            else f"{epochs} epochs over {folder.trained} pictures by ultralytics, batches of "
            f"{batch} at {side_px} px, seed {seed}.",
            f"Started from {start.name}." if start is not None else "Started from random weights.",
        ],
    )  # fmt: skip
    tell(f"written: {published.weights}, {published.card.name}, {published.entry.name}")
    return True


def _device(device: str) -> str:
    """``cuda:1`` as ultralytics calls it."""
    return device.removeprefix("cuda").removeprefix(":") or "0" if "cuda" in device else device


def _architecture(start: Path | None) -> str:
    """The name of the architecture to build; a checkpoint brings its own along."""
    if start is None or start.is_file():
        return DEFAULT_ARCHITECTURE
    if start.suffix != ".yaml":
        raise OperatorMistake(
            f"There is no file {start}.", "`barnhand models fetch yolo11n` gets one to start from."
        )
    checks = importlib.import_module("ultralytics.utils.checks")
    try:
        checks.check_yaml(start.name)
    except OSError as error:
        raise OperatorMistake(
            f"ultralytics ships no architecture {start.name}.", "For example yolo11s.yaml."
        ) from error
    return start.name


def _run(
    settings: dict[str, Any], folder: YoloFolder, start: Path | None, tell: Callable[[str], None]
) -> bool:
    """Train to the end; False when interrupted."""
    base: Any = importlib.import_module("ultralytics.models.yolo.detect").DetectionTrainer
    begun = load_network(start)[0] if start is not None and start.suffix == ".pt" else None
    if start is None and not settings["resume"]:
        tell("no --start: weights are random; `barnhand models fetch yolo11n` gets trained ones")
    tasks: Any = importlib.import_module("ultralytics.nn.tasks")

    def get_dataset(_trainer: Any) -> dict[str, object]:
        return folder.description()

    def get_model(trainer: Any, cfg: Any, weights: Any = None, verbose: bool = True) -> Any:
        known = begun if weights is None else weights
        network = trainer.set_model_names_for_load(
            tasks.DetectionModel(
                cfg if known is None else known.yaml, nc=len(folder.names), ch=3, verbose=False
            )
        )
        if known is not None:
            network.load(known, verbose=False)
        return network

    # Not named a trainer, or the library would load its callbacks for platforms.
    made: Any = type(
        "BarnRun",
        (base,),
        # The last evaluation and its YAML file are not needed: we measure what is served.
        {"get_dataset": get_dataset, "get_model": get_model, "final_eval": _nothing},
    )
    clock = _Progress(tell)
    try:
        run = made(overrides=settings)
        run.add_callback("on_train_start", clock.started)
        run.add_callback("on_fit_epoch_end", clock.epoch_ended)
        run.train()
    except KeyboardInterrupt:
        tell("stopped; the epochs finished so far are kept")
        return False
    except AssertionError as error:
        if "nothing to resume" in str(error):
            raise OperatorMistake("That training is finished: nothing to resume.") from error
        raise
    except FileNotFoundError as error:
        raise OperatorMistake(f"The checkpoint cannot be resumed: {error}") from error
    except torch.cuda.OutOfMemoryError as error:
        raise EnvironmentFault(
            "The graphics card has too little memory.", "Use a smaller --batch."
        ) from error
    return True


def _nothing(_trainer: Any) -> None:
    return None


class _Progress:
    """A line an epoch, with the time left."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._began_s = time.monotonic()
        self._from = 0

    def started(self, run: Any) -> None:
        """Training begins."""
        self._began_s, self._from = time.monotonic(), int(run.start_epoch)

    def epoch_ended(self, run: Any) -> None:
        """An epoch was trained and measured."""
        done = int(run.epoch) + 1
        spent_s = time.monotonic() - self._began_s
        left_s = spent_s / max(done - self._from, 1) * (int(run.epochs) - done)
        losses = " ".join(f"{name} {float(value):.3f}" for name, value in dict(run.tloss).items())
        found = float((run.metrics or {}).get("metrics/mAP50(B)", float("nan")))
        self._tell(
            f"epoch {done}/{run.epochs} {losses} mAP50 {found:.3f} about {left_s / 60:.0f} min left"
        )


# --- publishing ----------------------------------------------------------------------------------


def publish_yolo(
    checkpoint: Path, pictures: Sequence[LabelledPicture], folder: YoloFolder, out: Path, name: str,
    side_px: int, recipe: Sequence[str],
) -> Published:  # fmt: skip
    """Export the checkpoint, measure the file as the product serves it, write card and entry."""
    files = Published(out / f"{name}.onnx", out / f"{name}.md", out / f"{name}.toml")
    score, box = export_yolo(checkpoint, files.weights, side_px)
    entry = ModelEntry(
        name=name, version=version_of_today(), task=Task.DETECTOR, layout=Layout.YOLO,
        files=(
            ModelFile(
                name=files.weights.name, sha256=sha256_of_file(files.weights),
                size_bytes=files.weights.stat().st_size,
            ),
        ),
        input=InputSpec(width_px=side_px, height_px=side_px, colour="rgb", dynamic_size=True),
        classes={str(number): named for number, named in folder.names.items()}, rank=RANK,
        licence=LICENCE, origin="YOLO trained here with ultralytics",
    )  # fmt: skip
    figures = _figures(entry, files.weights, pictures)
    entry = entry.model_copy(
        update={"measured": {f"{what}, {on}": float(value) for what, value, on in figures}}
    )
    card = ModelCard(
        title=f"{name} {entry.version}",
        purpose=f"Boxes of {' and '.join(f'{n}s' for n in folder.names.values())}; YOLO of "
        f"ultralytics, RGB 0..1 in, {side_px} px on the longer side, any size divisible by 32.",
        data=_counted(pictures),
        recipe=[
            *recipe,
            f"Exported to ONNX by ultralytics; largest difference from torch {score:.1e} in score "
            f"and {box:.1e} px in place.",
        ],
        figures=figures,
        limits=["Not examined beyond the figures above."]
        if figures
        else ["No horse was held out: how good it is on unseen pictures is not known."],
        licence=f"{LICENCE}: ultralytics asks this of the weights too.",
    )
    files.card.write_text(card.text(), encoding="utf-8")
    files.entry.write_text(manifest_text(entry), encoding="utf-8")
    return files


def _counted(pictures: Sequence[LabelledPicture]) -> list[tuple[str, int, int, str]]:
    rows = []
    for source in sorted({p.source for p in pictures}):
        kept = sum(1 for p in pictures if p.source == source and p.held_out)
        total = sum(1 for p in pictures if p.source == source)
        rows.append((source, total - kept, kept, KNOWN_SOURCES.get(source, "own pictures")))
    return rows


def _figures(entry: ModelEntry, weights: Path, pictures: Sequence[LabelledPicture]) -> list[Figure]:
    """Recall of held-out horses and alarms on held-out pictures without any, as served."""

    def open_on(_device: Device) -> Session:
        return OnnxSession(weights, entry.input, Execution("cpu"))

    unseen = [p for p in pictures if p.held_out]
    horses = [p for p in unseen if (p.class_ids == SubjectClass.HORSE).any()]
    empty = [p for p in unseen if not (p.class_ids == SubjectClass.HORSE).any()]
    if not horses:
        return []
    detector = grid_detector(entry, open_on, "cpu", DetectorOptions(minimum_box_px=4.0))

    def found(picture: LabelledPicture) -> DetectionBatch:
        pixels = _read(picture.file)
        width, height = detector.input_size_px
        scale = min(width / pixels.shape[1], height / pixels.shape[0])
        size = max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1)
        scaled = np.asarray(cv2.resize(pixels, size), np.uint8)
        answers = detector.detect([scaled], [scale], 0.01)[0]
        return answers.select(answers.class_ids == SubjectClass.HORSE)

    try:
        matches = []
        for picture in horses:
            answers = found(picture)
            labels = picture.boxes_xyxy_px[picture.class_ids == SubjectClass.HORSE]
            matches.append(match_boxes(answers.boxes_xyxy_px, answers.scores, labels))
        alarms = np.array([found(p).scores.max(initial=0.0) for p in empty], np.float32)
    finally:
        detector.close()
    count = sum(m.labels for m in matches)
    on = f"{count} horses on {len(horses)} unseen pictures"
    figures: list[Figure] = [
        ("recall at IoU 0.5, threshold 0.35", f"{recall_at(matches, 0.35):.3f}", on)
    ]
    if len(alarms):
        threshold = threshold_at_false_pictures(alarms)
        others = f"{len(alarms)} unseen pictures without horses"
        figures += [
            ("pictures with a false horse at 0.35", f"{(alarms >= 0.35).mean():.3f}", others),
            ("recall where at most 1 % of them alarm", f"{recall_at(matches, threshold):.3f}", on),
        ]
    return figures


def _read(path: Path) -> Image:
    picture = cv2.imread(str(path))
    if picture is None:
        raise OperatorMistake(f"{path} is no readable picture.")
    return np.asarray(picture, np.uint8)

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

import torch

from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.models.ultralytics_session import load_network
from engine.training.detector_data import Teacher, read_detector_data
from engine.training.yolo_data import YoloFolder, write_yolo_folder
from engine.training.yolo_export import quiet_ultralytics
from engine.training.yolo_publication import publish_yolo

_log = logging.getLogger(__name__)

DEFAULT_ARCHITECTURE = "yolo11n.yaml"
RUN = "yolo"


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
    told = [
        f"{epochs} epochs over {folder.trained} pictures by ultralytics, batches of {batch} at "
        f"{side_px} px, seed {seed}"
        + ("; the best epoch on held-out pictures was kept." if folder.unseen else "."),
        f"Started from {start.name}." if start is not None else "Started from random weights.",
    ]
    published = publish_yolo(
        best if best.is_file() else last, pictures, folder, out, f"{name}-own", side_px, told
    )
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
    begun = load_network(start)[0] if start is not None and start.suffix == ".pt" else None
    if start is None and not settings["resume"]:
        tell("no --start: weights are random; `barnhand models fetch yolo11n` gets trained ones")
    clock = _Progress(tell)
    try:
        run = _run_class(folder, begun)(overrides=settings)
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


def _run_class(folder: YoloFolder, begun: Any) -> Any:
    """The library's trainer for our folders, beginning with the network ``begun`` if there is one.

    It is made here because the library may only be imported late, and its name does not end like a
    trainer's, or the library would load its callbacks for platforms.
    """
    base: Any = importlib.import_module("ultralytics.models.yolo.detect").DetectionTrainer
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

    # The last evaluation and its YAML file are not needed: we measure what is served.
    ours = {"get_dataset": get_dataset, "get_model": get_model, "final_eval": _nothing}
    return type("BarnRun", (base,), ours)


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

"""The appearance model's part of ``barnhand train`` and ``barnhand evaluate``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.domain.detections import SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray

if TYPE_CHECKING:
    from engine.models.detectors import GridDetector
    from engine.models.manifest import ModelEntry, Task
    from engine.models.model_set import ModelSet
    from engine.models.sessions import Device, Session
    from engine.models.store import ModelStore
    from engine.training.tracklets import TrackletPicture

Locate = Callable[[str | None, "Task", Path | None], "tuple[ModelEntry, Path]"]
"""Name or file (None: the preferred one), task, further folder -> entry and file."""

LEAST_SCORE = 0.3


def add_training_arguments(task: argparse.ArgumentParser) -> None:
    """What ``barnhand train embedder`` takes beside the common arguments."""
    task.add_argument("--backbone", type=Path, help="EfficientNet-lite0 weights (.pth)")
    task.add_argument("--variants", type=int, default=4, help="random variants of each picture")
    task.add_argument("--folds", type=int, default=4, help="folds of the cross-validation")
    task.add_argument("--splits", type=int, default=3, help="ways to deal horses into folds")
    task.add_argument("--every", type=int, default=3, help="use every n-th frame of a clip")
    task.add_argument(
        "--labelled-only", action="store_true",
        help="leave out clips without an index, whose horses are followed by the tracker",
    )  # fmt: skip


def add_evaluation_arguments(task: argparse.ArgumentParser) -> None:
    """What ``barnhand evaluate reid`` takes beside the common arguments."""
    task.add_argument(
        "--whole-box", action="store_true", help="do not suppress the background by keypoints"
    )
    task.add_argument("--every", type=int, default=1, help="use every n-th frame of a clip")


def train(
    wanted: argparse.Namespace, store: Callable[[], ModelStore], tell: Callable[[str], None]
) -> bool:
    """Run the training; False when it was interrupted. ``store``: of the models that follow horses
    through clips without labels, asked for when there are such clips."""
    from engine.training.embedder_training import train_embedder

    if min(wanted.variants, wanted.every, wanted.splits) < 1 or wanted.folds < 2:
        raise OperatorMistake("--variants, --every and --splits start at 1, --folds at 2.")
    follower = _Follower(store, tell)
    try:
        return train_embedder(
            wanted.data, wanted.out, wanted.device, wanted.epochs, wanted.resume,
            minutes=wanted.minutes, steps=wanted.steps, threads=wanted.threads, seed=wanted.seed,
            backbone=wanted.backbone, every=wanted.every, variants=wanted.variants,
            folds=wanted.folds, splits=wanted.splits, tell=tell,
            follow=None if wanted.labelled_only else follower,
        )  # fmt: skip
    except KeyboardInterrupt:
        # Outside the loop (reading, describing pictures): finished parts are on disk.
        return False
    finally:
        follower.close()


class _Follower:
    """The pictures of a clip's horses, by the product's detector, tracker and pose model."""

    def __init__(self, store: Callable[[], ModelStore], tell: Callable[[str], None]) -> None:
        self._store, self._tell = store, tell
        self._models: ModelSet | None = None

    def __call__(self, clip: Path) -> Iterator[TrackletPicture]:
        from engine.models.model_set import load_models
        from engine.runtime.clock import SystemClock
        from engine.settings import EngineSettings
        from engine.training.tracklets import tracklets

        settings = EngineSettings()
        if self._models is None:
            self._models = load_models(settings, self._store(), SystemClock())
        count = 0
        for one in tracklets(clip, self._models, settings):
            count += 1
            yield one
        self._tell(f"{clip.name}: {count} pictures of followed horses")

    def close(self) -> None:
        if self._models is not None:
            self._models.close()


def evaluate(
    wanted: argparse.Namespace, locate: Locate, tell: Callable[[str], None]
) -> dict[str, object]:
    """Measure an embedder and return the report."""
    from engine.models.embedders import OnnxEmbedder
    from engine.models.manifest import Task
    from engine.training.reid_evaluation import evaluate_reid

    if wanted.every < 1:
        raise OperatorMistake("--every starts at 1.")
    entry, path = locate(wanted.model, Task.EMBEDDER, wanted.models)
    embedder = OnnxEmbedder(entry, _opener(entry, path), wanted.device)
    finder = _HorseFinder(wanted, locate)
    try:
        figures = evaluate_reid(
            embedder, wanted.data, finder, wanted.held_out, not wanted.whole_box, wanted.every,
            tell,
        )  # fmt: skip
    finally:
        finder.close()
        embedder.close()
    return {"model": entry.id, "data": wanted.data.name, **figures}


def _opener(entry: ModelEntry, path: Path) -> Callable[[Device], Session]:
    from engine.models.sessions import Execution, open_session

    def open_on(device: Device) -> Session:
        return open_session(path, entry.runtime, entry.input, Execution(device))

    return open_on


class _HorseFinder:
    """The clearest horse of a picture, by the preferred detector; opened when first needed."""

    def __init__(self, wanted: argparse.Namespace, locate: Locate) -> None:
        self._wanted, self._locate = wanted, locate
        self._detector: GridDetector | None = None

    def __call__(self, picture_bgr: Image) -> FloatArray | None:
        from engine.models.detectors import DetectorOptions, grid_detector
        from engine.models.manifest import Task
        from engine.training.evaluation import answers_of

        if self._detector is None:
            entry, path = self._locate(None, Task.DETECTOR, self._wanted.models)
            self._detector = grid_detector(
                entry, _opener(entry, path), self._wanted.device, DetectorOptions()
            )
        found = answers_of(self._detector, picture_bgr, LEAST_SCORE)
        horses = found.select(found.class_ids == SubjectClass.HORSE)
        return np.array(horses.boxes_xyxy_px[0], np.float32) if len(horses) else None

    def close(self) -> None:
        if self._detector is not None:
            self._detector.close()

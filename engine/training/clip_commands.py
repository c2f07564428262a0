"""``barnhand evaluate clips``: what the models see in clips without labels, to be looked at."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from engine.domain.errors import EnvironmentFault, OperatorMistake

if TYPE_CHECKING:
    from engine.domain.frames import Image
    from engine.models.model_set import ModelSet
    from engine.models.store import ModelStore
    from engine.settings import EngineSettings


def add_arguments(task: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    task.add_argument("--data", type=Path, required=True, help="a clip, or a folder of clips")
    task.add_argument("--out", type=Path, help="folder for the contact sheets (PNG)")
    task.add_argument("--frames", type=int, default=60, help="of each clip, spread evenly")
    task.add_argument(
        "--bare", action="store_true", help="draw on grey, to show where the pictures may not be"
    )
    task.add_argument("--threshold", type=float, help="of boxes (default: the product's)")
    task.add_argument("--detector", default="auto", help="name in the manifest or a file")
    task.add_argument("--pose", default="auto", help="the same")
    task.add_argument("--models", type=Path, help="a further folder with model files")
    task.add_argument("--report", type=Path, help="write the figures to this JSON file")


def evaluate(
    wanted: argparse.Namespace, store: ModelStore, tell: Callable[[str], None]
) -> dict[str, object]:
    """Figures of every clip; contact sheets where ``--out`` says. OperatorMistake where there are
    no clips or one cannot be read."""
    from engine.settings import EngineSettings
    from engine.training.contact_sheets import frames_of, look_at

    clips = clips_of(wanted.data)
    if wanted.frames < 1:
        raise OperatorMistake("--frames must be at least 1.")
    settings = EngineSettings()
    threshold = settings.detection.confidence if wanted.threshold is None else wanted.threshold
    report: dict[str, object] = {}
    with closing(_models(wanted, settings, store)) as models:
        for clip in clips:
            sheet, figures = look_at(
                frames_of(clip, wanted.frames), models.detector, models.pose, threshold,
                bare=wanted.bare,
            )  # fmt: skip
            report[clip.name] = figures
            tell(f"{clip.name}: {figures}")
            if wanted.out is not None:
                _write(wanted.out, f"{clip.stem}.png", sheet)
        names = [str(m.model_id) for m in (models.detector, models.pose) if m is not None]
    return {
        "models": names, "threshold": threshold, "clips": report,
        "not_shown": "There is no ground truth here: boxes are counted, not judged. Look at them.",
    }  # fmt: skip


def clips_of(path: Path) -> Sequence[Path]:
    """The clip, or the clips of a folder by name."""
    if path.is_file():
        return (path,)
    from engine.training.tracklets import CLIPS, clips_in

    found = clips_in(path)
    if not found:
        raise OperatorMistake(f"{path} holds no clips.", f"Expected {', '.join(CLIPS)}.")
    return found


def _models(wanted: argparse.Namespace, settings: EngineSettings, store: ModelStore) -> ModelSet:
    """Detector and pose model as the product loads them. OperatorMistake where the detector that
    was asked for does not work: boxes of the motion fallback say nothing of models."""
    from engine.models.model_set import NONE, load_models
    from engine.runtime.clock import SystemClock

    chosen = settings.model_copy(
        update={
            "detection": settings.detection.model_copy(update={"model": wanted.detector}),
            "pose": settings.pose.model_copy(update={"model": wanted.pose}),
            "tracking": settings.tracking.model_copy(update={"embedder": NONE}),
        }
    )
    models = load_models(chosen, store, SystemClock())
    if models.notices:
        models.close()
        raise OperatorMistake(models.notices[0].message, models.notices[0].advice)
    return models


def _write(folder: Path, name: str, sheet: Image) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
    except OSError as error:
        raise EnvironmentFault(f"The contact sheet could not be written: {error}.") from error

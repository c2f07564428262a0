"""How long each model takes on this machine, in rounds that all models share.

Single times on a busy machine mean little. Every round runs each model once, in an order that
changes, and a model's time is divided by that of ours in the same round, so that what slows the
machine down slows both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.domain.frames import Picture
from engine.domain.geometry import FloatArray
from engine.models.manifest import ModelEntry, Task
from engine.models.model_set import NONE, ModelSet, load_models
from engine.models.store import FileState, ModelStore, Place
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings

ROUNDS = 15
TIMED_TASKS = (Task.DETECTOR, Task.POSE, Task.EMBEDDER)
HORSES = 4
"""Boxes a picture for the models that look at one horse at a time."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and the 5 and 95 % points."""

    median: float
    p5: float
    p95: float

    @classmethod
    def of(cls, values: FloatArray) -> Spread:
        """Of at least one value."""
        p5, median, p95 = (float(v) for v in np.percentile(values, (5, 50, 95)))
        return cls(median, p5, p95)


@dataclass(frozen=True, slots=True)
class Timing:
    """One model's time a picture in milliseconds (with ``HORSES`` boxes), preparation and decoding
    included, and how many times that of ours it is (None: no model of ours was measured).
    ``runs_on``: cpu, cuda, ... where it really ran."""

    entry: ModelEntry
    ours: bool
    runs_on: str
    time_ms: Spread
    ratio: Spread | None


@dataclass(frozen=True, slots=True)
class Timings:
    """What was measured, by task in order of preference, and what could not be and why."""

    rounds: int
    measured: tuple[Timing, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Runner:
    entry: ModelEntry
    ours: bool
    runs_on: str
    run: Callable[[Picture], object]
    close: Callable[[], None]


def boxes_of(picture: Picture) -> FloatArray:
    """HORSES boxes of horse-like proportions spread over the picture, float32 (HORSES, 4)."""
    width, height = picture.width_px, picture.height_px
    side = min(width / 2.2, height / 1.6)
    left = np.linspace(0.02 * width, 0.98 * width - side, HORSES)
    top = np.linspace(0.05, 0.2, HORSES) * height
    boxes = np.stack([left, top, left + side, top + 0.75 * side], axis=1)
    return boxes.astype(np.float32)


def time_models(
    settings: EngineSettings,
    store: ModelStore,
    pictures: Sequence[Picture],
    tasks: Sequence[Task] = TIMED_TASKS,
    rounds: int = ROUNDS,
    tell: Callable[[str], None] = lambda _line: None,
) -> Timings:
    """Time every model of the tasks that is on this machine on these pictures, in turn.

    Each is loaded as the engine loads it by ``settings``, with whatever belongs to it. ``rounds``
    counts measured rounds of each task after an unmeasured one. A model that cannot be opened is
    left out, and why is said. Nothing is downloaded.
    """
    measured: list[Timing] = []
    left_out: list[tuple[str, str]] = []
    for task in tasks:
        runners = _opened(settings, store, task, left_out)
        try:
            tell(f"{task}: {', '.join(r.entry.name for r in runners) or 'no model'}")
            if runners:
                measured += _timed(runners, pictures, rounds)
        finally:
            for runner in runners:
                runner.close()
    return Timings(rounds, tuple(measured), tuple(left_out))


def _opened(
    settings: EngineSettings, store: ModelStore, task: Task, left_out: list[tuple[str, str]]
) -> list[_Runner]:
    runners: list[_Runner] = []
    for entry in store.manifest.for_task(task):
        status = store.status_of(entry)
        if status.state is not FileState.PRESENT:
            left_out.append((entry.name, status.problem))
            continue
        loaded = load_models(_only(settings, entry), store, SystemClock())
        run = _work_of(loaded, entry)
        if run is None:
            loaded.close()
            told = " ".join(notice.message for notice in loaded.notices)
            left_out.append((entry.name, told or "it could not be loaded"))
            continue
        ours = status.place is Place.BUNDLED
        runners.append(_Runner(entry, ours, loaded.devices[task.value], run, loaded.close))
    return runners


def _only(settings: EngineSettings, entry: ModelEntry) -> EngineSettings:
    """The settings with this model and none for the other tasks."""
    chosen = {task: entry.name if task is entry.task else NONE for task in TIMED_TASKS}
    return settings.model_copy(
        update={
            "detection": settings.detection.model_copy(update={"model": chosen[Task.DETECTOR]}),
            "pose": settings.pose.model_copy(
                update={"model": chosen[Task.POSE], "enabled": entry.task is Task.POSE}
            ),
            "tracking": settings.tracking.model_copy(update={"embedder": chosen[Task.EMBEDDER]}),
        }
    )


def _work_of(loaded: ModelSet, entry: ModelEntry) -> Callable[[Picture], object] | None:
    """What one picture costs, or None when another model was loaded in this one's place."""
    detector, pose, embedder = loaded.detector, loaded.pose, loaded.embedder
    if entry.task is Task.DETECTOR and detector.model_id == entry.id:
        width, height = detector.input_size_px

        def detect(picture: Picture) -> object:
            scale = min(width / picture.width_px, height / picture.height_px)
            size = round(picture.width_px * scale), round(picture.height_px * scale)
            return detector.detect([picture.scaled_bgr(*size)], [scale], 0.35)

        return detect
    if pose is not None and pose.model_id == entry.id:
        return lambda picture: pose.estimate([(picture, boxes_of(picture))])
    if embedder is not None and embedder.model_id == entry.id:
        return lambda picture: embedder.embed([(picture, boxes_of(picture))])
    return None


def _timed(runners: Sequence[_Runner], pictures: Sequence[Picture], rounds: int) -> list[Timing]:
    for runner in runners:
        runner.run(pictures[0])
    spent_ms = np.zeros((rounds, len(runners)), np.float32)
    for turn in range(rounds):
        picture = pictures[turn % len(pictures)]
        # A rotated start, and every other round backwards: nobody always follows the same one.
        order = np.roll(np.arange(len(runners)), turn)[:: 1 if turn % 2 else -1]
        for index in order:
            began_s = time.perf_counter()
            runners[index].run(picture)
            spent_ms[turn, index] = 1000.0 * (time.perf_counter() - began_s)
    base = next((n for n, runner in enumerate(runners) if runner.ours), None)
    return [
        Timing(
            runner.entry, runner.ours, runner.runs_on, Spread.of(spent_ms[:, n]),
            None if base is None else Spread.of(spent_ms[:, n] / spent_ms[:, base]),
        )
        for n, runner in enumerate(runners)
    ]  # fmt: skip

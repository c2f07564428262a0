"""``barnhand models list|fetch|import|export|benchmark``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from barnhand_desktop.installation import Installation
from barnhand_desktop.model_store import open_model_store
from engine.domain.errors import OperatorMistake
from engine.domain.frames import Picture
from engine.models.manifest import ModelEntry, ModelFile, PublishedWeights, Runtime, Task
from engine.models.model_folders import list_in
from engine.models.store import (
    FileState,
    HashKnown,
    LicenceNotAccepted,
    ModelStatus,
    ModelStore,
)

if TYPE_CHECKING:
    from engine.models.timing import Timings

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png")
TASKS = tuple(task.value for task in Task)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The acts and their arguments."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")

    def add(name: str, text: str, act: Callable[..., int]) -> argparse.ArgumentParser:
        made = acts.add_parser(name, help=text, description=text)
        made.set_defaults(run=act)
        return made

    listed = add("list", "what is known, what is here, under which licence", _list)
    listed.add_argument("--task", choices=TASKS)
    listed.add_argument("--json", action="store_true", help="print one JSON document")
    fetched = add("fetch", "download a model", _fetch)
    fetched.add_argument("name", help="as listed")
    fetched.add_argument(
        "--accept-licence", action="store_true", help="of a model not for commercial use"
    )
    imported = add("import", "take in a model file", _import)
    imported.add_argument("file", type=Path)
    imported.add_argument("--task", choices=TASKS, help="what it is for, unless it says so itself")
    imported.add_argument("--name", help="list it under this name")
    exported = add("export", "write a model as a folder that serves elsewhere", _export)
    exported.add_argument("name", help="as listed, or a torch checkpoint (.pt, .pth)")
    exported.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="for BARNHAND_MODELS"
    )
    exported.add_argument(
        "--skeleton", default="ap10k", help="landmarks of an RTMPose checkpoint (.pth)"
    )
    timed = add("benchmark", "time every model that is here, ours beside the others", _benchmark)
    timed.add_argument("--task", choices=TASKS[:3], action="append")
    timed.add_argument("--rounds", type=_count, default=15)
    timed.add_argument("--pictures", type=Path, help="folder of pictures; else the simulated barn")
    timed.add_argument("--report", type=Path, metavar="FILE", help="write the figures as JSON")


def run_models(place: Installation, wanted: argparse.Namespace) -> int:
    """Run the act; the exit status."""
    act: Callable[[Installation, argparse.Namespace, ModelStore], int] = wanted.run
    return act(place, wanted, open_model_store(place.folders))


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


# --- list ----------------------------------------------------------------------------------------


def _list(place: Installation, wanted: argparse.Namespace, store: ModelStore) -> int:
    rows = [row for row in store.status() if wanted.task in (None, row.entry.task.value)]
    if wanted.json:
        print(json.dumps([_as_json(row) for row in rows], indent=2))
        return 0
    table = [("TASK", "NAME", "STATE", "SIZE", "HASH", "LICENCE")]
    table += [
        (
            row.entry.task.value,
            row.entry.name,
            _state_words(row),
            _megabytes(row.size_bytes),
            _hash_words(row),
            row.entry.licence,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]) - 1)]
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        print("  ".join([*cells, line[-1]]))
    for row in rows:
        if row.state is FileState.DAMAGED:
            print(f"{row.entry.name}: {row.path} is damaged: {row.problem}")
    return 0


def _state_words(row: ModelStatus) -> str:
    if row.state is FileState.PRESENT and row.place is not None:
        return f"here ({row.place.value})"
    if row.state is FileState.DAMAGED:
        return "damaged"
    return "can be fetched" if row.can_fetch else "no address: import it"


def _hash_words(row: ModelStatus) -> str:
    if row.hash_known is HashKnown.UNKNOWN:
        return "not known, pinned on first download" if row.can_fetch else "not known"
    return {HashKnown.STATED: "stated", HashKnown.PINNED: "pinned"}[row.hash_known]


def _megabytes(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / 1e6:.1f} MB"


def _as_json(row: ModelStatus) -> dict[str, object]:
    return {
        "task": row.entry.task.value,
        "name": row.entry.name,
        "version": row.entry.version,
        "state": row.state.value,
        "place": row.place.value if row.place is not None else None,
        "path": str(row.path) if row.path is not None else None,
        "problem": row.problem,
        "can_fetch": row.can_fetch,
        "size_bytes": row.size_bytes,
        "hash": row.hash_known.value,
        "licence": row.entry.licence,
        "commercial_use": row.entry.commercial_use,
        "origin": row.entry.origin,
    }


# --- fetch and import ----------------------------------------------------------------------------


def _fetch(place: Installation, wanted: argparse.Namespace, store: ModelStore) -> int:
    entry = store.manifest.named(wanted.name)
    status = store.status_of(entry)
    if status.state is FileState.PRESENT:
        print(f"{entry.name} is here already: {status.path}")
        return 0
    accepted = wanted.accept_licence
    if not entry.commercial_use and not accepted:
        accepted = _accepts(entry)
    progress = _Progress()
    path = store.fetch(entry.name, progress, accept_licence=accepted, convert=_convert)
    pinned = "" if status.hash_known is HashKnown.STATED else (
        f"\nIts SHA-256 was not known before; it is pinned from now on in {path.name}.sha256."
    )  # fmt: skip
    print(f"{entry.name} ({entry.licence}): {path}{pinned}")
    return 0


def _accepts(entry: ModelEntry) -> bool:
    """Ask the person at the terminal; without one the flag is needed."""
    if not sys.stdin.isatty():
        return False
    print(f"{entry.name} comes from {entry.origin} under {entry.licence}.")
    print("It may not be used in a business: not in a yard that boards, trains or sells horses.")
    if input("Type yes if you keep to that: ").strip().lower() != "yes":
        raise LicenceNotAccepted(f"{entry.name} was not fetched: its licence was not accepted.")
    return True


def _convert(which: PublishedWeights, weights: Path, target: Path) -> None:
    """Make the file of a model of which only torch weights are published."""
    from engine.training.megadescriptor import convert_megadescriptor

    print(f"making the ONNX file of {which.kind} from its weights ...", flush=True)
    convert_megadescriptor(weights, target)


class _Progress:
    """A line a second while a download runs."""

    def __init__(self) -> None:
        self._told_s = 0.0

    def __call__(self, done_bytes: int, total_bytes: int | None) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= 1.0:
            self._told_s = now_s
            total = f" of {total_bytes / 1e6:.1f}" if total_bytes else ""
            print(f"{done_bytes / 1e6:.1f}{total} MB", flush=True)


def _import(place: Installation, wanted: argparse.Namespace, store: ModelStore) -> int:
    task = Task(wanted.task) if wanted.task is not None else None
    added = store.import_file(wanted.file, task, wanted.name)
    print(f"Imported as {added.name}, a model for {added.task.value} ({added.licence}).")
    return 0


# --- export --------------------------------------------------------------------------------------


def _export(place: Installation, wanted: argparse.Namespace, store: ModelStore) -> int:
    source, folder = Path(wanted.name).expanduser(), wanted.to
    folder.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".pth":
        entry = _exported_rtmpose(source, folder, wanted.skeleton, store)
    elif source.suffix == ".pt" or (
        source.suffix == "" and store.manifest.named(wanted.name).runtime is Runtime.ULTRALYTICS
    ):
        entry = _exported_yolo(wanted.name, folder, store)
    else:
        entry = store.export(wanted.name, folder)
    print(f"{entry.name} ({entry.licence}) in {folder}: {', '.join(f.name for f in entry.files)}")
    print(f"Use it elsewhere with BARNHAND_MODELS={folder}")
    return 0


def _exported_yolo(name: str, folder: Path, store: ModelStore) -> ModelEntry:
    """A YOLO checkpoint as ONNX, so that the other machine needs no torch."""
    from engine.training.yolo_export import export_yolo

    entry, path = store.resolve(name, Task.DETECTOR)
    target = folder / f"{path.stem}.onnx"
    score, box = export_yolo(path, target, max(entry.input.width_px, entry.input.height_px))
    print(f"ONNX and torch agree to {score:.1e} in score and {box:.1e} px in place.")
    update = {"name": f"{entry.name}-onnx", "runtime": Runtime.ONNX, "files": (_file(target),)}
    made = entry.model_copy(update=update)
    list_in(folder, made)
    return made


def _exported_rtmpose(source: Path, folder: Path, skeleton: str, store: ModelStore) -> ModelEntry:
    """A torch checkpoint of RTMPose-m as ONNX; needs the extra [mmpose]."""
    from engine.domain.skeletons import SKELETONS
    from engine.training.mmpose_bridge import build_rtmpose, export_rtmpose

    if skeleton not in SKELETONS:
        raise OperatorMistake(f"No skeleton is named {skeleton!r}: {', '.join(SKELETONS)}.")
    target = folder / f"{source.stem}.onnx"
    difference = export_rtmpose(build_rtmpose(SKELETONS[skeleton], weights=source), target)
    print(f"ONNX and torch agree to {difference:.1e}.")
    made = store.manifest.named("rtmpose-m-ap10k").model_copy(
        update={
            "name": source.stem.lower(), "version": "own", "skeleton": skeleton,
            "files": (_file(target),), "origin": f"exported from {source.name}", "measured": {},
        }
    )  # fmt: skip
    list_in(folder, made)
    return made


def _file(path: Path) -> ModelFile:
    from engine.models.integrity import sha256_of

    return ModelFile(name=path.name, sha256=sha256_of(path), size_bytes=path.stat().st_size)


# --- benchmark -----------------------------------------------------------------------------------


def _benchmark(place: Installation, wanted: argparse.Namespace, store: ModelStore) -> int:
    from engine.models.sessions import Execution
    from engine.models.timing import HORSES, TIMED_TASKS, time_models

    settings = place.settings.engine
    tasks = tuple(Task(name) for name in wanted.task) if wanted.task else TIMED_TASKS
    pictures = _pictures(wanted.pictures)
    size = f"{pictures[0].width_px}x{pictures[0].height_px}"
    print(f"{wanted.rounds} rounds on {len(pictures)} pictures of {size}; pose and appearance with")
    print(f"{HORSES} horses each, preparation and decoding included.", flush=True)
    timings = time_models(settings, store, pictures, tasks, wanted.rounds, print)
    print(f"{'TASK':9} {'NAME':28} {'ON':6} {'MS':>8} {'5 %':>8} {'95 %':>8}  TIMES OURS")
    for row in timings.measured:
        spent = row.time_ms
        beside = "ours" if row.ours else ""
        if row.ratio is not None and not row.ours:
            beside = f"{row.ratio.median:.2f} ({row.ratio.p5:.2f} to {row.ratio.p95:.2f})"
        print(
            f"{row.entry.task.value:9} {row.entry.name:28} {row.runs_on:6} {spent.median:8.1f} "
            f"{spent.p5:8.1f} {spent.p95:8.1f}  {beside}"
        )
    for name, why in timings.left_out:
        print(f"not measured: {name}: {why}")
    if wanted.report is not None:
        threads = Execution(threads=settings.analysis.threads).cpu_threads
        where = {"threads": threads, "picture": size, "horses": HORSES}
        _write_report(wanted.report, timings, where)
    return 0


def _write_report(path: Path, timings: Timings, where: Mapping[str, object]) -> None:
    document = {
        "machine": {"processor": platform.processor() or platform.machine()},
        **where,
        "rounds": timings.rounds,
        "models": [
            {
                "task": row.entry.task.value, "name": row.entry.name,
                "version": row.entry.version, "licence": row.entry.licence, "ours": row.ours,
                "runs_on": row.runs_on, "time_ms": dataclasses.asdict(row.time_ms),
                "ratio": dataclasses.asdict(row.ratio) if row.ratio is not None else None,
            }
            for row in timings.measured
        ],
        "not_measured": [{"name": name, "why": why} for name, why in timings.left_out],
    }  # fmt: skip
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OperatorMistake(f"The report cannot be written: {error}") from error


def _pictures(folder: Path | None) -> list[Picture]:
    """The pictures of a folder, or some of the simulated barn."""
    import cv2
    import numpy as np

    from engine.simulation.barn import SimulatedBarn
    from engine.sources.pictures import ArrayPicture

    if folder is None:
        barn = SimulatedBarn("paddock")
        return [ArrayPicture(barn.picture_at(t)) for t in (1.0, 3.0, 5.0)]
    if not folder.is_dir():
        raise OperatorMistake(f"There is no folder {folder}.")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_ENDINGS)[:32]
    read = [cv2.imread(str(path)) for path in files]
    pictures: list[Picture] = [
        ArrayPicture(np.asarray(picture, np.uint8)) for picture in read if picture is not None
    ]
    if not pictures:
        raise OperatorMistake(f"{folder} holds no pictures ({', '.join(PICTURE_ENDINGS)}).")
    return pictures

"""From trained networks to what the product loads: ONNX file, model card and manifest entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from engine.domain.skeletons import EQUINE26
from engine.models.manifest import InputSpec, Layout, ModelEntry, ModelFile, Task
from engine.training.accuracy import LandmarkErrors
from engine.training.cards import Figure, ModelCard, manifest_text
from engine.training.detector_data import LabelledPicture
from engine.training.detector_net import CANDIDATE, CLASSES, RIVALS, DetectorNet, ServedDetector
from engine.training.detector_training import measure_detector
from engine.training.export import export_onnx, sha256_of_file
from engine.training.pose_data import PoseSet
from engine.training.pose_net import PoseNet, ServedPose
from engine.training.pose_training import INPUT_PX, MEAN, STD, measure_pose
from engine.training.pseudo_labels import WEIGHT as PSEUDO_WEIGHT

POSE_NAME = "barnhand-equine26"
DETECTOR_NAME = "barnhand-horse-nano"
OWN_RANK = 10
DETECTOR_SIDE_PX = 416
DETECTOR_RANK = 28
"""Behind the larger YOLO11 models, which find more horses, before the published YOLOX-nano."""

UNSTATED = "no clean licence is stated; used for training, not shipped"
KNOWN_SOURCES = {
    "ridden_walk": "ridden horses walking past, landmarks predicted by DeepLabCut (Niknejad et "
    "al. 2023), research use",
    "animalpose_horse": f"Animal-Pose horses, hand-labelled (Cao et al. 2019); {UNSTATED}",
    "animalpose_other": f"Animal-Pose cows, sheep and dogs, hand-labelled; {UNSTATED}",
    "animalpose_neg": "Animal-Pose pictures of cows, sheep and dogs: measuring only",
    "weizmann": f"Weizmann horses (Borenstein), boxes from masks; {UNSTATED}",
    "looks": f"web pictures of breeds and scenes, labelled by two teachers; {UNSTATED}",
    "empty_barns": f"empty stalls and halls; {UNSTATED}",
}


@dataclass(frozen=True)
class Published:
    """Files of a finished training."""

    weights: Path
    card: Path
    entry: Path


def counted(sources: Sequence[str], held_out: Sequence[bool]) -> list[tuple[str, int, int, str]]:
    """Rows of a card: source, samples trained on, samples held out, what it is."""
    rows = []
    for name in sorted(set(sources)):
        kept = sum(1 for s, h in zip(sources, held_out, strict=True) if s == name and h)
        total = sum(1 for s in sources if s == name)
        rows.append((name, total - kept, kept, KNOWN_SOURCES.get(name, "own pictures")))
    return rows


def write(out: Path, name: str, card: ModelCard, entry: ModelEntry) -> Published:
    """Write card and entry beside the weights ``<name>.onnx``."""
    files = Published(out / f"{name}.onnx", out / f"{name}.md", out / f"{name}.toml")
    files.card.write_text(card.text(), encoding="utf-8")
    files.entry.write_text(manifest_text(entry), encoding="utf-8")
    return files


def model_file(path: Path) -> ModelFile:
    """The manifest's description of a file."""
    return ModelFile(name=path.name, sha256=sha256_of_file(path), size_bytes=path.stat().st_size)


def publish_pose(
    network: PoseNet, data: PoseSet, out: Path, version: str, recipe: Sequence[str] = (),
    limits: Sequence[str] = (),
) -> Published:  # fmt: skip
    """Export the pose network, measure it on held-out data and write card and entry."""
    weights = out / f"{POSE_NAME}.onnx"
    difference = export_onnx(ServedPose(network), weights, INPUT_PX, INPUT_PX)
    figures: list[Figure] = []
    measured: dict[str, str | float | int] = {}
    for source in sorted(set(data.sources)):
        rows = data.rows((source,), held_out=True)
        if not len(rows) or float(data.landmarks[rows, :, 2].max()) <= PSEUDO_WEIGHT:
            continue  # nothing held out, or labelled by a network
        errors = measure_pose(network, data, rows, torch.device("cpu"))
        groups = len({data.groups[int(row)] for row in rows})
        what = f"{errors.points} points, {len(rows)} animals, {groups} unseen horses or pictures"
        for share in (0.05, 0.1):
            figures.append((f"{source}: PCK at {share}", f"{errors.pck(share):.3f}", what))
            measured[f"PCK {share}, {source}, {what}"] = round(errors.pck(share), 3)
        figures += _by_landmark(source, errors)
    card = ModelCard(
        title=f"{POSE_NAME} {version}",
        purpose="Equine landmarks (equine26, 26 points) in the box of one horse, top-down, "
        f"{INPUT_PX}x{INPUT_PX} px RGB in, heat maps at a quarter of that out.",
        data=counted(data.sources, [bool(h) for h in _held_out_rows(data)]),
        recipe=[*recipe, f"Exported to ONNX; largest difference from torch {difference:.1e}."],
        figures=figures,
        limits=limits or ["Not examined beyond the figures above."],
        licence="AGPL-3.0-or-later as the project. The backbone starts from EfficientNet-lite0 "
        "ImageNet weights (Apache-2.0).",
    )
    entry = ModelEntry(
        name=POSE_NAME, version=version, task=Task.POSE, layout=Layout.HEATMAP,
        files=(model_file(weights),), skeleton=EQUINE26.name, rank=OWN_RANK, padding=1.25,
        input=InputSpec(
            width_px=INPUT_PX, height_px=INPUT_PX, colour="rgb", mean=(MEAN,) * 3, std=(STD,) * 3
        ),
        licence="AGPL-3.0-or-later", origin="trained by this project", measured=measured,
    )  # fmt: skip
    return write(out, POSE_NAME, card, entry)


def _held_out_rows(data: PoseSet) -> np.ndarray:
    held = np.zeros(len(data), bool)
    held[data.rows(tuple(sorted(set(data.sources))), held_out=True)] = True
    return held


def _by_landmark(source: str, errors: LandmarkErrors) -> list[Figure]:
    counts = np.isfinite(errors.relative).sum(axis=0)
    shares = errors.pck_by_landmark(0.1)
    return [
        (f"{source}: {name}, PCK at 0.1", f"{share:.3f}", f"{count} points")
        for name, share, count in zip(EQUINE26.landmarks, shares, counts, strict=True)
        if count
    ]


def publish_detector(
    network: DetectorNet, pictures: Sequence[LabelledPicture], out: Path, version: str,
    recipe: Sequence[str] = (), limits: Sequence[str] = (),
) -> Published:  # fmt: skip
    """Export the detector, measure it on held-out data and write card and entry."""
    weights = out / f"{DETECTOR_NAME}.onnx"
    side = DETECTOR_SIDE_PX
    difference = export_onnx(ServedDetector(network), weights, side, side, dynamic_size=True)
    negatives = [p for p in pictures if p.source.endswith("_neg")]
    unseen = [p for p in pictures if p.held_out and p.source == "animalpose_horse"]
    unseen = unseen or [p for p in pictures if p.held_out and not p.source.endswith("_neg")]
    found = measure_detector(network, unseen, negatives, torch.device("cpu"), side)
    on = f"{int(found['horses'])} horses on {len(unseen)} unseen pictures"
    cows = f"{len(negatives)} pictures of cows, sheep and dogs"
    figures: list[Figure] = [
        ("recall at IoU 0.5, threshold 0.3", f"{found['recall_at_0.3']:.3f}", on),
        ("negatives with a horse at threshold 0.3", f"{found['false_pictures_at_0.3']:.3f}", cows),
        ("recall at IoU 0.5 where at most 1 % of negatives alarm", f"{found['recall_at_fp1']:.3f}",
         f"{on}, threshold {found['threshold_at_fp1']:.2f}"),
    ]  # fmt: skip
    card = ModelCard(
        title=f"{DETECTOR_NAME} {version}",
        purpose="Boxes of horses and persons; the YOLOX-nano architecture with two classes, "
        "BGR 0..255 in, any size divisible by 32.",
        data=counted([p.source for p in pictures], [p.held_out for p in pictures]),
        recipe=[*recipe, f"Exported to ONNX; largest difference from torch {difference:.1e}."],
        figures=figures,
        limits=limits or ["Not examined beyond the figures above."],
        licence="AGPL-3.0-or-later as the project. Derived from the YOLOX-nano COCO weights of "
        "Megvii (Apache-2.0), which were changed by fine-tuning.",
    )
    entry = ModelEntry(
        name=DETECTOR_NAME, version=version, task=Task.DETECTOR, layout=Layout.YOLOX,
        files=(model_file(weights),), rank=DETECTOR_RANK,
        input=InputSpec(
            width_px=side, height_px=side, colour="bgr", std=(1.0, 1.0, 1.0), dynamic_size=True
        ),
        classes={str(index): name for index, name in enumerate(CLASSES)}, candidates=(CANDIDATE,),
        rivals=RIVALS,
        licence="AGPL-3.0-or-later; derived from Apache-2.0 weights",
        origin="trained by this project from YOLOX-nano (Megvii)",
        measured={f"{name}, {on}": float(value) for name, value, on in figures},
    )  # fmt: skip
    return write(out, DETECTOR_NAME, card, entry)


def version_of_today() -> str:
    """Version of a model published now: the date."""
    return datetime.now(UTC).strftime("%Y.%m.%d")

"""From a trained YOLO checkpoint to what the product loads: ONNX file, card, manifest entry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import OperatorMistake
from engine.models.detectors import DetectorOptions, GridDetector, grid_detector
from engine.models.manifest import InputSpec, Layout, ModelEntry, ModelFile, Task
from engine.models.onnx_session import OnnxSession
from engine.models.sessions import Device, Execution, Session
from engine.training.accuracy import match_boxes, recall_at, threshold_at_false_pictures
from engine.training.cards import Figure, ModelCard, manifest_text
from engine.training.detector_data import LabelledPicture
from engine.training.export import sha256_of_file
from engine.training.publication import KNOWN_SOURCES, Published, version_of_today
from engine.training.yolo_data import YoloFolder
from engine.training.yolo_export import export_yolo

RANK = 18
"""Before the published YOLO11 (20 to 24), behind the bundled models."""
LICENCE = "AGPL-3.0-or-later (ultralytics)"


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
    try:
        matches = []
        for picture in horses:
            answers = _horses(detector, picture)
            labels = picture.boxes_xyxy_px[picture.class_ids == SubjectClass.HORSE]
            matches.append(match_boxes(answers.boxes_xyxy_px, answers.scores, labels))
        alarms = np.array([_horses(detector, p).scores.max(initial=0.0) for p in empty], np.float32)
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


def _horses(detector: GridDetector, picture: LabelledPicture) -> DetectionBatch:
    """What the detector calls a horse, down to a score of 0.01."""
    pixels = cv2.imread(str(picture.file))
    if pixels is None:
        raise OperatorMistake(f"{picture.file} is no readable picture.")
    width, height = detector.input_size_px
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    size = max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1)
    scaled = np.asarray(cv2.resize(pixels, size), np.uint8)
    answers = detector.detect([scaled], [scale], 0.01)[0]
    return answers.select(answers.class_ids == SubjectClass.HORSE)

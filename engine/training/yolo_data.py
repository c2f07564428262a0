"""Our detector pictures as the folders that ultralytics reads: pictures, and a text file each."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.domain.detections import SubjectClass
from engine.domain.errors import OperatorMistake
from engine.training.detector_data import LabelledPicture

_COMPLETE = "complete"
HIDDEN_GREY = 114
"""Level that hides what is neither horse nor background for sure: YOLO knows no ignored places."""


@dataclass(frozen=True)
class YoloFolder:
    """Pictures split into ``images/train`` and ``images/val`` with ``labels/`` beside them.

    ``names``: class number -> name. ``unseen`` False: nothing is held out, so the training pictures
    serve for choosing the best epoch too.
    """

    folder: Path
    names: dict[int, str]
    trained: int
    held_out: int
    unseen: bool

    def description(self) -> dict[str, object]:
        """What ultralytics otherwise reads from a YAML file."""
        seen = "val" if self.unseen else "train"
        return {
            "path": self.folder,
            "train": str(self.folder / "images" / "train"),
            "val": str(self.folder / "images" / seen),
            "names": dict(self.names),
            "nc": len(self.names),
            "channels": 3,
        }


def write_yolo_folder(pictures: Sequence[LabelledPicture], cache: Path) -> YoloFolder:
    """Write the folders once for these pictures and labels. OperatorMistake when no picture that is
    not held out shows a horse."""
    train = [p for p in pictures if not p.held_out]
    if not any((p.class_ids == SubjectClass.HORSE).any() for p in train):
        raise OperatorMistake(
            "There is no horse in the pictures to train on.",
            "Every sixth picture is held out for measuring: give some more.",
        )
    # Persons that nobody labelled would teach that persons are background.
    persons = any((p.class_ids == SubjectClass.PERSON).any() for p in pictures)
    names = {0: "horse", 1: "person"} if persons else {0: "horse"}
    held_out = [p for p in pictures if p.held_out]
    # Negatives alone cannot tell one epoch from another.
    unseen = any((p.class_ids == SubjectClass.HORSE).any() for p in held_out)
    folder = cache / f"yolo-{_key(pictures, names)}"
    if not (folder / _COMPLETE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        for split, chosen in (("train", train), ("val", held_out)):
            for kind in ("images", "labels"):
                (folder / kind / split).mkdir(parents=True)
            for number, picture in enumerate(chosen):
                _write(picture, folder, split, f"{number:06d}", names)
        (folder / _COMPLETE).touch()
    return YoloFolder(folder, names, len(train), len(held_out), unseen)


def _key(pictures: Sequence[LabelledPicture], names: dict[int, str]) -> str:
    said = [
        (str(p.file), p.boxes_xyxy_px.tolist(), p.class_ids.tolist(), p.ignored_xyxy_px.tolist())
        for p in pictures
    ]
    return hashlib.sha256(json.dumps([said, names]).encode()).hexdigest()[:12]


def _write(
    picture: LabelledPicture, folder: Path, split: str, name: str, names: dict[int, str]
) -> None:
    pixels = cv2.imread(str(picture.file))
    if pixels is None:
        raise OperatorMistake(f"{picture.file} is no readable picture.")
    height, width = pixels.shape[:2]
    target = folder / "images" / split / f"{name}.jpg"
    kept = np.isin(picture.class_ids, list(names))
    boxes = picture.boxes_xyxy_px[kept]
    if len(picture.ignored_xyxy_px):
        shown = pixels.copy()
        for x1, y1, x2, y2 in picture.ignored_xyxy_px.round().astype(int).clip(0):
            pixels[y1:y2, x1:x2] = HIDDEN_GREY
        for x1, y1, x2, y2 in boxes.round().astype(int).clip(0):
            pixels[y1:y2, x1:x2] = shown[y1:y2, x1:x2]
        cv2.imwrite(str(target), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
    else:
        shutil.copyfile(picture.file, target)
    size = np.array([width, height, width, height], np.float32)
    shares = np.clip(boxes / size, 0.0, 1.0)
    lines = [
        f"{number} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}"
        for number, (x1, y1, x2, y2) in zip(picture.class_ids[kept], shares, strict=True)
        if x2 > x1 and y2 > y1
    ]
    text = "\n".join(lines)
    (folder / "labels" / split / f"{name}.txt").write_text(text, encoding="utf-8")

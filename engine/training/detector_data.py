"""Detector pictures and boxes: reading the data folders, teacher labels, caching.

Layouts: ``images/`` with COCO ``annotations.json``; ``images/`` with ``masks/``; clips with
keypoints (``index.csv``); any other folder of pictures, where only teachers label. Folders whose
name ends in ``_neg`` are for measuring and never trained on.

Labels are never complete (riders and background horses are not labelled in the picture sets), so
teachers, if given, add boxes where two of them agree, and mark boxes that only one of them sees
as doubtful: those teach neither presence nor absence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray, iou_matrix
from engine.training.detector_net import OTHER_ANIMALS
from engine.training.pose_data import clip_instances, is_held_out

CACHED_SIDE_PX = 640
SURE, SEEN, DOUBTFUL = 0.40, 0.25, 0.12
"""The first teacher must be sure, the second must have seen it; anything above DOUBTFUL that is
not agreed is ignored."""

LARGE = 0.2
"""Where a horse is known to be: what one teacher takes for any animal and covers that share of the
picture is that horse, though the other does not see it."""
HORSE_FOLDERS = ("breeds", "horses")
"""Folders of loose pictures that all show a horse."""

_LOOSE = ("looks", "empty_barns", "pictures", "negatives", *HORSE_FOLDERS)

_PICTURES = (".jpg", ".jpeg", ".png")
_CLASSES = {"horse": SubjectClass.HORSE, "person": SubjectClass.PERSON}


@dataclass(frozen=True)
class LabelledPicture:
    """A picture and what is known about it.

    file: cached JPEG. boxes_xyxy_px: float32 (N, 4) in cached pixels; class_ids: (N,) HORSE, PERSON
    or one of OTHER_ANIMALS.
    annotated: how many of them, counted from the first, were in the data; teachers added the rest.
    ignored_xyxy_px: float32 (M, 4), places that are neither. source: folder name; group: what a
    split must not cut.
    """

    file: Path
    boxes_xyxy_px: FloatArray
    class_ids: NDArray[np.int16]
    ignored_xyxy_px: FloatArray
    source: str
    group: str
    annotated: int

    @property
    def held_out(self) -> bool:
        """Whether it is kept from training."""
        return self.source.endswith("_neg") or is_held_out(f"{self.source}/{self.group}")


@dataclass
class FoundPicture:
    """One picture of a folder before teachers: boxes of known classes, boxes of other animals."""

    picture_bgr: NDArray[np.uint8]
    source: str
    group: str
    boxes: list[FloatArray] = field(default_factory=list)
    class_ids: list[int] = field(default_factory=list)
    others: list[FloatArray] = field(default_factory=list)
    other_ids: list[int] = field(default_factory=list)
    rough: bool = False
    """Boxes are hulls of landmarks: a teacher's overlapping box is better."""
    empty: bool = False
    """Nothing is there: teachers are not asked."""
    horse: bool = False
    """A horse is there: what looks like another animal is one."""


class Teacher(Protocol):
    """A detector that labels; ``answers`` in pixels of the picture given."""

    def answers(self, picture_bgr: NDArray[np.uint8]) -> DetectionBatch:
        """Boxes of horses and persons of any confidence above DOUBTFUL."""
        ...

    def animals(self, picture_bgr: NDArray[np.uint8]) -> DetectionBatch:
        """Boxes of persons and of all animals, whatever they are called, above DOUBTFUL."""
        ...


def agreed(
    first: DetectionBatch, second: DetectionBatch, sure_from: float = SURE, seen_from: float = SEEN
) -> tuple[DetectionBatch, FloatArray]:
    """Boxes of the first teacher that the second confirms, and the doubtful rest (M, 4).

    Confirmed: same class, IoU of at least 0.5, scores at least ``sure_from`` and ``seen_from``.
    """
    overlap = iou_matrix(first.boxes_xyxy_px, second.boxes_xyxy_px)
    same = first.class_ids[:, None] == second.class_ids[None, :]
    confirms = (overlap >= 0.5) & same & (second.scores >= seen_from)[None, :]
    sure = confirms.any(axis=1) & (first.scores >= sure_from)
    rest = [first.boxes_xyxy_px[~sure]]
    if len(second):
        explained = (overlap[sure] >= 0.5).any(axis=0)
        rest.append(second.boxes_xyxy_px[~explained])
    return first.select(sure), np.concatenate(rest)


def _completed(found: FoundPicture, teachers: Sequence[Teacher]) -> tuple[FoundPicture, FloatArray]:
    """The labels with what the teachers add, and the places to ignore."""
    nothing = np.zeros((0, 4), np.float32)
    if not teachers or found.empty:
        return found, nothing
    if found.horse:
        return _with_known_horse(found, [t.animals(found.picture_bgr) for t in teachers[:2]])
    answers = [teacher.answers(found.picture_bgr) for teacher in teachers[:2]]
    if found.others and not found.boxes:
        # A picture of cows, sheep or dogs: what looks like a horse to a teacher is one of them.
        answers = [a.select(a.class_ids == SubjectClass.PERSON) for a in answers]
    sure, doubtful = agreed(answers[0], answers[-1])
    labels = np.array(found.boxes, np.float32).reshape(-1, 4)
    others = np.array(found.others, np.float32).reshape(-1, 4)
    for box, class_id in zip(sure.boxes_xyxy_px, sure.class_ids, strict=True):
        if class_id not in (SubjectClass.HORSE, SubjectClass.PERSON):
            continue
        horse = class_id == SubjectClass.HORSE
        if horse and len(others) and iou_matrix(box[None], others).max() > 0.3:
            continue
        overlap = iou_matrix(box[None], labels)[0] if horse and len(labels) else np.zeros(0)
        if len(overlap) and overlap.max() >= 0.4:
            if found.rough:
                found.boxes[int(overlap.argmax())] = box
            continue
        found.boxes.append(box)
        found.class_ids.append(int(class_id))
    kept = _clear_of(_clear_of(doubtful, others, 0.3), np.array(found.boxes, np.float32), 0.6)
    return found, kept


def _clear_of(boxes: FloatArray, known: FloatArray, most: float) -> FloatArray:
    """Those of ``boxes`` (N, 4) that overlap none of ``known`` by ``most`` or more."""
    known = known.reshape(-1, 4)
    if not len(boxes) or not len(known):
        return boxes
    clear: FloatArray = boxes[iou_matrix(boxes, known).max(axis=1) < most]
    return clear


def _with_known_horse(
    found: FoundPicture, animals: Sequence[DetectionBatch]
) -> tuple[FoundPicture, FloatArray]:
    """Labels of a picture that is known to show a horse, from what teachers take for animals: they
    overlook black horses and call spotted ones cows and dogs, so any animal that both see is a
    horse, or one that fills the picture and that one of them sees."""
    height, width = found.picture_bgr.shape[:2]
    seen = [_called_horses(answer) for answer in animals]
    sure, doubtful = agreed(seen[0], seen[-1], SEEN, DOUBTFUL)
    found.boxes += list(sure.boxes_xyxy_px)
    found.class_ids += [int(kind) for kind in sure.class_ids]
    if SubjectClass.HORSE not in found.class_ids:
        large = [_large_horses(answer, LARGE * width * height) for answer in seen]
        alone = next((answer for answer in large if len(answer)), None)
        if alone is None:
            # The horse that nobody saw must not become background.
            return found, np.array([[0.0, 0.0, width, height]], np.float32)
        found.boxes.append(alone.boxes_xyxy_px[int(alone.scores.argmax())])
        found.class_ids.append(int(SubjectClass.HORSE))
    return found, _clear_of(doubtful, np.array(found.boxes, np.float32), 0.6)


def _called_horses(animals: DetectionBatch) -> DetectionBatch:
    kinds = np.where(
        animals.class_ids == SubjectClass.PERSON, SubjectClass.PERSON, SubjectClass.HORSE
    )
    return DetectionBatch(animals.boxes_xyxy_px, animals.scores, kinds.astype(np.int16))


def _large_horses(answers: DetectionBatch, least_px: float) -> DetectionBatch:
    """The horses that cover at least ``least_px`` pixels."""
    sides = answers.boxes_xyxy_px[:, 2:] - answers.boxes_xyxy_px[:, :2]
    large = sides[:, 0] * sides[:, 1] >= least_px
    return answers.select(large & (answers.class_ids == SubjectClass.HORSE))


def annotated_pictures(folder: Path) -> Iterator[FoundPicture]:
    """Pictures of a folder with COCO annotations, labels as they stand there."""
    document = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    names = {c["id"]: c["name"] for c in document["categories"]}
    by_picture: dict[int, list[dict[str, object]]] = {}
    for annotation in document["annotations"]:
        by_picture.setdefault(annotation["image_id"], []).append(annotation)
    for entry in document["images"]:
        found = FoundPicture(
            _read(folder / "images" / entry["file_name"]), folder.name, entry["file_name"]
        )
        for annotation in by_picture.get(entry["id"], []):
            x, y, width, height = np.array(annotation["bbox"], np.float32)
            box = np.array([x, y, x + width, y + height], np.float32)
            name = names[int(str(annotation["category_id"]))]
            if name in _CLASSES:
                found.boxes.append(box)
                found.class_ids.append(int(_CLASSES[name]))
            else:
                found.others.append(box)
                found.other_ids.append(OTHER_ANIMALS.get(name, OTHER_ANIMALS["cow"]))
        yield found


def _masked(folder: Path) -> Iterator[FoundPicture]:
    masks = {p.stem: p for p in sorted((folder / "masks").iterdir())}
    for path in sorted((folder / "images").iterdir()):
        mask = (
            cv2.imread(str(masks[path.stem]), cv2.IMREAD_GRAYSCALE) if path.stem in masks else None
        )
        if mask is None or not (mask > 127).any():
            continue
        picture = _read(path)
        rows, columns = np.nonzero(mask > 127)
        scale = picture.shape[1] / mask.shape[1], picture.shape[0] / mask.shape[0]
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
        box *= np.array([*scale, *scale], np.float32)
        yield FoundPicture(picture, folder.name, path.name, [box], [int(SubjectClass.HORSE)])


def _clips(folder: Path, every: int) -> Iterator[FoundPicture]:
    for picture, instance in clip_instances(folder, every):
        bgr = np.ascontiguousarray(picture[:, :, ::-1])
        box, kind = instance.box_xyxy_px, int(SubjectClass.HORSE)
        yield FoundPicture(bgr, folder.name, instance.group, [box], [kind], rough=True)


def repeated_pictures(folder: Path, negatives: Path) -> set[str]:
    """Pictures of an annotated folder that show an animal which ``negatives`` shows too.

    Sets of crops and sets of whole pictures are cut from the same collections. Two annotations are
    the same animal when their labelled points lie within 2 % of each other, relative to the extent
    of the points. Such pictures must not be trained on, or the negatives measure nothing.
    """
    files, patterns = _point_patterns(folder)
    _, unwanted = _point_patterns(negatives)
    if not len(patterns) or not len(unwanted) or patterns.shape[1] != unwanted.shape[1]:
        return set()
    return {
        file
        for file, pattern in zip(files, patterns, strict=True)
        if np.abs(unwanted - pattern).max(axis=1).min() < 0.02
    }


def _point_patterns(folder: Path) -> tuple[list[str], NDArray[np.float64]]:
    """File names and points relative to their own extent, for animals with five points or more."""
    document = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    names = {entry["id"]: entry["file_name"] for entry in document["images"]}
    files: list[str] = []
    patterns: list[NDArray[np.float64]] = []
    for annotation in document["annotations"]:
        points = np.array(annotation.get("keypoints", []), np.float64).reshape(-1, 3)
        known = points[:, 2] > 0
        if known.sum() < 5:
            continue
        low = points[known, :2].min(axis=0)
        extent = max(float((points[known, :2].max(axis=0) - low).max()), 1.0)
        patterns.append(np.where(known[:, None], (points[:, :2] - low) / extent, -9.0).ravel())
        files.append(names[annotation["image_id"]])
    return files, np.array(patterns)


def loose_pictures(folder: Path) -> Iterator[FoundPicture]:
    """All pictures below a folder, nothing known about them."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in _PICTURES):
        named = f"{path.parent.name}/{path.name}"
        inside = path.relative_to(folder).parts[:-1]
        yield FoundPicture(
            _read(path), folder.name, named, empty=folder.name.startswith("empty"),
            horse=any(part in HORSE_FOLDERS for part in (folder.name, *inside)),
        )  # fmt: skip


def _read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    if picture is None:
        raise OperatorMistake(f"{path} is no readable picture.")
    return np.asarray(picture, np.uint8)


def _repeats(folder: Path, data: Path) -> set[str]:
    if folder.name.endswith("_neg"):
        return set()
    negatives = [p for p in data.glob("*_neg") if (p / "annotations.json").is_file()]
    return set().union(*(repeated_pictures(folder, p) for p in negatives))


def _folders(data: Path, every: int) -> Iterator[FoundPicture]:
    for folder in [data, *sorted(p for p in data.iterdir() if p.is_dir())]:
        if (folder / "annotations.json").is_file():
            unwanted = _repeats(folder, data)
            yield from (p for p in annotated_pictures(folder) if p.group not in unwanted)
        elif (folder / "masks").is_dir() and (folder / "images").is_dir():
            yield from _masked(folder)
        elif (folder / "index.csv").is_file():
            yield from _clips(folder, every)
        elif folder != data and folder.name in _LOOSE:
            yield from loose_pictures(folder)


def read_detector_data(
    data: Path, cache: Path, teachers: Sequence[Teacher] = (), every: int = 6
) -> list[LabelledPicture]:
    """All detector pictures under ``data``, labelled once and kept in ``cache``.

    ``teachers``: none, or two (the better first). OperatorMistake when there is nothing to read.
    """
    rules = [SURE, SEEN, DOUBTFUL, LARGE, HORSE_FOLDERS] if teachers else []
    named = json.dumps([str(data.resolve()), len(teachers), every, CACHED_SIDE_PX, *rules])
    key = hashlib.sha256(named.encode()).hexdigest()[:12]
    index = cache / f"detector-{key}.json"
    if not index.exists():
        if not data.is_dir():
            raise OperatorMistake(f"There is no data folder {data}.")
        cache.mkdir(parents=True, exist_ok=True)
        rows = [
            _store(found, teachers, cache / f"{key}-{number:05d}.jpg")
            for number, found in enumerate(_folders(data, every))
        ]
        if not rows:
            raise OperatorMistake(f"{data} holds no detector pictures in a known layout.")
        index.write_text(json.dumps(rows), encoding="utf-8")
    return [
        LabelledPicture(
            cache / row["file"],
            np.array(row["boxes"], np.float32).reshape(-1, 4),
            np.array(row["classes"], np.int16),
            np.array(row["ignored"], np.float32).reshape(-1, 4),
            row["source"],
            row["group"],
            row["annotated"],
        )
        for row in json.loads(index.read_text(encoding="utf-8"))
    ]


def _store(found: FoundPicture, teachers: Sequence[Teacher], file: Path) -> dict[str, object]:
    """Complete the labels, write the picture (at most CACHED_SIDE_PX) and describe it."""
    annotated = len(found.boxes)
    found, ignored = _completed(found, teachers)
    height, width = found.picture_bgr.shape[:2]
    scale = min(1.0, CACHED_SIDE_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    cv2.imwrite(
        str(file), cv2.resize(found.picture_bgr, size, interpolation=cv2.INTER_AREA),
        [cv2.IMWRITE_JPEG_QUALITY, 95],
    )  # fmt: skip
    boxes = np.array([*found.boxes, *found.others], np.float32).reshape(-1, 4) * scale
    classes = [*found.class_ids, *found.other_ids]
    return {
        "file": file.name, "boxes": boxes.tolist(), "classes": classes,
        "ignored": (ignored * scale).tolist(), "source": found.source, "group": found.group,
        "annotated": annotated,
    }  # fmt: skip

"""Pose pictures and landmarks: reading the data folders, splitting them, caching the crops.

Two layouts are read: clips (``index.csv``, ``<clip>.mp4``, ``<clip>.keypoints.csv``) and pictures
(``images/`` with COCO ``annotations.json``). Every instance becomes one square crop, so an epoch
decodes no video.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray, crop_affine
from engine.domain.skeletons import EQUINE26

CROP_PX = 288
CROP_PADDING = 1.75
"""A cached crop shows 1.75 times the box, room for rotation and scale without empty corners."""

HULL_GROWTH = 1.1
"""Boxes made from landmarks are grown by this: a detector's box also holds back and belly."""

LEAST_LIKELIHOOD = 0.6
"""Predicted landmarks (DeepLabCut) below this likelihood are left out, as its authors advise."""

CLIP_LANDMARKS = {
    "Nostril": "nose", "Poll": "poll", "Withers": "withers", "Hip": "hip",
    "RightKnee": "right_carpus", "LeftKnee": "left_carpus",
    "RightHock": "right_hock", "LeftHock": "left_hock",
    "RightFrontFetlock": "right_front_fetlock", "LeftFrontFetlock": "left_front_fetlock",
    "RightHindFetlock": "right_hind_fetlock", "LeftHindFetlock": "left_hind_fetlock",
    "RightFrontHoof": "right_front_hoof", "LeftFrontHoof": "left_front_hoof",
    "RightHindHoof": "right_hind_hoof", "LeftHindHoof": "left_hind_hoof",
}  # fmt: skip
"""Clip label -> landmark of EQUINE26."""

PICTURE_LANDMARKS = {
    "left_eye": "left_eye", "right_eye": "right_eye", "nose": "nose",
    "left_ear": "left_ear", "right_ear": "right_ear",
    "left_front_elbow": "left_elbow", "right_front_elbow": "right_elbow",
    "left_back_elbow": "left_stifle", "right_back_elbow": "right_stifle",
    "left_front_knee": "left_carpus", "right_front_knee": "right_carpus",
    "left_back_knee": "left_hock", "right_back_knee": "right_hock",
    "left_front_paw": "left_front_hoof", "right_front_paw": "right_front_hoof",
    "left_back_paw": "left_hind_hoof", "right_back_paw": "right_hind_hoof",
    "throat": "throat", "withers": "withers", "tailbase": "tail_base",
}  # fmt: skip
"""Animal-Pose label -> landmark of EQUINE26."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class PoseInstance:
    """One labelled animal. landmarks: float32 (26, 3), x and y in picture pixels and a weight in
    0..1 (0: not labelled). box_xyxy_px: float32 (4,). group: what a split must not cut (a horse,
    a picture)."""

    source: str
    group: str
    landmarks: FloatArray
    box_xyxy_px: FloatArray


@dataclass(frozen=True)
class PoseSet:
    """Crops and labels as columns.

    crops: uint8 (N, CROP_PX, CROP_PX, 3) RGB. landmarks: float32 (N, 26, 3) in crop pixels with
    weights. boxes_xyxy_px: float32 (N, 4) in crop pixels. groups, sources: one name a row.
    """

    crops: Picture
    landmarks: FloatArray
    boxes_xyxy_px: FloatArray
    groups: tuple[str, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.landmarks)

    def rows(self, sources: tuple[str, ...], held_out: bool | None) -> NDArray[np.int64]:
        """Row numbers of the sources; training rows, held-out rows, or both (None)."""
        wanted = [
            row
            for row, (source, group) in enumerate(zip(self.sources, self.groups, strict=True))
            if source in sources and (held_out is None or is_held_out(group) is held_out)
        ]
        return np.array(wanted, dtype=np.int64)


def is_held_out(group: str, share: float = 0.17) -> bool:
    """Whether a horse or picture is kept from training; decided by its name alone, for ever.

    The salt was chosen so that six of the 41 ridden horses are held out, before any training.
    """
    digest = hashlib.sha256(f"g:{group}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < share


def hull_box(landmarks: FloatArray, growth: float = HULL_GROWTH) -> FloatArray:
    """The box of the labelled points grown about its centre, float32 (4,)."""
    points = landmarks[landmarks[:, 2] > 0, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2.0, (high - low) / 2.0 * growth
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def clip_instances(folder: Path, every: int) -> Iterator[tuple[Picture, PoseInstance]]:
    """Every n-th labelled frame (RGB) of a clip folder."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        clips = list(csv.DictReader(file))
    for clip in clips:
        names = [folder / f"{clip['clip']}{suffix}" for suffix in (".mp4", ".avi")]
        video = next((path for path in names if path.exists()), None)
        if video is None:
            raise OperatorMistake(f"{folder} has no video for the clip {clip['clip']!r}.")
        labels = clip_landmarks(folder / f"{clip['clip']}.keypoints.csv")
        capture = cv2.VideoCapture(str(video))
        try:
            for frame in range(max(labels, default=-1) + 1):
                read, picture = capture.read()
                if not read:
                    break
                marks = labels.get(frame)
                if frame % every or marks is None or (marks[:, 2] > 0).sum() < 8:
                    continue
                rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
                yield rgb, PoseInstance(folder.name, clip["horse"], marks, hull_box(marks))
        finally:
            capture.release()


def clip_landmarks(path: Path) -> dict[int, FloatArray]:
    """Frame number -> (26, 3) landmarks of a keypoints file."""
    index = {name: row for row, name in enumerate(EQUINE26.landmarks)}
    frames: dict[int, FloatArray] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            marks = np.zeros((len(index), 3), np.float32)
            for label, landmark in CLIP_LANDMARKS.items():
                likelihood = float(line[f"{label}_likelihood"])
                if likelihood >= LEAST_LIKELIHOOD:
                    xy = float(line[f"{label}_x"]), float(line[f"{label}_y"])
                    marks[index[landmark]] = (*xy, likelihood)
            frames[int(line["frame"])] = marks
    return frames


def picture_instances(
    folder: Path, category: str | None = None
) -> Iterator[tuple[Picture, PoseInstance]]:
    """Every labelled animal (picture in RGB) of a folder with COCO annotations; only those of the
    named category when one is given."""
    try:
        document = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorMistake(f"{folder} has no usable annotations.json: {error}") from error
    names = {c["id"]: c["keypoints"] for c in document["categories"]}
    by_picture: dict[int, list[dict[str, object]]] = {}
    wanted = {c["id"] for c in document["categories"] if category in (None, c["name"])}
    for annotation in document["annotations"]:
        if annotation["category_id"] not in wanted:
            continue
        by_picture.setdefault(annotation["image_id"], []).append(annotation)
    for entry in document["images"]:
        picture = cv2.imread(str(folder / "images" / entry["file_name"]))
        if picture is None:
            raise OperatorMistake(f"{folder} lacks the picture {entry['file_name']!r}.")
        rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
        for annotation in by_picture.get(entry["id"], []):
            instance = _picture_instance(folder.name, entry["file_name"], annotation, names)
            if instance is not None:
                yield rgb, instance


def _picture_instance(
    source: str, file_name: str, annotation: dict[str, object], names: dict[int, list[str]]
) -> PoseInstance | None:
    """One annotation, or None when it has fewer than four labelled points."""
    index = {name: row for row, name in enumerate(EQUINE26.landmarks)}
    stored = np.array(annotation["keypoints"], np.float32).reshape(-1, 3)
    marks = np.zeros((len(index), 3), np.float32)
    for label, (x, y, seen) in zip(names[int(str(annotation["category_id"]))], stored, strict=True):
        if seen > 0 and label in PICTURE_LANDMARKS:
            marks[index[PICTURE_LANDMARKS[label]]] = (x, y, 1.0)
    if (marks[:, 2] > 0).sum() < 4:
        return None
    x, y, width, height = np.array(annotation["bbox"], np.float32)
    box = np.array([x, y, x + width, y + height], np.float32)
    return PoseInstance(source, file_name, marks, box)


def read_pose_data(data: Path, cache: Path, every: int = 3) -> PoseSet:
    """All pose folders under ``data`` as one set, cached as arrays in ``cache``.

    OperatorMistake when ``data`` holds no folder of a known layout.
    """
    folders = [data, *sorted(p for p in data.iterdir() if p.is_dir())] if data.is_dir() else []
    clips = [f for f in folders if (f / "index.csv").is_file()]
    pictures = [f for f in folders if (f / "annotations.json").is_file()]
    pictures = [f for f in pictures if not f.name.endswith("_neg")]
    if not clips and not pictures:
        raise OperatorMistake(
            f"{data} holds no pose data.",
            "Expected index.csv with clips, or images/ with annotations.json, here or one below.",
        )
    named = json.dumps([str(f.resolve()) for f in (*clips, *pictures)] + [every, CROP_PX])
    key = hashlib.sha256(named.encode()).hexdigest()[:16]
    labels, crops = cache / f"pose-{key}.npz", cache / f"pose-{key}.npy"
    if not labels.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _write_cache(clips, pictures, every, labels, crops)
    stored = np.load(labels)
    return PoseSet(
        np.load(crops, mmap_mode="r"),
        stored["landmarks"],
        stored["boxes"],
        tuple(str(v) for v in stored["groups"]),
        tuple(str(v) for v in stored["sources"]),
    )


def _write_cache(
    clips: list[Path], pictures: list[Path], every: int, labels: Path, crops: Path
) -> None:
    """Cut every instance and write the arrays; the labels come last and mark completeness."""
    cut: list[Picture] = []
    marks: list[FloatArray] = []
    boxes: list[FloatArray] = []
    groups: list[str] = []
    sources: list[str] = []
    streams = [clip_instances(f, every) for f in clips] + [picture_instances(f) for f in pictures]
    for stream in streams:
        for picture, instance in stream:
            crop, placed, box = cut_instance(picture, instance)
            cut.append(crop)
            marks.append(placed)
            boxes.append(box)
            groups.append(f"{instance.source}/{instance.group}")
            sources.append(instance.source)
    np.save(crops, np.stack(cut))
    np.savez(
        labels, landmarks=np.stack(marks), boxes=np.stack(boxes),
        groups=np.array(groups), sources=np.array(sources),
    )  # fmt: skip


CutRow = tuple[Picture, FloatArray, FloatArray, str, str]
"""Crop, landmarks, box, group and source of one animal."""


def stacked(rows: Sequence[CutRow]) -> PoseSet:
    """Cut animals as a set."""
    count = len(EQUINE26.landmarks)
    return PoseSet(
        np.array([row[0] for row in rows], np.uint8).reshape(-1, CROP_PX, CROP_PX, 3),
        np.array([row[1] for row in rows], np.float32).reshape(-1, count, 3),
        np.array([row[2] for row in rows], np.float32).reshape(-1, 4),
        tuple(row[3] for row in rows),
        tuple(row[4] for row in rows),
    )


def cut_instance(
    picture: Picture, instance: PoseInstance
) -> tuple[Picture, FloatArray, FloatArray]:
    """The square crop, its landmarks (26, 3) and its box (4,), in crop pixels."""
    matrix = crop_affine(instance.box_xyxy_px, CROP_PX, CROP_PX, CROP_PADDING)
    crop = cv2.warpAffine(picture, matrix, (CROP_PX, CROP_PX), flags=cv2.INTER_AREA)
    placed = instance.landmarks.copy()
    placed[:, :2] = placed[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    corners = instance.box_xyxy_px.reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(crop, np.uint8), placed, corners.reshape(4).astype(np.float32)

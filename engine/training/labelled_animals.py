"""Labelled animals for any skeleton: COCO folders in three vocabularies, and clips.

A label is a word of a vocabulary (AP-10K, equine26, Animal-Pose); it stands for an anatomical role,
and the role says which landmark of the wanted skeleton it is. What a set does not label stays
masked. Every animal is cut out once and kept on disk, so training decodes no picture twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray, crop_affine
from engine.domain.skeletons import AP10K, EQUINE26, Skeleton
from engine.training.pose_data import PICTURE_LANDMARKS, Picture, clip_instances, is_held_out

CUT_PX = 448
CUT_PADDING = 1.75
"""A cut shows 1.75 times the box: 256 px of animal and room for rotation and scale."""

LEAST_LABELS = 4
"""Animals with fewer labelled landmarks of the skeleton teach nothing and are left out."""

_ROLE_OF = {s.name: {s.landmarks[i]: role for role, i in s.roles} for s in (AP10K, EQUINE26)}
VOCABULARIES: Mapping[str, Mapping[str, str]] = {
    **_ROLE_OF,
    "animalpose": {
        label: _ROLE_OF[EQUINE26.name][landmark] for label, landmark in PICTURE_LANDMARKS.items()
    },
}
"""Label -> role, by vocabulary. The same word may mean different places in two of them: AP-10K's
left_elbow is a horse's carpus."""


def vocabulary_of(labels: Sequence[str]) -> Mapping[str, str]:
    """The vocabulary that has all these labels; OperatorMistake when none has."""
    for words in VOCABULARIES.values():
        if set(labels) <= set(words):
            return words
    raise OperatorMistake(
        f"The keypoints {', '.join(labels[:6])}... are of no known kind.",
        f"Name them as one of {', '.join(VOCABULARIES)} does.",
    )


@dataclass(frozen=True)
class AnimalSet:
    """Cuts and labels of N animals as columns.

    cuts: uint8 (N, CUT_PX, CUT_PX, 3) BGR. landmarks: float32 (N, K, 3), x and y in pixels of the
    cut and a weight in 0..1 (0: not labelled). boxes_xyxy_px: float32 (N, 4) in the cut. groups:
    what a split must not cut (a horse, a picture), as ``source/name``. sources: folder names.
    """

    skeleton: Skeleton
    cuts: Picture
    landmarks: FloatArray
    boxes_xyxy_px: FloatArray
    groups: tuple[str, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.landmarks)

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """Which rows training must not see; decided by the group's name alone, for ever."""
        return np.array([is_held_out(group) for group in self.groups], bool)


_Found = tuple[Picture, FloatArray, FloatArray, str]
"""A picture (BGR), landmarks (K, 3) and box (4,) in it, and the group."""


def _coco_animals(folder: Path, skeleton: Skeleton) -> Iterator[_Found]:
    try:
        document = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
        labels = {c["id"]: tuple(c.get("keypoints", ())) for c in document["categories"]}
        by_picture: dict[int, list[dict[str, object]]] = {}
        for annotation in document["annotations"]:
            by_picture.setdefault(annotation["image_id"], []).append(annotation)
        pictures = [(entry["id"], str(entry["file_name"])) for entry in document["images"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorMistake(f"{folder} has no usable annotations.json: {error!r}") from error
    for number, name in pictures:
        labelled = [a for a in by_picture.get(number, []) if a.get("keypoints")]
        if not labelled:
            continue
        picture = cv2.imread(str(folder / "images" / name))
        if picture is None:
            raise OperatorMistake(f"{folder} lacks the picture {name!r}.")
        for annotation in labelled:
            names = labels[int(str(annotation["category_id"]))]
            marks = _placed(np.array(annotation["keypoints"], np.float32), names, skeleton)
            x, y, width, height = np.array(annotation["bbox"], np.float32)
            box = np.array([x, y, x + width, y + height], np.float32)
            yield np.asarray(picture, np.uint8), marks, box, name


def _placed(stored: FloatArray, labels: Sequence[str], skeleton: Skeleton) -> FloatArray:
    """COCO keypoints as landmarks (K, 3) of the skeleton; weight 1 where labelled."""
    roles = vocabulary_of(labels)
    marks = np.zeros((len(skeleton.landmarks), 3), np.float32)
    for label, (x, y, seen) in zip(labels, stored.reshape(-1, 3), strict=True):
        index = skeleton.index_by_role.get(roles[label])
        if index is not None and seen > 0:
            marks[index] = x, y, 1.0
    return marks


def _clip_animals(folder: Path, skeleton: Skeleton, every: int) -> Iterator[_Found]:
    order = [(skeleton.index_by_role.get(role), row) for role, row in EQUINE26.roles]
    for picture, instance in clip_instances(folder, every):
        marks = np.zeros((len(skeleton.landmarks), 3), np.float32)
        for index, row in order:
            if index is not None:
                marks[index] = instance.landmarks[row]
        bgr = np.ascontiguousarray(picture[:, :, ::-1])
        yield bgr, marks, instance.box_xyxy_px, instance.group


def read_animals(data: Path, skeleton: Skeleton, cache: Path, every: int = 6) -> AnimalSet:
    """All labelled animals under ``data`` (the folder itself and those in it), cached in ``cache``.

    ``every``: of clips, every n-th frame. OperatorMistake when there is nothing to read.
    """
    folders = [data, *sorted(p for p in data.iterdir() if p.is_dir())] if data.is_dir() else []
    clips = [f for f in folders if (f / "index.csv").is_file()]
    pictures = [f for f in folders if (f / "annotations.json").is_file() and f not in clips]
    pictures = [f for f in pictures if not f.name.endswith("_neg")]
    if not clips and not pictures:
        raise OperatorMistake(
            f"{data} holds no pose data.",
            "Expected images/ with annotations.json, or clips with index.csv, here or one below.",
        )
    stamps = [
        (str(f.resolve()), (f / name).stat().st_mtime_ns)
        for group, name in ((clips, "index.csv"), (pictures, "annotations.json"))
        for f in group
    ]
    named = json.dumps([stamps, skeleton.name, every, CUT_PX, CUT_PADDING])
    key = hashlib.sha256(named.encode()).hexdigest()[:16]
    labels = cache / f"animals-{key}.npz"
    if not labels.exists():
        cache.mkdir(parents=True, exist_ok=True)
        streams = [(f.name, _clip_animals(f, skeleton, every)) for f in clips]
        streams += [(f.name, _coco_animals(f, skeleton)) for f in pictures]
        _write(streams, labels, data, skeleton)
    stored = np.load(labels)
    return AnimalSet(
        skeleton,
        np.load(labels.with_suffix(".npy"), mmap_mode="r"),
        stored["landmarks"],
        stored["boxes"],
        tuple(str(v) for v in stored["groups"]),
        tuple(str(v) for v in stored["sources"]),
    )


def _write(
    streams: Sequence[tuple[str, Iterator[_Found]]], labels: Path, data: Path, skeleton: Skeleton
) -> None:
    """Cut every animal; the labels are written last and mark completeness."""
    cuts: list[Picture] = []
    marks: list[FloatArray] = []
    boxes: list[FloatArray] = []
    groups: list[str] = []
    sources: list[str] = []
    for source, found in streams:
        for picture, landmarks, box, group in found:
            if (landmarks[:, 2] > 0).sum() < LEAST_LABELS:
                continue
            cut, placed, placed_box = _cut(picture, landmarks, box)
            cuts.append(cut)
            marks.append(placed)
            boxes.append(placed_box)
            groups.append(f"{source}/{group}")
            sources.append(source)
    if not cuts:
        raise OperatorMistake(
            f"{data} has no animal with {LEAST_LABELS} landmarks of {skeleton.name}."
        )
    np.save(labels.with_suffix(".npy"), np.stack(cuts))
    np.savez(
        labels, landmarks=np.stack(marks), boxes=np.stack(boxes),
        groups=np.array(groups), sources=np.array(sources),
    )  # fmt: skip


def _cut(
    picture: Picture, landmarks: FloatArray, box_xyxy_px: FloatArray
) -> tuple[Picture, FloatArray, FloatArray]:
    matrix = crop_affine(box_xyxy_px, CUT_PX, CUT_PX, CUT_PADDING)
    cut = cv2.warpAffine(picture, matrix, (CUT_PX, CUT_PX), flags=cv2.INTER_LINEAR)
    placed = landmarks.copy()
    placed[:, :2] = placed[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    corners = box_xyxy_px.reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(cut, np.uint8), placed, corners.reshape(4).astype(np.float32)

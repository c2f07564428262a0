"""Crops for the verifier: what a detector proposes on the training pictures, and what it is.

Every animal that the detector sees at a low score becomes a crop, so the verifier learns exactly
the mistakes it will be asked about; labelled boxes, moved a little, and places without animals are
added. Boxes that show only a part of a horse teach nothing, but are kept of held-out pictures,
because there every proposal counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray, crop_affine, iou_matrix
from engine.models.detectors import GridDetector, animals_of
from engine.models.verification import GREY
from engine.models.yolo_decoding import Candidates
from engine.training.detector_data import LabelledPicture
from engine.training.detector_net import OTHER_ANIMALS

CROP_PX = 256
CROP_PADDING = 1.6
"""A cached crop shows 1.6 times the longer side of the box: room for moving and scaling."""

SPECIES = ("horse", "person", "cow", "sheep", "dog", "background")
NO_HORSE, UNKNOWN = 6, 7
"""Further labels: some part of another animal; part of a horse or an unlabelled place."""

LEAST_SCORE = 0.05
"""Proposals of a lower score are left out, as in the product (``Verification.candidates_from``)."""
SAME_IOU, APART = 0.5, 0.15
"""A proposal shows what it overlaps by SAME_IOU, and background when no animal covers more than
APART of it."""

_SPECIES_OF = {
    int(SubjectClass.HORSE): SPECIES.index("horse"),
    int(SubjectClass.PERSON): SPECIES.index("person"),
    **{number: SPECIES.index(name) for name, number in OTHER_ANIMALS.items()},
}


@dataclass(frozen=True)
class CropSet:
    """Crops and what is known about them, as columns of N rows.

    crops: uint8 (N, CROP_PX, CROP_PX, 3) BGR. extents: float32 (N, 2), width and height of the box
    relative to its longer side. species: index into SPECIES, NO_HORSE or UNKNOWN. scores: the
    detector's, not a number where it did not propose the box. odds: the detector's, of a horse
    against rivals. boxes_xyxy_px: in cached picture
    pixels. pictures: row of the picture. held_out: not trained on.
    """

    crops: Image
    extents: FloatArray
    species: NDArray[np.int64]
    scores: FloatArray
    odds: FloatArray
    boxes_xyxy_px: FloatArray
    pictures: NDArray[np.int64]
    held_out: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.species)

    @property
    def proposed(self) -> NDArray[np.bool_]:
        """Which rows the detector proposed."""
        return np.asarray(np.isfinite(self.scores))


@dataclass(frozen=True)
class _Rows:
    boxes: FloatArray
    scores: FloatArray
    odds: FloatArray
    species: NDArray[np.int64]


def proposals(detector: GridDetector, picture_bgr: Image) -> tuple[Candidates, Image, float]:
    """The animals that the verifier would be asked about, in picture pixels, the picture as the
    detector sees it and its scale."""
    width_px, height_px = detector.input_size_px
    height, width = picture_bgr.shape[:2]
    scale = min(width_px / width, height_px / height)
    size = max(1, int(width * scale)), max(1, int(height * scale))
    scaled = np.asarray(cv2.resize(picture_bgr, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    found = detector.candidates([scaled], LEAST_SCORE)[0]
    animals = animals_of(found, scaled.shape[:2], LEAST_SCORE)
    boxes = animals.boxes_xyxy_px / np.float32(scale)
    return replace(animals, boxes_xyxy_px=boxes), scaled, scale


def _covered(boxes: FloatArray, by: FloatArray) -> FloatArray:
    """Largest share of each box (N, 4) that one of ``by`` covers."""
    if not len(by) or not len(boxes):
        return np.zeros(len(boxes), np.float32)
    low = np.maximum(boxes[:, None, :2], by[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], by[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1.0)
    covered: FloatArray = (shared / areas[:, None]).max(axis=1).astype(np.float32)
    return covered


def species_of(boxes: FloatArray, labelled: LabelledPicture) -> NDArray[np.int64]:
    """What each box (N, 4) shows, by the labels of its picture."""
    kinds = np.full(len(boxes), UNKNOWN, np.int64)
    labels = labelled.boxes_xyxy_px
    known = np.concatenate([labels, labelled.ignored_xyxy_px])
    kinds[_covered(boxes, known) < APART] = SPECIES.index("background")
    horseless = not (labelled.class_ids == SubjectClass.HORSE).any()
    if horseless and labelled.source.startswith("animalpose"):
        kinds[kinds == UNKNOWN] = NO_HORSE
    if len(labels) and len(boxes):
        overlap = iou_matrix(boxes, labels)
        same = overlap.max(axis=1) >= SAME_IOU
        best = labelled.class_ids[overlap.argmax(axis=1)]
        kinds[same] = [_SPECIES_OF[int(kind)] for kind in best[same]]
    return kinds


def _added(
    labelled: LabelledPicture, size: tuple[int, int], rng: np.random.Generator
) -> FloatArray:
    """Labelled boxes moved by up to a tenth, and places chosen at random."""
    height, width = size
    sides = np.tile(labelled.boxes_xyxy_px[:, 2:] - labelled.boxes_xyxy_px[:, :2], 2)
    moved = labelled.boxes_xyxy_px + rng.uniform(-0.1, 0.1, sides.shape) * sides
    count = 25 if labelled.source.startswith("empty") else int(rng.integers(0, 2))
    extent = rng.uniform(0.1, 0.6, (count, 2)) * (width, height)
    corner = rng.uniform(0.0, 1.0, (count, 2)) * ((width, height) - extent)
    places = np.concatenate([corner, corner + extent], axis=1)
    boxes = np.clip(np.concatenate([moved, places]), 0, [width, height, width, height])
    return np.asarray(boxes, np.float32)


def _rows_of(
    labelled: LabelledPicture, detector: GridDetector, picture: Image, rng: np.random.Generator
) -> tuple[_Rows, Image, float]:
    found, scaled, scale = proposals(detector, picture)
    added = _added(labelled, picture.shape[:2], rng)
    boxes = np.concatenate([found.boxes_xyxy_px, added]).astype(np.float32)
    scores = np.concatenate([found.scores, np.full(len(added), np.nan)]).astype(np.float32)
    odds = np.concatenate([found.odds, np.zeros(len(added), np.float32)])
    species = species_of(boxes, labelled)
    kept = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=1e9) >= 8.0
    kept &= (species != UNKNOWN) | (labelled.held_out & np.isfinite(scores))
    return _Rows(boxes[kept], scores[kept], odds[kept], species[kept]), scaled, scale


def cached_crop(scaled_bgr: Image, scale: float, box: FloatArray) -> Image:
    """The square crop around a box (picture pixels) out of the picture as the detector sees it."""
    matrix = crop_affine(box, CROP_PX, CROP_PX, CROP_PADDING)
    matrix[:, :2] /= scale
    crop = cv2.warpAffine(
        scaled_bgr, matrix, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR, borderValue=(GREY,) * 3
    )
    return np.asarray(crop, np.uint8)


def read_crops(
    pictures: Sequence[LabelledPicture], detector: GridDetector, cache: Path,
    tell: Callable[[str], None] = lambda _line: None, seed: int = 1,
) -> CropSet:  # fmt: skip
    """The crops of all pictures, made once and kept in ``cache``; crops stay on the disk.

    OperatorMistake when there is no horse or nothing but horses.
    """
    name = f"crops-{str(detector.model_id).replace('@', '-')}-{_labels_key(pictures)}"
    crops_file, columns_file = cache / f"{name}.npy", cache / f"{name}.npz"
    if not columns_file.is_file():
        _make(pictures, detector, crops_file, columns_file, tell, seed)
    with np.load(columns_file) as stored:
        columns = {key: stored[key] for key in stored.files}
    crops = np.lib.format.open_memmap(crops_file, mode="r")
    kinds = set(columns["species"][~columns["held_out"]].tolist())
    if 0 not in kinds or len(kinds) < 2:
        raise OperatorMistake("A verifier needs pictures of horses and of other things.")
    return CropSet(np.asarray(crops), **columns)


def _labels_key(pictures: Sequence[LabelledPicture]) -> str:
    """Crops cut by other labels are other crops."""
    digest = hashlib.sha256()
    for labelled in pictures:
        digest.update(labelled.file.name.encode())
        for column in (labelled.boxes_xyxy_px, labelled.class_ids, labelled.ignored_xyxy_px):
            digest.update(column.tobytes())
    return digest.hexdigest()[:12]


def _make(
    pictures: Sequence[LabelledPicture], detector: GridDetector, crops_file: Path,
    columns_file: Path, tell: Callable[[str], None], seed: int,
) -> None:  # fmt: skip
    crops: list[Image] = []
    columns: dict[str, list[NDArray[np.generic]]] = {}
    for index, labelled in enumerate(pictures):
        picture = cv2.imread(str(labelled.file))
        if picture is None:
            raise OperatorMistake(f"The cached picture {labelled.file} is gone.")
        rng = np.random.default_rng((seed, index))
        rows, scaled, scale = _rows_of(labelled, detector, np.asarray(picture, np.uint8), rng)
        crops += [cached_crop(scaled, scale, box) for box in rows.boxes]
        count, sides = len(rows.scores), rows.boxes[:, 2:] - rows.boxes[:, :2]
        extents = sides / np.maximum(sides.max(axis=1, keepdims=True, initial=1.0), 1.0)
        for key, values in (
            ("extents", extents.astype(np.float32)),
            ("species", rows.species),
            ("scores", rows.scores),
            ("odds", rows.odds),
            ("boxes_xyxy_px", rows.boxes),
            ("pictures", np.full(count, index, np.int64)),
            ("held_out", np.full(count, labelled.held_out)),
        ):
            columns.setdefault(key, []).append(values)
        if index % 500 == 499:
            tell(f"{index + 1} of {len(pictures)} pictures cut into {len(crops)} crops")
    part = crops_file.with_suffix(".part")
    with part.open("wb") as target:
        np.save(target, np.stack(crops))
    part.replace(crops_file)
    joined: dict[str, Any] = {key: np.concatenate(values) for key, values in columns.items()}
    np.savez(columns_file, **joined)


def counts_by_species(crops: CropSet) -> str:
    """How many crops of each kind are trained on, as JSON for logs and cards."""
    names = (*SPECIES, "part of another animal", "unknown")
    kinds = crops.species[~crops.held_out]
    return json.dumps({name: int((kinds == row).sum()) for row, name in enumerate(names)})

"""Detectors on the YOLO family: placing pictures, running, decoding, suppressing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import ModelInvalid
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.ids import ModelId
from engine.domain.results import Degradation
from engine.models.batch_runner import BatchRunner
from engine.models.letterbox import Anchor, Canvas, Letterbox, shifted, within
from engine.models.manifest import Layout, ModelEntry, Verification
from engine.models.sessions import Device, Session
from engine.models.suppression import suppress
from engine.models.verification import SpeciesVerifier, candidates_from, certain, combined
from engine.models.yolo_decoding import (
    NO_CANDIDATES,
    Candidates,
    ClassTable,
    OutputForm,
    class_count,
    decode_yolo,
    decode_yolox,
    grid_cells,
    output_form,
)

DETECTIONS_MAX = 300
"""Boxes kept in one picture."""
VERIFIED_MAX = 24
"""Animals of one picture that a verifier looks at, best first: bounds the time of a herd."""
CANDIDATE_IOU = 0.6
"""Overlap above which two candidates are one for the verifier, and not suppressed again after it:
where 0.5 is usual for unverified boxes, two in a hundred horses are lost behind others."""
PART_SCORE, PART_COVERED, PART_SIZE = 0.1, 0.95, 0.25
"""A verified box of a detector score below PART_SCORE, of which a better one covers PART_COVERED,
is a half of that horse and no horse of its own: parts look like horses to a verifier. Boxes
smaller than PART_SIZE of the better one are kept: they are horses in its background. Bolder limits
(0.25, 0.8) leave fewer doubles on clips and lose two labelled horses of a hundred behind others."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """Settings of every detector.

    ``nms_iou``: overlap above which two boxes of a class are one. ``minimum_box_px``: boxes whose
    size (square root of the area, picture pixels) is smaller are ignored.
    ``lookalikes_are_horses``: the entry's look-alike classes (cow, sheep) count as horses.
    ``batch_limit``: pictures in one run, at most.
    """

    nms_iou: float = 0.5
    minimum_box_px: float = 24.0
    lookalikes_are_horses: bool = True
    batch_limit: int = 8
    for_verifier: bool = False
    """Answer what a verifier would look at though none is loaded: to train one."""


class GridDetector(ABC):
    """What YOLOX and YOLO share. Meets the port Detector; used by one thread.

    Boxes lie inside the picture up to the rounding of its scaled size. Raises ModelInvalid at
    once when the file's input or output is not of the entry's layout: it is tried on a grey
    picture, which also warms it up.
    """

    anchor: Anchor

    def __init__(
        self,
        entry: ModelEntry,
        open_on: Callable[[Device], Session],
        device: Device = "auto",
        options: DetectorOptions = DetectorOptions(),
        verifier: SpeciesVerifier | None = None,
    ) -> None:
        self._entry = entry
        self._options = options
        self._verifier = verifier if entry.verification is not None else None
        # A verifier is asked about whatever may be a horse, so look-alikes are candidates.
        # Classes that are only candidates are no rivals: no animal of its own is meant by them.
        all_animals = self._verifier is not None or options.for_verifier
        counted = options.lookalikes_are_horses or all_animals
        self._table = ClassTable.of(
            entry.classes,
            entry.lookalikes,
            counted,
            entry.rivals,
            entry.candidates if all_animals else (),
        )
        if not len(self._table.indices):
            raise ModelInvalid(f"The entry {entry.name} names no class to look for.")
        self._runner = BatchRunner(open_on, device, options.batch_limit)
        try:
            height, width, rectangular = self._input_size()
            self.letterbox = Letterbox(width, height, rectangular, self.anchor)
            self._try_out()
        except BaseException:
            self._runner.close()
            raise

    @property
    def model_id(self) -> ModelId:
        """``name@version`` of the manifest entry."""
        return self._entry.id

    @property
    def input_size_px(self) -> tuple[int, int]:
        """Largest (width, height) a picture is scaled to fit."""
        return self.letterbox.width_px, self.letterbox.height_px

    @property
    def degradation(self) -> Degradation:
        """What had to be given up since the start (smaller batches, CPU)."""
        given_up = self._runner.degradation
        return given_up | self._verifier.degradation if self._verifier else given_up

    @property
    def verifier_id(self) -> ModelId | None:
        """``name@version`` of the model that looks at the animals again, if there is one."""
        return self._verifier.model_id if self._verifier else None

    def _input_size(self) -> tuple[int, int, bool]:
        """(height, width, rectangular): what the file fixes wins over the entry."""
        _, _, height, width = self._runner.session.input.shape
        free = height is None and width is None
        spec = self._entry.input
        return height or spec.height_px, width or spec.width_px, free and spec.dynamic_size

    def _try_out(self) -> None:
        width, height = self.input_size_px
        grey = np.full((1, height, width, 3), 114, np.uint8)
        output = self._runner.run(grey)[0]
        if output.ndim != 3 or len(output) != 1:
            raise ModelInvalid(
                f"{self._entry.name} answers with {' x '.join(map(str, output.shape))} and not "
                "with one table a picture: it is no detector of this family."
            )
        classes = self._check_output(output.shape[1:], height, width)
        wanted = int(self._table.indices.max())
        if classes is not None and wanted >= classes:
            raise ModelInvalid(
                f"{self._entry.name} knows {classes} classes; its entry asks for number {wanted}."
            )

    @abstractmethod
    def _check_output(self, shape: tuple[int, ...], height_px: int, width_px: int) -> int | None:
        """Number of classes; ModelInvalid when the shape is not of this layout."""

    @abstractmethod
    def _decode(self, output: FloatArray, canvas: Canvas, min_score: float) -> Candidates:
        """Candidates of one picture's output."""

    def detect(
        self, pictures_bgr: Sequence[Image], scales: Sequence[float], min_score: float
    ) -> list[DetectionBatch]:
        """See the port Detector. Pictures of one canvas size run as one batch."""
        how = self._entry.verification if self._verifier else None
        lowest = min(candidates_from(how, min_score), min_score) if how else min_score
        found = self.candidates(pictures_bgr, lowest)
        if how and self._verifier:
            found = verified(found, pictures_bgr, self._verifier, how, min_score)
        return [
            self._finish(candidates, picture.shape[:2], scale)
            for candidates, picture, scale in zip(found, pictures_bgr, scales, strict=True)
        ]

    def candidates(self, pictures_bgr: Sequence[Image], min_score: float) -> list[Candidates]:
        """Candidates of each picture before suppression, in its own pixels; boxes may lie partly
        outside of it, as the network places them."""
        groups: dict[Canvas, list[int]] = defaultdict(list)
        for index, picture in enumerate(pictures_bgr):
            groups[self.letterbox.canvas(*picture.shape[:2])].append(index)
        results: list[Candidates] = [NO_CANDIDATES] * len(pictures_bgr)
        for canvas, indices in groups.items():
            chosen = [pictures_bgr[index] for index in indices]
            outputs = self._runner.run(self.letterbox.fill(chosen, canvas))[0]
            for index, output in zip(indices, outputs, strict=True):
                found = self._decode(output, canvas, min_score)
                boxes = shifted(found.boxes_xyxy_px, canvas)
                results[index] = replace(found, boxes_xyxy_px=boxes)
        return results

    def _finish(self, found: Candidates, size: tuple[int, ...], scale: float) -> DetectionBatch:
        if not len(found.scores):
            return DetectionBatch.empty()
        kept = suppress(
            found.boxes_xyxy_px,
            found.scores,
            found.class_ids,
            # Candidates that were verified one by one are different animals.
            max(self._options.nms_iou, CANDIDATE_IOU) if self._verifier else self._options.nms_iou,
            DETECTIONS_MAX,
        )
        boxes = within(found.boxes_xyxy_px[kept], size) / np.float32(scale)
        sides = boxes[:, 2:] - boxes[:, :2]
        large = sides[:, 0] * sides[:, 1] >= self._options.minimum_box_px**2
        kept = kept[large]
        return DetectionBatch(
            boxes[large], found.scores[kept].astype(np.float32), found.class_ids[kept]
        )

    def close(self) -> None:
        """Close the sessions."""
        self._runner.close()
        if self._verifier:
            self._verifier.close()


def verified(
    found: Sequence[Candidates],
    pictures_bgr: Sequence[Image],
    verifier: SpeciesVerifier,
    how: Verification,
    min_score: float,
) -> list[Candidates]:
    """The candidates of each picture with every animal scored again, of at least ``min_score``.

    Persons stay as they are. All animals are candidates for a horse; one that the detector called
    a dog, and that is not taken for a horse, stays a dog with what is left of its score.
    """
    chosen = [
        animals_of(candidates, picture.shape[:2], how.candidates_from)
        for candidates, picture in zip(found, pictures_bgr, strict=True)
    ]
    sure = [certain(animals.scores, animals.odds, how) for animals in chosen]
    asked = [animals.boxes_xyxy_px[~known] for animals, known in zip(chosen, sure, strict=True)]
    answers = verifier.opinions(pictures_bgr, asked)
    results: list[Candidates] = []
    for candidates, animals, known, answer in zip(found, chosen, sure, answers, strict=True):
        opinions = np.zeros(len(known), np.float32)
        opinions[~known] = answer
        horse = combined(animals.scores, animals.odds, opinions, how)
        results.append(_rescored(candidates, animals, horse, min_score))
    return results


def animals_of(found: Candidates, size: tuple[int, ...], least: float) -> Candidates:
    """The best VERIFIED_MAX animals of at least that score, cut at the borders of the picture of
    (height, width), no two overlapping by more than CANDIDATE_IOU."""
    animals = found.select((found.class_ids != SubjectClass.PERSON) & (found.scores >= least))
    # Dark and silhouetted horses are called dogs with high confidence (seen with two COCO models):
    # that opinion is no evidence against a horse.
    odds = np.where(animals.class_ids == SubjectClass.DOG, np.float32(0.0), animals.odds)
    animals = replace(animals, boxes_xyxy_px=within(animals.boxes_xyxy_px, size), odds=odds)
    same = np.zeros(len(animals.scores), np.int16)
    return animals.select(
        suppress(animals.boxes_xyxy_px, animals.scores, same, CANDIDATE_IOU, VERIFIED_MAX)
    )


def _rescored(
    found: Candidates, animals: Candidates, horse: FloatArray, min_score: float
) -> Candidates:
    persons = found.select((found.class_ids == SubjectClass.PERSON) & (found.scores >= min_score))
    as_dog = animals.scores * (1.0 - horse)
    is_dog = (animals.class_ids == SubjectClass.DOG) & (horse < 0.5) & (as_dog >= min_score)
    is_horse = (horse >= min_score) & ~is_dog & ~parts_of_others(animals, horse)
    renamed = Candidates(
        animals.boxes_xyxy_px,
        np.where(is_dog, as_dog, horse).astype(np.float32),
        np.where(is_dog, SubjectClass.DOG, SubjectClass.HORSE).astype(np.int16),
        animals.odds,
    ).select(is_horse | is_dog)
    return Candidates(
        np.concatenate([persons.boxes_xyxy_px, renamed.boxes_xyxy_px]),
        np.concatenate([persons.scores, renamed.scores]),
        np.concatenate([persons.class_ids, renamed.class_ids]),
        np.concatenate([persons.odds, renamed.odds]),
    )


def parts_of_others(animals: Candidates, horse: FloatArray) -> NDArray[np.bool_]:
    """Which animals (N,) are only parts of a likelier horse; ``horse`` are their final scores."""
    boxes, scores = animals.boxes_xyxy_px, animals.scores
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1.0)
    covered = (shared / areas[:, None] >= PART_COVERED) & (
        areas[:, None] >= PART_SIZE * areas[None, :]
    )
    better = (scores[None, :] > scores[:, None]) & (horse >= horse.max(initial=0.0) * 0.5)[None, :]
    parts: NDArray[np.bool_] = (scores < PART_SCORE) & (covered & better).any(axis=1)
    return parts


class YoloxDetector(GridDetector):
    """YOLOX with raw grid outputs; pictures stand at the top left of their canvas."""

    anchor: Anchor = "top left"

    def _check_output(self, shape: tuple[int, ...], height_px: int, width_px: int) -> int | None:
        cells = len(grid_cells(height_px, width_px)[1])
        if shape[0] != cells or shape[1] < 6:
            raise ModelInvalid(
                f"{self._entry.name} answers with {shape[0]} x {shape[1]}; YOLOX at "
                f"{width_px}x{height_px} px has {cells} rows of 5 + classes."
            )
        return shape[1] - 5

    def _decode(self, output: FloatArray, canvas: Canvas, min_score: float) -> Candidates:
        return decode_yolox(output, canvas.height_px, canvas.width_px, self._table, min_score)


class YoloDetector(GridDetector):
    """YOLO v5 to v11 and end-to-end variants; pictures stand in the centre of their canvas."""

    anchor: Anchor = "centre"
    _form: OutputForm

    def _check_output(self, shape: tuple[int, ...], height_px: int, width_px: int) -> int | None:
        self._form = output_form(shape, height_px, width_px)
        return class_count(shape, self._form)

    def _decode(self, output: FloatArray, canvas: Canvas, min_score: float) -> Candidates:
        return decode_yolo(output, self._form, self._table, min_score)


def grid_detector(
    entry: ModelEntry,
    open_on: Callable[[Device], Session],
    device: Device = "auto",
    options: DetectorOptions = DetectorOptions(),
    verifier: SpeciesVerifier | None = None,
) -> GridDetector:
    """The detector for an entry's layout; ModelInvalid when the layout is not a detector's.

    ``verifier``: used, and closed with the detector, when the entry asks for one.
    """
    kinds: dict[Layout, type[GridDetector]] = {
        Layout.YOLOX: YoloxDetector,
        Layout.YOLO: YoloDetector,
    }
    kind = kinds.get(entry.layout)
    if kind is None:
        raise ModelInvalid(f"The layout {entry.layout} of {entry.name} is not a detector's.")
    return kind(entry, open_on, device, options, verifier)

"""What the outputs of the YOLO family mean: pure arithmetic on one picture's output.

- Channels first (v8, v9, v11): (4 + C, A), centre x, centre y, width, height in input pixels, then
  class probabilities.
- Anchors first (v5, v7): (A, 5 + C), the same four, objectness, and class probabilities that are
  multiplied by it.
- YOLOX: (A, 5 + C) with raw boxes: centres as offsets from their grid cell in strides, sizes as
  logarithms in strides.
- End to end (v10, v26): (300, 6), boxes by their corners, score and class, already suppressed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import SubjectClass
from engine.domain.errors import ModelInvalid
from engine.domain.geometry import FloatArray

STRIDES_PX = (8, 16, 32)
END_TO_END_ROWS = 300
ODDS_LIMIT = 4.0
"""Log odds between classes are cut here: class scores near 0 say nothing about each other."""


class OutputForm(Enum):
    """Which of the layouts an output has."""

    CHANNELS_FIRST = "channels first"
    ANCHORS_FIRST = "anchors first"
    END_TO_END = "end to end"


@dataclass(frozen=True)
class ClassTable:
    """Which of a model's classes are kept and as what: parallel columns of R rows.

    ``horse``: the class of horses, -1 when the model has none. ``rivals``: the classes of animals
    that are taken for horses, whether or not they are kept.
    """

    indices: NDArray[np.intp]
    subjects: NDArray[np.int16]
    horse: int
    rivals: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        classes: Mapping[str, str],
        lookalikes: Sequence[int],
        lookalikes_are_horses: bool,
        rivals: Sequence[int] = (),
        candidates: Sequence[int] = (),
    ) -> ClassTable:
        """From a manifest entry: class index as text -> horse, person or dog. Look-alikes and dogs
        are rivals too; ``candidates`` count as horses and are no rivals."""
        pairs = {int(index): SubjectClass[name.upper()] for index, name in classes.items()}
        horses = [index for index, subject in pairs.items() if subject is SubjectClass.HORSE]
        dogs = [index for index, subject in pairs.items() if subject is SubjectClass.DOG]
        if lookalikes_are_horses:
            pairs = {**dict.fromkeys(lookalikes, SubjectClass.HORSE), **pairs}
        pairs = {**dict.fromkeys(candidates, SubjectClass.HORSE), **pairs}
        rows = sorted(pairs.items())
        return cls(
            np.array([index for index, _ in rows], np.intp),
            np.array([subject for _, subject in rows], np.int16),
            horses[0] if horses else -1,
            np.array(sorted({*rivals, *lookalikes, *dogs}), np.intp),
        )

    def odds(self, classes: FloatArray) -> FloatArray:
        """Log odds (N,) of the horse against its likeliest rival, from class probabilities (N, C),
        cut at ODDS_LIMIT; 0 where the model cannot tell."""
        if self.horse < 0 or not len(self.rivals) or not len(classes):
            return np.zeros(len(classes), np.float32)
        horse = np.maximum(classes[:, self.horse], 1e-6)
        rival = np.maximum(classes[:, self.rivals].max(axis=1), 1e-6)
        cut: FloatArray = np.clip(np.log(horse / rival), -ODDS_LIMIT, ODDS_LIMIT).astype(np.float32)
        return cut


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes before suppression: corners in input pixels (N, 4), scores (N,), SubjectClass (N,) and
    the log odds (N,) of a horse against the animals that are taken for one."""

    boxes_xyxy_px: FloatArray
    scores: FloatArray
    class_ids: NDArray[np.int16]
    odds: FloatArray

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Candidates:
        """The rows of a mask or index array, in that order."""
        return Candidates(
            self.boxes_xyxy_px[rows], self.scores[rows], self.class_ids[rows], self.odds[rows]
        )


NO_CANDIDATES = Candidates(
    np.zeros((0, 4), np.float32),
    np.zeros((0,), np.float32),
    np.zeros((0,), np.int16),
    np.zeros((0,), np.float32),
)


@lru_cache(maxsize=64)
def grid_cells(height_px: int, width_px: int) -> tuple[FloatArray, FloatArray]:
    """Cell corners (A, 2) as x, y in strides, and strides (A,) in pixels, finest level first."""
    corners: list[FloatArray] = []
    strides: list[FloatArray] = []
    for stride in STRIDES_PX:
        rows, columns = height_px // stride, width_px // stride
        y, x = np.mgrid[0:rows, 0:columns]
        corners.append(np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32))
        strides.append(np.full((rows * columns,), stride, np.float32))
    return np.concatenate(corners), np.concatenate(strides)


def output_form(shape: tuple[int, ...], height_px: int, width_px: int) -> OutputForm:
    """Tell the layout of a (rows, columns) output for an input size; ModelInvalid if none fits."""
    rows, columns = shape if len(shape) == 2 else (0, 0)
    anchors = len(grid_cells(height_px, width_px)[1])
    if columns == 6 and rows == END_TO_END_ROWS and anchors != rows:
        return OutputForm.END_TO_END
    if columns >= anchors and rows >= 5 and rows < columns:
        return OutputForm.CHANNELS_FIRST
    if rows >= anchors and columns >= 6:
        return OutputForm.ANCHORS_FIRST
    raise ModelInvalid(
        f"An output of {' x '.join(map(str, shape))} is no YOLO layout for an input of "
        f"{width_px}x{height_px} px ({anchors} grid cells).",
        "Export the model again as a detector, without suppression in the graph.",
    )


def class_count(shape: tuple[int, ...], form: OutputForm) -> int | None:
    """Classes of an output of that layout; None where the shape does not say (end to end)."""
    if form is OutputForm.END_TO_END:
        return None
    return shape[0] - 4 if form is OutputForm.CHANNELS_FIRST else shape[1] - 5


def decode_yolo(
    output: FloatArray, form: OutputForm, table: ClassTable, min_score: float
) -> Candidates:
    """Candidates of an output whose boxes are in input pixels, of at least ``min_score``.

    Each anchor gives one candidate, for the best of the kept classes.
    """
    if form is OutputForm.END_TO_END:
        return _decode_end_to_end(output, table, min_score)
    if form is OutputForm.CHANNELS_FIRST:
        scores = output[4 + table.indices]
        best = scores.argmax(axis=0)
        peak = np.take_along_axis(scores, best[None], axis=0)[0]
        rows = np.flatnonzero(peak >= min_score)
        boxes = output[:4, rows].T
        odds = table.odds(output[4:, rows].T)
        return Candidates(_corners(boxes), peak[rows], table.subjects[best[rows]], odds)
    return _decode_anchors(output, table, min_score)


def decode_yolox(
    output: FloatArray, height_px: int, width_px: int, table: ClassTable, min_score: float
) -> Candidates:
    """Candidates of a raw YOLOX output (A, 5 + C) for an input of that size."""
    corners, strides = grid_cells(height_px, width_px)
    chosen = np.flatnonzero(output[:, 4] >= min_score)
    rows, scores, class_ids = _best_classes(output[chosen], table, min_score)
    kept = chosen[rows]
    found = output[kept, :4]
    stride = strides[kept, None]
    centres = (found[:, :2] + corners[kept]) * stride
    half = np.exp(found[:, 2:]) * (stride / 2.0)
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    return Candidates(boxes, scores, class_ids, table.odds(output[kept, 5:]))


def _decode_anchors(output: FloatArray, table: ClassTable, min_score: float) -> Candidates:
    likely = output[output[:, 4] >= min_score]
    rows, scores, class_ids = _best_classes(likely, table, min_score)
    odds = table.odds(likely[rows, 5:])
    return Candidates(_corners(likely[rows, :4]), scores, class_ids, odds)


def _best_classes(
    likely: FloatArray, table: ClassTable, min_score: float
) -> tuple[NDArray[np.intp], FloatArray, NDArray[np.int16]]:
    """Rows whose best kept class times objectness reaches ``min_score``, that score and its class.

    ``likely`` are the rows whose objectness alone reaches it: a product of probabilities cannot
    exceed it, and most anchors end there.
    """
    scores = likely[:, 5 + table.indices] * likely[:, 4:5]
    best = scores.argmax(axis=1)
    peak = scores[np.arange(len(best)), best]
    rows = np.flatnonzero(peak >= min_score)
    return rows, peak[rows], table.subjects[best[rows]]


def _decode_end_to_end(output: FloatArray, table: ClassTable, min_score: float) -> Candidates:
    kept = output[output[:, 4] >= min_score]
    classes = kept[:, 5].astype(np.intp)
    kept = kept[np.isin(classes, table.indices)]
    places = np.searchsorted(table.indices, kept[:, 5].astype(np.intp))
    return Candidates(
        kept[:, :4].astype(np.float32),
        kept[:, 4].astype(np.float32),
        table.subjects[places],
        np.zeros(len(kept), np.float32),
    )


def _corners(centre_and_size: FloatArray) -> FloatArray:
    half = centre_and_size[:, 2:4] / 2.0
    corners: FloatArray = np.concatenate(
        [centre_and_size[:, :2] - half, centre_and_size[:, :2] + half], axis=1
    ).astype(np.float32)
    return corners

"""The arithmetic of every YOLO layout, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.domain.detections import SubjectClass
from engine.domain.errors import ModelInvalid
from engine.models.yolo_decoding import (
    ClassTable,
    OutputForm,
    class_count,
    decode_yolo,
    decode_yolox,
    grid_cells,
    output_form,
)

TABLE = ClassTable.of({"0": "person", "2": "horse"}, lookalikes=(1,), lookalikes_are_horses=True)
CELLS = 64 + 16 + 4


def test_a_table_keeps_classes_in_order_and_adds_lookalikes_when_allowed() -> None:
    assert TABLE.indices.tolist() == [0, 1, 2]
    assert TABLE.subjects.tolist() == [
        SubjectClass.PERSON,
        SubjectClass.HORSE,
        SubjectClass.HORSE,
    ]
    strict = ClassTable.of({"0": "person", "2": "horse"}, (1,), lookalikes_are_horses=False)
    assert strict.indices.tolist() == [0, 2]


def test_a_stated_class_wins_over_a_lookalike_of_the_same_number() -> None:
    table = ClassTable.of({"1": "dog"}, (1,), lookalikes_are_horses=True)
    assert table.subjects.tolist() == [SubjectClass.DOG]


def test_grid_cells_run_by_rows_from_the_finest_level() -> None:
    corners, strides = grid_cells(64, 96)
    assert len(corners) == len(strides) == 8 * 12 + 4 * 6 + 2 * 3
    assert corners[1].tolist() == [1, 0]
    assert corners[12].tolist() == [0, 1]
    assert strides[[0, 96, 120]].tolist() == [8, 16, 32]


def test_channels_first_takes_the_best_kept_class_of_each_anchor() -> None:
    output = np.zeros((4 + 4, CELLS), np.float32)
    output[:4, 5] = 30, 20, 10, 8
    output[4:, 5] = 0.2, 0.1, 0.7, 0.95
    output[:4, 6] = 50, 50, 4, 4
    output[4:, 6] = 0.3, 0.6, 0.1, 0.0
    output[4:, 7] = 0.29, 0.0, 0.0, 0.99
    form = output_form(output.shape, 64, 64)
    found = decode_yolo(output, form, TABLE, 0.3)
    assert form is OutputForm.CHANNELS_FIRST
    assert class_count(output.shape, form) == 4
    np.testing.assert_allclose(found.boxes_xyxy_px, [[25, 16, 35, 24], [48, 48, 52, 52]])
    np.testing.assert_allclose(found.scores, [0.7, 0.6])
    assert found.class_ids.tolist() == [SubjectClass.HORSE, SubjectClass.HORSE]
    assert found.boxes_xyxy_px.dtype == found.scores.dtype == np.float32


def test_anchors_first_multiplies_objectness_and_class() -> None:
    output = np.zeros((3 * CELLS, 5 + 3), np.float32)
    output[9] = 30, 20, 10, 8, 0.8, 0.5, 0.0, 0.9
    output[10] = 30, 20, 10, 8, 0.5, 0.5, 0.0, 0.0
    form = output_form(output.shape, 64, 64)
    found = decode_yolo(output, form, TABLE, 0.3)
    assert form is OutputForm.ANCHORS_FIRST
    assert class_count(output.shape, form) == 3
    np.testing.assert_allclose(found.boxes_xyxy_px, [[25, 16, 35, 24]])
    np.testing.assert_allclose(found.scores, [0.72], rtol=1e-6)
    assert found.class_ids.tolist() == [SubjectClass.HORSE]


def test_end_to_end_rows_are_corners_score_and_class() -> None:
    output = np.zeros((300, 6), np.float32)
    output[0] = 1, 2, 30, 40, 0.9, 2
    output[1] = 5, 6, 7, 8, 0.8, 3
    output[2] = 9, 9, 20, 20, 0.7, 0
    output[3] = 9, 9, 20, 20, 0.1, 0
    form = output_form(output.shape, 640, 640)
    found = decode_yolo(output, form, TABLE, 0.3)
    assert form is OutputForm.END_TO_END
    assert class_count(output.shape, form) is None
    np.testing.assert_allclose(found.boxes_xyxy_px, [[1, 2, 30, 40], [9, 9, 20, 20]])
    assert found.class_ids.tolist() == [SubjectClass.HORSE, SubjectClass.PERSON]


@pytest.mark.parametrize(
    ("row", "cell", "stride"), [(0, (0, 0), 8), (64 + 6, (2, 1), 16), (83, (1, 1), 32)]
)
def test_yolox_boxes_are_offsets_and_logarithms_in_strides(
    row: int, cell: tuple[int, int], stride: int
) -> None:
    output = np.zeros((CELLS, 5 + 3), np.float32)
    output[row] = 0.25, 0.75, np.log(1.5), np.log(0.5), 0.8, 0.0, 0.0, 0.5
    found = decode_yolox(output, 64, 64, TABLE, 0.3)
    centre = (cell[0] + 0.25) * stride, (cell[1] + 0.75) * stride
    half = 0.75 * stride, 0.25 * stride
    expected = [
        centre[0] - half[0],
        centre[1] - half[1],
        centre[0] + half[0],
        centre[1] + half[1],
    ]
    np.testing.assert_allclose(found.boxes_xyxy_px, [expected], rtol=1e-5)
    np.testing.assert_allclose(found.scores, [0.4], rtol=1e-6)


@pytest.mark.parametrize("shape", [(80, 10), (10, 80), (CELLS, 5), (), (3, 4, 5)])
def test_other_shapes_are_refused_with_the_shape_in_words(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelInvalid, match="no YOLO layout"):
        output_form(shape, 64, 64)

"""Labels, assignment and loss of the detector."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import OperatorMistake
from engine.training.detector_data import agreed, read_detector_data
from engine.training.detector_loss import assign, cell_grid, decoded, detector_loss, pairwise_iou
from engine.training.detector_net import OTHER_ANIMALS
from engine.training.detector_training import Sample, composed, placed_on

HORSE, PERSON = int(SubjectClass.HORSE), int(SubjectClass.PERSON)


def _batch(*rows: tuple[float, float, float, float, float, int]) -> DetectionBatch:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return DetectionBatch(table[:, :4].copy(), table[:, 4].copy(), table[:, 5].astype(np.int16))


def test_teachers_agree_on_class_place_and_confidence() -> None:
    first = _batch(
        (0, 0, 10, 10, 0.9, HORSE), (20, 0, 30, 10, 0.9, HORSE), (40, 0, 50, 10, 0.9, PERSON),
        (60, 0, 70, 10, 0.35, HORSE),
    )  # fmt: skip
    second = _batch(
        (0, 0, 10, 9, 0.3, HORSE), (20, 0, 30, 10, 0.9, PERSON), (40, 0, 50, 10, 0.1, PERSON),
        (60, 0, 70, 10, 0.9, HORSE), (80, 0, 90, 10, 0.9, HORSE),
    )  # fmt: skip
    sure, doubtful = agreed(first, second)
    assert sure.boxes_xyxy_px.tolist() == [[0, 0, 10, 10]]
    assert sorted({float(box[0]) for box in doubtful}) == [20.0, 40.0, 60.0, 80.0]


def _write_pictures(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(folder / "images" / name), np.full((60, 100, 3), 90, np.uint8))
    document = {
        "categories": [{"id": 4, "name": "horse"}, {"id": 5, "name": "cow"}],
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "annotations": [
            {"image_id": 1, "category_id": 4, "bbox": [10, 10, 30, 20]},
            {"image_id": 2, "category_id": 5, "bbox": [20, 10, 40, 30]},
        ],
    }
    (folder / "annotations.json").write_text(json.dumps(document))


class _Eager:
    """Calls everything a horse, and sees one person."""

    def answers(self, picture_bgr: np.ndarray) -> DetectionBatch:
        return _batch(
            (10, 10, 40, 30, 0.9, HORSE), (20, 10, 60, 40, 0.9, HORSE), (80, 5, 95, 50, 0.9, PERSON)
        )

    animals = answers


def test_labels_are_completed_by_teachers_but_cows_stay_cows(tmp_path: Path) -> None:
    _write_pictures(tmp_path / "data" / "farm")
    horse, cow = read_detector_data(tmp_path / "data", tmp_path / "cache", [_Eager(), _Eager()])
    assert horse.class_ids.tolist() == [HORSE, PERSON] or horse.class_ids.tolist() == [
        HORSE, HORSE, PERSON,
    ]  # fmt: skip
    assert horse.annotated == 1
    assert cow.class_ids.tolist() == [PERSON, OTHER_ANIMALS["cow"]]
    assert cow.annotated == 0


class _Blind:
    """Sees what it is given, whatever the picture."""

    def __init__(self, *rows: tuple[float, float, float, float, float, int]) -> None:
        self._rows = rows

    def answers(self, picture_bgr: np.ndarray) -> DetectionBatch:
        return _batch(*self._rows)

    animals = answers


DOG = int(SubjectClass.DOG)
NOTHING = _Blind()


@pytest.mark.parametrize("folder_name", ["looks/breeds/Appaloosa", "horses"])
@pytest.mark.parametrize(
    ("first", "second", "boxes"),
    [
        (_Blind((10, 5, 90, 55, 0.3, DOG)), _Blind((10, 5, 90, 54, 0.2, HORSE)), [(10, 5, 90, 55)]),
        (NOTHING, _Blind((10, 5, 90, 55, 0.15, DOG)), [(10, 5, 90, 55)]),
        (NOTHING, _Blind((10, 5, 30, 25, 0.9, DOG)), []),
        (NOTHING, _Blind((10, 5, 90, 55, 0.9, PERSON)), []),
    ],
    ids=["both", "one, large", "one, small", "person"],
)
def test_where_a_horse_is_known_to_be_any_animal_is_it(
    tmp_path: Path,
    first: _Blind,
    second: _Blind,
    boxes: list[tuple[int, ...]],
    folder_name: str,
) -> None:
    folder = tmp_path / folder_name
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "a.jpg"), np.full((60, 100, 3), 90, np.uint8))
    (spotted,) = read_detector_data(tmp_path, tmp_path / "cache", [first, second])
    assert spotted.boxes_xyxy_px[spotted.class_ids == HORSE].tolist() == [list(b) for b in boxes]
    # A horse that nobody found is no background either.
    whole = [0.0, 0.0, 100.0, 60.0]
    assert (whole in spotted.ignored_xyxy_px.tolist()) is (not boxes)


def test_what_only_may_be_an_animal_is_no_horse_in_other_pictures(tmp_path: Path) -> None:
    class Careful(_Blind):
        def answers(self, picture_bgr: np.ndarray) -> DetectionBatch:
            return _batch()

    whole = Careful((10, 5, 90, 55, 0.9, HORSE))
    for name in ("horses", "pictures"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.jpg"), np.full((60, 100, 3), 90, np.uint8))
    known, unknown = read_detector_data(tmp_path, tmp_path / "cache", [whole, whole])
    assert known.class_ids.tolist() == [HORSE] and not len(unknown.class_ids)


def test_other_data_is_not_read_from_the_same_cache(tmp_path: Path) -> None:
    _write_pictures(tmp_path / "one" / "farm")
    _write_pictures(tmp_path / "two" / "meadow")
    for name, source in (("one", "farm"), ("two", "meadow"), ("one", "farm")):
        read = read_detector_data(tmp_path / name, tmp_path / "cache")
        assert {picture.source for picture in read} == {source}
        assert all(picture.file.is_file() for picture in read)


def _annotate(folder: Path, names: list[str], points: list[list[float]], scale: float) -> None:
    (folder / "images").mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / "images" / name), np.full((60, 100, 3), 90, np.uint8))
    document = {
        "categories": [{"id": 5, "name": "cow"}],
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [
            {
                "image_id": i, "category_id": 5, "bbox": [0, 0, 50, 50],
                "keypoints": [v for x, y in zip(p[::2], p[1::2], strict=True)
                              for v in (x * scale + 3, y * scale + 7, 1)],
            }
            for i, p in enumerate(points)
        ],
    }  # fmt: skip
    (folder / "annotations.json").write_text(json.dumps(document))


def test_animals_that_the_negatives_show_are_not_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    animals = rng.uniform(0, 40, (3, 12)).tolist()
    data = tmp_path / "data"
    _annotate(data / "crops", ["one.jpg", "two.jpg"], animals[:2], 0.5)
    _annotate(data / "farm_neg", ["whole.jpg", "else.jpg"], animals[1:], 1.0)

    pictures = read_detector_data(data, tmp_path / "cache")

    assert [p.group for p in pictures if not p.held_out] == ["one.jpg"]
    assert {p.group for p in pictures if p.source == "farm_neg"} == {"whole.jpg", "else.jpg"}


def test_data_without_a_known_layout_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(OperatorMistake, match="no detector pictures"):
        read_detector_data(tmp_path / "data", tmp_path / "cache")


def _sample(width: int = 100, height: int = 50) -> Sample:
    picture = np.full((height, width, 3), 200, np.uint8)
    box = np.array([[10, 10, 60, 40]], np.float32)
    picture[10:40, 10:60] = 20
    return Sample(picture, box, np.array([HORSE], np.int16), np.zeros((0, 4), np.float32))


def test_boxes_move_with_the_picture_when_it_is_placed() -> None:
    canvas = np.full((96, 128, 3), 114, np.uint8)
    placed = placed_on(canvas, _sample(), (0, 0, 128, 96), np.random.default_rng(0), 0.7)
    rows, columns = np.nonzero(canvas[:, :, 0] < 60)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(placed.boxes[0] - found).max() <= 1.5


def test_boxes_that_are_cut_away_become_ignored() -> None:
    sample = _sample()
    for seed in range(40):
        canvas = np.full((32, 32, 3), 114, np.uint8)
        rng = np.random.default_rng(seed)
        placed = placed_on(canvas, sample, (0, 0, 32, 32), rng, 4.0)
        assert len(placed.boxes) + len(placed.ignored) <= 1
        for box in np.concatenate([placed.boxes, placed.ignored]):
            assert (box >= 0).all() and (box <= 32).all()


def test_mosaics_keep_boxes_inside_the_picture() -> None:
    for seed in range(10):
        made = composed([_sample()] * 4, (96, 128), np.random.default_rng(seed))
        assert made.picture.shape == (96, 128, 3)
        assert (made.boxes[:, :2] >= 0).all()
        assert (made.boxes[:, 2] <= 128).all() and (made.boxes[:, 3] <= 96).all()
        assert len(made.boxes) == len(made.class_ids)


def _rows_that_answer(box: list[float], size: tuple[int, int]) -> torch.Tensor:
    """Raw rows of which every cell near the box's centre predicts exactly that box."""
    corners, strides = cell_grid(*size)
    rows = torch.zeros(len(corners), 8)
    centre = torch.tensor([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    rows[:, :2] = (centre - corners) / strides[:, None]
    side = torch.tensor([box[2] - box[0], box[3] - box[1]])
    rows[:, 2:4] = (side / strides[:, None]).log()
    rows[:, 4:] = -8.0
    return rows


def test_cells_decode_to_the_box_they_answer() -> None:
    size, box = (64, 96), [20.0, 10.0, 60.0, 50.0]
    boxes = decoded(_rows_that_answer(box, size), *cell_grid(*size))
    assert torch.allclose(boxes, torch.tensor(box).expand_as(boxes), atol=1e-3)


def test_iou_of_known_boxes() -> None:
    a = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    b = torch.tensor([[0.0, 0.0, 10.0, 5.0], [20.0, 20.0, 30.0, 30.0]])
    assert pairwise_iou(a, b).tolist() == [[0.5, 0.0]]


def test_cells_near_a_label_answer_for_it_and_no_other() -> None:
    size, box = (64, 96), [20.0, 10.0, 60.0, 50.0]
    rows = _rows_that_answer(box, size)
    corners, strides = cell_grid(*size)
    centres = corners + strides[:, None] / 2
    labels, classes = torch.tensor([box]), torch.tensor([0])
    cells, matched, iou = assign(
        rows, decoded(rows, corners, strides), labels, classes, centres, strides
    )
    assert 1 <= len(cells) <= 10 and (matched == 0).all()
    assert iou.min() > 0.99
    distance = (centres[cells] - torch.tensor([40.0, 30.0])).abs() / strides[cells][:, None]
    assert distance.max() <= 2.5


def _loss(rows: torch.Tensor, ignored: list[list[float]], size: tuple[int, int]) -> float:
    nothing = torch.zeros(0, 4)
    places = torch.tensor(ignored).reshape(-1, 4)
    return float(detector_loss(rows[None], [nothing], [torch.zeros(0).long()], [places], size))


def test_doubtful_places_teach_nothing() -> None:
    size = (64, 96)
    rows = _rows_that_answer([20.0, 10.0, 60.0, 50.0], size)
    rows[:, 4] = 3.0
    assert _loss(rows, [], size) > 1.0
    assert _loss(rows, [[-1.0, -1.0, 97.0, 65.0]], size) == 0.0


def test_a_right_answer_costs_less_than_a_wrong_class() -> None:
    size, box = (64, 96), [20.0, 10.0, 60.0, 50.0]
    labels, ignored = [torch.tensor([box])], [torch.zeros(0, 4)]
    horse = _rows_that_answer(box, size)
    horse[:, 5] = 6.0
    right = detector_loss(horse[None], labels, [torch.tensor([0])], ignored, size)
    wrong = detector_loss(horse[None], labels, [torch.tensor([1])], ignored, size)
    assert right < wrong

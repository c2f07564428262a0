"""The second opinion: crops, the mixed score, and what it does to a detector's answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from engine.domain.detections import SubjectClass
from engine.domain.errors import ModelInvalid
from engine.models.detectors import DetectorOptions, GridDetector, grid_detector, parts_of_others
from engine.models.manifest import ModelEntry, Verification
from engine.models.verification import (
    CERTAIN_LOGIT,
    GREY,
    SpeciesVerifier,
    candidates_from,
    certain,
    combined,
    logit,
    probability,
    species_crops,
)
from engine.models.yolo_decoding import ODDS_LIMIT, Candidates, ClassTable
from tests.helpers.tiny_models import Opener, constant_model, entry_of, save

HORSE, PERSON, DOG = SubjectClass.HORSE, SubjectClass.PERSON, SubjectClass.DOG
HOW = Verification(
    model="white-horses",
    detector_weight=0.5,
    odds_weight=0.3,
    verifier_weight=1.0,
    bias=0.2,
    candidates_from=0.05,
)
SIDE_PX = 32


def white_is_a_horse(path: Path) -> ModelEntry:
    """A classifier whose horse logit is 12 for a white crop, -12 for a black one."""
    make = onnx.helper
    nodes = [
        make.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=1),
        make.make_node("Reshape", ["mean", "column"], ["light"]),
        make.make_node("Mul", ["light", "slope"], ["horse"]),
        make.make_node("Mul", ["light", "none"], ["other"]),
        make.make_node("Concat", ["horse", "other"], ["output"], axis=1),
    ]
    constants: dict[str, NDArray[Any]] = {
        "column": np.array([-1, 1], np.int64),
        "slope": np.array(12.0, np.float32),
        "none": np.array(0.0, np.float32),
    }
    save(path, nodes, constants, {"output": ["batch", 2]}, ["batch", 3, SIDE_PX, SIDE_PX])
    return entry_of(
        path, task="verifier", layout="species", classes={"0": "horse"}, padding=1.0,
        input={
            "width_px": SIDE_PX, "height_px": SIDE_PX, "mean": (127.5,) * 3, "std": (127.5,) * 3
        },
    )  # fmt: skip


@pytest.fixture
def verifier(tmp_path: Path) -> Iterator[SpeciesVerifier]:
    path = tmp_path / "white.onnx"
    entry = white_is_a_horse(path)
    opened = SpeciesVerifier(entry, Opener(entry, path), "cpu")
    yield opened
    opened.close()


def test_log_odds_are_the_inverse_of_probabilities() -> None:
    values = np.array([0.01, 0.35, 0.5, 0.99], np.float32)
    np.testing.assert_allclose(probability(logit(values)), values, atol=1e-6)


def test_the_final_score_rises_with_both_opinions_and_certainty_is_bounded() -> None:
    scores = np.array([0.3, 0.6, 0.3, 0.3], np.float32)
    opinions = np.array([0.0, 0.0, 2.0, 99.0], np.float32)
    none = np.zeros(4, np.float32)
    final = combined(scores, none, opinions, HOW)
    expected = 1.0 / (1.0 + np.exp(-(0.5 * np.log(0.3 / 0.7) + 0.2)))
    assert final[0] == pytest.approx(expected, abs=1e-5)
    assert final[1] > final[0] and final[2] > final[0]
    certain = combined(scores[:1], none[:1], np.array([CERTAIN_LOGIT], np.float32), HOW)
    assert final[3] == pytest.approx(certain[0])
    assert (combined(scores, none - 2.0, opinions, HOW) < final).all()


@pytest.mark.parametrize("wanted", [0.1, 0.35, 0.9, 0.999])
def test_what_could_not_reach_the_wanted_score_is_not_looked_at(wanted: float) -> None:
    least = candidates_from(HOW, wanted)
    assert least >= HOW.candidates_from
    below = np.array([least * 0.98], np.float32)
    if least > HOW.candidates_from:
        odds, opinion = (np.array([most], np.float32) for most in (ODDS_LIMIT, CERTAIN_LOGIT))
        assert combined(below, odds, opinion, HOW)[0] < wanted


def test_crops_keep_proportions_and_fill_the_rest_with_grey() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[40:60, 50:150] = 255
    crop = species_crops(picture, np.array([[50, 40, 150, 60]], np.float32), 40, 1.0)[0]
    assert (crop[16:24] == 255).all() and (crop[:15] == GREY).all() and (crop[25:] == GREY).all()


def test_crops_at_the_border_and_outside_are_filled() -> None:
    picture = np.full((100, 100, 3), 255, np.uint8)
    boxes = np.array([[-20, 0, 20, 40], [150, 150, 160, 160], [99, 99, 99, 99]], np.float32)
    border, outside, _ = species_crops(picture, boxes, 40, 1.0)
    assert (border[:, :19] == GREY).all() and (border[:, 21:] == 255).all()
    assert (outside == GREY).all()


def test_opinions_come_back_by_picture(verifier: SpeciesVerifier) -> None:
    white, black = np.full((50, 50, 3), 255, np.uint8), np.zeros((50, 50, 3), np.uint8)
    box = np.array([[5, 5, 45, 45]], np.float32)
    first, none, second = verifier.opinions(
        [white, white, black], [np.repeat(box, 2, axis=0), box[:0], box]
    )
    np.testing.assert_allclose(first, [12.0, 12.0], atol=1e-3)
    assert len(none) == 0
    np.testing.assert_allclose(second, [-12.0], atol=1e-3)
    assert verifier.opinions([], []) == []


def test_other_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "white.onnx"
    entry = white_is_a_horse(path)
    nameless = entry.model_copy(update={"classes": {}})
    with pytest.raises(ModelInvalid, match="exactly one class horse"):
        SpeciesVerifier(nameless, Opener(nameless, path), "cpu")
    table = constant_model(
        tmp_path / "table.onnx", {"output": np.zeros((5, 6), np.float32)}, ["batch", 3, 32, 32]
    )
    size = {"width_px": 32, "height_px": 32}
    other = entry_of(table, task="verifier", layout="species", classes={"0": "horse"}, input=size)
    with pytest.raises(ModelInvalid, match="one row of classes"):
        SpeciesVerifier(other, Opener(other, table), "cpu")


BOXES = {"white animal": (20, 30, 60, 50), "black animal": (100, 30, 140, 70),
         "person": (20, 90, 40, 130), "black dog": (100, 100, 140, 140)}  # fmt: skip


def _detector(
    folder: Path, verifier: SpeciesVerifier | None, how: Verification = HOW, **fields: object
) -> GridDetector:
    """Answers a white sheep (0.3), a black horse (0.6), a person (0.7), a black dog (0.5)."""
    table = np.zeros((3 * 525, 5 + 4), np.float32)
    for row, (box, kind, score) in enumerate(
        zip(BOXES.values(), (3, 0, 1, 2), (0.3, 0.6, 0.7, 0.5), strict=True)
    ):
        x1, y1, x2, y2 = box
        table[row, :5] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, 1.0
        table[row, 5 + kind] = score
    path = constant_model(folder / "table.onnx", {"output": table}, ["batch", 3, 160, 160])
    entry = entry_of(
        path, task="detector", layout="yolo", input={"width_px": 160, "height_px": 160},
        classes={"0": "horse", "1": "person", "2": "dog"}, lookalikes=(3,), verification=how,
        **fields,
    )  # fmt: skip
    options = DetectorOptions(minimum_box_px=1.0, lookalikes_are_horses=False)
    return grid_detector(entry, Opener(entry, path), "cpu", options, verifier)


def _picture() -> np.ndarray:
    picture = np.zeros((160, 160, 3), np.uint8)
    x1, y1, x2, y2 = BOXES["white animal"]
    picture[y1 - 4 : y2 + 4, x1 - 4 : x2 + 4] = 255
    return picture


def test_the_verifier_decides_which_animals_are_horses(
    tmp_path: Path, verifier: SpeciesVerifier
) -> None:
    detector = _detector(tmp_path, verifier)
    assert detector.verifier_id == verifier.model_id
    found = detector.detect([_picture()], [1.0], 0.35)[0]
    places = [tuple(box) for box in found.boxes_xyxy_px.round().astype(int)]
    kinds = dict(zip(places, found.class_ids.tolist(), strict=True))
    assert kinds == {
        BOXES["white animal"]: HORSE, BOXES["person"]: PERSON, BOXES["black dog"]: DOG
    }  # fmt: skip
    assert found.scores.max() <= 1.0
    assert (np.diff(found.scores) <= 0).all()


def test_of_a_certain_horse_the_verifier_is_not_asked(
    tmp_path: Path, verifier: SpeciesVerifier
) -> None:
    sure = HOW.model_copy(update={"certain_from": 0.6})
    found = _detector(tmp_path, verifier, sure).detect([_picture()], [1.0], 0.35)[0]
    places = [tuple(box) for box in found.boxes_xyxy_px.round().astype(int)]
    horses = [p for p, kind in zip(places, found.class_ids, strict=True) if kind == HORSE]
    # The verifier would call the black horse none; the dog, less likely a horse, stays a dog.
    assert set(horses) == {BOXES["white animal"], BOXES["black animal"]}
    best = int(found.scores.argmax())
    wanted = combined(
        np.array([0.6], np.float32), np.array([ODDS_LIMIT], np.float32),
        np.array([CERTAIN_LOGIT], np.float32), sure,
    )  # fmt: skip
    assert places[best] == BOXES["black animal"]
    assert found.scores[best] == pytest.approx(float(wanted[0]))


def test_a_horse_that_may_be_a_cow_is_never_certain() -> None:
    sure = HOW.model_copy(update={"certain_from": 0.9})
    scores = np.array([0.95, 0.95, 0.89], np.float32)
    odds = np.array([ODDS_LIMIT, ODDS_LIMIT - 0.1, ODDS_LIMIT], np.float32)
    assert certain(scores, odds, sure).tolist() == [True, False, False]
    assert not certain(scores, odds, HOW).any()


def test_scale_and_batches_do_not_change_the_opinion(
    tmp_path: Path, verifier: SpeciesVerifier
) -> None:
    detector = _detector(tmp_path, verifier)
    first, second = detector.detect([_picture(), _picture()], [1.0, 0.5], 0.35)
    np.testing.assert_allclose(second.boxes_xyxy_px, first.boxes_xyxy_px * 2)
    np.testing.assert_allclose(second.scores, first.scores)


def test_without_the_verifier_the_detector_answers_as_ever(tmp_path: Path) -> None:
    detector = _detector(tmp_path, None)
    assert detector.verifier_id is None
    found = detector.detect([_picture()], [1.0], 0.35)[0]
    assert sorted(found.class_ids) == [HORSE, PERSON, DOG]
    assert found.scores[found.class_ids == HORSE] == pytest.approx([0.6])
    detector.close()


def test_odds_compare_the_horse_with_its_likeliest_rival() -> None:
    classes = {"0": "horse", "1": "person", "2": "dog"}
    table = ClassTable.of(classes, (3,), False, (4,), (5,))
    assert table.rivals.tolist() == [2, 3, 4]
    assert dict(zip(table.indices.tolist(), table.subjects.tolist(), strict=True)) == {
        0: HORSE, 1: PERSON, 2: DOG, 5: HORSE,
    }  # fmt: skip
    rows = np.array(
        [[0.6, 0.9, 0.1, 0.2, 0.3, 1.0], [0.1, 0.0, 0.0, 0.4, 0.0, 1.0], [0.9, 0, 0, 0, 0, 0]],
        np.float32,
    )
    np.testing.assert_allclose(table.odds(rows), [np.log(2.0), -np.log(4.0), ODDS_LIMIT], atol=1e-5)
    assert ClassTable.of({"0": "horse"}, (), True).odds(rows).tolist() == [0.0, 0.0, 0.0]


def test_a_weak_half_of_a_horse_is_no_horse_but_one_behind_it_is() -> None:
    whole, half, far, strong = (0, 0, 100, 80), (0, 0, 50, 80), (70, 5, 85, 20), (50, 0, 100, 80)
    animals = Candidates(
        np.array([whole, half, far, strong], np.float32),
        np.array([0.9, 0.06, 0.06, 0.5], np.float32),
        np.full(4, HORSE, np.int16),
        np.zeros(4, np.float32),
    )
    horse = np.array([0.9, 0.8, 0.8, 0.8], np.float32)
    assert parts_of_others(animals, horse).tolist() == [False, True, False, False]
    unlikely = np.array([0.1, 0.8, 0.8, 0.8], np.float32)
    assert not parts_of_others(animals, unlikely).any(), "the better box must be a horse itself"

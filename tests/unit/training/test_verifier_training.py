"""Crops, labels, loss and figures of the verifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.domain.detections import SubjectClass
from engine.domain.errors import OperatorMistake
from engine.models.detectors import DetectorOptions, grid_detector
from engine.models.manifest import Verification
from engine.models.verification import GREY, combined, species_crops
from engine.models.yolo_decoding import ODDS_LIMIT
from engine.training.detector_data import LabelledPicture
from engine.training.verifier_data import (
    CROP_PX,
    NO_HORSE,
    SPECIES,
    UNKNOWN,
    CropSet,
    cached_crop,
    read_crops,
    species_of,
)
from engine.training.verifier_head import half_way, refit_head
from engine.training.verifier_net import VerifierNet, fold_normalisations, species_loss
from engine.training.verifier_training import (
    CERTAIN_FROM,
    INPUT_PX,
    PADDING,
    fitted,
    measure_verifier,
    plain_crop,
    varied_crop,
)
from tests.helpers.tiny_models import Opener, bright_cell_yolox, entry_of

HORSE, PERSON = int(SubjectClass.HORSE), int(SubjectClass.PERSON)


def _labelled(
    source: str, boxes: Sequence[Sequence[float]], kinds: Sequence[int], file: Path = Path("none")
) -> LabelledPicture:
    return LabelledPicture(
        file, np.array(boxes, np.float32).reshape(-1, 4), np.array(kinds, np.int16),
        np.zeros((0, 4), np.float32), source, "one", len(boxes),
    )  # fmt: skip


def test_a_proposal_is_what_it_overlaps() -> None:
    picture = _labelled("looks", [(10, 10, 50, 50), (100, 10, 120, 60)], [HORSE, PERSON])
    boxes = np.array(
        [(12, 10, 50, 52), (100, 12, 120, 60), (10, 10, 25, 25), (200, 200, 240, 240)], np.float32
    )
    kinds = species_of(boxes, picture).tolist()
    assert kinds == [0, SPECIES.index("person"), UNKNOWN, SPECIES.index("background")]


def test_where_no_horse_is_every_part_is_no_horse() -> None:
    cow = SPECIES.index("cow")
    picture = _labelled("animalpose_other", [(10, 10, 90, 90)], [cow])
    boxes = np.array([(10, 10, 88, 90), (10, 10, 40, 40)], np.float32)
    assert species_of(boxes, picture).tolist() == [cow, NO_HORSE]


def test_a_cached_crop_becomes_the_input_that_the_product_makes() -> None:
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (200, 300, 3)).astype(np.uint8), (0, 0), 4)
    box = np.array([80, 50, 220, 130], np.float32)
    crop = cached_crop(np.asarray(picture, np.uint8), 1.0, box)
    assert crop.shape == (CROP_PX, CROP_PX, 3)
    ours = plain_crop(crop, np.array([1.0, 80 / 140], np.float32))
    served = species_crops(np.asarray(picture, np.uint8), box[None], INPUT_PX, PADDING)[0]
    assert ours.shape == served.shape
    assert (served[:20] == GREY).all() and (ours[:20] == GREY).all()
    assert np.abs(ours.astype(int) - served.astype(int)).mean() < 4.0


def test_variations_depend_on_the_seed_alone() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (CROP_PX, CROP_PX, 3)).astype(np.uint8)
    extent = np.array([1.0, 0.7], np.float32)
    first, again, other = (
        varied_crop(crop, extent, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert first.shape == (INPUT_PX, INPUT_PX, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_part_of_another_animal_may_be_anything_but_a_horse() -> None:
    cow = torch.tensor([[0.0, 0.0, 9.0, 0.0, 0.0, 0.0]])
    dog = torch.tensor([[0.0, 0.0, 0.0, 0.0, 9.0, 0.0]])
    horse = torch.tensor([[9.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    part = torch.tensor([NO_HORSE])
    assert species_loss(cow, part) == pytest.approx(float(species_loss(dog, part)))
    assert species_loss(horse, part) > 5.0 > 1.0 > species_loss(cow, part)
    assert species_loss(horse, torch.tensor([0])) < species_loss(cow, torch.tensor([0]))


def test_folded_normalisations_answer_the_same() -> None:
    torch.manual_seed(0)
    network = VerifierNet()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        wanted = network.eval()(picture)
        fold_normalisations(network)
        np.testing.assert_allclose(network(picture), wanted, atol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())


def _proposals(opinions: Sequence[float]) -> tuple[CropSet, list[LabelledPicture], np.ndarray]:
    """One held-out picture with a horse, proposed once well and once badly, and two negatives."""
    boxes = [(10, 10, 50, 50), (40, 40, 80, 80), (10, 10, 50, 50), (10, 10, 50, 50)]
    crops = CropSet(
        np.zeros((4, 1, 1, 3), np.uint8), np.ones((4, 2), np.float32),
        np.array([0, UNKNOWN, 2, 2]), np.array([0.4, 0.3, 0.9, 0.9], np.float32),
        np.zeros(4, np.float32),
        np.array(boxes, np.float32), np.array([0, 0, 1, 2]), np.ones(4, np.bool_),
    )  # fmt: skip
    pictures = [
        _labelled("animalpose_horse", [(10, 10, 50, 50)], [HORSE]),
        _labelled("animalpose_neg", [(10, 10, 50, 50)], [2]),
        _labelled("animalpose_neg", [(10, 10, 50, 50)], [2]),
    ]
    held = next(f"{n}" for n in range(99) if _held_out(f"{n}"))
    pictures[0] = LabelledPicture(**{**vars(pictures[0]), "group": held})
    return crops, pictures, np.array(opinions, np.float32)


def _held_out(group: str) -> bool:
    picture = _labelled("animalpose_horse", [], [])
    return LabelledPicture(**{**vars(picture), "group": group}).held_out


def test_the_figures_follow_the_opinions() -> None:
    how = fitted(
        np.array([0.4, 0.9], np.float32), np.zeros(2, np.float32),
        np.array([3.0, -3.0], np.float32),
        np.array([True, False]), 0.05,
    )  # fmt: skip
    right = measure_verifier(*_proposals([5.0, -5.0, -5.0, -5.0]), how)
    wrong = measure_verifier(*_proposals([-5.0, -5.0, 5.0, 5.0]), how)
    assert right["recall_proposed"] == wrong["recall_proposed"] == 1.0
    assert (right["recall_at_fp1"], wrong["recall_at_fp1"]) == (1.0, 0.0)
    assert (right["horses"], right["negatives"]) == (1.0, 2.0)


def test_the_fit_separates_what_the_verifier_separates() -> None:
    rng = np.random.default_rng(0)
    horses = rng.random(400) < 0.4
    opinions = np.where(horses, 2.0, -2.0) + rng.normal(0, 1.0, 400)
    scores = rng.uniform(0.1, 0.9, 400).astype(np.float32)
    odds = rng.normal(0, 1.0, 400).astype(np.float32)
    how = fitted(scores, odds, opinions.astype(np.float32), horses, 0.05)
    assert how.verifier_weight > how.detector_weight > 0
    assert how.verifier_weight > how.odds_weight
    final = combined(scores, odds, opinions.astype(np.float32), how)
    assert ((final > 0.5) == horses).mean() > 0.95


def test_certainty_needs_a_detector_that_is_sure_of_nothing_else() -> None:
    scores = np.array([0.99, 0.97, 0.3], np.float32)
    opinions = np.array([3.0, -3.0, -3.0], np.float32)
    horses = np.array([True, False, False])
    unlike = np.array([ODDS_LIMIT, 0.0, ODDS_LIMIT], np.float32)
    assert fitted(scores, unlike, opinions, horses, 0.05).certain_from == CERTAIN_FROM
    alike = np.full(3, ODDS_LIMIT, np.float32)
    assert fitted(scores, alike, opinions, horses, 0.05).certain_from == pytest.approx(0.98)
    scores[1] = 0.995
    assert fitted(scores, alike, opinions, horses, 0.05).certain_from == 1.0


def test_a_certain_horse_is_found_whatever_the_verifier_thinks() -> None:
    crops, pictures, opinions = _proposals([-8.0, -8.0, -8.0, -8.0])
    crops.scores[0], crops.odds[0] = 0.97, ODDS_LIMIT
    how = Verification(model="v", detector_weight=0.3, verifier_weight=1.0, certain_from=0.95)
    assert measure_verifier(crops, pictures, opinions, how)["recall_at_fp1"] == 1.0
    asked = how.model_copy(update={"certain_from": 1.0})
    assert measure_verifier(crops, pictures, opinions, asked)["recall_at_0.35"] == 0.0


def _tiny() -> VerifierNet:
    torch.manual_seed(0)
    network = VerifierNet()
    fold_normalisations(network)
    return network


def test_half_way_lies_between_both_networks() -> None:
    start, tuned = _tiny(), _tiny()
    with torch.no_grad():
        tuned.species.weight.add_(2.0)
    middle = half_way(start, tuned, 0.25)
    wanted = start.species.weight + 0.5
    torch.testing.assert_close(middle.species.weight, wanted)
    assert not middle.training


def test_a_new_last_layer_learns_what_the_features_show() -> None:
    network = _tiny()
    generator = torch.Generator().manual_seed(0)
    cow = SPECIES.index("cow")
    kinds = torch.tensor([0, cow] * 24)
    pictures = torch.randn(48, 3, 32, 32, generator=generator) * 0.05
    pictures[kinds == 0, 0] += 1.0
    pictures[kinds == cow, 2] += 1.0
    before = network.backbone._conv_stem.weight.clone()
    refit_head(network, [(pictures[:32], kinds[:32]), (pictures[32:], kinds[32:])])
    with torch.no_grad():
        answers = network(pictures).argmax(dim=1)
    assert (answers == kinds).float().mean() > 0.9
    torch.testing.assert_close(network.backbone._conv_stem.weight, before)


def test_crops_are_cut_once_from_what_the_detector_proposes(tmp_path: Path) -> None:
    bright = np.full((160, 160, 3), 20, np.uint8)
    bright[64:72, 64:72] = 255
    file = tmp_path / "picture.png"
    cv2.imwrite(str(file), bright)
    path = bright_cell_yolox(tmp_path / "cells.onnx", ["batch", 3, 160, 160])
    entry = entry_of(
        path, task="detector", layout="yolox",
        input={"width_px": 160, "height_px": 160, "colour": "bgr", "std": (1.0, 1.0, 1.0)},
    )  # fmt: skip
    detector = grid_detector(entry, Opener(entry, path), "cpu", DetectorOptions(for_verifier=True))
    pictures = [
        _labelled("looks", [(20, 20, 150, 150)], [HORSE], file),
        _labelled("looks", [(20, 20, 150, 150)], [PERSON], file),
    ]
    crops = read_crops(pictures, detector, tmp_path)
    again = read_crops(pictures, detector, tmp_path)
    assert {0, SPECIES.index("person")} <= set(crops.species.tolist())
    np.testing.assert_array_equal(crops.crops, again.crops)
    np.testing.assert_array_equal(crops.species, again.species)
    relabelled = [_labelled("looks", [(20, 20, 150, 150)], [PERSON], file), pictures[0]]
    assert read_crops(relabelled, detector, tmp_path).species[0] == SPECIES.index("person")
    with pytest.raises(OperatorMistake, match="horses and of other things"):
        (tmp_path / "other").mkdir()
        read_crops(pictures[1:], detector, tmp_path / "other")
    detector.close()

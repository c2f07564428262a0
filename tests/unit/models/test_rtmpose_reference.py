"""Our cropping, decoding and mapping give the keypoints that mmpose itself gives.

Where mmpose is installed it is run; everywhere its stored answers are compared with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.poses import PoseBatch
from engine.models.crops import top_down_crops
from engine.models.manifest import ModelEntry, read_manifest
from engine.models.normalisation import Normaliser
from engine.models.pose_estimators import SimccPose
from engine.sources.pictures import ArrayPicture
from engine.training.mmpose_bridge import (
    build_rtmpose,
    export_rtmpose,
    load_weights,
    mmpose_answers,
    mmpose_installed,
)
from tests.helpers import rtmpose_reference as reference
from tests.helpers.tiny_models import Opener, constant_model

MANIFEST = Path(__file__).parents[3] / "resources" / "models" / "manifest.toml"
TOLERANCE_PX = 0.5
with_mmpose = pytest.mark.skipif(not mmpose_installed(), reason="the extra [mmpose] is absent")


def entry() -> ModelEntry:
    """RTMPose as the product lists it."""
    return read_manifest(MANIFEST).named("rtmpose-m-ap10k")


def ours(file: Path, picture: Image, boxes: FloatArray) -> PoseBatch:
    """What the product makes of the boxes with this file."""
    estimator = SimccPose(entry(), Opener(entry(), file), "cpu")
    try:
        return estimator.estimate([(ArrayPicture(picture), boxes)])[0]
    finally:
        estimator.close()


def assert_same(poses: PoseBatch, keypoints: FloatArray, scores: FloatArray) -> None:
    apart = np.hypot(*np.moveaxis(poses.keypoints_px - keypoints, -1, 0))
    assert apart.max() < TOLERANCE_PX, apart.max()
    np.testing.assert_allclose(poses.scores, np.clip(scores, 0, 1), atol=2e-3)


# --- against stored answers ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored() -> Mapping[str, Any]:
    with np.load(reference.FILE) as file:
        return dict(file.items())


def test_the_network_is_fed_what_mmpose_feeds_it(stored: Mapping[str, Any]) -> None:
    picture = ArrayPicture(reference.generated_picture())
    spec = entry().input
    crops, _ = top_down_crops(
        [(picture, box) for box in reference.BOXES], spec.width_px, spec.height_px, entry().padding
    )
    step = reference.STEP_PX
    ours = Normaliser(spec)(crops)[:, :, ::step, ::step]
    # One grey level is 0.017 here; interpolation may round differently by one.
    np.testing.assert_allclose(ours, stored["inputs"], atol=0.02)


@pytest.mark.parametrize("row", range(len(reference.BOXES)))
def test_stored_answers_of_mmpose_are_met(
    row: int, stored: Mapping[str, Any], tmp_path: Path
) -> None:
    outputs = {name: stored[name][row].astype(np.float32) for name in ("simcc_x", "simcc_y")}
    file = constant_model(tmp_path / "answers.onnx", outputs, ["batch", 3, 256, 256])
    poses = ours(file, reference.generated_picture(), reference.BOXES[row : row + 1])
    assert len({tuple(point) for point in stored["keypoints"][row].round(1).tolist()}) >= 5
    assert_same(poses, stored["keypoints"][row : row + 1], stored["scores"][row : row + 1])


# --- against mmpose ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network() -> Any:
    return reference.random_network()


@pytest.fixture(scope="module")
def exported(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("rtmpose") / "rtmpose.onnx"
    assert export_rtmpose(network, file) < 1e-3
    return file


@with_mmpose
def test_mmpose_and_the_product_agree_on_generated_pictures(network: Any, exported: Path) -> None:
    for seed in (1, 2, 3):
        picture = reference.generated_picture(seed)
        keypoints, scores = mmpose_answers(network, picture, reference.BOXES)
        assert_same(ours(exported, picture, reference.BOXES), keypoints, scores)


@with_mmpose
def test_the_stored_answers_are_still_what_mmpose_says(
    network: Any, stored: Mapping[str, Any]
) -> None:
    keypoints, scores = mmpose_answers(network, reference.generated_picture(), reference.BOXES)
    np.testing.assert_allclose(keypoints, stored["keypoints"], atol=TOLERANCE_PX)
    np.testing.assert_allclose(scores, stored["scores"], atol=1e-3)


@with_mmpose
def test_mmpose_and_the_product_agree_on_its_example_pictures(
    shared: Path, network: Any, exported: Path
) -> None:
    """Animals up to 400 px: where a crop shrinks to less than half, the product smooths first and
    mmpose leaves pixels out, so their networks see different pictures."""
    folder = shared / "data" / "pose_mmpose"
    horse = json.loads((folder / "test_animalpose.json").read_text())
    names = {image["id"]: image["file_name"] for image in horse["images"]}
    compared = 0
    for annotation in horse["annotations"]:
        picture = cv2.imread(str(folder / names[annotation["image_id"]]))
        if picture is None:
            continue
        x, y, width, height = annotation["bbox"]
        boxes = np.array([[x, y, x + width, y + height]], np.float32)
        image = np.asarray(picture, np.uint8)
        keypoints, scores = mmpose_answers(network, image, boxes)
        assert_same(ours(exported, image, boxes), keypoints, scores)
        compared += 1
    assert compared
    for file in ("ap10k_antelope_4.jpg", "ap10k_jaguar_37516.jpg"):
        image = np.asarray(cv2.imread(str(folder / file)), np.uint8)
        height, width = image.shape[:2]
        chance = np.random.default_rng(5)
        corners = chance.uniform((-20, -20), (width - 300, height - 300), (6, 2))
        boxes = np.concatenate([corners, corners + chance.uniform(60, 400, (6, 2))], axis=1)
        keypoints, scores = mmpose_answers(network, image, boxes.astype(np.float32))
        assert_same(ours(exported, image, boxes.astype(np.float32)), keypoints, scores)


@with_mmpose
def test_weights_of_another_skeleton_fit_but_for_the_last_layer(
    network: Any, tmp_path: Path
) -> None:
    import torch

    from engine.domain.errors import OperatorMistake
    from engine.domain.skeletons import EQUINE26

    file = tmp_path / "ap10k.pth"
    torch.save({"state_dict": network.state_dict(), "meta": {"sigmas": np.ones(17)}}, file)
    equine = build_rtmpose(EQUINE26)
    assert equine.head.final_layer.weight.shape[0] == 26
    left = load_weights(equine, file)
    assert left == ("head.final_layer.bias", "head.final_layer.weight")
    torch.save({"state_dict": {"fc.weight": torch.zeros(3, 3)}}, file)
    with pytest.raises(OperatorMistake, match="fits 0 of"):
        load_weights(equine, file)
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(OperatorMistake, match="no usable torch checkpoint"):
        load_weights(equine, file)

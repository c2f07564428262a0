"""Labelled animals reach any skeleton by role; RTMPose is fine-tuned on them where mmpose is."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.skeletons import AP10K, EQUINE26, Skeleton
from engine.models.manifest import read_manifest
from engine.models.pose_estimators import pose_estimator
from engine.sources.pictures import ArrayPicture
from engine.training.commands import run_train
from engine.training.labelled_animals import CUT_PX, read_animals, vocabulary_of
from engine.training.mmpose_bridge import mmpose_installed
from engine.training.pose_data import PICTURE_LANDMARKS
from tests.helpers.tiny_models import Opener

with_mmpose = pytest.mark.skipif(not mmpose_installed(), reason="the extra [mmpose] is absent")
ANIMALPOSE = tuple(PICTURE_LANDMARKS)


def write_folder(folder: Path, labels: tuple[str, ...], count: int = 4) -> np.ndarray:
    """Generated pictures with one animal each, labelled in a vocabulary; its points (n, K, 2)."""
    (folder / "images").mkdir(parents=True)
    chance = np.random.default_rng(3)
    points = chance.uniform(30, 170, (count, len(labels), 2)).round(1)
    annotations = []
    for number in range(count):
        picture = chance.integers(0, 256, (200, 220, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        marks = np.concatenate([points[number], np.full((len(labels), 1), 2.0)], axis=1)
        marks[-1] = 0.0
        annotations.append(
            {"id": number, "image_id": number, "category_id": 7, "bbox": [20, 20, 160, 160],
             "keypoints": marks.ravel().tolist()}
        )  # fmt: skip
    document = {
        "categories": [{"id": 7, "name": "horse", "keypoints": list(labels)}],
        "images": [{"id": n, "file_name": f"{n}.png"} for n in range(count)],
        "annotations": annotations,
    }
    (folder / "annotations.json").write_text(json.dumps(document))
    return points


@pytest.mark.parametrize("skeleton", [AP10K, EQUINE26], ids=lambda s: s.name)
@pytest.mark.parametrize(
    ("labels", "word", "role"),
    [
        (AP10K.landmarks, "left_elbow", "carpus_left"),
        (AP10K.landmarks, "right_hip", "stifle_right"),
        (EQUINE26.landmarks, "left_elbow", "elbow_left"),
        (ANIMALPOSE, "left_front_elbow", "elbow_left"),
        (ANIMALPOSE, "right_back_knee", "hock_right"),
    ],
)
def test_labels_reach_the_landmark_of_their_role(
    tmp_path: Path, skeleton: Skeleton, labels: tuple[str, ...], word: str, role: str
) -> None:
    points = write_folder(tmp_path / "some", labels)
    animals = read_animals(tmp_path, skeleton, tmp_path / "cache")
    assert animals.cuts.shape == (4, CUT_PX, CUT_PX, 3)
    index = skeleton.index_by_role[role]
    assert (animals.landmarks[:, index, 2] == 1.0).all()
    # The box is 160 px: its cut shows 1.75 times that, so its 160 px are 256 there.
    in_box = (points[:, labels.index(word)] - 20.0) * 256 / 160
    np.testing.assert_allclose(
        animals.landmarks[:, index, :2] - animals.boxes_xyxy_px[:, :2], in_box, atol=0.1
    )


def test_what_a_set_does_not_label_stays_masked(tmp_path: Path) -> None:
    write_folder(tmp_path / "ap", AP10K.landmarks)
    animals = read_animals(tmp_path, EQUINE26, tmp_path / "cache")
    weights = animals.landmarks[..., 2]
    assert not weights[:, EQUINE26.index_by_role["withers"]].any()
    # The last label of each animal was not seen.
    assert not weights[:, EQUINE26.index_by_role["hoof_right_hind"]].any()
    assert animals.groups[0] == "ap/0.png"


def test_unusable_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="holds no pose data"):
        read_animals(tmp_path, AP10K, tmp_path / "cache")
    with pytest.raises(OperatorMistake, match="of no known kind"):
        vocabulary_of(["left_wing", "right_wing"])
    write_folder(tmp_path / "some", AP10K.landmarks)
    (tmp_path / "some" / "images" / "2.png").unlink()
    with pytest.raises(OperatorMistake, match=r"lacks the picture '2\.png'"):
        read_animals(tmp_path, AP10K, tmp_path / "cache")


@pytest.mark.skipif(mmpose_installed(), reason="the extra [mmpose] is there")
def test_without_mmpose_the_command_names_the_extra(tmp_path: Path) -> None:
    write_folder(tmp_path / "some", AP10K.landmarks)
    argv = ["pose", "--family", "rtmpose", "--data", str(tmp_path), "--out", str(tmp_path / "o")]
    with pytest.raises(OperatorMistake, match=r"\[mmpose\]"):
        run_train(argv)


@with_mmpose
@pytest.mark.timeout(900)
@pytest.mark.parametrize("skeleton", [AP10K, EQUINE26], ids=lambda s: s.name)
def test_rtmpose_learns_a_tiny_set_and_is_served_by_the_product(
    tmp_path: Path, skeleton: Skeleton, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "data" / "some", AP10K.landmarks, count=8)
    out = tmp_path / "out"
    argv = ["pose", "--family", "rtmpose", "--skeleton", skeleton.name, "--batch", "2"]
    argv += ["--data", str(tmp_path / "data"), "--out", str(out), "--threads", "2"]
    assert run_train([*argv, "--epochs", "1", "--steps", "3"]) == 0
    assert run_train([*argv, "--epochs", "2", "--steps", "3", "--resume"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " loss " in line]
    losses = [float(line.split(" loss ")[1].split()[0]) for line in lines]
    assert losses[-1] < losses[0]
    name = f"rtmpose-m-{skeleton.name}-own"
    entry = read_manifest(out / f"{name}.toml").named(name)
    assert "withers" in (out / f"{name}.md").read_text() or skeleton is AP10K
    estimator = pose_estimator(entry, Opener(entry, out / f"{name}.onnx"), "cpu")
    try:
        picture = ArrayPicture(np.full((200, 220, 3), 90, np.uint8))
        poses = estimator.estimate([(picture, np.array([[20, 20, 180, 180]], np.float32))])[0]
    finally:
        estimator.close()
    assert poses.skeleton is skeleton
    assert np.isfinite(poses.keypoints_px).all()

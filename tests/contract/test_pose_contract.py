"""What every PoseEstimator keeps: SimCC and heat-map networks, generated and bundled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from engine.domain.errors import ModelInvalid
from engine.domain.ports import PoseEstimator
from engine.domain.skeletons import AP10K, EQUINE26, Skeleton
from engine.models.crops import CROPS_AT_ONCE
from engine.models.description import describe_file
from engine.models.manifest import Layout, Task, read_manifest
from engine.models.pose_estimators import TopDownPose, pose_estimator
from engine.sources.pictures import ArrayPicture
from tests.helpers.tiny_models import Opener, constant_model, entry_of

MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"
KINDS = ("simcc", "heatmap", "bundled")
SIDE = {"simcc": (256, 192), "heatmap": (192, 192)}
PEAK = (100, 60)
"""Crop pixel of every landmark of the generated networks, plus the landmark's index in x."""


def simcc_outputs(skeleton: Skeleton, size: tuple[int, int]) -> dict[str, np.ndarray]:
    count = len(skeleton.landmarks)
    x, y = (np.full((count, side * 2), 0.01, np.float32) for side in size)
    for index in range(count):
        x[index, 2 * (PEAK[0] + index)] = 0.9
        y[index, 2 * PEAK[1]] = 0.7
    return {"simcc_x": x, "simcc_y": y}


def heatmap_outputs(skeleton: Skeleton, size: tuple[int, int]) -> dict[str, np.ndarray]:
    rows, columns = np.mgrid[0 : size[1] // 4, 0 : size[0] // 4]
    maps = [
        0.7 * np.exp(-((columns - (PEAK[0] + i) / 4) ** 2 + (rows - PEAK[1] / 4) ** 2) / 4.5)
        for i in range(len(skeleton.landmarks))
    ]
    return {"maps": np.stack(maps).astype(np.float32)}


def opened(path: Path, **fields: Any) -> TopDownPose:
    entry = entry_of(path, task="pose", **fields)
    return pose_estimator(entry, Opener(entry, path), "cpu")


def generated(kind: str, folder: Path, padding: float = 1.25) -> TopDownPose:
    width, height = SIDE[kind]
    skeleton, outputs = (AP10K, simcc_outputs) if kind == "simcc" else (EQUINE26, heatmap_outputs)
    path = constant_model(
        folder / f"{kind}.onnx", outputs(skeleton, SIDE[kind]), ["batch", 3, height, width]
    )
    return opened(
        path,
        layout=kind,
        skeleton=skeleton.name,
        padding=padding,
        input={"width_px": width, "height_px": height},
    )


@pytest.fixture(params=KINDS)
def pose(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PoseEstimator]:
    kind = str(request.param)
    made = bundled() if kind == "bundled" else generated(kind, tmp_path)
    yield made
    made.close()


def bundled() -> TopDownPose:
    entries = read_manifest(MODELS / "manifest.toml").for_task(Task.POSE)
    own = [e for e in entries if (MODELS / e.files[0].name).is_file()]
    if not own:
        pytest.skip("no pose model is bundled")
    return pose_estimator(own[0], Opener(own[0], MODELS / own[0].files[0].name), "cpu")


def picture(seed: int) -> ArrayPicture:
    return ArrayPicture(np.random.default_rng(seed).integers(0, 256, (360, 640, 3), np.uint8))


BOXES = np.array([[100, 50, 400, 300], [10, 10, 60, 50], [500, 200, 640, 360]], np.float32)


def test_no_jobs_and_no_boxes_give_no_poses(pose: PoseEstimator) -> None:
    assert pose.estimate([]) == []
    results = pose.estimate([(picture(0), BOXES[:0]), (picture(1), BOXES[:2])])
    assert [len(r) for r in results] == [0, 2]


def test_every_row_has_the_skeletons_landmarks_and_scores_in_0_to_1(pose: PoseEstimator) -> None:
    batch = pose.estimate([(picture(0), BOXES)])[0]
    assert batch.skeleton is pose.skeleton
    assert batch.keypoints_px.shape == (3, len(pose.skeleton.landmarks), 2)
    assert batch.keypoints_px.dtype == batch.scores.dtype == np.float32
    assert ((batch.scores >= 0) & (batch.scores <= 1)).all()
    assert np.isfinite(batch.keypoints_px).all()
    assert not batch.keypoints_px.flags.writeable


def test_keypoints_lie_in_the_crop_of_their_box(pose: PoseEstimator) -> None:
    batch = pose.estimate([(picture(0), BOXES)])[0]
    centres = (BOXES[:, None, :2] + BOXES[:, None, 2:]) / 2
    # A crop is at most the box's longer side over the crop's shorter one, padded.
    reach = np.max(BOXES[:, 2:] - BOXES[:, :2], axis=1)[:, None, None] * 1.25 * 256 / 192 / 2
    assert (np.abs(batch.keypoints_px - centres) <= reach + 1).all()


def test_poses_do_not_depend_on_what_else_is_in_the_batch(pose: PoseEstimator) -> None:
    jobs = [(picture(seed), BOXES[rows]) for seed, rows in ((0, [0]), (1, [2, 1]), (2, [0, 2]))]
    together = pose.estimate(jobs)
    for job, batch in zip(jobs, together, strict=True):
        alone = pose.estimate([job])[0]
        np.testing.assert_allclose(batch.keypoints_px, alone.keypoints_px, atol=1e-2)
        np.testing.assert_allclose(batch.scores, alone.scores, atol=1e-4)


@pytest.mark.parametrize("kind", ["simcc", "heatmap"])
def test_landmarks_come_back_to_the_picture(kind: str, tmp_path: Path) -> None:
    width, height = SIDE[kind]
    pose = generated(kind, tmp_path, padding=1.5)
    # A box of the crop's own proportions, so the crop is the box enlarged by half.
    box = np.array([[100, 40, 100 + width, 40 + height]], np.float32)
    batch = pose.estimate([(picture(0), box)])[0]
    left, top = 100 - width / 4, 40 - height / 4
    index = np.arange(len(pose.skeleton.landmarks))
    np.testing.assert_allclose(
        batch.keypoints_px[0, :, 0], left + 1.5 * (PEAK[0] + index), atol=0.15
    )
    np.testing.assert_allclose(batch.keypoints_px[0, :, 1], top + 1.5 * PEAK[1], atol=0.15)
    np.testing.assert_allclose(batch.scores, 0.7, atol=0.04)


def test_a_large_herd_is_estimated_in_order(tmp_path: Path) -> None:
    pose = generated("simcc", tmp_path)
    count = CROPS_AT_ONCE + 7
    left = np.arange(count, dtype=np.float32)[:, None]
    boxes = np.concatenate([left, left * 0, left + 64, left * 0 + 48], axis=1)
    batch = pose.estimate([(picture(0), boxes)])[0]
    np.testing.assert_allclose(np.diff(batch.keypoints_px[:, 0, 0]), 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("layout", "outputs", "says"),
    [
        ("simcc", {"a": np.zeros((17, 512), np.float32)}, "1 x 17 x 512"),
        (
            "simcc",
            {"a": np.zeros((17, 100), np.float32), "b": np.zeros((17, 384), np.float32)},
            "1 x 17 x 100",
        ),
        ("heatmap", {"a": np.zeros((5, 48, 48), np.float32)}, "1 x 5 x 48 x 48"),
        ("heatmap", {"a": np.zeros((17,), np.float32)}, "1 x 17"),
    ],
)
def test_a_wrong_layout_is_told_with_its_shape(
    tmp_path: Path, layout: str, outputs: dict[str, np.ndarray], says: str
) -> None:
    path = constant_model(tmp_path / "odd.onnx", outputs, ["batch", 3, 192, 256])
    with pytest.raises(ModelInvalid, match=says):
        opened(path, layout=layout, skeleton="ap10k", input={"width_px": 256, "height_px": 192})


def test_a_skeleton_nobody_knows_is_told(tmp_path: Path) -> None:
    path = constant_model(
        tmp_path / "a.onnx", heatmap_outputs(EQUINE26, (192, 192)), ["b", 3, 192, 192]
    )
    with pytest.raises(ModelInvalid, match=r"unicorn.*ap10k, equine26"):
        opened(path, layout="heatmap", skeleton="unicorn")


@pytest.mark.parametrize("kind", ["simcc", "heatmap"])
def test_an_unlisted_file_is_described_by_its_shapes(kind: str, tmp_path: Path) -> None:
    generated(kind, tmp_path).close()
    entry = describe_file(tmp_path / f"{kind}.onnx", Task.POSE)
    assert entry.layout is Layout(kind)
    assert entry.skeleton == ("ap10k" if kind == "simcc" else "equine26")
    assert (entry.input.width_px, entry.input.height_px) == SIDE[kind]


def test_a_number_of_landmarks_nobody_knows_is_told(tmp_path: Path) -> None:
    path = constant_model(
        tmp_path / "a.onnx", {"maps": np.zeros((9, 48, 48), np.float32)}, ["b", 3, 192, 192]
    )
    with pytest.raises(ModelInvalid, match="9 landmarks"):
        describe_file(path, Task.POSE)


def test_the_bundled_model_draws_a_horse_the_right_way_up(shared: Path) -> None:
    pose = bundled()
    image = np.asarray(
        cv2.imread(str(shared / "data/stills/darknet_person_horse_dog.jpg")), np.uint8
    )
    batch = pose.estimate([(ArrayPicture(image), np.array([[400, 136, 605, 347]], np.float32))])[0]
    pose.close()
    role = pose.skeleton.index_by_role
    hooves = [role[name] for name in role if name.startswith("hoof")]
    sure = [index for index in hooves if batch.scores[0, index] > 0.3]
    assert len(sure) >= 2
    height = batch.keypoints_px[0, :, 1]
    # The horse stands: hooves in the lowest third of its box, the tail's root in the upper half.
    assert (height[sure] > 136 + 211 * 2 / 3).all()
    assert height[role["tail_root"]] < 136 + 211 / 2

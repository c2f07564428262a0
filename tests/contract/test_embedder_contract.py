"""What every Embedder keeps: generated networks and third-party weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from engine.domain.errors import Bug, ModelInvalid
from engine.domain.ports import Embedder
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import EQUINE26, Skeleton
from engine.models.body_outline import outlines_of
from engine.models.description import describe_file
from engine.models.embedders import OnnxEmbedder
from engine.models.manifest import Layout, Task, read_manifest
from engine.sources.pictures import ArrayPicture
from tests.helpers.tiny_models import Opener, constant_model, entry_of, mean_colour_embedder

MANIFEST = Path(__file__).resolve().parents[2] / "resources" / "models" / "manifest.toml"
BOXES = np.array([[100, 50, 400, 300], [10, 10, 60, 50], [500, 200, 640, 360]], np.float32)
WHOLE = np.array([[1.0, 0, 0], [0, 1.0, 0]])
RAW = {"width_px": 32, "height_px": 64, "colour": "bgr", "std": (1.0, 1.0, 1.0)}


def opened(path: Path, **fields: Any) -> OnnxEmbedder:
    defaults = {"task": "embedder", "layout": "embedding", "input": RAW, "padding": 1.0}
    entry = entry_of(path, **(defaults | fields))
    return OnnxEmbedder(entry, Opener(entry, path), "cpu")


@pytest.fixture(params=["mean colour", "osnet", "own"])
def embedder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Embedder]:
    if request.param == "own":
        entry = read_manifest(MANIFEST).named("barnhand-horse-coat")
        made = OnnxEmbedder(entry, Opener(entry, MANIFEST.parent / entry.files[0].name), "cpu")
    elif request.param == "osnet":
        shared = request.getfixturevalue("shared")
        entry = read_manifest(MANIFEST).named("osnet-x0-25-msmt17")
        path = shared / "models" / entry.files[0].name
        made = OnnxEmbedder(entry, Opener(entry, path), "cpu")
    else:
        made = opened(mean_colour_embedder(tmp_path / "mean.onnx", ["batch", 3, 64, 32]))
    yield made
    made.close()


def picture(seed: int) -> ArrayPicture:
    noise = np.random.default_rng(seed).integers(0, 256, (36, 64, 3), np.uint8)
    return ArrayPicture(np.asarray(cv2.resize(noise, (640, 360)), np.uint8))


def test_no_jobs_and_no_boxes_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]) == []
    found = embedder.embed([(picture(0), BOXES[:0]), (picture(1), BOXES)])
    assert [v.shape for v in found] == [(0, embedder.dimension), (3, embedder.dimension)]


def test_vectors_are_float32_of_length_1(embedder: Embedder) -> None:
    vectors = embedder.embed([(picture(0), BOXES)])[0]
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_vectors_do_not_depend_on_what_else_is_in_the_batch(embedder: Embedder) -> None:
    jobs = [(picture(seed), BOXES[rows]) for seed, rows in ((0, [0]), (1, [2, 1]), (2, [0, 2]))]
    for job, vectors in zip(jobs, embedder.embed(jobs), strict=True):
        np.testing.assert_allclose(vectors, embedder.embed([job])[0], atol=1e-4)


def test_the_same_crop_twice_is_alike_and_another_less(embedder: Embedder) -> None:
    red = np.zeros((360, 640, 3), np.uint8)
    red[..., 2] = 200
    red[::7] = 30
    a = embedder.embed([(picture(0), BOXES[:1])])[0][0]
    again = embedder.embed([(picture(0), BOXES[:1])])[0][0]
    other = embedder.embed([(ArrayPicture(red), BOXES[:1])])[0][0]
    assert float(a @ again) > 0.999
    assert float(a @ other) < 0.99


def horse_pose(rows: int, skeleton: Skeleton = EQUINE26) -> PoseBatch:
    """Landmarks of a small horse in the first of BOXES, known well."""
    count = len(skeleton.landmarks)
    points = np.random.default_rng(1).uniform((150, 90), (340, 240), (rows, count, 2))
    return PoseBatch(points.astype(np.float32), np.full((rows, count), 0.9, np.float32), skeleton)


def _extent(pose: PoseBatch) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corners of a box that holds the outline and a margin for interpolation."""
    points = np.concatenate(outlines_of(pose)[0])
    low, high = points.min(axis=0) - 5, points.max(axis=0) + 5
    return (int(low[0]), int(low[1])), (int(high[0]), int(high[1]))


def test_poses_hide_what_is_not_the_horse(embedder: Embedder) -> None:
    """Two pictures that differ outside the horse only give the same vector."""
    first, second = (np.array(picture(seed).warped_bgr(WHOLE, 640, 360)) for seed in (0, 1))
    (x1, y1), (x2, y2) = _extent(horse_pose(1))
    second[y1:y2, x1:x2] = first[y1:y2, x1:x2]
    jobs = [(ArrayPicture(p), BOXES[:1]) for p in (first, second)]
    seen, hidden = (embedder.embed(jobs, poses) for poses in (None, [horse_pose(1)] * 2))
    assert float(hidden[0][0] @ hidden[1][0]) > 0.999
    assert float(seen[0][0] @ seen[1][0]) < float(hidden[0][0] @ hidden[1][0])


def test_jobs_without_a_pose_or_of_unsure_ones_are_seen_whole(embedder: Embedder) -> None:
    whole = embedder.embed([(picture(0), BOXES)])[0]
    unsure = PoseBatch(horse_pose(3).keypoints_px, np.zeros((3, 26), np.float32), EQUINE26)
    for poses in ([None], [unsure]):
        np.testing.assert_allclose(embedder.embed([(picture(0), BOXES)], poses)[0], whole)


def test_poses_that_do_not_fit_are_a_bug(embedder: Embedder) -> None:
    for poses in ([], [horse_pose(2)]):
        with pytest.raises(Bug, match="poses for"):
            embedder.embed([(picture(0), BOXES)], poses)


def test_a_box_beyond_the_picture_still_gives_a_vector(embedder: Embedder) -> None:
    boxes = np.array([[-50, -50, 30, 30], [630, 350, 900, 500]], np.float32)
    vectors = embedder.embed([(picture(0), boxes)])[0]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_crop_is_letterboxed_in_grey_and_normalised(tmp_path: Path) -> None:
    """A wide box fills a quarter of a 32x64 input; the rest is grey 114."""
    path = mean_colour_embedder(tmp_path / "mean.onnx", ["batch", 3, 64, 32])
    mean, std = (100.0, 90.0, 80.0), (10.0, 20.0, 30.0)
    spec = {"width_px": 32, "height_px": 64, "colour": "rgb", "mean": mean, "std": std}
    blue = np.zeros((360, 640, 3), np.uint8)
    blue[..., 0] = 250
    found = opened(path, input=spec).embed(
        [(ArrayPicture(blue), np.array([[100, 100, 300, 200]], np.float32))]
    )[0][0]
    share = 16 / 64
    mixed = np.array([0, 0, 250]) * share + 114 * (1 - share)
    expected = (mixed - mean) / std
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-3)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (np.zeros((8, 4, 4), np.float32), "8 x 4 x 4"),
        (np.zeros((1,), np.float32), "1 x 1"),
        (np.full((8,), np.nan, np.float32), "finite"),
    ],
)
def test_a_wrong_layout_is_told(tmp_path: Path, output: np.ndarray, says: str) -> None:
    path = constant_model(tmp_path / "odd.onnx", {"output": output}, ["batch", 3, 64, 32])
    with pytest.raises(ModelInvalid, match=says):
        opened(path)


def test_an_unlisted_file_is_described_by_its_shapes(tmp_path: Path) -> None:
    path = mean_colour_embedder(tmp_path / "mean.onnx", ["batch", 3, 64, 32])
    entry = describe_file(path, Task.EMBEDDER)
    assert entry.layout is Layout.EMBEDDING
    assert (entry.input.width_px, entry.input.height_px) == (32, 64)

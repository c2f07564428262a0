"""What every Embedder keeps: generated networks and third-party weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from engine.domain.errors import ModelInvalid
from engine.domain.ports import Embedder
from engine.models.description import describe_file
from engine.models.embedders import OnnxEmbedder
from engine.models.manifest import Layout, Task, read_manifest
from engine.sources.pictures import ArrayPicture
from tests.helpers.tiny_models import Opener, constant_model, entry_of, mean_colour_embedder

MANIFEST = Path(__file__).resolve().parents[2] / "resources" / "models" / "manifest.toml"
BOXES = np.array([[100, 50, 400, 300], [10, 10, 60, 50], [500, 200, 640, 360]], np.float32)
RAW = {"width_px": 32, "height_px": 64, "colour": "bgr", "std": (1.0, 1.0, 1.0)}


def opened(path: Path, **fields: Any) -> OnnxEmbedder:
    defaults = {"task": "embedder", "layout": "embedding", "input": RAW, "padding": 1.0}
    entry = entry_of(path, **(defaults | fields))
    return OnnxEmbedder(entry, Opener(entry, path), "cpu")


@pytest.fixture(params=["mean colour", "osnet"])
def embedder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Embedder]:
    if request.param == "osnet":
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

"""Light and dark parts of a horse: what changes their description and what must not."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.domain.errors import ModelInvalid
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import EQUINE26
from engine.models.coat_tones import (
    LEAST_KNOWN,
    METADATA_KEY,
    PLACES,
    TONES,
    ToneMap,
    coat_tones,
    joined,
    known_landmarks,
    tone_map_of,
)
from engine.models.crops import letterbox_matrix, letterboxed_crops
from engine.models.embedders import OnnxEmbedder
from engine.models.manifest import read_manifest
from engine.sources.pictures import ArrayPicture
from tests.helpers.tiny_models import Opener

MANIFEST = Path(__file__).resolve().parents[3] / "resources" / "models" / "manifest.toml"

HORSE = {
    "nose": (20, 60), "poll": (40, 20), "withers": (80, 40), "croup": (150, 40),
    "carpus_left": (80, 110), "carpus_right": (94, 110), "hock_left": (164, 105),
    "hock_right": (148, 105), "hoof_left_front": (80, 150), "hoof_right_front": (96, 150),
    "hoof_left_hind": (166, 150), "hoof_right_hind": (146, 150),
    "fetlock_left_front": (80, 138), "fetlock_right_front": (95, 138),
    "fetlock_left_hind": (165, 138), "fetlock_right_hind": (147, 138),
}  # fmt: skip
"""A horse seen from its left, in pixels of a 200 x 160 crop."""

SOCK = next(
    row for row, place in enumerate(PLACES)
    if (place.start, place.share) == ("carpus_left", 0.7)
)  # fmt: skip


def known() -> dict[str, np.ndarray]:
    return {role: np.array(xy, np.float64) for role, xy in HORSE.items()}


def bay() -> np.ndarray:
    """A brown picture with a white sock on the left fore leg."""
    crop = np.full((160, 200, 3), (40, 60, 100), np.uint8)
    cv2.rectangle(crop, (76, 122), (84, 136), (200, 200, 200), -1)
    return crop


def lit(crop: np.ndarray, share: float) -> np.ndarray:
    """The same under another exposure."""
    linear = (crop / 255.0) ** 2.2 * share
    return np.round(np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def test_a_sock_is_light_and_the_rest_is_as_the_body() -> None:
    tones = coat_tones(bay(), known())
    assert tones.shape == (TONES,)
    assert tones[SOCK] > 1.5
    others = np.delete(tones[: len(PLACES)], SOCK)
    assert np.isfinite(others).all()
    assert np.abs(others).max() < 0.1


@pytest.mark.parametrize("share", [0.5, 1.5])
def test_the_exposure_does_not_matter(share: float) -> None:
    np.testing.assert_allclose(
        coat_tones(lit(bay(), share), known()), coat_tones(bay(), known()), atol=0.2
    )


def test_the_direction_of_walking_does_not_matter() -> None:
    mirrored = {role: np.array([199.0 - x, y]) for role, (x, y) in known().items()}
    np.testing.assert_allclose(
        coat_tones(np.ascontiguousarray(bay()[:, ::-1]), mirrored), coat_tones(bay(), known()),
        atol=0.05,
    )  # fmt: skip


def test_what_is_suppressed_or_has_no_landmark_is_not_known() -> None:
    crop = bay()
    crop[115:] = 114
    tones = coat_tones(crop, known())
    assert np.isnan(tones[SOCK])
    assert np.isfinite(tones[:5]).all()
    headless = coat_tones(bay(), {r: p for r, p in known().items() if r != "poll"})
    assert np.isnan(headless[:5]).all()
    assert np.isfinite(headless[SOCK])
    assert np.isnan(coat_tones(bay(), {})).all()


def test_landmarks_of_low_score_are_not_used() -> None:
    points = np.full((26, 2), 10.0, np.float32)
    scores = np.full(26, 0.1, np.float32)
    scores[EQUINE26.index_by_role["nose"]] = 0.9
    matrix = np.array([[2.0, 0, 1], [0, 2.0, 3]])
    found = known_landmarks(points, scores, EQUINE26.roles, 0.3, matrix)
    assert list(found) == ["nose"]
    np.testing.assert_allclose(found["nose"], [21.0, 23.0])


def some_map() -> ToneMap:
    rng = np.random.default_rng(1)
    return ToneMap(
        rng.normal(0, 0.1, TONES).astype(np.float32),
        rng.normal(0, 1, (TONES, 8)).astype(np.float32),
    )


def test_too_little_known_makes_no_vector_and_enough_makes_one_of_length_1() -> None:
    tones = np.random.default_rng(0).normal(0, 1, (3, TONES)).astype(np.float32)
    tones[1, LEAST_KNOWN - 1 : len(PLACES)] = np.nan
    tones[2] = np.nan
    vectors = some_map()(tones)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1.0, 0.0, 0.0], atol=1e-5)
    looks = np.zeros((3, 4), np.float32)
    looks[:, 0] = 1.0
    both = joined(looks, vectors)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(both[:, 0], [0.5**0.5, 1.0, 1.0], atol=1e-5)


def test_a_map_is_read_from_the_file_as_it_was_stored() -> None:
    read = tone_map_of({METADATA_KEY: some_map().text()})
    assert read is not None
    np.testing.assert_allclose(read.matrix, some_map().matrix, atol=1e-5)
    np.testing.assert_allclose(read.middle, some_map().middle, atol=1e-5)
    assert tone_map_of({"names": "x"}) is None


@pytest.mark.parametrize(
    "text",
    [
        "no json", "{}", "[1]", json.dumps({"middle": [0.0], "matrix": [[1.0]]}),
        json.dumps({"middle": ["a"], "matrix": []}),
        some_map().text().replace("0.", "1e999", 1),
    ],
)  # fmt: skip
def test_a_damaged_map_is_told(text: str) -> None:
    with pytest.raises(ModelInvalid, match="tones"):
        tone_map_of({METADATA_KEY: text})


def test_landmarks_fall_where_the_crop_shows_them() -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    cv2.circle(picture, (240, 110), 6, (255, 255, 255), -1)
    box = np.array([120, 60, 330, 205], np.float32)
    crop = letterboxed_crops([(ArrayPicture(picture), box)], 256, 192, 1.0, 114)[0]
    rows, columns = np.nonzero(crop[..., 0] > 200)
    matrix = letterbox_matrix(box, 256, 192, 1.0)
    placed = matrix[:, :2] @ np.array([240.5, 110.5]) + matrix[:, 2]
    np.testing.assert_allclose(placed, [columns.mean(), rows.mean()], atol=1.5)


def test_the_bundled_model_joins_the_tones_of_horses_with_landmarks() -> None:
    entry = read_manifest(MANIFEST).named("barnhand-horse-coat")
    embedder = OnnxEmbedder(entry, Opener(entry, MANIFEST.parent / entry.files[0].name), "cpu")
    points = np.zeros((1, 26, 2), np.float32)
    scores = np.zeros((1, 26), np.float32)
    for role, xy in HORSE.items():
        points[0, EQUINE26.index_by_role[role]] = xy
        scores[0, EQUINE26.index_by_role[role]] = 0.9
    sock, plain = bay(), np.full((160, 200, 3), (40, 60, 100), np.uint8)
    jobs = [
        (ArrayPicture(picture), np.array([[0, 0, 200, 160]], np.float32))
        for picture in (sock, plain, plain)
    ]
    pose = PoseBatch(points, scores, EQUINE26)
    one, other, without = (v[0] for v in embedder.embed(jobs, [pose, pose, None]))
    embedder.close()
    tones = len(one) - 32
    assert len(one) == embedder.dimension == 288
    np.testing.assert_allclose(without[tones:], 0.0)
    np.testing.assert_allclose(np.linalg.norm(one[tones:]), 0.5**0.5, atol=1e-4)
    assert float(one[tones:] @ other[tones:]) < 0.45

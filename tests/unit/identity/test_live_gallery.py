"""The gallery of known horses: who looks like a track, exactly and in bounded time."""

from __future__ import annotations

from uuid import UUID, uuid4

import numpy as np
import pytest

from engine.domain.ids import HorseId
from engine.identity.gallery import EXACT_FLOATS, HorseGallery, pair_similarity, set_similarity
from engine.tracking.gallery import CAPACITY
from tests.helpers.herd import DIMENSION, crops, look

EXACT_HORSES = EXACT_FLOATS // CAPACITY // DIMENSION


def herd(count: int, vectors: int = 8) -> dict[HorseId, np.ndarray]:
    return {HorseId(UUID(int=n + 1)): crops(look(n), vectors, seed=n) for n in range(count)}


def filled(count: int) -> HorseGallery:
    gallery = HorseGallery(DIMENSION)
    gallery.load(herd(count))
    return gallery


def test_an_empty_gallery_knows_nobody() -> None:
    gallery = HorseGallery(DIMENSION)
    assert gallery.rank(crops(look(1), 3)) == []
    assert gallery.rank_among(crops(look(1), 3), [HorseId(uuid4())]) == []
    assert gallery.vectors(HorseId(uuid4())).shape == (0, DIMENSION)


@pytest.mark.parametrize("count", [3, 70, EXACT_HORSES + 200])
def test_the_right_horse_comes_first(count: int) -> None:
    gallery = filled(count)
    assert len(gallery) == count
    for number in range(0, count, max(count // 20, 1)):
        matches = gallery.rank(crops(look(number), 6, seed=9000 + number))
        assert matches[0].horse_id == UUID(int=number + 1)
        assert matches[0].similarity > 0.8
        assert [m.similarity for m in matches] == sorted(
            (m.similarity for m in matches), reverse=True
        )


def test_the_coarse_search_finds_what_the_exact_one_finds() -> None:
    """Horses with several very different looks, more of them than are compared exactly."""
    rng = np.random.default_rng(4)
    count = EXACT_HORSES + 80
    known = {
        HorseId(UUID(int=n + 1)): np.concatenate(
            [crops(look(int(seed)), 4, seed=n) for seed in rng.integers(0, 10_000, 4)]
        )
        for n in range(count)
    }
    gallery = HorseGallery(DIMENSION)
    gallery.load(known)
    assert not gallery.exact
    for horse, vectors in list(known.items())[::10]:
        queries = vectors[rng.integers(0, 16, 4)]
        exact = gallery.rank_among(queries, known)
        found = gallery.rank(queries)
        assert found[0].horse_id == exact[0].horse_id == horse
        assert found[0].similarity == pytest.approx(exact[0].similarity, abs=1e-6)


def test_a_horse_keeps_at_most_16_diverse_vectors() -> None:
    gallery, horse = HorseGallery(DIMENSION), HorseId(uuid4())
    many = np.concatenate([crops(look(seed), 10, seed) for seed in range(6)])
    taken = gallery.learn(horse, many, np.full(len(many), 0.9, np.float32))
    kept = gallery.vectors(horse)
    assert len(kept) == 16 and len(taken) >= 16
    for seed in range(6):  # every look is still covered
        assert pair_similarity(crops(look(seed), 4, 99), kept) > 0.75


def test_repeats_and_poor_crops_are_not_learned() -> None:
    gallery, horse = HorseGallery(DIMENSION), HorseId(uuid4())
    vector = crops(look(1), 1)
    assert gallery.learn(horse, vector, np.array([0.9], np.float32)) == [0]
    assert gallery.learn(horse, vector, np.array([0.9], np.float32)) == []
    assert gallery.learn(horse, crops(look(2), 1), np.array([0.1], np.float32)) == []
    assert len(gallery.vectors(horse)) == 1


def test_a_removed_horse_is_found_no_more_and_its_place_is_used_again() -> None:
    gallery = filled(10)
    gone, fresh = HorseId(UUID(int=4)), HorseId(uuid4())
    gallery.remove(gone)
    gallery.remove(gone)
    assert gone not in gallery
    assert all(m.horse_id != gone for m in gallery.rank(crops(look(3), 4, 1), limit=10))
    gallery.learn(fresh, crops(look(77), 5), np.ones(5, np.float32))
    assert gallery.rank(crops(look(77), 4, 1))[0].horse_id == fresh
    assert all(m.similarity < 0.8 for m in gallery.rank(crops(look(3), 4, 1)))


def test_one_lucky_crop_does_not_decide() -> None:
    best = np.array([[0.95, 0.6], [0.1, 0.6], [0.1, 0.6], [0.1, 0.6]], np.float32)
    lucky, steady = set_similarity(best)
    assert steady > lucky
    assert set_similarity(np.array([[-0.5]], np.float32))[0] == 0.0

"""The IdentityRepository contract on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.domain.identity import Merge
from tests.fixtures_identity import IdentityBarn


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[IdentityBarn]:
    barn = IdentityBarn(postgres_dsn)
    yield barn
    barn.close()


def test_a_merge_moves_spans_and_its_undo_puts_everything_back(barn: IdentityBarn) -> None:
    camera = barn.camera("north")
    bella = barn.horse("Bella", "active", breed="Arab")
    guest = barn.horse(breed="Haflinger", sex="mare")
    first = barn.track(camera, 0, 50, bella)
    second = barn.track(camera, 100, 150, guest)
    barn.settle()
    before = barn.dump()
    effect = barn.identity.preview(Merge(bella, guest))
    assert (effect.spans, effect.tracks, effect.detections, effect.forbidden) == (1, 1, 5, "")
    record = barn.identity.apply(Merge(bella, guest), "Anna", expected=effect.expected)
    assert record.summary == "merged horse_002 into Bella"
    assert (record.spans, record.detections) == (1, 5)
    assert barn.owners(second) == [(None, bella)]
    kept, absorbed = barn.horses.get(bella), barn.horses.get(guest)
    assert (kept.total_detections, kept.profile.sex, kept.profile.breed) == (10, "mare", "Arab")
    assert absorbed.merged_into == bella
    undone = barn.identity.undo(record.id, "Anna")
    assert undone.undone_by == "Anna"
    assert barn.dump() == before
    assert barn.owners(first) == [(None, bella)] and barn.owners(second) == [(None, guest)]

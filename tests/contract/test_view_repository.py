"""The ViewRepository and HorseRepository contracts on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from db.pool import open_pool
from db.repositories.farms import DEFAULT_FARM
from db.repositories.horses import PostgresHorseRepository
from db.repositories.views import PostgresViewRepository
from engine.domain.errors import NotFound
from engine.domain.horses import HorseStatus
from engine.domain.ids import FarmId, HorseId, new_stream_id
from engine.domain.ports import WallView


@pytest.fixture
def pool(postgres_dsn: str) -> Iterator[ConnectionPool]:
    pool = open_pool(postgres_dsn, max_size=2)
    yield pool
    pool.close()


def view(name: str, slot: int | None = None) -> WallView:
    return WallView(
        uuid4(), name, 4, (new_stream_id(), None, new_stream_id(), None), ("boxes", "ids"), slot
    )


def test_views_read_back_with_their_empty_places(pool: ConnectionPool) -> None:
    views = PostgresViewRepository(pool)
    by_hand, on_key = view("Evening"), view("Morning", 3)
    views.save(by_hand)
    views.save(on_key)
    assert list(views.list()) == [on_key, by_hand]


def test_a_saved_view_is_changed_not_doubled(pool: ConnectionPool) -> None:
    views = PostgresViewRepository(pool)
    given = view("Evening")
    views.save(given)
    changed = replace(given, name="Night", layout=1, tiles=(None,), overlays=())
    views.save(changed)
    assert list(views.list()) == [changed]


def test_a_view_takes_its_number_from_the_one_that_had_it(pool: ConnectionPool) -> None:
    views = PostgresViewRepository(pool)
    old, new = view("Old", 1), view("New", 1)
    views.save(old)
    views.save(new)
    assert {v.name: v.slot for v in views.list()} == {"New": 1, "Old": None}


def test_a_removed_view_is_gone(pool: ConnectionPool) -> None:
    views = PostgresViewRepository(pool)
    given = view("Evening")
    views.save(given)
    views.remove(given.id)
    assert not views.list()
    with pytest.raises(NotFound):
        views.remove(given.id)


def test_horses_are_listed_by_number_and_farm(pool: ConnectionPool, postgres_dsn: str) -> None:
    ids: list[UUID] = [uuid4(), uuid4()]
    with psycopg.connect(postgres_dsn) as connection:
        for number, horse_id in enumerate(ids, 1):
            connection.execute(
                "INSERT INTO horses (id, farm_id, tracking_number, label, name, colour_hex) "
                "VALUES (%s, %s, %s, %s, %s, '#ff8800')",
                (horse_id, DEFAULT_FARM, 3 - number, f"horse_00{3 - number}", f"H{number}"),
            )
    horses = PostgresHorseRepository(pool)
    listed = horses.list(DEFAULT_FARM)
    assert [horse.label for horse in listed] == ["horse_001", "horse_002"]
    assert listed[0].id == ids[1] and listed[0].status is HorseStatus.GUEST
    assert horses.list() == listed
    assert not horses.list(FarmId(uuid4()))
    assert horses.get(HorseId(ids[0])).name == "H1"
    with pytest.raises(NotFound):
        horses.get(HorseId(uuid4()))

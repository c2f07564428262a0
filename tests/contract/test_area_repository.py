"""Areas and the number of residents, on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from db.repositories.areas import AreaId, PostgresAreaRepository
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.identity import Area, Merge
from engine.domain.ids import FarmId, HorseId, StreamId
from tests.fixtures_identity import IdentityBarn

CORNERS = np.array([[0.0, 0.25], [1.0, 0.25], [0.5, 1.0]], np.float32)


@pytest.fixture
def areas(barn: IdentityBarn) -> PostgresAreaRepository:
    return PostgresAreaRepository(barn.pool)


def test_an_area_reads_back_as_it_was(barn: IdentityBarn, areas: PostgresAreaRepository) -> None:
    camera, bella = barn.camera("north"), barn.horse("Bella")
    added = areas.add(Area("Stall 4", "stall", camera, CORNERS, bella))
    assert [one.id for one in areas.list()] == [added.id]
    found = areas.get(added.id).area
    assert (found.name, found.kind, found.stream_id, found.expected) == (
        "Stall 4", "stall", camera, bella,
    )  # fmt: skip
    assert found.region is not None and np.array_equal(found.region, CORNERS)
    changed = areas.update(replace(added, area=replace(added.area, expected=None, region=None)))
    assert (changed.version, changed.area.expected, changed.area.region) == (2, None, None)
    areas.remove(added.id)
    assert not areas.list()
    for call in (areas.get, areas.remove):
        with pytest.raises(NotFound):
            call(AreaId(added.id))


def test_the_second_of_two_changes_and_a_taken_name_are_conflicts(
    areas: PostgresAreaRepository,
) -> None:
    added = areas.add(Area("Paddock", "paddock", None, None, None))
    areas.update(replace(added, area=replace(added.area, kind="arena")))
    with pytest.raises(Conflict, match="version 2"):
        areas.update(replace(added, area=replace(added.area, name="Too late")))
    with pytest.raises(Conflict):
        areas.add(Area("Paddock", "barn", None, None, None))
    with pytest.raises(NotFound):
        areas.update(replace(added, id=AreaId(uuid4())))


@pytest.mark.parametrize(
    "wrong",
    [
        Area("", "stall", None, None, None),
        Area("x", "castle", None, None, None),
        Area("x", "stall", None, CORNERS, None),
        Area("x", "stall", StreamId(uuid4()), CORNERS[:2], None),
        Area("x", "stall", StreamId(uuid4()), CORNERS * 2, None),
    ],
)
def test_impossible_areas_are_mistakes(areas: PostgresAreaRepository, wrong: Area) -> None:
    with pytest.raises(OperatorMistake):
        areas.add(wrong)


def test_cameras_and_horses_of_other_farms_are_not_found(
    barn: IdentityBarn, areas: PostgresAreaRepository
) -> None:
    other = FarmId(uuid4())
    barn.run("INSERT INTO farms (id, name) VALUES (%s, 'Other')", other)
    for wrong in (
        Area("x", "stall", barn.camera("there", other), None, None),
        Area("x", "stall", None, None, barn.horse(farm_id=other)),
        Area("x", "stall", None, None, HorseId(uuid4())),
    ):
        with pytest.raises(NotFound):
            areas.add(wrong)
    assert not areas.list()


def test_a_merged_horse_is_expected_as_the_one_it_is(
    barn: IdentityBarn, areas: PostgresAreaRepository
) -> None:
    bella, guest = barn.horse("Bella"), barn.horse()
    added = areas.add(Area("Stall 4", "stall", None, None, guest))
    record = barn.identity.apply(Merge(bella, guest), "Anna")
    assert areas.get(added.id).area.expected == bella
    barn.identity.undo(record.id, "Anna")
    assert areas.get(added.id).area.expected == guest


def test_the_number_of_residents_is_the_farm_s(areas: PostgresAreaRepository) -> None:
    assert areas.expected_residents() is None
    areas.expect_residents(8)
    assert areas.expected_residents() == 8
    areas.expect_residents(None)
    assert areas.expected_residents() is None
    for count in (-1, 10_001):
        with pytest.raises(OperatorMistake):
            areas.expect_residents(count)
    for call in (lambda: areas.expected_residents(FarmId(uuid4())),
                 lambda: areas.expect_residents(1, FarmId(uuid4()))):  # fmt: skip
        with pytest.raises(NotFound):
            call()


def test_changes_wake_the_engines(barn: IdentityBarn, areas: PostgresAreaRepository) -> None:
    with psycopg.connect(barn.dsn, autocommit=True) as connection:
        connection.execute("LISTEN barnhand_identity")
        areas.add(Area("Barn", "barn", None, None, None))
        assert [note.payload for note in connection.notifies(timeout=30, stop_after=1)] == ["areas"]

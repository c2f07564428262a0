"""Who watches which camera, over the API."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from db.leases import PostgresCameraLeases
from engine.domain.nodes import NodeCard, NodeId, PlaceId
from tests.fixtures_api import World


@pytest.fixture
def north(world: World) -> Iterator[NodeCard]:
    """A node that holds a camera of the farm and one of another farm."""
    card = NodeCard(NodeId(uuid4()), PlaceId(uuid4()), "north", "1.0", capacity=7)
    leases = PostgresCameraLeases(world.pool)
    leases.register(card)
    assert len(leases.claim(card.id, [world.hidden, world.foreign], 9)) == 2
    yield card
    leases.leave(card.id)


def test_nodes_are_listed_with_the_cameras_the_caller_sees(world: World, north: NodeCard) -> None:
    told = world.request("manager", "GET", "/nodes").json()
    (node,) = [one for one in told["nodes"] if one["node_id"] == str(north.id)]
    assert (node["name"], node["alive"], node["capacity"]) == ("north", True, 7)
    assert node["cameras"] == [str(world.hidden)]
    (lease,) = [one for one in told["leases"] if one["stream_id"] == str(world.hidden)]
    assert (lease["node_id"], lease["name"]) == (str(north.id), "north")
    assert lease["since"] <= told["at"] < lease["expires_at"]
    assert str(world.foreign) not in str(told)


def test_a_cameras_status_says_who_watches_it(world: World, north: NodeCard) -> None:
    path = f"/streams/{world.hidden}/status"
    assert world.request("manager", "GET", path).json()["watched_by"] == "north"
    PostgresCameraLeases(world.pool).release(north.id, [world.hidden])
    assert world.request("manager", "GET", path).json()["watched_by"] is None
    leases = world.request("manager", "GET", "/nodes").json()["leases"]
    (lease,) = [one for one in leases if one["stream_id"] == str(world.hidden)]
    assert (lease["node_id"], lease["name"]) == (None, "north")

"""Who claims how many cameras."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from engine.domain.ids import StreamId, new_stream_id
from engine.domain.nodes import (
    CameraLease,
    EngineNode,
    LeaseTable,
    NodeCard,
    NodeId,
    PlaceId,
    claims,
    fair_share,
)
from engine.domain.streams import SourceKind

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ME = NodeCard(NodeId(uuid4()), PlaceId(uuid4()), "north", "1.0")
OTHER = NodeCard(NodeId(uuid4()), PlaceId(uuid4()), "south", "1.0")


def node(card: NodeCard, alive: bool = True) -> EngineNode:
    return EngineNode(card.id, card.place, card.name, "1.0", 0, AT, AT, alive)


def lease(stream_id: StreamId, card: NodeCard, live: bool, given_back: bool = False) -> CameraLease:
    return CameraLease(
        stream_id,
        None if given_back else card.id,
        card.name,
        card.place,
        1,
        AT,
        AT + timedelta(seconds=10),
        live,
        free=not live,
    )


def cameras(count: int, kind: SourceKind = SourceKind.RTSP) -> dict[StreamId, SourceKind]:
    return {new_stream_id(): kind for _ in range(count)}


@pytest.mark.parametrize(
    ("count", "nodes", "share"), [(4, 1, 4), (4, 2, 2), (5, 2, 3), (1, 3, 1), (0, 2, 0), (3, 0, 3)]
)
def test_shares_are_rounded_up(count: int, nodes: int, share: int) -> None:
    assert fair_share(count, nodes) == share


def test_a_node_alone_takes_everything_at_once() -> None:
    wanted = cameras(5)
    free, at_most = claims(wanted, LeaseTable(AT), ME, rest=False)
    assert list(free) == list(wanted) and at_most == 5


def test_of_two_each_takes_half_and_later_the_rest() -> None:
    wanted = cameras(5)
    table = LeaseTable(AT, (node(ME), node(OTHER)))
    assert claims(wanted, table, ME, rest=False)[1] == 3
    assert claims(wanted, table, ME, rest=True)[1] == 5


def test_a_node_that_was_not_heard_of_has_no_share() -> None:
    table = LeaseTable(AT, (node(ME), node(OTHER, alive=False)))
    assert claims(cameras(4), table, ME, rest=False)[1] == 4


def test_what_it_has_counts_and_what_others_have_is_left() -> None:
    wanted = cameras(4)
    first, second, third, fourth = wanted
    table = LeaseTable(
        AT, (node(ME), node(OTHER)), (lease(first, ME, True), lease(second, OTHER, True))
    )
    assert claims(wanted, table, ME, rest=False) == ([third, fourth], 1)


def test_the_cameras_of_a_dead_node_are_free() -> None:
    wanted = cameras(2)
    table = LeaseTable(AT, (node(ME),), tuple(lease(one, OTHER, False) for one in wanted))
    assert claims(wanted, table, ME, rest=False) == (list(wanted), 2)


def test_after_an_outage_of_its_own_only_what_was_given_back_is_taken() -> None:
    wanted = cameras(2)
    first, second = wanted
    table = LeaseTable(
        AT,
        (node(ME),),
        (lease(first, OTHER, False), lease(second, OTHER, False, given_back=True)),
    )
    assert claims(wanted, table, ME, rest=True, others_too=False) == ([second], 1)


def test_a_camera_that_is_plugged_in_elsewhere_stays_there() -> None:
    wanted = cameras(1, SourceKind.USB)
    (plugged,) = wanted
    theirs = LeaseTable(AT, (node(ME),), (lease(plugged, OTHER, False),))
    assert claims(wanted, theirs, ME, rest=True) == ([], 0)
    mine = LeaseTable(AT, (node(ME),), (lease(plugged, ME, False),))
    assert claims(wanted, mine, ME, rest=True) == ([plugged], 1)


@pytest.mark.parametrize("rest", [True, False])
def test_nobody_takes_more_than_it_can(rest: bool) -> None:
    wanted = cameras(4)
    small = NodeCard(ME.id, ME.place, "small", "1.0", capacity=2)
    held = LeaseTable(AT, (node(small),), (lease(next(iter(wanted)), small, True),))
    assert claims(wanted, held, small, rest=rest)[1] == 1

"""The CameraLeases contract on PostgreSQL: one camera, one holder, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from db.leases import CameraNews, PostgresCameraLeases
from db.pool import open_pool
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.nodes import NodeCard, NodeId, PlaceId
from engine.runtime.worker import Worker

CAMERAS = 12


@pytest.fixture
def pool(postgres_dsn: str) -> Iterator[ConnectionPool]:
    pool = open_pool(postgres_dsn, max_size=8)
    yield pool
    pool.close()


@pytest.fixture
def leases(pool: ConnectionPool) -> PostgresCameraLeases:
    return PostgresCameraLeases(pool, grace_s=0.0)


@pytest.fixture
def cameras(pool: ConnectionPool) -> list[StreamId]:
    made = [new_stream_id() for _ in range(CAMERAS)]
    with pool.connection() as connection:
        for number, stream_id in enumerate(made):
            connection.execute(
                "INSERT INTO streams (id, farm_id, name, kind, address)"
                " SELECT %s, id, %s, 'rtsp', 'rtsp://camera/' FROM farms LIMIT 1",
                (stream_id, f"camera {number}"),
            )
    return made


@pytest.fixture
def age(pool: ConnectionPool) -> Callable[[NodeCard, float], None]:
    """Lets a node have been silent for some seconds."""

    def silent(card: NodeCard, seconds: float) -> None:
        with pool.connection() as connection:
            connection.execute(
                "UPDATE camera_leases SET expires_at = expires_at - make_interval(secs => %s)"
                " WHERE node_id = %s",
                (seconds, card.id),
            )
            connection.execute(
                "UPDATE engine_nodes SET last_seen_at = last_seen_at - make_interval(secs => %s)"
                " WHERE id = %s",
                (seconds, card.id),
            )

    return silent


def card(name: str, place: PlaceId | None = None) -> NodeCard:
    return NodeCard(NodeId(uuid4()), place or PlaceId(uuid4()), name, "1.0")


def joined(leases: PostgresCameraLeases, name: str) -> NodeCard:
    made = card(name)
    leases.register(made)
    return made


def test_a_free_camera_is_claimed_once(
    leases: PostgresCameraLeases, cameras: list[StreamId]
) -> None:
    north, south = joined(leases, "north"), joined(leases, "south")
    assert leases.claim(north.id, cameras[:1], 9) == {cameras[0]}
    assert leases.claim(south.id, cameras[:1], 9) == frozenset()
    held = leases.list().holder(cameras[0])
    assert held is not None
    assert (held.node_id, held.node_name, held.generation) == (north.id, "north", 1)
    assert (held.expires_at - held.since).total_seconds() == pytest.approx(10.0, abs=0.1)


def test_only_so_many_are_claimed_and_in_the_order_given(
    leases: PostgresCameraLeases, cameras: list[StreamId]
) -> None:
    north = joined(leases, "north")
    wanted = cameras[::-1]
    assert leases.claim(north.id, wanted, 3) == frozenset(wanted[:3])
    assert leases.claim(north.id, wanted, 0) == frozenset()
    (node,) = leases.list().nodes
    assert node.alive and set(node.cameras) == set(wanted[:3])


def test_a_node_that_is_not_registered_gets_nothing(
    leases: PostgresCameraLeases, cameras: list[StreamId]
) -> None:
    assert leases.claim(card("ghost").id, cameras, 9) == frozenset()


def test_renewing_keeps_all_cameras(
    leases: PostgresCameraLeases, cameras: list[StreamId], age: Callable[[NodeCard, float], None]
) -> None:
    north, south = joined(leases, "north"), joined(leases, "south")
    mine = leases.claim(north.id, cameras[:5], 9)
    age(north, 9.0)
    assert leases.renew(north) == mine
    age(north, 9.0)
    assert leases.claim(south.id, cameras[:5], 9) == frozenset()
    assert {lease.generation for lease in leases.list().leases} == {1}


def test_a_silent_node_loses_its_cameras_to_who_claims_them(
    leases: PostgresCameraLeases, cameras: list[StreamId], age: Callable[[NodeCard, float], None]
) -> None:
    north, south = joined(leases, "north"), joined(leases, "south")
    leases.claim(north.id, cameras[:3], 9)
    age(north, 11.0)
    table = leases.list()
    assert [node.alive for node in table.nodes] == [False, True]
    assert table.holder(cameras[0]) is None
    assert leases.claim(south.id, cameras[:2], 9) == frozenset(cameras[:2])
    assert leases.renew(north) == {cameras[2]}, "nobody took it meanwhile"
    held = leases.list().holder(cameras[0])
    assert held is not None and (held.node_id, held.generation) == (south.id, 2)


def test_a_server_that_just_started_gives_holders_time_to_come_back(
    pool: ConnectionPool, cameras: list[StreamId], age: Callable[[NodeCard, float], None]
) -> None:
    leases = PostgresCameraLeases(pool, grace_s=86400.0)
    north, south = joined(leases, "north"), joined(leases, "south")
    leases.claim(north.id, cameras[:1], 9)
    age(north, 60.0)
    assert leases.claim(south.id, cameras[:2], 9) == {cameras[1]}
    assert not leases.list().leases[0].free or not leases.list().leases[1].free
    assert leases.renew(north) == {cameras[0]}


def test_released_cameras_are_free_at_once(
    leases: PostgresCameraLeases, cameras: list[StreamId]
) -> None:
    north, south = joined(leases, "north"), joined(leases, "south")
    leases.claim(north.id, cameras[:3], 9)
    leases.release(south.id, cameras[:3])
    assert leases.renew(north) == frozenset(cameras[:3]), "nobody releases what is another's"
    leases.release(north.id, cameras[:1])
    assert leases.renew(north) == frozenset(cameras[1:3])
    assert leases.claim(south.id, cameras[:3], 9) == {cameras[0]}


def test_leaving_gives_everything_back(
    leases: PostgresCameraLeases, cameras: list[StreamId]
) -> None:
    north, south = joined(leases, "north"), joined(leases, "south")
    leases.claim(north.id, cameras, CAMERAS)
    leases.leave(north.id)
    assert [node.name for node in leases.list().nodes] == ["south"]
    assert leases.claim(south.id, cameras, CAMERAS) == frozenset(cameras)
    assert {lease.generation for lease in leases.list().leases} == {2}


def test_a_restarted_process_ends_the_one_before_it(
    leases: PostgresCameraLeases, cameras: list[StreamId]
) -> None:
    killed = joined(leases, "north")
    leases.claim(killed.id, cameras[:2], 9)
    again = card("north", killed.place)
    leases.register(again)
    assert [node.id for node in leases.list().nodes] == [again.id]
    assert leases.claim(again.id, cameras[:2], 9) == frozenset(cameras[:2])


def test_a_forgotten_node_is_registered_by_its_renewal(
    leases: PostgresCameraLeases, cameras: list[StreamId]
) -> None:
    north = joined(leases, "north")
    leases.claim(north.id, cameras[:1], 9)
    leases.leave(north.id)
    assert leases.renew(north) == frozenset()
    assert leases.claim(north.id, cameras[:1], 9) == {cameras[0]}


def test_a_camera_is_handed_over_to_who_asked_for_it(
    leases: PostgresCameraLeases, cameras: list[StreamId], age: Callable[[NodeCard, float], None]
) -> None:
    north, south = joined(leases, "north"), joined(leases, "south")
    assert not leases.ask(south.id, cameras[0]), "nobody has it"
    leases.claim(north.id, cameras[:2], 9)
    assert not leases.ask(north.id, cameras[0]), "it has it already"
    assert not leases.hand_over(north.id, cameras[0]), "nobody asked"
    assert leases.ask(south.id, cameras[0])
    asked = leases.list().holder(cameras[0])
    assert asked is not None and (asked.node_id, asked.asked_by) == (north.id, south.id)
    assert leases.hand_over(north.id, cameras[0])
    held = leases.list().holder(cameras[0])
    assert held is not None
    assert (held.node_id, held.generation, held.asked_by) == (south.id, 2, None)
    assert leases.ask(south.id, cameras[1])
    age(south, 11.0)
    assert not leases.hand_over(north.id, cameras[1]), "who asked is gone"
    assert leases.renew(north) == {cameras[1]}


def test_removed_cameras_are_not_claimed(
    leases: PostgresCameraLeases, cameras: list[StreamId], pool: ConnectionPool
) -> None:
    north = joined(leases, "north")
    with pool.connection() as connection:
        connection.execute("UPDATE streams SET removed_at = now() WHERE id = %s", (cameras[0],))
    assert leases.claim(north.id, cameras[:2], 9) == {cameras[1]}


def test_many_nodes_that_claim_at_once_never_share_a_camera(
    leases: PostgresCameraLeases, cameras: list[StreamId], pool: ConnectionPool
) -> None:
    nodes = [joined(leases, f"node {number}") for number in range(6)]
    got: dict[NodeId, list[StreamId]] = {node.id: [] for node in nodes}

    def grab(node: NodeCard) -> None:
        for _ in range(10):
            got[node.id] += leases.claim(node.id, cameras, 3)
            held = leases.renew(node)
            assert held <= frozenset(cameras)
            leases.release(node.id, list(held)[:1])

    def grabber(node: NodeCard) -> Worker:
        return Worker(node.name, lambda _token: grab(node))

    workers = [grabber(node) for node in nodes]
    for worker in workers:
        worker.start()
    assert all(worker.join(30.0) for worker in workers)
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT stream_id, node_id, generation FROM camera_leases"
        ).fetchall()
    assert sum(generation for _, _, generation in rows) == sum(map(len, got.values())), (
        "every claim that was told to have worked changed the holder exactly once"
    )
    table = leases.list()
    held = [stream_id for node in table.nodes for stream_id in node.cameras]
    assert len(held) == len(set(held))


def test_news_tells_of_holders_and_of_cameras_but_not_of_renewals(
    leases: PostgresCameraLeases,
    cameras: list[StreamId],
    pool: ConnectionPool,
    postgres_dsn: str,
) -> None:
    news = CameraNews(postgres_dsn)
    try:
        assert news.wait(5.0) == {"streams", "camera_leases"}, "what was missed before"
        north = joined(leases, "north")
        leases.claim(north.id, cameras[:1], 9)
        assert "camera_leases" in news.wait(10.0)
        leases.renew(north)
        with psycopg.connect(postgres_dsn) as connection:
            connection.execute("UPDATE streams SET name = 'paddock' WHERE id = %s", (cameras[0],))
        assert news.wait(10.0) == {"streams"}, "the renewal told nobody"
        leases.leave(north.id)
        assert news.wait(10.0) == {"camera_leases"}
    finally:
        news.close()

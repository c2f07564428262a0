"""Nodes on one real server share its cameras: who gets which, when they change hands, and what a
node does while the server is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from barnhand_desktop.camera_leases import KEY_DIFFERS, SERVER_AWAY, CameraKeeper
from db.credentials import CredentialBox
from db.leases import CameraNews, PostgresCameraLeases
from db.pool import open_pool
from db.repositories.streams import PostgresStreamRepository
from engine.domain.errors import StoreUnavailable
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.nodes import CameraLeases, NodeCard, NodeId, PlaceId
from engine.domain.notices import Notice
from engine.domain.streams import SourceKind, Stream
from engine.pipeline.onlooker import NOBODY
from tests.helpers.waiting import wait_until

KEY = CredentialBox.new_key()


class Watching:
    """What an engine was told: which cameras, who has the others, and what is wrong."""

    def __init__(self) -> None:
        self.streams: Sequence[Stream] = ()
        self.elsewhere: dict[StreamId, str] = {}
        self.notices: dict[str, Notice] = {}

    def set_streams(
        self, streams: Sequence[Stream], elsewhere: Mapping[StreamId, str] | None = None
    ) -> None:
        self.streams, self.elsewhere = streams, dict(elsewhere or {})

    def notify(self, notice: Notice) -> None:
        self.notices[notice.key] = notice

    @property
    def here(self) -> set[StreamId]:
        """The enabled cameras that are analysed here."""
        return {s.id for s in self.streams if s.enabled and s.id not in self.elsewhere}


class Cable:
    """The leases over a cable that can be pulled."""

    def __init__(self, leases: CameraLeases) -> None:
        self._leases = leases
        self.pulled = False

    def __getattr__(self, name: str) -> Any:
        if self.pulled:
            raise StoreUnavailable("The cable is pulled.")
        return getattr(self._leases, name)


class Node:
    """One workstation's keeper."""

    def __init__(self, dsn: str, pool: ConnectionPool, name: str, key: bytes = KEY) -> None:
        self.engine = Watching()
        self.leases = PostgresCameraLeases(pool, grace_s=0.0)
        self.cable = Cable(self.leases)
        self.streams = PostgresStreamRepository(pool, key)
        self.keeper = CameraKeeper(
            NodeCard(NodeId(uuid4()), PlaceId(uuid4()), name, "1.0"),
            cast(CameraLeases, self.cable),
            CameraNews(dsn),
            self.engine,
            self.streams.list,
            self.streams.unreadable,
        )

    def start(self, streams: Sequence[Stream] | None = None) -> None:
        """Begin with the stored cameras, or with those of a command line."""
        self.keeper.prepare(
            self.streams.list() if streams is None else streams, follow_stored=streams is None
        )
        self.keeper.start()

    def end(self) -> None:
        """Stop in order."""
        assert self.keeper.stop(10.0) == ()
        self.keeper.leave()


@pytest.fixture
def pool(postgres_dsn: str) -> Iterator[ConnectionPool]:
    pool = open_pool(postgres_dsn, max_size=6)
    yield pool
    pool.close()


@pytest.fixture
def node(postgres_dsn: str, pool: ConnectionPool) -> Iterator[Callable[..., Node]]:
    """Makes nodes and ends them."""
    made: list[Node] = []

    def make(name: str, key: bytes = KEY) -> Node:
        made.append(Node(postgres_dsn, pool, name, key))
        return made[-1]

    yield make
    for one in made:
        one.cable.pulled = False
        one.end()


@pytest.fixture
def cameras(pool: ConnectionPool) -> list[StreamId]:
    streams = PostgresStreamRepository(pool, KEY)
    return [
        streams.add(Stream(new_stream_id(), f"camera {n}", SourceKind.RTSP, "rtsp://camera/")).id
        for n in range(4)
    ]


def silence(pool: ConnectionPool, node: Node) -> None:
    """Its last renewal is long ago."""
    with pool.connection() as connection:
        for table, column in (("camera_leases", "node_id"), ("engine_nodes", "id")):
            instant = "expires_at" if table == "camera_leases" else "last_seen_at"
            connection.execute(
                f"UPDATE {table} SET {instant} = {instant} - interval '20 s' WHERE {column} = %s",
                (node.keeper.card.id,),
            )


def test_a_node_alone_has_all_cameras_before_its_engine_starts(
    node: Callable[..., Node], cameras: list[StreamId]
) -> None:
    north = node("north")
    north.keeper.prepare(north.streams.list(), follow_stored=True)
    assert north.engine.here == set(cameras) and north.engine.elsewhere == {}
    north.keeper.start()


def test_who_comes_later_takes_nothing_and_knows_who_has_it(
    node: Callable[..., Node], cameras: list[StreamId]
) -> None:
    north, south = node("north"), node("south")
    north.start()
    south.start()
    assert south.engine.here == set()
    assert south.engine.elsewhere == dict.fromkeys(cameras, "north")
    assert len(north.leases.list().nodes) == 2
    assert north.engine.here == set(cameras)


def test_nodes_that_start_together_share(
    node: Callable[..., Node], cameras: list[StreamId], pool: ConnectionPool
) -> None:
    north, south = node("north"), node("south")
    for one in (north, south):
        one.leases.register(one.keeper.card)
    north.start()
    south.start()
    assert (len(north.engine.here), len(south.engine.here)) == (2, 2)
    assert north.engine.here | south.engine.here == set(cameras)


def test_what_nobody_else_takes_is_taken_after_a_while(
    node: Callable[..., Node], cameras: list[StreamId]
) -> None:
    idle, north = node("idle"), node("north")
    idle.leases.register(idle.keeper.card)
    north.start()
    assert len(north.engine.here) == 2 and set(north.engine.elsewhere.values()) == {NOBODY}
    wait_until(lambda: north.engine.here == set(cameras))


def test_a_dead_nodes_cameras_are_taken_over(
    node: Callable[..., Node], cameras: list[StreamId], pool: ConnectionPool
) -> None:
    north, south = node("north"), node("south")
    north.start()
    south.start()
    assert north.keeper.stop(10.0) == (), "as if killed: nothing is given back"
    silence(pool, north)
    wait_until(lambda: south.engine.here == set(cameras))


def test_an_orderly_end_gives_the_cameras_to_the_others(
    node: Callable[..., Node], cameras: list[StreamId]
) -> None:
    north, south = node("north"), node("south")
    north.start()
    south.start()
    north.end()
    wait_until(lambda: south.engine.here == set(cameras))


def test_a_camera_goes_to_the_node_that_asks_for_it(
    node: Callable[..., Node], cameras: list[StreamId]
) -> None:
    north, south = node("north"), node("south")
    north.start()
    south.start()
    assert south.keeper.ask_for(cameras[1])
    wait_until(lambda: south.engine.here == {cameras[1]})
    wait_until(lambda: north.engine.elsewhere == {cameras[1]: "south"})


def test_cameras_added_paused_and_removed_by_anybody_are_followed(
    node: Callable[..., Node], cameras: list[StreamId]
) -> None:
    north, south = node("north"), node("south")
    north.start()
    south.start()
    added = south.streams.add(Stream(new_stream_id(), "new", SourceKind.RTSP, "rtsp://new/"))
    wait_until(lambda: added.id in north.engine.here | south.engine.here)
    wait_until(lambda: len(north.engine.streams) == len(south.engine.streams) == 5)
    paused = south.streams.update(replace(south.streams.get(cameras[0]), enabled=False))
    wait_until(lambda: cameras[0] not in north.engine.here)
    wait_until(lambda: not any(s.enabled for s in south.engine.streams if s.id == paused.id))
    assert north.leases.list().holder(cameras[0]) is None
    south.streams.remove(cameras[1])
    wait_until(lambda: cameras[1] not in {s.id for s in north.engine.streams})


def test_a_camera_the_console_adds_is_watched_there_at_once(
    node: Callable[..., Node], cameras: list[StreamId]
) -> None:
    north, south = node("north"), node("south")
    north.start()
    south.start()
    with_new = Stream(new_stream_id(), "new", SourceKind.RTSP, "rtsp://new/")
    south.keeper.set_streams([*south.engine.streams, south.streams.add(with_new)])
    assert south.engine.here == {with_new.id}, "the other has more than its share already"
    wait_until(lambda: with_new.id in {s.id for s in north.engine.streams})


def test_sources_of_a_command_line_are_leased_too(
    node: Callable[..., Node], cameras: list[StreamId]
) -> None:
    north, south = node("north"), node("south")
    north.start()
    named = [south.streams.get(cameras[0]), south.streams.get(cameras[1])]
    south.start(named)
    assert south.engine.here == set() and set(south.engine.elsewhere) == set(cameras[:2])
    north.end()
    wait_until(lambda: south.engine.here == set(cameras[:2]))


def test_without_the_server_a_node_goes_on_and_says_so(
    node: Callable[..., Node], cameras: list[StreamId], pool: ConnectionPool
) -> None:
    north, south = node("north"), node("south")
    north.start()
    north.cable.pulled = True
    wait_until(lambda: SERVER_AWAY in north.engine.notices)
    assert north.engine.notices[SERVER_AWAY].active
    assert north.engine.here == set(cameras) and north.keeper.holdings.away
    silence(pool, north)
    south.start()
    assert south.engine.here == set(cameras)
    north.cable.pulled = False
    wait_until(lambda: north.engine.elsewhere == dict.fromkeys(cameras, "south"))
    assert not north.engine.notices[SERVER_AWAY].active
    assert not north.keeper.holdings.away


def test_cameras_locked_with_another_key_are_left_to_its_owner(
    node: Callable[..., Node], pool: ConnectionPool
) -> None:
    secret = Stream(new_stream_id(), "secret", SourceKind.RTSP, "rtsp://s/", "user", "password")
    plain = Stream(new_stream_id(), "plain", SourceKind.RTSP, "rtsp://p/")
    stored = PostgresStreamRepository(pool, KEY)
    for stream in (secret, plain):
        stored.add(stream)
    stranger = node("stranger", CredentialBox.new_key())
    stranger.start()
    assert stranger.engine.here == {plain.id}
    told = stranger.engine.notices[KEY_DIFFERS]
    assert told.active and "secret" in told.message and "barnhand key import" in told.advice
    owner = node("owner")
    owner.start()
    wait_until(lambda: owner.engine.here == {secret.id})
    assert not owner.engine.notices[KEY_DIFFERS].active


def test_a_file_is_watched_where_it_is(
    node: Callable[..., Node], pool: ConnectionPool, tmp_path: Path
) -> None:
    here, there = tmp_path / "here.mp4", tmp_path / "there.mp4"
    here.touch()
    stored = PostgresStreamRepository(pool, KEY)
    first = stored.add(Stream(new_stream_id(), "here", SourceKind.FILE, str(here)))
    second = stored.add(Stream(new_stream_id(), "there", SourceKind.FILE, str(there)))
    north = node("north")
    north.start()
    assert north.engine.here == {first.id} and north.engine.elsewhere == {second.id: NOBODY}


def test_a_severed_listener_is_taken_up_again(
    node: Callable[..., Node], cameras: list[StreamId], postgres_dsn: str
) -> None:
    north = node("north")
    north.start()
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'barnhand camera news' AND datname = current_database()"
        )
    north.streams.add(Stream(new_stream_id(), "new", SourceKind.RTSP, "rtsp://new/"))
    wait_until(lambda: len(north.engine.here) == 5)

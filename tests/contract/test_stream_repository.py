"""The StreamRepository contract on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from db.credentials import CredentialBox
from db.pool import open_pool
from db.repositories.streams import PostgresStreamRepository
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, new_stream_id
from engine.domain.streams import SourceKind, Stream

KEY = CredentialBox.new_key()


@pytest.fixture
def pool(postgres_dsn: str) -> Iterator[ConnectionPool]:
    pool = open_pool(postgres_dsn, max_size=4)
    yield pool
    pool.close()


@pytest.fixture
def streams(pool: ConnectionPool) -> PostgresStreamRepository:
    return PostgresStreamRepository(pool, KEY)


def camera(name: str = "North stable") -> Stream:
    return Stream(
        id=new_stream_id(),
        name=name,
        kind=SourceKind.RTSP,
        address="rtsp://192.0.2.7:554/live",
        username="canary-user",
        password="canary-pässword ' \" \\",
        analysis_fps=7.5,
        confidence=0.4,
        loop=False,
        extra={"transport": "tcp"},
    )


def test_a_stored_stream_reads_back_as_it_was(streams: PostgresStreamRepository) -> None:
    given = camera()
    assert streams.add(given) == given
    assert streams.get(given.id) == given
    assert list(streams.list()) == [given]


def test_credentials_are_nowhere_in_the_row(
    streams: PostgresStreamRepository, postgres_dsn: str
) -> None:
    given = streams.add(camera())
    with psycopg.connect(postgres_dsn) as connection:
        row = connection.execute("SELECT streams::text FROM streams").fetchone()
    assert row is not None and "rtsp://" in row[0]
    for secret in ("canary-user", "canary-p", b"canary".hex()):
        assert secret not in row[0]
    assert "canary" not in repr(given)


def test_an_address_with_a_password_is_refused(streams: PostgresStreamRepository) -> None:
    with pytest.raises(OperatorMistake, match="must not hold"):
        streams.add(replace(camera(), address="rtsp://user:secret@192.0.2.7/live"))
    assert not streams.list()


def test_an_address_with_an_at_sign_in_its_path_is_no_password(
    streams: PostgresStreamRepository,
) -> None:
    odd = replace(camera(), kind=SourceKind.FILE, address="/videos/mare@paddock.mp4")
    assert streams.add(odd) == odd


def test_another_key_reads_the_stream_without_its_credentials_and_keeps_them(
    streams: PostgresStreamRepository, pool: ConnectionPool
) -> None:
    given = streams.add(camera())
    stranger = PostgresStreamRepository(pool, CredentialBox.new_key())
    seen = stranger.get(given.id)
    assert (seen.username, seen.password) == ("", "")
    stranger.update(replace(seen, name="Renamed"))
    assert streams.get(given.id).password == given.password


def test_a_token_moved_to_another_stream_opens_nothing(
    streams: PostgresStreamRepository, postgres_dsn: str
) -> None:
    first, second = streams.add(camera("a")), streams.add(camera("b"))
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute(
            "UPDATE streams SET credentials_encrypted = (SELECT credentials_encrypted "
            "FROM streams WHERE id = %s) WHERE id = %s",
            (first.id, second.id),
        )
    assert streams.get(second.id).password == ""


def test_a_taken_name_is_a_conflict_only_on_the_same_farm(
    streams: PostgresStreamRepository, postgres_dsn: str
) -> None:
    streams.add(camera())
    with pytest.raises(Conflict):
        streams.add(camera())
    other = FarmId(uuid4())
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("INSERT INTO farms (id, name) VALUES (%s, 'Other')", (other,))
    there = streams.add(camera(), other)
    assert list(streams.list(other)) == [there]
    assert streams.farm_of(there.id) == other
    assert len(streams.list()) == 2


def test_an_unknown_farm_is_not_found(streams: PostgresStreamRepository) -> None:
    with pytest.raises(NotFound):
        streams.add(camera(), FarmId(uuid4()))


def test_the_second_of_two_changes_is_a_conflict(streams: PostgresStreamRepository) -> None:
    given = streams.add(camera())
    changed = streams.update(replace(given, address="rtsp://192.0.2.8/live"))
    assert changed.version == given.version + 1
    with pytest.raises(Conflict, match="version 2"):
        streams.update(replace(given, name="Too late"))
    assert streams.get(given.id) == changed


def test_a_removed_stream_is_gone_and_its_name_free(streams: PostgresStreamRepository) -> None:
    given = streams.add(camera())
    streams.remove(given.id)
    for call in (streams.get, streams.remove, streams.farm_of):
        with pytest.raises(NotFound):
            call(given.id)
    with pytest.raises(NotFound):
        streams.update(given)
    streams.add(camera())
    assert len(streams.list()) == 1


def test_a_removed_stream_forgets_its_credentials_and_can_come_back(
    streams: PostgresStreamRepository, postgres_dsn: str
) -> None:
    given = streams.add(camera())
    streams.remove(given.id)
    with psycopg.connect(postgres_dsn) as connection:
        row = connection.execute("SELECT credentials_encrypted FROM streams").fetchone()
        assert row == (None,)
    back = streams.add(given)
    assert back.version > given.version
    assert streams.get(given.id).password == given.password


def test_ensure_adds_once_and_then_follows_what_is_given(
    streams: PostgresStreamRepository,
) -> None:
    streams.add(camera("clip"))
    given = replace(camera("clip"), kind=SourceKind.FILE, address="clip.mp4")
    first = streams.ensure(given)
    assert first.name == "clip 2"
    assert streams.ensure(given) == first
    moved = streams.ensure(replace(given, address="other.mp4"))
    assert (moved.address, moved.name, moved.version) == ("other.mp4", "clip 2", 2)


@pytest.mark.parametrize("name", ["", "  ", "a\0b"])
def test_impossible_names_are_mistakes(streams: PostgresStreamRepository, name: str) -> None:
    with pytest.raises(OperatorMistake):
        streams.add(camera(name))


def test_a_damaged_key_says_so(pool: ConnectionPool) -> None:
    with pytest.raises(OperatorMistake, match="key"):
        PostgresStreamRepository(pool, b"short")

"""Named SQL."""

from __future__ import annotations

from importlib.resources import files

import pytest

from db.migrate import Migration, packaged_migrations
from db.queries import parse, queries
from engine.domain.errors import Bug


def test_statements_are_found_by_name() -> None:
    text = "-- a file\n\n-- name: one\nSELECT 1;\n\n-- name: two\n-- why\nSELECT\n  2;\n"
    assert parse(text, "x") == {"one": b"SELECT 1", "two": b"-- why\nSELECT\n  2"}


@pytest.mark.parametrize(
    "text", ["-- name: one\n", "-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;"]
)
def test_bad_files_are_bugs(text: str) -> None:
    with pytest.raises(Bug):
        parse(text, "x")


def test_every_packaged_file_can_be_read() -> None:
    names = [e.name for e in files("db.sql.queries").iterdir() if e.name.endswith(".sql")]
    assert {"writer.sql", "streams.sql", "detections.sql"} <= set(names)
    for name in names:
        assert queries(name.removesuffix(".sql"))


def test_a_file_that_is_not_there_is_a_bug() -> None:
    with pytest.raises(Bug):
        queries("nothing")


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [migration.number for migration in packaged_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_line_ends_do_not_change_a_migration() -> None:
    assert Migration(1, "a", "x\ny\n").sha256 == Migration(1, "a", "x\r\ny\r\n").sha256
    assert Migration(1, "a", "x\n").sha256 != Migration(1, "a", "y\n").sha256

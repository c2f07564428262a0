"""Migrations: in order, once, refused when the database is newer."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from db.migrate import Migration, migrate, packaged_migrations
from engine.domain.errors import Bug, OperatorMistake, StoreUnavailable
from engine.runtime.worker import StopToken, Worker

NewDatabase = Callable[[bool], str]


def schema(dsn: str) -> list[tuple[object, ...]]:
    """Every column, index and constraint of the public schema, as comparable rows."""
    question = """
        SELECT 'column', table_name, column_name, ordinal_position::text, data_type, is_nullable,
               coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL
        SELECT 'index', tablename, indexname, '', indexdef, '', '' FROM pg_indexes
        WHERE schemaname = 'public'
        UNION ALL
        SELECT 'constraint', conrelid::regclass::text, conname, '', pg_get_constraintdef(oid),
               '', ''
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'view', viewname, '', '', definition, '', '' FROM pg_views
        WHERE schemaname = 'public'
        ORDER BY 1, 2, 3, 4, 5
    """
    with psycopg.connect(dsn) as connection:
        return connection.execute(question.encode()).fetchall()


def test_a_fresh_schema_equals_all_migrations_one_by_one(new_database: NewDatabase) -> None:
    at_once, one_by_one = new_database(False), new_database(False)
    steps = packaged_migrations()
    report = migrate(at_once)
    assert report.version == steps[-1].number
    assert len(report.applied) == len(steps)
    for count in range(1, len(steps) + 1):
        assert len(migrate(one_by_one, steps[:count]).applied) == 1
    assert schema(at_once) == schema(one_by_one)
    assert len(schema(at_once)) > 50


def test_the_second_time_nothing_happens(new_database: NewDatabase) -> None:
    dsn = new_database(True)
    assert migrate(dsn).applied == ()


def test_a_newer_database_is_refused_untouched(new_database: NewDatabase) -> None:
    dsn = new_database(True)
    newer = Migration(9000, "from_the_future", "CREATE TABLE future ()")
    migrate(dsn, (*packaged_migrations(), newer))
    with pytest.raises(OperatorMistake, match=r"newer than this program.*9000"):
        migrate(dsn)


def test_another_build_s_database_is_refused(new_database: NewDatabase) -> None:
    dsn = new_database(False)
    first, *others = packaged_migrations()
    migrate(dsn, (Migration(first.number, first.name, first.sql + "\n-- changed"), *others))
    with pytest.raises(OperatorMistake, match="different build"):
        migrate(dsn)


def test_a_failing_step_leaves_nothing_of_itself(new_database: NewDatabase) -> None:
    dsn = new_database(False)
    good = Migration(1, "good", "CREATE TABLE good (a int)")
    bad = Migration(2, "bad", "CREATE TABLE half (a int); SELECT no_such_column FROM good")
    with pytest.raises(Bug, match="0002_bad"):
        migrate(dsn, (good, bad))
    tables = {row[1] for row in schema(dsn)}
    assert "good" in tables and "half" not in tables
    mended = Migration(2, "bad", "CREATE TABLE whole (a int)")
    assert migrate(dsn, (good, mended)).applied == ("0002_bad",)


def test_a_step_added_below_applied_ones_is_a_bug(new_database: NewDatabase) -> None:
    dsn = new_database(False)
    one, three = Migration(1, "a", "SELECT 1"), Migration(3, "c", "SELECT 1")
    migrate(dsn, (one, three))
    with pytest.raises(Bug, match="0002"):
        migrate(dsn, (one, Migration(2, "b", "SELECT 1"), three))


def test_several_programs_at_once_apply_each_step_once(new_database: NewDatabase) -> None:
    dsn = new_database(False)
    applied: list[tuple[str, ...]] = []

    def run(_: StopToken) -> None:
        applied.append(migrate(dsn).applied)

    workers = [Worker(f"migrate {n}", run, restart_budget=0) for n in range(4)]
    for worker in workers:
        worker.start()
    assert all(worker.join(60.0) for worker in workers)
    assert [worker.last_error for worker in workers] == [None] * 4
    assert sorted(map(len, applied)) == [0, 0, 0, len(packaged_migrations())]


def test_an_absent_server_is_a_store_that_is_away() -> None:
    with pytest.raises(StoreUnavailable):
        migrate("postgresql://barnhand@127.0.0.1:1/barnhand")


def test_a_wrong_password_says_where_to_look(postgres_dsn: str) -> None:
    head, _, tail = postgres_dsn.partition("@")
    with pytest.raises((OperatorMistake, StoreUnavailable), match="password"):
        migrate(f"{head}x@{tail}")

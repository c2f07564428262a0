"""TimescaleDB's own retention follows the setting, and a native database stays native there."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from barnhand_desktop.backup.dump import never
from barnhand_desktop.backup.housekeeping import ClearedRows
from db.migrate import migrate
from db.pool import open_pool

pytestmark = pytest.mark.timeout(300)


def kept(dsn: str) -> dict[str, str]:
    """How long each table's rows are kept."""
    with psycopg.connect(dsn) as connection:
        return dict(
            connection.execute(
                "SELECT hypertable_name::text, config ->> 'drop_after' "
                "FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'",
                prepare=False,
            ).fetchall()
        )


def test_the_policy_follows_the_setting(timescale_dsn: str) -> None:
    migrate(timescale_dsn)
    before = kept(timescale_dsn)
    assert before["detections"] == "90 days"
    for days, changed in ((30, 2), (30, 0), (365, 2)):
        with open_pool(timescale_dsn, max_size=1) as pool:
            counts = ClearedRows(pool, days).follow_retention(datetime.now(UTC), never)
        assert counts == {"policies": changed}
        found = kept(timescale_dsn)
        assert {found["detections"], found["pose_metrics"]} == {f"{days} days"}


def test_a_database_made_without_stays_native(timescale_dsn: str) -> None:
    """As one is that was restored on a server that offers TimescaleDB."""
    with psycopg.connect(timescale_dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE schema_migrations (number integer PRIMARY KEY, name text NOT NULL, "
            "sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    assert not migrate(timescale_dsn).timescale
    assert not migrate(timescale_dsn).timescale

"""The thread of daily work, in a program that starts, works and stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from barnhand_desktop.backup.daily import DailyWork
from barnhand_desktop.backup.housekeeping import Housekeeping, Task
from barnhand_desktop.backup.keeper import BackupKeeper
from barnhand_desktop.backup.shelf import Shelf
from barnhand_desktop.settings.schema import BackupSettings
from db.pool import open_pool
from tests.helpers.waiting import wait_until
from tests.integration.backup.conftest import StillClock
from tests.integration.backup.test_backup_accidents import waits_for_a_lock

Ran = list[str]


@pytest.fixture
def ran() -> Ran:
    return []


@pytest.fixture
def work(barn_dsn: str, tmp_path: Path, clock: StillClock, ran: Ran) -> Iterator[DailyWork]:
    settings = BackupSettings(check_days=0)
    keeper = BackupKeeper(
        barn_dsn, Shelf(tmp_path / "backups"), lambda: settings, lambda _: None, clock, shared=False
    )

    def task(now: object, cancelled: Callable[[], bool]) -> dict[str, int]:
        ran.append("house kept")
        return {}

    with open_pool(barn_dsn, max_size=2) as pool:
        housekeeping = Housekeeping(barn_dsn, pool, (Task("test", task),))
        work = DailyWork(keeper, housekeeping, settings, clock, start_rest_s=0.0, look_every_s=0.05)
        yield work
        assert work.stop(10.0) == ()


def test_it_backs_up_and_keeps_house_once(work: DailyWork, ran: Ran, clock: StillClock) -> None:
    work.start()
    wait_until(lambda: bool(ran), 30)
    assert [backup.detections for backup in work.keeper.list()] == [1000]
    clock.at = clock.at.replace(day=clock.at.day + 1)
    wait_until(lambda: len(work.keeper.list()) == 2, 30)


def test_a_program_that_stops_breaks_the_backup_off(
    work: DailyWork, barn_dsn: str, ran: Ran
) -> None:
    with psycopg.connect(barn_dsn) as holder:
        holder.execute("CREATE SCHEMA elsewhere")
        holder.execute("CREATE TABLE elsewhere.held (number integer)")
        holder.commit()
        holder.execute("LOCK TABLE elsewhere.held IN ACCESS EXCLUSIVE MODE")
        work.start()
        wait_until(lambda: waits_for_a_lock(barn_dsn), 30)
        assert work.stop(10.0) == ()
        assert list(work.keeper.folder.iterdir()) == []
    assert ran == []

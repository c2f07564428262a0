"""The daily backup: made once, tried again, kept a month, tried out weekly, missed aloud."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from barnhand_desktop.backup.dump import never
from barnhand_desktop.backup.keeper import (
    BACKUP_DAMAGED,
    BACKUP_FAILED,
    BACKUP_OLD,
    BackupKeeper,
    last_made,
)
from barnhand_desktop.backup.schedule import last_due
from barnhand_desktop.backup.shelf import Shelf
from barnhand_desktop.settings.schema import BackupSettings
from engine.domain.backups import BackupState
from engine.domain.errors import OperatorMistake
from engine.domain.notices import Notice
from tests.integration.backup.conftest import StillClock, beside

DAY = timedelta(days=1)


class Told:
    """Standing conditions, as a console shows them."""

    def __init__(self) -> None:
        self.standing: dict[str, Notice] = {}

    def __call__(self, notice: Notice) -> None:
        if notice.active:
            self.standing[notice.key] = notice
        else:
            del self.standing[notice.key]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "backups")


Make = Callable[..., BackupKeeper]


@pytest.fixture
def keeper_of(barn_dsn: str, shelf: Shelf, told: Told, clock: StillClock) -> Make:
    def make(
        dsn: str = barn_dsn, shelf: Shelf = shelf, shared: bool = False, **settings: object
    ) -> BackupKeeper:
        wanted = BackupSettings.model_validate({"check_days": 0, **settings})
        return BackupKeeper(dsn, shelf, lambda: wanted, told, clock, shared=shared)

    return make


def times(shelf: Shelf) -> list[datetime]:
    return [backup.created_at for backup in shelf.list()]


def test_one_a_day_at_its_hour(keeper_of: Make, shelf: Shelf, clock: StillClock) -> None:
    keeper = keeper_of()
    first = clock.at
    keeper.look(never)
    keeper.look(never)
    assert times(shelf) == [first], "the first at once, and no second"
    due = last_due(clock.at, 3) + DAY
    clock.at = due - timedelta(minutes=1)
    keeper.look(never)
    assert len(times(shelf)) == 1
    clock.at = due + timedelta(seconds=5)
    keeper.look(never)
    assert times(shelf) == [clock.at, first]
    assert keeper_of().next_at == due + DAY


def test_a_new_program_knows_what_was_made(
    keeper_of: Make, shelf: Shelf, clock: StillClock
) -> None:
    keeper_of().look(never)
    clock.at += timedelta(hours=1)
    keeper_of().look(never)
    assert len(times(shelf)) == 1


def test_old_ones_go_when_a_new_one_is_there(
    keeper_of: Make, shelf: Shelf, clock: StillClock
) -> None:
    keeper = keeper_of(keep_days=2)
    for _ in range(4):
        keeper.look(never)
        clock.at += DAY
    newest = clock.at - DAY
    assert times(shelf) == [newest, newest - DAY, newest - 2 * DAY]


def test_a_failure_is_said_tried_again_and_over(
    keeper_of: Make, shelf: Shelf, clock: StillClock, told: Told, tmp_path: Path
) -> None:
    blocked = tmp_path / "in the way"
    blocked.write_text("a file")
    broken = Shelf(blocked / "backups")
    keeper = keeper_of(shelf=broken)
    keeper.look(never)
    assert "could not be written" in told.standing[BACKUP_FAILED].message
    blocked.unlink()
    clock.at += timedelta(minutes=4)
    keeper.look(never)
    assert broken.list() == (), "not before its time"
    clock.at += timedelta(minutes=2)
    keeper.look(never)
    assert len(broken.list()) == 1 and told.standing == {}


def test_a_server_that_is_away_is_no_end(keeper_of: Make, clock: StillClock, told: Told) -> None:
    away = keeper_of(dsn="postgresql://barnhand:secret@127.0.0.1:9/barnhand")
    for _ in range(30):
        away.look(never)
        clock.at += timedelta(hours=1)
    assert set(told.standing) == {BACKUP_FAILED, BACKUP_OLD}
    assert told.standing[BACKUP_OLD].message == "There is no backup of the database yet."
    assert "secret" not in told.standing[BACKUP_FAILED].message


def test_no_new_backup_for_26_hours_is_a_standing_warning(
    keeper_of: Make, shelf: Shelf, clock: StillClock, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = keeper_of()
    keeper.look(never)
    monkeypatch.setattr(BackupKeeper, "_make", _refuses)
    clock.at += timedelta(hours=25, minutes=50)
    keeper.look(never)
    assert BACKUP_OLD not in told.standing
    clock.at += timedelta(minutes=15)
    keeper.look(never)
    assert told.standing[BACKUP_OLD].message == "The last good backup of the database is 26 h old."
    monkeypatch.undo()
    clock.at += timedelta(hours=3)
    keeper.look(never)
    assert told.standing == {} and len(shelf.list()) == 2


def _refuses(*_arguments: object) -> None:
    raise OperatorMistake("Not today.")


def test_a_program_that_was_off_makes_one_before_it_warns(
    keeper_of: Make, clock: StillClock, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper_of().look(never)
    clock.at += 10 * DAY
    keeper = keeper_of()
    monkeypatch.setattr(BackupKeeper, "_make", _refuses)
    keeper.look(never)
    assert BACKUP_OLD not in told.standing
    clock.at += timedelta(hours=2)
    keeper.look(never)
    assert BACKUP_OLD in told.standing


def test_switched_off_it_makes_none_and_says_nothing(
    keeper_of: Make, shelf: Shelf, clock: StillClock, told: Told
) -> None:
    keeper = keeper_of(enabled=False)
    clock.at += 5 * DAY
    keeper.look(never)
    assert shelf.list() == () and told.standing == {} and keeper.next_at is None
    made = keeper.make()
    assert made is not None and made.detections == 1000, "by hand it does"


def test_of_two_nodes_one_makes_it(
    keeper_of: Make,
    tmp_path: Path,
    clock: StillClock,
    barn_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The audit trail tells the other node, and is stamped by the server's own clock.
    clock.at = datetime.now(UTC)
    here, there = (Shelf(tmp_path / name) for name in ("here", "there"))
    keeper_of(shelf=here, shared=True).look(never)
    keeper_of(shelf=there, shared=True).look(never)
    assert len(here.list()) == 1 and there.list() == ()
    assert len(last_made(barn_dsn)) == 1


def test_while_one_is_at_it_the_other_waits(
    keeper_of: Make, tmp_path: Path, clock: StillClock, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (Shelf(tmp_path / name) for name in ("here", "there"))
    first, second = keeper_of(shelf=here, shared=True), keeper_of(shelf=there, shared=True)
    original, tried = BackupKeeper._make, []

    def making(self: BackupKeeper, *arguments: object) -> object:
        tried.append(self)
        if self is first:
            second.look(never)
        return original(self, *arguments)

    monkeypatch.setattr(BackupKeeper, "_make", making)
    first.look(never)
    assert tried == [first] and len(here.list()) == 1 and there.list() == ()
    assert told.standing == {}


def test_once_a_week_one_is_restored_on_trial(
    keeper_of: Make, shelf: Shelf, clock: StillClock, barn_dsn: str, told: Told
) -> None:
    keeper = keeper_of(check_days=7)
    for _ in range(9):
        keeper.look(never)
        clock.at += DAY
    tried = [b.created_at for b in shelf.list() if b.state is BackupState.CHECKED]
    assert len(tried) == 2 and tried[0] - tried[1] == 7 * DAY
    assert beside(barn_dsn) == [] and told.standing == {}


def test_one_that_cannot_be_restored_is_critical(
    keeper_of: Make, shelf: Shelf, clock: StillClock, told: Told
) -> None:
    made = keeper_of().make()
    assert made is not None
    data = bytearray(made.path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    made.path.write_bytes(bytes(data))
    keeper = keeper_of(check_days=7)
    keeper.look(never)
    assert told.standing[BACKUP_DAMAGED].severity == "critical"
    assert [b.state for b in shelf.list()] == [BackupState.DAMAGED]
    clock.at += timedelta(minutes=20)
    keeper.look(never)
    assert shelf.newest_good() is not None, "a damaged one does not count as today's"


def test_a_person_cancels_and_nothing_is_left(keeper_of: Make, shelf: Shelf) -> None:
    assert keeper_of().make(cancelled=lambda: True) is None
    assert shelf.list() == () and list(shelf.folder.iterdir()) == []


def test_each_is_in_the_audit_trail(keeper_of: Make, barn_dsn: str) -> None:
    made = keeper_of().make()
    assert made is not None
    with psycopg.connect(barn_dsn) as connection:
        rows = connection.execute(
            "SELECT username, object_id, details ->> 'sha256' FROM audit_log "
            "WHERE action = 'backup.make'"
        ).fetchall()
    assert [(user, file) for user, file, _ in rows] == [("barnhand", made.path.name)]
    assert len(rows[0][2]) == 64

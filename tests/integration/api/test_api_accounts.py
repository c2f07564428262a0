"""Accounts on a real database: logins, rotation, reuse, keys, grants, the first administrator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from barnhand_desktop.api.access import Caller, Scope
from barnhand_desktop.api.accounts import (
    Accounts,
    LoginRefused,
    RefreshReused,
    TokenPair,
    ensure_admin,
)
from barnhand_desktop.api.passwords import Passwords
from barnhand_desktop.api.tokens import AccessTokens, TokenRefused
from db.pool import open_pool
from db.repositories.audit import AuditEntry, AuditRepository
from db.repositories.grants import GrantRepository
from db.repositories.users import RefreshOutcome, Role, User, UserRepository
from engine.domain.errors import BarnhandError, Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, StreamId, UserId
from engine.runtime.clock import SystemClock
from engine.runtime.worker import Worker

PASSWORD = "correct horse battery"
FARM = FarmId(UUID("00000000-0000-4000-8000-000000000001"))


@pytest.fixture
def pool(postgres_dsn: str) -> Iterator[ConnectionPool]:
    with open_pool(postgres_dsn, 8) as opened:
        yield opened


@pytest.fixture
def users(pool: ConnectionPool) -> UserRepository:
    return UserRepository(pool)


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


@pytest.fixture
def accounts(users: UserRepository, passwords: Passwords) -> Accounts:
    return Accounts(users, AccessTokens(b"k" * 32), passwords, SystemClock())


@pytest.fixture
def ada(users: UserRepository, passwords: Passwords) -> User:
    return users.add("ada", passwords.hash(PASSWORD), Role.MANAGER, None, False)


def later(hours: float = 1.0) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def add_stream(pool: ConnectionPool, name: str, farm_id: UUID = FARM) -> StreamId:
    stream_id = StreamId(uuid4())
    with pool.connection() as connection:
        connection.execute(
            "INSERT INTO streams (id, farm_id, name, kind, address) "
            "VALUES (%s, %s, %s, 'rtsp', 'x')",
            (stream_id, farm_id, name),
        )
    return stream_id


def add_farm(pool: ConnectionPool) -> FarmId:
    with pool.connection() as connection:
        row = connection.execute(
            "INSERT INTO farms (name) VALUES ('Other') RETURNING id"
        ).fetchone()
    assert row is not None
    return FarmId(row[0])


# --- the first administrator ---------------------------------------------------------------------


def test_the_first_administrator_is_made_once_with_a_password_to_be_changed(
    pool: ConnectionPool, users: UserRepository, accounts: Accounts
) -> None:
    password = ensure_admin(pool)
    assert password is not None
    assert ensure_admin(pool) is None
    caller = accounts.log_in("admin", password).caller
    assert caller.role is Role.ADMIN
    assert caller.must_change_password
    with pool.connection() as connection:
        row = connection.execute("SELECT users::text FROM users").fetchone()
    assert row is not None
    assert password not in row[0]


def test_two_programs_starting_at_once_make_one_administrator(
    pool: ConnectionPool, users: UserRepository
) -> None:
    barrier, made = Barrier(4), []

    def add(number: int) -> None:
        barrier.wait(10)
        made.append(users.add_first_admin(f"admin{number}", "hash"))

    workers = [Worker(f"adder {n}", lambda _, n=n: add(n)) for n in range(4)]
    for worker in workers:
        worker.start()
    assert all(worker.join(20) for worker in workers)
    assert sorted(made) == [False, False, False, True]


# --- logins --------------------------------------------------------------------------------------


def test_a_login_gives_tokens_that_identify_the_account(accounts: Accounts, ada: User) -> None:
    pair = accounts.log_in("ada", PASSWORD)
    caller = accounts.identify(pair.access)
    assert (caller.user_id, caller.username, caller.role) == (ada.id, "ada", Role.MANAGER)
    assert caller.has(Role.VIEWER)
    assert not caller.has(Role.ADMIN)


def test_wrong_name_wrong_password_and_switched_off_say_the_same(
    accounts: Accounts, users: UserRepository, ada: User
) -> None:
    told = set()
    with pytest.raises(LoginRefused) as wrong_password:
        accounts.log_in("ada", "wrong" + PASSWORD)
    with pytest.raises(LoginRefused) as wrong_name:
        accounts.log_in("nobody", PASSWORD)
    users.add_first_admin("x", "x")
    users.update(replace(ada, enabled=False)) if _has_other_admin(users) else None
    with pytest.raises(LoginRefused) as switched_off:
        accounts.log_in("ada", PASSWORD)
    for caught in (wrong_password, wrong_name, switched_off):
        told.add(str(caught.value))
    assert len(told) == 1


def _has_other_admin(users: UserRepository) -> bool:
    users.add("boss", "hash", Role.ADMIN, None, False)
    return True


def test_a_refresh_token_works_once_and_its_reuse_ends_the_login(
    accounts: Accounts, ada: User
) -> None:
    first = accounts.log_in("ada", PASSWORD)
    other_login = accounts.log_in("ada", PASSWORD)
    second = accounts.refresh(first.refresh)
    third = accounts.refresh(second.refresh)
    with pytest.raises(RefreshReused):
        accounts.refresh(first.refresh)
    for ended in (third.refresh, second.refresh, first.refresh):
        with pytest.raises(TokenRefused):
            accounts.refresh(ended)
    for pair in (first, second, third):
        with pytest.raises(TokenRefused):
            accounts.identify(pair.access)
    assert accounts.identify(other_login.access).user_id == ada.id
    assert accounts.refresh(other_login.refresh).caller.user_id == ada.id


def test_of_two_simultaneous_refreshes_one_wins_and_the_family_ends(
    accounts: Accounts, ada: User
) -> None:
    pair = accounts.log_in("ada", PASSWORD)
    barrier = Barrier(4)
    outcomes: list[TokenPair | BarnhandError] = []

    def exchange() -> None:
        barrier.wait(10)
        try:
            outcomes.append(accounts.refresh(pair.refresh))
        except TokenRefused as error:
            outcomes.append(error)

    workers = [Worker(f"refresher {n}", lambda _: exchange()) for n in range(4)]
    for worker in workers:
        worker.start()
    assert all(worker.join(20) for worker in workers)
    won = [outcome for outcome in outcomes if isinstance(outcome, TokenPair)]
    assert len(won) <= 1
    assert any(isinstance(outcome, RefreshReused) for outcome in outcomes)
    for winner in won:
        with pytest.raises(TokenRefused):
            accounts.refresh(winner.refresh)


def test_an_expired_refresh_token_is_refused_without_ending_others(
    users: UserRepository, ada: User
) -> None:
    users.open_family(ada.id, b"a" * 32, datetime.now(UTC) - timedelta(seconds=1))
    assert users.rotate(b"a" * 32, b"b" * 32, later()).outcome is RefreshOutcome.REFUSED
    assert users.rotate(b"c" * 32, b"d" * 32, later()).outcome is RefreshOutcome.REFUSED


def test_logging_out_ends_this_login_at_once(accounts: Accounts, ada: User) -> None:
    pair, other = accounts.log_in("ada", PASSWORD), accounts.log_in("ada", PASSWORD)
    accounts.log_out(accounts.identify(pair.access))
    with pytest.raises(TokenRefused):
        accounts.identify(pair.access)
    with pytest.raises(TokenRefused):
        accounts.refresh(pair.refresh)
    assert accounts.identify(other.access).user_id == ada.id


def test_changing_the_password_ends_the_other_logins(accounts: Accounts, ada: User) -> None:
    pair, other = accounts.log_in("ada", PASSWORD), accounts.log_in("ada", PASSWORD)
    caller = accounts.identify(pair.access)
    with pytest.raises(LoginRefused):
        accounts.change_password(caller, "wrong" + PASSWORD, "a new long password")
    with pytest.raises(OperatorMistake):
        accounts.change_password(caller, PASSWORD, PASSWORD)
    with pytest.raises(OperatorMistake):
        accounts.change_password(caller, PASSWORD, "short")
    accounts.change_password(caller, PASSWORD, "a new long password")
    assert accounts.identify(pair.access).user_id == ada.id
    with pytest.raises(TokenRefused):
        accounts.identify(other.access)
    with pytest.raises(LoginRefused):
        accounts.log_in("ada", PASSWORD)
    assert accounts.log_in("ada", "a new long password").caller.user_id == ada.id


def test_removing_or_switching_off_an_account_ends_its_tokens(
    accounts: Accounts, users: UserRepository, ada: User
) -> None:
    users.add("boss", "hash", Role.ADMIN, None, False)
    pair = accounts.log_in("ada", PASSWORD)
    off = users.update(replace(users.get(ada.id), enabled=False))
    with pytest.raises(TokenRefused):
        accounts.identify(pair.access)
    users.update(replace(off, enabled=True))
    users.remove(ada.id)
    with pytest.raises(TokenRefused):
        accounts.identify(pair.access)


def test_neither_tokens_nor_passwords_are_stored(
    accounts: Accounts, pool: ConnectionPool, ada: User
) -> None:
    pair = accounts.log_in("ada", PASSWORD)
    key, _ = accounts.add_key(pair.caller, "probe", [Scope.READ], None)
    with pool.connection() as connection:
        stored = "".join(
            str(row)
            for table in ("users", "refresh_families", "refresh_tokens", "api_keys", "audit_log")
            for row in connection.execute(f"SELECT t::text FROM {table} AS t").fetchall()
        )
    for secret in (PASSWORD, pair.access, pair.refresh, key):
        assert secret not in stored
        assert secret.encode().hex() not in stored


# --- keys ----------------------------------------------------------------------------------------


def test_an_api_key_acts_for_its_owner_until_it_is_revoked(
    accounts: Accounts, users: UserRepository, ada: User
) -> None:
    owner = accounts.log_in("ada", PASSWORD).caller
    secret, key = accounts.add_key(owner, "probe", [Scope.READ, Scope.READ], None)
    caller = accounts.identify(secret)
    assert (caller.user_id, caller.scopes, caller.api_key_id) == (ada.id, {"read"}, key.id)
    with pytest.raises(TokenRefused):
        accounts.identify(secret[:-1] + ("a" if secret[-1] != "a" else "b"))
    with pytest.raises(NotFound):
        users.revoke_key(users.add("eve", "hash", Role.VIEWER, None, False).id, key.id)
    users.revoke_key(ada.id, key.id)
    with pytest.raises(TokenRefused):
        accounts.identify(secret)


def test_a_key_expires(accounts: Accounts, users: UserRepository, ada: User) -> None:
    owner = accounts.log_in("ada", PASSWORD).caller
    with pytest.raises(OperatorMistake):
        accounts.add_key(owner, "late", [Scope.READ], datetime.now(UTC) - timedelta(hours=1))
    users.add_key(ada.id, "old", b"o" * 32, ["read"], datetime.now(UTC) - timedelta(seconds=1))
    assert users.by_key(b"o" * 32) is None


# --- farms and grants ----------------------------------------------------------------------------


def test_streams_are_seen_by_farm_and_by_grant(pool: ConnectionPool, users: UserRepository) -> None:
    grants = GrantRepository(pool)
    other_farm = add_farm(pool)
    granted, hidden = add_stream(pool, "granted"), add_stream(pool, "hidden")
    foreign = add_stream(pool, "foreign", other_farm)
    viewer = users.add("viewer", "hash", Role.VIEWER, FARM, False)
    grants.set_grants(viewer.id, [granted, granted])
    assert grants.visible_streams(viewer.id, FARM, True) == {granted}
    assert grants.visible_streams(viewer.id, FARM, False) == {granted, hidden}
    assert grants.visible_streams(viewer.id, None, False) == {granted, hidden, foreign}
    for stream_id, seen in ((granted, True), (hidden, False), (foreign, False)):
        assert grants.sees_stream(viewer.id, FARM, True, stream_id) is seen
    with pytest.raises(NotFound):
        grants.set_grants(viewer.id, [granted, foreign])
    with pytest.raises(NotFound):
        grants.set_grants(viewer.id, [StreamId(uuid4())])
    assert grants.grants(viewer.id) == [granted]


def test_the_last_administrator_cannot_be_removed_or_demoted(users: UserRepository) -> None:
    boss = users.add("boss", "hash", Role.ADMIN, None, False)
    for change in (
        replace(boss, role=Role.VIEWER),
        replace(boss, enabled=False),
        replace(boss, farm_id=FARM),
    ):
        with pytest.raises(Conflict):
            users.update(change)
    with pytest.raises(Conflict):
        users.remove(boss.id)
    users.add("second", "hash", Role.ADMIN, None, False)
    users.remove(boss.id)


def test_accounts_have_versions_and_unique_names(users: UserRepository, ada: User) -> None:
    users.add("boss", "hash", Role.ADMIN, None, False)
    changed = users.update(replace(ada, role=Role.VIEWER))
    assert changed.version == ada.version + 1
    with pytest.raises(Conflict):
        users.update(replace(ada, role=Role.ADMIN))
    with pytest.raises(NotFound):
        users.update(replace(ada, id=UserId(uuid4())))
    with pytest.raises(Conflict):
        users.add("ada", "hash", Role.VIEWER, None, False)


# --- the audit trail -----------------------------------------------------------------------------


def test_the_audit_trail_is_read_by_page_and_cannot_be_changed(pool: ConnectionPool) -> None:
    rows = AuditRepository(pool)
    for number in range(5):
        rows.add(
            AuditEntry(
                None, "ada", None, FARM, f"act {number}", "thing", str(number), "::1", {"n": number}
            )
        )
    first = rows.list(limit=2)
    assert [row.entry.action for row in first] == ["act 4", "act 3"]
    rest = rows.list(before=first[-1].id)
    assert [row.entry.details for row in rest] == [{"n": 2}, {"n": 1}, {"n": 0}]
    assert rows.list(farm_id=FarmId(uuid4())) == []
    for statement in (
        "UPDATE audit_log SET username = 'eve'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ):
        with pool.connection() as connection, pytest.raises(psycopg.errors.RaiseException):
            connection.execute(statement)


def test_callers_are_counted_by_key_or_by_account(accounts: Accounts, ada: User) -> None:
    owner = accounts.log_in("ada", PASSWORD).caller
    secret, key = accounts.add_key(owner, "probe", [Scope.READ], None)
    by_key: Caller = accounts.identify(secret)
    assert owner.subject == f"user:{ada.id}"
    assert by_key.subject == f"key:{key.id}"

"""A running API on real servers, with an account of every role and streams of two farms."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from uuid import UUID

import httpx
import psycopg
import pytest
import redis
from psycopg_pool import ConnectionPool

from barnhand_desktop.api.config import ApiConfig, RateLimits
from barnhand_desktop.api.passwords import Passwords
from barnhand_desktop.api.rates import Rate
from barnhand_desktop.api.server import ApiServer
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.valkey import EmbeddedValkey
from db.credentials import CredentialBox
from db.pool import open_pool
from db.repositories.farms import DEFAULT_FARM
from db.repositories.grants import GrantRepository
from db.repositories.streams import PostgresStreamRepository
from db.repositories.users import Role, UserRepository
from engine.domain.ids import FarmId, StreamId, new_stream_id
from engine.domain.streams import SourceKind, Stream
from engine.runtime.worker import Worker
from tests.fixtures_data import database_dsn

PASSWORD = "correct horse battery"
CANARY = "canary-s3cret-of-the-camera"
WaitUntil = Callable[[Callable[[], object]], None]
_databases = itertools.count(1)

PLENTY = RateLimits(
    login_account=Rate(count=1000, per_s=60),
    login_address=Rate(count=1000, per_s=60),
    caller=Rate(count=100_000, per_s=60),
    address=Rate(count=100_000, per_s=60),
    model_upload=Rate(count=100_000, per_s=60),
)


@dataclass
class World:
    """What the tests talk to."""

    config: ApiConfig
    url: str
    pool: ConnectionPool
    redis: redis.Redis
    farm: FarmId
    other_farm: FarmId
    granted: StreamId
    hidden: StreamId
    foreign: StreamId
    tokens: dict[str, str]
    http: httpx.Client

    @property
    def base(self) -> str:
        """The base path's address."""
        return f"{self.url}/api/v1"

    def request(
        self,
        account: str | None,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A request by an account, or by nobody; ``path`` is below the base path or a URL."""
        sent = {} if account is None else {"Authorization": f"Bearer {self.tokens[account]}"}
        url = path if path.startswith("http") else self.base + path
        return self.http.request(method, url, json=body, headers={**sent, **(headers or {})})


ACCOUNTS: dict[str, tuple[Role, bool, bool]] = {
    # name: role, of one farm, of the other farm
    "root": (Role.ADMIN, False, False),
    "admin": (Role.ADMIN, True, False),
    "manager": (Role.MANAGER, True, False),
    "viewer": (Role.VIEWER, True, False),
    "stranger": (Role.MANAGER, True, True),
}


@contextlib.contextmanager
def fresh_database(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A migrated database that outlives one test."""
    name = f"api_test_{next(_databases)}"
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE barnhand_template")
        yield database_dsn(postgres_server.dsn, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def api_database(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The database of the world below."""
    with fresh_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def api_config(
    api_database: str, valkey_server: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> ApiConfig:
    """The configuration of the tests' server; limits are wide where a test is not about them."""
    folder: Path = tmp_path_factory.mktemp("api")
    return ApiConfig(
        dsn=api_database,
        live_url=valkey_server.url,
        secret_path=folder / "signing.key",
        credential_key=CredentialBox.new_key().decode(),
        port=0,
        rates=PLENTY,
    )


def run_server(config: ApiConfig) -> Iterator[str]:
    """A server of that configuration on its own thread; yields where it listens."""
    server = ApiServer(config)
    listening = Event()
    worker = Worker("api under test", lambda _: server.run(lambda _url: listening.set()))
    worker.start()
    assert listening.wait(20), "the server did not start"
    yield server.url
    server.stop()
    assert worker.join(20), "the server did not end"
    assert worker.last_error is None


@pytest.fixture(scope="session")
def api_url(api_config: ApiConfig) -> Iterator[str]:
    """Where the running server listens."""
    yield from run_server(api_config)


@pytest.fixture(scope="session")
def world(api_config: ApiConfig, api_url: str) -> Iterator[World]:
    """The running server with its accounts and streams."""
    with open_world(api_config, api_url) as opened:
        yield opened


@contextlib.contextmanager
def open_world(config: ApiConfig, url: str) -> Iterator[World]:
    """Accounts and streams in an empty database, which the server at ``url`` serves."""
    with (
        open_pool(config.dsn, 4) as pool,
        redis.Redis.from_url(config.live_url) as live,
        httpx.Client(timeout=20) as http,
    ):
        live.flushall()
        with pool.connection() as connection:
            row = connection.execute(
                "INSERT INTO farms (name) VALUES ('Other farm') RETURNING id"
            ).fetchone()
        assert row is not None
        other = FarmId(UUID(str(row[0])))
        streams = PostgresStreamRepository(pool, config.credential_key.encode())
        ids = {
            name: streams.add(camera(name), farm).id
            for name, farm in (
                ("granted", DEFAULT_FARM),
                ("hidden", DEFAULT_FARM),
                ("foreign", other),
            )
        }
        tokens = _accounts(pool, other, ids["granted"], http, url)
        yield World(
            config=config,
            url=url,
            pool=pool,
            redis=live,
            farm=DEFAULT_FARM,
            other_farm=other,
            granted=ids["granted"],
            hidden=ids["hidden"],
            foreign=ids["foreign"],
            tokens=tokens,
            http=http,
        )


def camera(name: str) -> Stream:
    """A camera with credentials."""
    return Stream(
        id=new_stream_id(),
        name=name,
        kind=SourceKind.RTSP,
        address="rtsp://192.0.2.7:554/live",
        username="operator",
        password=CANARY,
    )


def _accounts(
    pool: ConnectionPool, other: FarmId, granted: StreamId, http: httpx.Client, url: str
) -> dict[str, str]:
    users, hashed, tokens = UserRepository(pool), Passwords().hash(PASSWORD), {}
    for name, (role, of_a_farm, of_the_other) in ACCOUNTS.items():
        farm = (other if of_the_other else DEFAULT_FARM) if of_a_farm else None
        user = users.add(name, hashed, role, farm, must_change_password=False)
        if role is Role.VIEWER:
            GrantRepository(pool).set_grants(user.id, [granted])
        answer = http.post(
            f"{url}/api/v1/auth/login", json={"username": name, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        tokens[name] = answer.json()["access_token"]
    return tokens


def require_problem(answer: httpx.Response, status: int, code: str | None = None) -> None:
    """The answer is a problem document (RFC 9457) of that status, and code if one is named."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == f"urn:barnhand:problem:{problem['code']}"
    assert problem["title"]
    if code is not None:
        assert problem["code"] == code


@pytest.fixture
def wait_until() -> WaitUntil:
    """Wait for a condition, at most 15 s."""

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + 15.0
        while not condition():
            assert time.monotonic() < end, "the condition did not come true in 15 s"
            time.sleep(0.01)

    return wait

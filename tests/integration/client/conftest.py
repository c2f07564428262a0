"""A stocked barn's running API, and clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from barnhand_desktop.client import Barnhand, Login
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from tests.fixtures_api import PASSWORD, wait_until
from tests.fixtures_document import Barn, stocked_barn

__all__ = ["wait_until"]

As = Callable[[str], Barnhand]


@pytest.fixture(scope="package")
def stocked(
    postgres_server: EmbeddedPostgres, servers_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Barn]:
    folder = tmp_path_factory.mktemp("client")
    with stocked_barn(postgres_server, servers_dir, folder) as made:
        yield made


@pytest.fixture
def as_account(stocked: Barn) -> Iterator[As]:
    """Clients of accounts by name."""
    opened: list[Barnhand] = []

    def client(name: str) -> Barnhand:
        opened.append(Barnhand(stocked.world.url, Login(name, PASSWORD)))
        return opened[-1]

    yield client
    for one in opened:
        one.close()


@pytest.fixture
def barn(as_account: As) -> Barnhand:
    """A client of the administrator of all farms."""
    return as_account("root")

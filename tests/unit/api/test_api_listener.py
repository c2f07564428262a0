"""Where the API listens."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from barnhand_desktop.api.config import DEFAULT_PORT, ApiConfig
from barnhand_desktop.api.server import bind, url_of
from engine.domain.errors import EnvironmentFault, OperatorMistake


@pytest.fixture
def config(tmp_path: Path) -> ApiConfig:
    return ApiConfig(
        dsn="canary-dsn",
        live_url="canary-live",
        secret_path=tmp_path / "key",
        credential_key="canary-key",
    )


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_the_default_port_is_the_specified_one() -> None:
    assert DEFAULT_PORT == 8620


def test_a_taken_port_leads_to_the_next(config: ApiConfig, taken_port: int) -> None:
    with bind(config.model_copy(update={"port": taken_port})) as listener:
        assert taken_port < listener.getsockname()[1] <= taken_port + config.port_tries


def test_without_a_free_port_it_says_so(config: ApiConfig, taken_port: int) -> None:
    with pytest.raises(EnvironmentFault, match="No port"):
        bind(config.model_copy(update={"port": taken_port, "port_tries": 1}))


def test_a_host_that_is_no_address_is_a_mistake(config: ApiConfig) -> None:
    with pytest.raises(OperatorMistake, match="not an address"):
        bind(config.model_copy(update={"host": "barn.example"}))


def test_answers_are_not_held_back_by_nagle(config: ApiConfig) -> None:
    """asyncio sets TCP_NODELAY only on sockets of a named protocol; else answers take 40 ms."""
    with bind(config.model_copy(update={"port": 0})) as listener:
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
    ],
)
def test_the_address_is_one_that_can_be_opened(config: ApiConfig, host: str, url: str) -> None:
    assert url_of(config.model_copy(update={"host": host}), 1) == url


def test_the_configuration_shows_no_secret(config: ApiConfig) -> None:
    assert "canary" not in repr(config)
    assert "canary" not in str(config)

"""With remote access on: TLS, changed passwords, closed metrics, allowed origins, rate limits."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from barnhand_desktop.api.accounts import ensure_admin
from barnhand_desktop.api.certificate import ensure_certificate
from barnhand_desktop.api.config import ApiConfig, RateLimits, is_loopback
from barnhand_desktop.api.passwords import Passwords
from barnhand_desktop.api.rates import Rate
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.valkey import EmbeddedValkey
from db.credentials import CredentialBox
from db.pool import open_pool
from tests.fixtures_api import fresh_database, require_problem, run_server

ORIGIN = "https://barn.example"


@dataclass
class Remote:
    """A server that listens on every address, over TLS, with one fresh administrator."""

    client: httpx.Client
    password: str


@pytest.fixture(scope="module")
def remote(
    postgres_server: EmbeddedPostgres,
    valkey_server: EmbeddedValkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Remote]:
    with fresh_database(postgres_server) as dsn:
        # A key space of its own: its narrow limits must not count against other tests.
        live_url = f"{valkey_server.url.rpartition('/')[0]}/1"
        yield from _remote(dsn, live_url, tmp_path_factory.mktemp("remote"))


def _remote(database: str, live_url: str, folder: Path) -> Iterator[Remote]:
    certificate, key = ensure_certificate(folder)
    config = ApiConfig(
        dsn=database,
        live_url=live_url,
        secret_path=folder / "signing.key",
        credential_key=CredentialBox.new_key().decode(),
        host="0.0.0.0",
        port=0,
        tls_certificate=certificate,
        tls_key=key,
        cors_origins=(ORIGIN,),
        rates=RateLimits(login_account=Rate(count=4, per_s=3600)),
    )
    with open_pool(database, 2) as pool:
        password = ensure_admin(pool)
    assert password is not None
    trusting = ssl.create_default_context(cafile=str(certificate))
    for url in run_server(config):
        with httpx.Client(base_url=f"{url}/api/v1", verify=trusting, timeout=20) as client:
            yield Remote(client, password)


def login(remote: Remote, username: str, password: str) -> httpx.Response:
    body = {"username": username, "password": password}
    return remote.client.post("/auth/login", json=body)


def test_the_one_time_password_must_be_changed_before_anything_else(remote: Remote) -> None:
    first = login(remote, "admin", remote.password)
    assert first.status_code == 200, first.text
    assert first.json()["user"]["must_change_password"] is True
    bearer = {"Authorization": f"Bearer {first.json()['access_token']}"}
    for path in ("/streams", "/users", "/audit", "/metrics"):
        answer = remote.client.get(path, headers=bearer)
        require_problem(answer, 403, "password_change_required")
    assert remote.client.get("/auth/me", headers=bearer).status_code == 200
    change = {"current_password": "not " + remote.password, "new_password": "my own password 1"}
    answer = remote.client.post("/auth/password", json=change, headers=bearer)
    require_problem(answer, 403, "password_wrong")
    change["current_password"] = remote.password
    answer = remote.client.post("/auth/password", json=change, headers=bearer)
    assert answer.status_code == 204, answer.text
    assert remote.client.get("/streams", headers=bearer).status_code == 200


def test_metrics_need_a_key_when_others_can_reach_them(remote: Remote) -> None:
    require_problem(remote.client.get("/metrics"), 401, "unauthenticated")
    assert remote.client.get("/healthz").status_code == 200


def test_a_login_flood_is_limited_before_a_password_is_hashed(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    check = Passwords.check
    monkeypatch.setattr(
        Passwords,
        "check",
        lambda self, stored, password: (checked.append(password), check(self, stored, password))[1],
    )
    answers = [login(remote, "victim", f"guess number {n}") for n in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 8
    assert len(checked) == 4
    require_problem(answers[-1], 429, "rate_limited")
    assert int(answers[-1].headers["retry-after"]) >= 1
    # By account, however it is written.
    require_problem(login(remote, " VICTIM", "guess"), 429, "rate_limited")


def test_only_the_origins_named_may_read_across(remote: Remote) -> None:
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = remote.client.options("/auth/login", headers=preflight)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in answer.headers
    other = remote.client.options(
        "/auth/login", headers={**preflight, "Origin": "https://evil.example"}
    )
    assert "access-control-allow-origin" not in other.headers
    body = {"username": "nobody-else", "password": "x" * 12}
    allowed = remote.client.post("/auth/login", json=body, headers={"Origin": ORIGIN})
    assert allowed.status_code == 401
    refused = remote.client.post(
        "/auth/login", json=body, headers={"Origin": "https://evil.example"}
    )
    require_problem(refused, 403, "origin_refused")


def test_answers_ask_for_tls_from_now_on(remote: Remote) -> None:
    assert "max-age" in remote.client.get("/healthz").headers["strict-transport-security"]


def test_remote_access_without_tls_is_refused(tmp_path: Path) -> None:
    fields = {"dsn": "x", "live_url": "x", "secret_path": tmp_path / "k", "credential_key": "x"}
    for host in ("0.0.0.0", "::", "192.168.1.4"):
        with pytest.raises(ValidationError, match="TLS"):
            ApiConfig.model_validate({**fields, "host": host})
    assert not ApiConfig.model_validate(fields).remote
    assert is_loopback("127.0.0.53")
    assert not is_loopback("barn.example")


def test_a_certificate_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    certificate, key = ensure_certificate(tmp_path / "tls", ["192.168.1.4", "barn.local"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    made = certificate.read_bytes()
    assert ensure_certificate(tmp_path / "tls") == (certificate, key)
    assert certificate.read_bytes() == made
    certificate.write_text("damaged")
    ensure_certificate(tmp_path / "tls")
    assert certificate.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")

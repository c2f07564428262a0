"""Logging in, renewing, keys, and refusals as exceptions, against a running API."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

from barnhand_desktop.client import (
    ApiKey,
    Barnhand,
    Conflict,
    Connection,
    Forbidden,
    Invalid,
    Login,
    LoginEnded,
    LoginRefused,
    NotFound,
    RateLimited,
    Refused,
    Unauthenticated,
    UnexpectedAnswer,
    Unreachable,
)
from barnhand_desktop.client.answers import Tokens
from barnhand_desktop.client.credentials import Exchange
from tests.fixtures_api import PASSWORD
from tests.fixtures_document import Barn
from tests.helpers.cut_connections import Relay
from tests.integration.client.conftest import As


class Clock:
    """Seconds that pass when told."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class CountingLogin(Login):
    """Counts what it exchanges."""

    def __init__(
        self, username: str, password: str, remember: bool = False, mono_s: Clock | None = None
    ) -> None:
        super().__init__(username, password, remember, mono_s or time.monotonic)
        self.paths: list[str] = []

    def counted(self, exchange: Exchange) -> Exchange:
        def do(path: str, body: dict[str, str]) -> Tokens:
            self.paths.append(path)
            return exchange(path, body)

        return do

    def token(self, exchange: Exchange) -> str:
        return super().token(self.counted(exchange))

    def renewed(self, refused: str, exchange: Exchange) -> str | None:
        return super().renewed(refused, self.counted(exchange))


def test_an_account_logs_in_once_and_out(stocked: Barn) -> None:
    login = CountingLogin("manager", PASSWORD)
    with Barnhand(stocked.world.url, login) as barn:
        assert barn.auth.me().role == "manager"
        assert barn.auth.me().username == "manager"
        assert login.paths == ["/auth/login"]
        barn.auth.logout()
        with pytest.raises(LoginEnded):
            barn.auth.me()


def test_a_token_near_its_end_is_exchanged_and_nobody_logs_in_again(stocked: Barn) -> None:
    clock = Clock()
    login = CountingLogin("manager", PASSWORD, mono_s=clock)
    with Barnhand(stocked.world.url, login) as barn:
        barn.auth.me()
        clock.now_s += 3600.0 - 29.0
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(barn.auth.me) for _ in range(16)]
        assert {one.result().username for one in asked} == {"manager"}
    assert login.paths == ["/auth/login", "/auth/refresh"]


def test_a_refused_token_is_renewed_once_and_the_request_made_again(stocked: Barn) -> None:
    login = CountingLogin("manager", PASSWORD)
    with Barnhand(stocked.world.url, login) as barn:
        barn.auth.me()
        login._access = "eyJ.not.good"
        assert barn.auth.me().username == "manager"
    assert login.paths == ["/auth/login", "/auth/refresh"]


def test_an_ended_login_is_told_or_begun_anew_with_a_remembered_password(stocked: Barn) -> None:
    for remember in (False, True):
        login = CountingLogin("stranger", PASSWORD, remember=remember)
        with Barnhand(stocked.world.url, login) as barn:
            barn.auth.me()
            with Barnhand(stocked.world.url, ApiKey(str(login._access))) as other:
                other.auth.logout()
            if remember:
                assert barn.auth.me().username == "stranger"
                assert login.paths == ["/auth/login", "/auth/refresh", "/auth/login"]
            else:
                with pytest.raises(LoginEnded):
                    barn.auth.me()


def test_an_exchange_whose_answer_was_lost_is_not_made_twice(stocked: Barn) -> None:
    """A refresh token that comes twice would end the account's whole login."""
    login = CountingLogin("manager", PASSWORD)
    with Relay(stocked.world.url) as relay:
        connection = Connection(relay.url, login, patience_s=0.0)
        with Barnhand.over(connection) as barn:
            barn.auth.me()
            relay.cut()
            relay.cut_after(20)
            login._good_until_s = 0.0
            with pytest.raises(Unreachable) as caught:
                barn.auth.me()
            assert caught.value.maybe_done
            with pytest.raises(LoginEnded):
                barn.auth.me()
    assert login.paths == ["/auth/login", "/auth/refresh"]


def test_credentials_do_not_show_in_texts(stocked: Barn) -> None:
    login, key = Login("manager", PASSWORD), ApiKey("a secret key")
    assert PASSWORD not in repr(login) and "secret" not in repr(key)
    with pytest.raises(LoginRefused) as caught:
        Barnhand(stocked.world.url, Login("manager", "a wrong password")).auth.me()
    assert "wrong password" not in str(caught.value)


def test_keys_do_what_their_scopes_allow(barn: Barnhand, stocked: Barn) -> None:
    expires = datetime.now(UTC) + timedelta(days=1)
    made = barn.api_keys.add("display", ["read"], expires)
    assert made.expires_at is not None and abs(made.expires_at - expires) < timedelta(seconds=1)
    with Barnhand(stocked.world.url, ApiKey(made.key)) as program:
        assert program.auth.me().scopes == ("read",)
        assert any(program.streams.list())
        with pytest.raises(Forbidden, match="scope_missing"):
            program.tracking.set_threshold(0.5)
        assert made.id in {key.id for key in barn.api_keys.list()}
        barn.api_keys.revoke(made.id)
        with pytest.raises(LoginEnded):
            program.auth.me()


def test_administrators_make_accounts_and_grant_streams(
    barn: Barnhand, stocked: Barn, as_account: As
) -> None:
    name = f"vet{uuid4().hex[:8]}"
    made = barn.users.add(name, "a long enough password", "viewer", stocked.world.farm)
    granted = barn.users.set_grants(made.id, [stocked.world.granted])
    assert granted == barn.users.grants(made.id)
    with Barnhand(stocked.world.url, Login(name, "a long enough password")) as vet:
        vet.auth.password("a long enough password", "another good password")
        assert [stream.id for stream in vet.streams.list()] == [stocked.world.granted]
        with pytest.raises(Forbidden):
            next(vet.users.list())
    changed = barn.users.get(made.id)
    assert changed.version > made.version, "the password was changed"
    changed = barn.users.change(made.id, "manager", True, changed.version, stocked.world.farm)
    assert barn.users.get(made.id) == changed and changed.role == "manager"
    with pytest.raises(Conflict):
        barn.users.change(made.id, "viewer", True, made.version, stocked.world.farm)
    barn.users.remove(made.id)
    with pytest.raises(NotFound):
        barn.users.get(made.id)
    assert {"user.add", "user.grant", "user.remove"} <= {row.action for row in barn.audit.list()}


def test_every_refusal_says_what_the_problem_document_says(barn: Barnhand, stocked: Barn) -> None:
    with pytest.raises(NotFound) as missing:
        barn.horses.get(uuid4())
    assert (missing.value.status, missing.value.code) == (404, "not_found")
    with pytest.raises(Invalid) as wrong:
        barn.tracking.set_threshold(2.0)
    assert wrong.value.code == "validation_failed"
    assert [error.field for error in wrong.value.errors] == ["body.threshold"]
    with pytest.raises(Unauthenticated):
        next(Barnhand(stocked.world.url).streams.list())
    with pytest.raises(ValueError, match="no time zone"):
        next(barn.detections.list(start_time=datetime.now(UTC).replace(tzinfo=None)))


def test_what_is_not_there_or_another_program_is_told(stocked: Barn, valkey_url: str) -> None:
    waits: list[float] = []
    nobody = Connection("http://127.0.0.1:9", patience_s=1.0, wait=waits.append)
    with pytest.raises(Unreachable) as caught:
        Barnhand.over(nobody).operation.metrics()
    assert not caught.value.maybe_done
    assert waits, "it was tried again for a while"
    docs = Connection(stocked.world.url)
    with pytest.raises(UnexpectedAnswer):
        docs.get(Tokens, "/healthz")
    with pytest.raises(ValueError, match="address"):
        Barnhand("ftp://127.0.0.1")
    with pytest.raises(Unreachable):
        Barnhand.over(Connection(valkey_url, answer_s=2.0, patience_s=0.0)).operation.healthz()


@pytest.fixture
def valkey_url(stocked: Barn) -> str:
    """A server that speaks no HTTP."""
    parts = urlsplit(stocked.world.config.live_url)
    return f"http://{parts.hostname}:{parts.port}"


@pytest.mark.parametrize("status", [429, 503])
def test_it_comes_back_when_the_server_says(stocked: Barn, status: int) -> None:
    """429: any request, as it was not looked at. 503: only what may be repeated."""
    waits: list[float] = []

    class Busy(Connection):
        refusals = 2

        def _checked(
            self, sent: requests.Request, token: str | None, stream: bool
        ) -> requests.Response:
            if self.refusals:
                self.refusals -= 1
                kind = RateLimited if status == 429 else Refused
                raise kind(status, "busy", "later", retry_after_s=3.0)
            return super()._checked(sent, token, stream)

    key = ApiKey(stocked.world.tokens["root"])
    busy = Barnhand.over(Busy(stocked.world.url, key, wait=waits.append))
    assert busy.auth.me().username == "root"
    assert [round(wait_s) for wait_s in waits] == [3, 3]
    busy = Barnhand.over(Busy(stocked.world.url, key, wait=waits.append))
    if status == 429:
        assert busy.tracking.set_threshold(None).threshold is None
    else:
        with pytest.raises(Refused):
            busy.tracking.set_threshold(None)
    busy = Barnhand.over(Busy(stocked.world.url, key, patience_s=2.0, wait=waits.append))
    with pytest.raises(Refused):
        busy.auth.me()

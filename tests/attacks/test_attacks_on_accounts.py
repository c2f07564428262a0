"""Forged and stolen credentials: access tokens, refresh tokens, API keys, media addresses, floods
of logins. The list is in ``test_attacks``."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from barnhand_desktop.api.config import ApiConfig, RateLimits
from barnhand_desktop.api.media_tokens import NO_CHUNK, MediaClaims, MediaKind, MediaTokens
from barnhand_desktop.api.passwords import Passwords
from barnhand_desktop.api.rates import Rate
from barnhand_desktop.api.tokens import AUDIENCE, load_signing_key
from engine.domain.ids import UserId
from engine.domain.recording import ChunkId
from engine.runtime.worker import Worker
from tests.attacks.farmyard import Yard
from tests.fixtures_api import PASSWORD, PLENTY, require_problem, run_server

NOW = datetime.now(UTC)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def me(yard: Yard, token: str) -> httpx.Response:
    return yard.world.http.get(f"{yard.world.base}/auth/me", headers=bearer(token))


@pytest.fixture
def victim(yard: Yard) -> Iterator[dict[str, Any]]:
    """A manager with a login of its own; ``tokens`` as the server gave them."""
    name = f"v{uuid4().hex[:12]}"
    body = {
        "username": name, "password": PASSWORD, "role": "manager",
        "farm_id": str(yard.world.farm),
    }  # fmt: skip
    user = yard.send("root", "POST", "/users", body).json()
    login = {"username": name, "password": PASSWORD}
    yield {**user, "login": login, **yard.send(None, "POST", "/auth/login", login).json()}


# --- access tokens -------------------------------------------------------------------------------


def forgeries(yard: Yard) -> dict[str, str]:
    """Tokens that are each wrong in one way."""
    key = load_signing_key(yard.world.config.secret_path)
    token = yard.world.tokens["manager"]
    kid = jwt.get_unverified_header(token)["kid"]
    claims = jwt.decode(token, key, algorithms=["HS256"], audience=AUDIENCE)
    root = jwt.decode(yard.world.tokens["root"], key, algorithms=["HS256"], audience=AUDIENCE)
    public = rsa.generate_private_key(65537, 2048).public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def signed(changes: dict[str, Any], key_: bytes = key, kid_: object = kid) -> str:
        kept = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return by_hand({"alg": "HS256", "typ": "JWT", "kid": kid_}, kept, key_)

    header, payload, signature = token.split(".")
    other = {"sub": root["sub"]}
    critical = {"alg": "HS256", "kid": kid, "crit": ["x"], "x": 1}
    later = int((NOW + timedelta(hours=1)).timestamp())
    return {
        "none": by_hand({"alg": "none", "kid": kid}, claims, None),
        "nOnE": by_hand({"alg": "nOnE", "kid": kid}, claims, None),
        "no signature": f"{header}.{payload}.",
        "public RSA key as HMAC secret": by_hand({"alg": "HS256", "kid": kid}, claims, pem),
        "RS256 in the header": by_hand({"alg": "RS256", "kid": kid}, claims, key),
        "HS512 in the header": by_hand({"alg": "HS512", "kid": kid}, claims, key),
        "another key": signed({}, b"x" * 32),
        "empty key": signed({}, b""),
        "another key id": signed({}, key, "0" * 16),
        "key id as a path": signed({}, key, "../../../dev/null"),
        "key id as SQL": signed({}, key, "' OR 1=1 --"),
        "no key id": signed({}, key, None),
        "another audience": signed({"aud": "other"}),
        "a list of audiences without ours": signed({"aud": ["other", "barnhand"]}),
        "another issuer": signed({"iss": "other"}),
        "expired": signed({"exp": int(NOW.timestamp()) - 60}),
        "never expires": signed({"exp": None}),
        "made in the future": signed({"iat": later}),
        "not valid yet": signed({"nbf": later}),
        "another account, same signature": f"{header}.{_part({**claims, **other})}.{signature}",
        "another account in this session": signed({"sub": root["sub"]}),
        "a session that never was": signed({"sid": str(uuid4())}),
        "an account that never was": signed({"sub": str(uuid4())}),
        "critical extension": by_hand(critical, claims, key),
        "key in the header": by_hand(
            {"alg": "HS256", "kid": kid, "jwk": {"kty": "oct", "k": "eHh4"}}, claims, b"xxx"
        ),
        "a signature that begins otherwise": token.replace(
            f".{signature}", f".{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
        ),
    }  # fmt: skip


def by_hand(header: dict[str, Any], claims: dict[str, Any], key: bytes | None) -> str:
    """A token with any header, signed with HMAC-SHA256, or not at all."""
    body = f"{_part(header)}.{_part(claims)}"
    if key is None:
        return f"{body}."
    mac = hmac.new(key, body.encode(), hashlib.sha256).digest()
    return f"{body}.{_text(mac)}"


def _part(document: dict[str, Any]) -> str:
    return _text(json.dumps(document).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_no_forged_token_is_taken(yard: Yard) -> None:
    assert me(yard, yard.world.tokens["manager"]).is_success
    for name, forged in forgeries(yard).items():
        answer = me(yard, forged)
        assert answer.status_code == 401, name
        require_problem(answer, 401, "token_refused")


def test_a_token_made_by_hand_is_taken_when_nothing_is_wrong_with_it(yard: Yard) -> None:
    """The forgeries differ from this one in what their names say."""
    key = load_signing_key(yard.world.config.secret_path)
    token = yard.world.tokens["manager"]
    claims = jwt.decode(token, key, algorithms=["HS256"], audience=AUDIENCE)
    assert me(yard, by_hand(jwt.get_unverified_header(token), claims, key)).is_success


def test_one_kind_of_token_is_never_another(yard: Yard, victim: dict[str, Any]) -> None:
    link = yard.send("viewer", "GET", f"/streams/{yard.world.granted}/hls/link").json()["url"]
    media = link.split("/hls/")[1].split("/")[0]
    key = yard.credentials["manager's read key"]["X-API-Key"]
    for wrong in (victim["refresh_token"], media, f"bhk_{media}", key.removeprefix("bhk_")):
        require_problem(me(yard, wrong), 401, "token_refused")
    for wrong in (victim["access_token"], media, key):
        answer = yard.send(None, "POST", "/auth/refresh", {"refresh_token": wrong})
        assert answer.status_code in (401, 422), answer.text
    for wrong in (victim["access_token"][:200], victim["refresh_token"], key):
        answer = yard.send(None, "GET", f"/hls/{wrong}/playlist.m3u8")
        require_problem(answer, 403, "media_token_refused")


CHANGES: dict[str, Callable[[Yard, dict[str, Any]], httpx.Response]] = {
    "removed": lambda yard, who: yard.send("root", "DELETE", f"/users/{who['id']}"),
    "switched off": lambda yard, who: yard.send(
        "root", "PUT", f"/users/{who['id']}",
        {"role": "manager", "farm_id": who["farm_id"], "enabled": False, "version": who["version"]},
    ),
    "logged out": lambda yard, who: yard.world.http.post(
        f"{yard.world.base}/auth/logout", headers=bearer(who["access_token"])
    ),
    "password changed elsewhere": lambda yard, who: _change_password(yard, who),
}  # fmt: skip


def _change_password(yard: Yard, who: dict[str, Any]) -> httpx.Response:
    other = yard.send(None, "POST", "/auth/login", who["login"]).json()["access_token"]
    body = {"current_password": PASSWORD, "new_password": "another long password"}
    return yard.world.http.post(
        f"{yard.world.base}/auth/password", json=body, headers=bearer(other)
    )


@pytest.mark.parametrize("change", CHANGES)
def test_tokens_end_with_what_they_stand_for(
    yard: Yard, victim: dict[str, Any], change: str
) -> None:
    assert me(yard, victim["access_token"]).is_success
    assert CHANGES[change](yard, victim).is_success
    require_problem(me(yard, victim["access_token"]), 401, "token_refused")
    body = {"refresh_token": victim["refresh_token"]}
    require_problem(yard.send(None, "POST", "/auth/refresh", body), 401)


def test_a_lower_role_holds_at_once(yard: Yard, victim: dict[str, Any]) -> None:
    """Tokens carry no role: what was granted yesterday is not in anybody's pocket."""
    who = victim["access_token"]
    key = yard.world.http.post(
        f"{yard.world.base}/api-keys",
        json={"name": "x", "scopes": ["read", "write"]},
        headers=bearer(who),
    ).json()["key"]
    path = f"/streams/{yard.world.granted}/stop"
    for role, status in (("manager", 202), ("viewer", 403)):
        version = yard.send("root", "GET", f"/users/{victim['id']}").json()["version"]
        body = {"role": role, "farm_id": victim["farm_id"], "enabled": True, "version": version}
        assert yard.send("root", "PUT", f"/users/{victim['id']}", body).is_success
        for headers in (bearer(who), {"X-API-Key": key}):
            answer = yard.world.http.post(yard.world.base + path, headers=headers)
            assert answer.status_code == status, answer.text


# --- refresh tokens ------------------------------------------------------------------------------


def test_a_stolen_refresh_token_ends_the_whole_login(yard: Yard, victim: dict[str, Any]) -> None:
    stolen = {"refresh_token": victim["refresh_token"]}
    fresh = yard.send(None, "POST", "/auth/refresh", stolen).json()
    require_problem(yard.send(None, "POST", "/auth/refresh", stolen), 401, "refresh_reused")
    for pair in (victim, fresh):
        require_problem(me(yard, pair["access_token"]), 401, "token_refused")
        body = {"refresh_token": pair["refresh_token"]}
        require_problem(yard.send(None, "POST", "/auth/refresh", body), 401)
    rows = yard.execute("SELECT username FROM audit_log WHERE action = 'refresh.reused'")
    assert (victim["id"],) in rows


def test_two_refreshes_at_once_are_a_theft(yard: Yard, victim: dict[str, Any]) -> None:
    barrier, answers = Barrier(6), []

    def exchange(_: object) -> None:
        barrier.wait(10)
        body = {"refresh_token": victim["refresh_token"]}
        answers.append(httpx.post(f"{yard.world.base}/auth/refresh", json=body, timeout=20))

    workers = [Worker(f"thief {number}", exchange) for number in range(6)]
    for worker in workers:
        worker.start()
    assert all(worker.join(30) for worker in workers)
    won = [answer.json() for answer in answers if answer.is_success]
    assert len(answers) == 6 and len(won) <= 1
    assert any(answer.json().get("code") == "refresh_reused" for answer in answers)
    for pair in won:
        require_problem(me(yard, pair["access_token"]), 401, "token_refused")


# --- logging in ----------------------------------------------------------------------------------


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each password that is hashed: whether an account was behind it."""
    found: list[bool] = []
    check = Passwords.check

    def counted(self: Passwords, stored: str | None, password: str) -> bool:
        found.append(stored is not None)
        return check(self, stored, password)

    monkeypatch.setattr(Passwords, "check", counted)
    return found


@pytest.fixture
def strict(attacked_config: ApiConfig) -> Iterator[str]:
    """The same application with narrow limits, counted apart from the other tests."""
    rates = RateLimits(
        **{
            **PLENTY.model_dump(),
            "login_account": Rate(count=3, per_s=3600),
            "login_address": Rate(count=9, per_s=3600),
        }
    )
    live = f"{attacked_config.live_url.rpartition('/')[0]}/{4 + uuid4().int % 12}"
    config = attacked_config.model_copy(update={"rates": rates, "live_url": live})
    for url in run_server(config):
        yield f"{url}/api/v1"


def guess(url: str, name: str, number: int) -> int:
    body = {"username": name, "password": f"guess {number} is wrong"}
    return httpx.post(f"{url}/auth/login", json=body, timeout=20).status_code


def test_a_flood_of_logins_is_counted_before_anything_is_hashed(
    strict: str, hashing: list[bool]
) -> None:
    account = f"flooded{uuid4().hex[:6]}"
    spellings = (account, account.upper(), f" {account} ")
    told = [guess(strict, spellings[number % 3], number) for number in range(9)]
    assert told == [401] * 3 + [429] * 6 and len(hashing) == 3
    # The address is spent as well now: other names help no more.
    assert [guess(strict, f"other{number}", number) for number in range(3)] == [429] * 3
    assert len(hashing) == 3


def test_an_account_that_does_not_exist_costs_the_same_work(
    yard: Yard, hashing: list[bool], victim: dict[str, Any]
) -> None:
    hashing.clear()
    version = yard.send("root", "GET", f"/users/{victim['id']}").json()["version"]
    off = {"role": "viewer", "farm_id": victim["farm_id"], "enabled": False, "version": version}
    answers = []
    for name, password in (("nobody here", PASSWORD), ("viewer", "wrong " + PASSWORD)):
        body = {"username": name, "password": password}
        answers.append(yard.send(None, "POST", "/auth/login", body))
    assert yard.send("root", "PUT", f"/users/{victim['id']}", off).is_success
    answers.append(yard.send(None, "POST", "/auth/login", victim["login"]))
    assert hashing == [False, True, True], "one hash each, for an account or for nobody"
    assert len({(a.status_code, a.text) for a in answers}) == 1
    for answer in answers:
        require_problem(answer, 401, "login_refused")


# --- media addresses -----------------------------------------------------------------------------


def _media(yard: Yard, **changes: Any) -> str:
    side = yard.sides["granted"]
    user = UserId(UUID(yard.send("viewer", "GET", "/auth/me").json()["id"]))
    claims = MediaClaims(
        MediaKind.VIDEO, user, side.stream, ChunkId(UUID(side.ids["chunk"])),
        int(datetime.now(UTC).timestamp()) + 600,
    )  # fmt: skip
    values = {name: getattr(claims, name) for name in claims.__slots__} | changes
    tokens = MediaTokens(load_signing_key(yard.world.config.secret_path))
    return tokens.issue(MediaClaims(**values))


def test_a_media_address_opens_what_it_names_and_is_noted_once(yard: Yard) -> None:
    url = f"/hls/{_media(yard)}/video.mp4"
    before = yard.audited()
    for _ in range(3):
        assert yard.send(None, "GET", url).is_success
    assert yard.audited() == before + 1
    (row,) = yard.execute("SELECT action, username FROM audit_log ORDER BY id DESC LIMIT 1")
    assert row == ("hls.fetch", "viewer")


def test_forged_media_addresses_open_nothing(yard: Yard) -> None:
    good = _media(yard)
    hidden, foreign = yard.sides["hidden"], yard.sides["foreign"]
    root = UserId(UUID(yard.send("root", "GET", "/auth/me").json()["id"]))
    raw = bytearray(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    flipped = [bytes(raw[:n]) + bytes([raw[n] ^ 1]) + bytes(raw[n + 1 :]) for n in range(len(raw))]
    wrong = {
        "expired": _media(yard, expires_s=int(datetime.now(UTC).timestamp()) - 1),
        "a playlist's": _media(yard, kind=MediaKind.PLAYLIST, chunk_id=NO_CHUNK),
        "an overlay's": _media(yard, kind=MediaKind.OVERLAY),
        "a hidden camera": _media(yard, stream_id=hidden.stream),
        "a foreign camera": _media(yard, stream_id=foreign.stream),
        "a hidden recording": _media(yard, chunk_id=ChunkId(UUID(hidden.ids["chunk"]))),
        "nobody": _media(yard, user_id=UserId(uuid4())),
        "cut": good[:-4],
        "longer": good + "AAAA",
        "empty": "x",
        "not ASCII": "%C3%A9" * 20,
        **{f"byte {number}": _text(one) for number, one in enumerate(flipped)},
    }
    for name, token in wrong.items():
        answer = yard.send(None, "GET", f"/hls/{token}/video.mp4")
        assert answer.status_code == 403, name
        require_problem(answer, 403, "media_token_refused")
    # The owner of all farms may see that recording; only the mixture is refused.
    mixed = _media(yard, user_id=root, chunk_id=ChunkId(UUID(foreign.ids["chunk"])))
    require_problem(yard.send(None, "GET", f"/hls/{mixed}/video.mp4"), 403)

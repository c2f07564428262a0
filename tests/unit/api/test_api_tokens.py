"""Access tokens: what is accepted, and every forgery that is not."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from barnhand_desktop.api.tokens import (
    ACCESS_LIFE_S,
    AUDIENCE,
    ISSUER,
    AccessTokens,
    TokenRefused,
    fingerprint,
    load_signing_key,
    new_secret,
)
from engine.domain.errors import OperatorMistake
from engine.domain.ids import UserId

KEY = b"k" * 32
USER = UserId(uuid4())
FAMILY = uuid4()


@pytest.fixture
def tokens() -> AccessTokens:
    return AccessTokens(KEY)


def claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    made: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(USER),
        "sid": str(FAMILY),
        "jti": "1",
        "iat": now,
        "exp": now + timedelta(hours=1),
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def signed(key_id: str, body: dict[str, Any], key: Any = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode(body, key, algorithm, headers={"kid": key_id})


def part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def without_signature(key_id: str, algorithm: str) -> str:
    body = claims(iat=1, exp=int(datetime.now(UTC).timestamp()) + 3600)
    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': key_id})}.{part(body)}."


def test_a_minted_token_reads_back(tokens: AccessTokens) -> None:
    read = tokens.read(tokens.mint(USER, FAMILY, datetime.now(UTC)))
    assert (read.user_id, read.family_id) == (USER, FAMILY)
    left_s = (read.expires_at - datetime.now(UTC)).total_seconds()
    assert ACCESS_LIFE_S == 3600
    assert 3500 < left_s <= 3600


def test_the_forgeries_below_differ_from_a_good_token_only_in_what_they_say(
    tokens: AccessTokens,
) -> None:
    assert tokens.read(signed(tokens.key_id, claims())).user_id == USER


FORGERIES: dict[str, Callable[[str], str]] = {
    "none": lambda kid: without_signature(kid, "none"),
    "None": lambda kid: without_signature(kid, "None"),
    "no signature": lambda kid: without_signature(kid, "HS256"),
    "wrong key": lambda kid: signed(kid, claims(), b"x" * 32),
    "wrong key id": lambda kid: signed("0" * 16, claims()),
    "no key id": lambda kid: jwt.encode(claims(), KEY, "HS256"),
    "key id is a path": lambda kid: signed("../../dev/null", claims()),
    "HS512 with the right key": lambda kid: signed(kid, claims(), b"k" * 64, "HS512"),
    "EdDSA": lambda kid: signed(kid, claims(), Ed25519PrivateKey.generate(), "EdDSA"),
    "expired": lambda kid: signed(
        kid,
        claims(exp=datetime.now(UTC) - timedelta(seconds=2), iat=datetime(2020, 1, 1, tzinfo=UTC)),
    ),
    "from the future": lambda kid: signed(kid, claims(iat=datetime.now(UTC) + timedelta(hours=1))),
    "wrong audience": lambda kid: signed(kid, claims(aud="another-api")),
    "wrong issuer": lambda kid: signed(kid, claims(iss="somebody")),
    "no expiry": lambda kid: signed(kid, claims(exp=None)),
    "no audience": lambda kid: signed(kid, claims(aud=None)),
    "no session": lambda kid: signed(kid, claims(sid=None)),
    "subject is no id": lambda kid: signed(kid, claims(sub="admin")),
    "empty": lambda kid: "",
    "not a token": lambda kid: "bm90IGEgdG9rZW4.e30.x",
    "not ASCII": lambda kid: "\u00e9.\u00e9.\u00e9",
    "very long": lambda kid: "a" * 100_000,
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_forgeries_are_refused(tokens: AccessTokens, forgery: Callable[[str], str]) -> None:
    with pytest.raises(TokenRefused):
        tokens.read(forgery(tokens.key_id))


def test_a_changed_payload_breaks_the_signature(tokens: AccessTokens) -> None:
    header, _, signature = tokens.mint(USER, FAMILY, datetime.now(UTC)).split(".")
    body = claims(sub=str(uuid4()), iat=1, exp=int(datetime.now(UTC).timestamp()) + 3600)
    with pytest.raises(TokenRefused):
        tokens.read(f"{header}.{part(body)}.{signature}")


def test_secrets_are_long_differ_and_are_stored_as_hashes() -> None:
    first, second = new_secret("bhk_"), new_secret("bhk_")
    assert first != second
    assert len(first) >= len("bhk_") + 43
    assert len(fingerprint(first)) == 32
    assert fingerprint(first) == fingerprint(first) != fingerprint(second)


def test_the_signing_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "signing.key"
    key = load_signing_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_signing_key(path) == key
    assert [entry.name for entry in path.parent.iterdir()] == ["signing.key"]


def test_a_signing_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    load_signing_key(path)
    path.chmod(0o644)
    with pytest.raises(OperatorMistake, match="0600"):
        load_signing_key(path)


@pytest.mark.parametrize("content", ["", "zz", "00" * 8])
def test_a_damaged_signing_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "signing.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(OperatorMistake):
        load_signing_key(path)

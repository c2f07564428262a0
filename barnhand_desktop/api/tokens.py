"""Access tokens: JWT, HS256 only, with audience, issuer and key id; and random secrets."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import jwt

from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.domain.ids import UserId

ALGORITHM = "HS256"
AUDIENCE = "barnhand-api"
ISSUER = "barnhand"
ACCESS_LIFE_S = 3600
API_KEY_PREFIX = "bhk_"
_KEY_BYTES = 32
_CLAIMS = ("aud", "exp", "iat", "iss", "jti", "sid", "sub")


class TokenRefused(OperatorMistake):
    """A token that is not ours, not of this kind, or no longer valid."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """Who a token speaks for, and in which login (refresh family)."""

    user_id: UserId
    family_id: UUID
    expires_at: datetime


class AccessTokens:
    """Mints and reads access tokens with one key."""

    def __init__(self, key: bytes, life_s: int = ACCESS_LIFE_S) -> None:
        if len(key) < _KEY_BYTES:
            raise OperatorMistake("The signing key is shorter than 256 bits.")
        self._key = key
        self.life_s = life_s
        self.key_id = hashlib.sha256(b"barnhand key id" + key).hexdigest()[:16]

    def mint(self, user_id: UserId, family_id: UUID, now: datetime) -> str:
        """A signed token that is valid ``life_s`` seconds from ``now``."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": str(family_id),
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + timedelta(seconds=self.life_s),
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self.key_id})

    def read(self, token: str) -> AccessClaims:
        """The claims of a valid token; TokenRefused for every other string."""
        try:
            if jwt.get_unverified_header(token).get("kid") != self.key_id:
                raise TokenRefused("The token was signed with another key.")
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": list(_CLAIMS)},
            )
            return AccessClaims(
                UserId(UUID(claims["sub"])),
                UUID(claims["sid"]),
                datetime.fromtimestamp(claims["exp"], UTC),
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenRefused("The token has expired.", "Refresh it or log in again.") from error
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise TokenRefused("The token is not valid.", "Log in again.") from error


def new_secret(prefix: str = "") -> str:
    """A random secret of 256 bits for a refresh token or an API key."""
    return prefix + secrets.token_urlsafe(32)


def fingerprint(secret: str) -> bytes:
    """What is stored of a random secret: SHA-256, 32 bytes. Not for passwords."""
    return hashlib.sha256(secret.encode()).digest()


def load_signing_key(path: Path) -> bytes:
    """The key in ``path``, made on first use and readable by its owner only.

    Raises OperatorMistake for a file that others can read or that holds no key.
    """
    if path.exists():
        return _read_key(path)
    key = secrets.token_bytes(_KEY_BYTES)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.hex())
        try:
            # A link appears whole or not at all, and never replaces a key made meanwhile.
            os.link(draft, path)
        finally:
            draft.unlink()
    except FileExistsError:
        return _read_key(path)
    except OSError as error:
        raise EnvironmentFault(f"The signing key {path} cannot be made: {error}.") from error
    return key


def _read_by_others(path: Path) -> bool:
    """A Secret that a cluster mounts belongs to root and is read by the pod's group; nothing here
    can change that, and nobody else is of the group."""
    mode = path.stat().st_mode
    mounted = mode & 0o037 == 0 and bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return bool(mode & 0o077) and not mounted


def _read_key(path: Path) -> bytes:
    try:
        if os.name == "posix" and _read_by_others(path):
            raise OperatorMistake(
                f"The signing key {path} can be read by others.", "Set its mode to 0600."
            )
        key = bytes.fromhex(path.read_text().strip())
    except OSError as error:
        raise EnvironmentFault(f"The signing key {path} cannot be read: {error}.") from error
    except ValueError as error:
        raise OperatorMistake(f"The file {path} holds no signing key.", "Remove it.") from error
    if len(key) < _KEY_BYTES:
        raise OperatorMistake(f"The signing key in {path} is too short.", "Remove the file.")
    return key

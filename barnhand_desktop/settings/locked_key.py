"""The key of the camera passwords, locked with a passphrase so that it can travel in a file."""

from __future__ import annotations

import base64
import os
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.domain.errors import OperatorMistake

SHORTEST_PASSPHRASE = 10
# 64 MB and a quarter of a second a guess: RFC 7914's r = 8, p = 1, with N for files at rest.
_COST, _BLOCK, _LANES = 2**16, 8, 1
_DEAREST_COST = 2**20
_PURPOSE = b"barnhand credential key"


class LockedKeys(BaseModel):
    """The document ``keys.json``: scrypt makes a key of the passphrase, AES-256-GCM locks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    cost: int = Field(gt=1, le=_DEAREST_COST)
    block: int = Field(ge=1, le=32)
    lanes: int = Field(ge=1, le=16)
    salt: str
    nonce: str
    locked: str


def lock_key(key: bytes, passphrase: str) -> bytes:
    """The document that holds ``key``, for whoever knows the passphrase. Raises OperatorMistake
    for a passphrase that is too short."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise OperatorMistake(f"A passphrase has at least {SHORTEST_PASSPHRASE} characters.")
    salt, nonce = os.urandom(16), os.urandom(12)
    lock = AESGCM(_derived(passphrase, salt, _COST, _BLOCK, _LANES))
    document = LockedKeys(
        cost=_COST,
        block=_BLOCK,
        lanes=_LANES,
        salt=_text(salt),
        nonce=_text(nonce),
        locked=_text(lock.encrypt(nonce, key, _PURPOSE)),
    )
    return document.model_dump_json().encode()


def unlock_key(document: bytes, passphrase: str) -> bytes:
    """The key inside. Raises OperatorMistake for a wrong passphrase or a damaged document."""
    try:
        held = LockedKeys.model_validate_json(document)
        salt, nonce, locked = map(_bytes, (held.salt, held.nonce, held.locked))
        key = _derived(passphrase, salt, held.cost, held.block, held.lanes)
        return AESGCM(key).decrypt(nonce, locked, _PURPOSE)
    except InvalidTag as error:
        raise OperatorMistake("The passphrase does not open these keys.") from error
    except (ValidationError, ValueError) as error:
        raise OperatorMistake("The locked keys are damaged.") from error


def _derived(passphrase: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=block, p=lanes).derive(passphrase.encode())


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)

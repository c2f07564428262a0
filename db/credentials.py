"""Camera credentials at rest: Fernet (AES-128-CBC with HMAC-SHA-256), bound to their stream."""

from __future__ import annotations

import json

from cryptography.fernet import Fernet, InvalidToken

from engine.domain.errors import OperatorMistake
from engine.domain.ids import StreamId


class CredentialBox:
    """Encrypts and decrypts user names and passwords with ``key`` (44 bytes, base64).

    Raises OperatorMistake for a key that is none.
    """

    def __init__(self, key: bytes) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise OperatorMistake(
                "The key for stored camera passwords is damaged.",
                "Restore it from the keyring or a backup; passwords must be entered again if not.",
            ) from error

    @staticmethod
    def new_key() -> bytes:
        """A fresh random key."""
        return Fernet.generate_key()

    def lock(self, stream_id: StreamId, username: str, password: str) -> bytes | None:
        """The credentials as a token; None when there are none."""
        if not username and not password:
            return None
        # The stream's id inside keeps a token from serving another stream.
        plain = json.dumps([str(stream_id), username, password])
        return self._fernet.encrypt(plain.encode())

    def unlock(self, stream_id: StreamId, token: bytes | None) -> tuple[str, str] | None:
        """User name and password of a token, empty for None; None when this key cannot read it."""
        if token is None:
            return "", ""
        try:
            owner, username, password = json.loads(self._fernet.decrypt(bytes(token)))
        except (InvalidToken, ValueError):
            return None
        return (username, password) if owner == str(stream_id) else None

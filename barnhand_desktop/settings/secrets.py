"""The workstation's two keys: for stored camera credentials and for access tokens.

They are made once, at random, and kept in the operating system's keyring, or in a file only its
owner can read where there is no keyring (servers, containers, root). They are never logged.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from barnhand_desktop.settings.files import create_once, replace_file
from engine.domain.errors import EnvironmentFault, OperatorMistake

KEY_BYTES = 32
SERVICE = "barnhand"
_NAMES = ("credential_key", "token_key")


class Keyring(Protocol):
    """What is used of a keyring backend."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...


class SecretStore:
    """The keys of one data folder.

    ``secrets.json`` in the folder either holds the keys (mode 0600) or says that the keyring does;
    so a keyring that is away later is a fault and never a reason to make new keys, which could not
    read what was stored. ``keyring`` None takes the system's where it is usable.
    """

    def __init__(self, data_dir: Path, keyring: Keyring | None = None) -> None:
        self._path = data_dir / "secrets.json"
        self._keyring = keyring if keyring is not None else system_keyring()
        self._account = hashlib.sha256(str(data_dir.absolute()).encode()).hexdigest()[:16]
        self._keys: dict[str, bytes] | None = None

    def __repr__(self) -> str:
        return f"SecretStore({str(self._path)!r})"

    @property
    def path(self) -> Path:
        """The file that holds the keys or names the keyring."""
        return self._path

    def credential_key(self) -> bytes:
        """32 bytes that encrypt stored camera credentials."""
        return self._all()["credential_key"]

    def credential_key_text(self) -> str:
        """The same key as 44 characters of URL-safe base64, as ``CredentialBox`` takes it."""
        return as_text(self.credential_key())

    def token_key(self) -> bytes:
        """32 bytes that sign access tokens."""
        return self._all()["token_key"]

    def place(self) -> str:
        """``keyring`` or ``file``; makes the keys when there are none."""
        self._all()
        return "keyring" if _read(self._path).get("place") == "keyring" else "file"

    def adopt_credential_key(self, key: bytes) -> None:
        """Use ``key`` (32 bytes) for camera credentials from now on, as a restored backup or
        another workstation brings it. Passwords that the old key locked cannot be read any more.

        Raises EnvironmentFault when it cannot be kept.
        """
        if len(key) != KEY_BYTES:
            raise OperatorMistake(f"A key has {KEY_BYTES} bytes; this has {len(key)}.")
        keys = {**self._all(), "credential_key": key}
        if self.place() == "keyring" and self._keyring is not None:
            account = f"credential_key:{self._account}"
            try:
                self._keyring.set_password(SERVICE, account, _text(key))
            except Exception as error:  # backends raise anything from D-Bus, Keychain and Windows
                raise EnvironmentFault("The keyring does not take the key.") from error
        else:
            kept = {name: _text(value) for name, value in keys.items()}
            document = {"format": 1, "place": "file", "keys": kept}
            replace_file(self._path, json.dumps(document) + "\n")
        self._keys = keys

    def _all(self) -> dict[str, bytes]:
        if self._keys is None:
            if not self._path.exists():
                self._make()
            self._keys = self._load()
        return self._keys

    def _make(self) -> None:
        made = {name: _text(secrets.token_bytes(KEY_BYTES)) for name in _NAMES}
        document: dict[str, object] = {"format": 1, "place": "file", "keys": made}
        if self._keyring is not None and self._kept_in_keyring(self._keyring, made):
            document = {"format": 1, "place": "keyring"}
        create_once(self._path, json.dumps(document) + "\n")

    def _kept_in_keyring(self, keyring: Keyring, made: Mapping[str, str]) -> bool:
        """Store what the keyring lacks; False when it does not keep things."""
        try:
            for name, value in made.items():
                account = f"{name}:{self._account}"
                if keyring.get_password(SERVICE, account) is None:
                    keyring.set_password(SERVICE, account, value)
            return all(keyring.get_password(SERVICE, f"{n}:{self._account}") for n in made)
        except Exception:  # backends raise anything from D-Bus, Keychain and Windows
            return False

    def _load(self) -> dict[str, bytes]:
        document = _read(self._path)
        if document.get("place") == "keyring":
            return {name: self._from_keyring(name) for name in _NAMES}
        _check_private(self._path)
        keys = document.get("keys")
        if not isinstance(keys, dict):
            raise _damaged(self._path)
        return {name: _key(keys.get(name), self._path) for name in _NAMES}

    def _from_keyring(self, name: str) -> bytes:
        value: str | None = None
        cause: Exception | None = None
        if self._keyring is not None:
            try:
                value = self._keyring.get_password(SERVICE, f"{name}:{self._account}")
            except Exception as error:  # backends raise anything from D-Bus, Keychain and Windows
                cause = error
        if value is None:
            raise EnvironmentFault(
                "The keys of this data folder are in the keyring, which does not give them.",
                "Log in to the desktop that made them and unlock the keyring; or move "
                f"{self._path} away and enter the camera passwords again.",
            ) from cause
        return _key(value, self._path)


def as_text(key: bytes) -> str:
    """A key as 44 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(key).decode("ascii")


def system_keyring(environment: Mapping[str, str] = os.environ) -> Keyring | None:
    """The operating system's keyring, None where it cannot be used without asking anyone."""
    if sys.platform not in ("win32", "darwin"):
        if not environment.get("DBUS_SESSION_BUS_ADDRESS") or os.geteuid() == 0:
            return None
        if not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
            return None
    try:
        import keyring

        backend = keyring.get_keyring()
    except Exception:  # backends raise anything while they are looked for
        return None
    return backend if getattr(backend, "priority", 0) >= 1 else None


def _read(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EnvironmentFault(
            f"{path} cannot be read: {error.strerror}.", "Check who owns the data folder."
        ) from error
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(document, dict):
        raise _damaged(path)
    return document


def _check_private(path: Path) -> None:
    mode = path.stat().st_mode
    if sys.platform == "win32" or mode & 0o077 == 0:
        return
    try:
        path.chmod(0o600)
    except OSError as error:
        # A secret mounted by an orchestrator is read-only, and its group is the container's own.
        if error.errno == errno.EROFS and mode & 0o007 == 0:
            return
        raise OperatorMistake(
            f"{path} can be read by others and is not ours to change.",
            "Give it mode 0600 and the right owner.",
        ) from error


def _key(value: object, path: Path) -> bytes:
    try:
        key = base64.b64decode(str(value), validate=True)
    except ValueError:
        raise _damaged(path) from None
    if len(key) != KEY_BYTES:
        raise _damaged(path)
    return key


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")


def _damaged(path: Path) -> OperatorMistake:
    return OperatorMistake(
        f"{path} does not hold this folder's keys any more.",
        "Put a backup of it back; or move it away and enter the camera passwords again.",
    )

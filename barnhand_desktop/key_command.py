"""``barnhand key``: brings the key of the stored camera passwords to another workstation."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from barnhand_desktop.backup.address import database
from barnhand_desktop.installation import Installation
from barnhand_desktop.passphrase import ask_passphrase
from barnhand_desktop.servers.folder import write_private
from barnhand_desktop.settings.locked_key import lock_key, unlock_key
from barnhand_desktop.settings.secrets import SecretStore, as_text
from db.pool import open_pool
from db.repositories.streams import PostgresStreamRepository
from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.domain.ids import StreamId

_LARGEST_BYTES = 100_000


def run_key(place: Installation, wanted: argparse.Namespace) -> int:
    """Write the key locked with a passphrase, take such a key over, or show which one it is."""
    secrets = SecretStore(place.folders.data)
    if wanted.act == "show":
        print(f"{fingerprint(secrets.credential_key())}  (kept in the {secrets.place()})")
        return 0
    if wanted.file is None:
        raise OperatorMistake(f"Name the file: barnhand key {wanted.act} FILE.")
    path = wanted.file.expanduser().absolute()
    if wanted.act == "export":
        return _export(secrets, path)
    return _import(place, secrets, path, wanted.yes)


def fingerprint(key: bytes) -> str:
    """Eight characters that tell keys apart and give nothing away of them."""
    return hashlib.sha256(b"barnhand key fingerprint" + key).hexdigest()[:8]


def _export(secrets: SecretStore, path: Path) -> int:
    if path.exists():
        raise OperatorMistake(f"{path} exists already.", "Name a file that does not.")
    key = secrets.credential_key()
    try:
        write_private(path, lock_key(key, ask_passphrase("key", again=True)).decode())
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be written: {error.strerror}.") from error
    print(f"The key {fingerprint(key)} is in {path}, locked with the passphrase.")
    print(f"On the other workstation: barnhand key import {path.name}; then remove the file.")
    return 0


def _import(place: Installation, secrets: SecretStore, path: Path, sure: bool) -> int:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise OperatorMistake(f"{path} is not a file of `barnhand key export`.")
        locked = path.read_bytes()
    except OSError as error:
        raise OperatorMistake(f"{path} cannot be read: {error.strerror}.") from error
    key, used = unlock_key(locked, ask_passphrase("key", again=False)), secrets.credential_key()
    if key == used:
        print(f"This workstation uses the key {fingerprint(key)} already.")
        return 0
    with database(place, create=True) as dsn:
        before, after = _unreadable(dsn, used), _unreadable(dsn, key)
    lost = after - before
    if lost and not sure:
        raise OperatorMistake(
            f"The passwords of {len(lost)} cameras can be read now and not with that key.",
            "Add --yes to take it all the same, and enter them again.",
        )
    secrets.adopt_credential_key(key)
    print(f"This workstation uses the key {fingerprint(key)} from its next start on.")
    if after:
        print(f"The passwords of {len(after)} cameras cannot be read with it; enter them again.")
    return 0


def _unreadable(dsn: str, key: bytes) -> frozenset[StreamId]:
    with open_pool(dsn, 2) as pool:
        return PostgresStreamRepository(pool, as_text(key).encode()).unreadable()

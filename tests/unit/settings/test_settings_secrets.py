"""The workstation's keys: made once, private, never replaced in silence."""

from __future__ import annotations

import errno
import json
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from barnhand_desktop.settings.secrets import KEY_BYTES, SecretStore, system_keyring
from db.credentials import CredentialBox
from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.domain.ids import StreamId


class MemoryKeyring:
    """A keyring that can be locked."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise RuntimeError("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise RuntimeError("locked")
        self.kept[(service, username)] = password


def file_store(folder: Path) -> SecretStore:
    locked = MemoryKeyring()
    locked.locked = True
    return SecretStore(folder, locked)


def test_keys_are_made_once_and_differ(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    assert len(store.credential_key()) == len(store.token_key()) == KEY_BYTES
    assert store.credential_key() != store.token_key()
    again = file_store(tmp_path)
    assert again.credential_key() == store.credential_key()
    assert again.token_key() == store.token_key()
    box = CredentialBox(store.credential_key_text().encode())
    token = box.lock(StreamId(UUID(int=1)), "barn", "hunter2")
    assert token is not None
    assert box.unlock(StreamId(UUID(int=1)), token) == ("barn", "hunter2")
    assert file_store(tmp_path / "other").token_key() != store.token_key()


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
def test_the_file_is_private_and_made_private_again(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    key = store.credential_key()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.path.chmod(0o644)
    assert file_store(tmp_path).credential_key() == key
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
@pytest.mark.parametrize(
    ("mode", "error", "accepted"),
    [
        (0o440, errno.EROFS, True),
        (0o444, errno.EROFS, False),
        (0o440, errno.EPERM, False),
    ],
)
def test_a_mounted_secret_may_be_read_by_its_group_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, error: int, accepted: bool
) -> None:
    store = file_store(tmp_path)
    key = store.credential_key()
    store.path.chmod(mode)

    def refuse(self: Path, mode: int) -> None:
        raise OSError(error, "refused")

    monkeypatch.setattr(Path, "chmod", refuse)
    if accepted:
        assert file_store(tmp_path).credential_key() == key
    else:
        with pytest.raises(OperatorMistake, match="0600"):
            file_store(tmp_path).credential_key()


def test_a_keyring_keeps_the_keys_out_of_the_file(tmp_path: Path) -> None:
    keyring = MemoryKeyring()
    store = SecretStore(tmp_path, keyring)
    key = store.credential_key()
    assert store.place() == "keyring"
    assert json.loads(store.path.read_text(encoding="utf-8")) == {"format": 1, "place": "keyring"}
    assert SecretStore(tmp_path, keyring).credential_key() == key


def test_a_locked_keyring_is_a_fault_and_makes_no_new_keys(tmp_path: Path) -> None:
    keyring = MemoryKeyring()
    key = SecretStore(tmp_path, keyring).credential_key()
    keyring.locked = True
    with pytest.raises(EnvironmentFault, match="unlock the keyring"):
        SecretStore(tmp_path, keyring).credential_key()
    keyring.locked = False
    assert SecretStore(tmp_path, keyring).credential_key() == key


def test_a_keyring_that_appears_later_does_not_change_the_keys(tmp_path: Path) -> None:
    key = file_store(tmp_path).credential_key()
    late = SecretStore(tmp_path, MemoryKeyring())
    assert late.credential_key() == key
    assert late.place() == "file"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"place": "file", "keys": {"credential_key": "AAAA"}}']
)
def test_a_damaged_file_is_told_and_kept(tmp_path: Path, text: str) -> None:
    store = file_store(tmp_path)
    store.credential_key()
    store.path.write_text(text, encoding="utf-8")
    with pytest.raises(OperatorMistake, match="keys"):
        file_store(tmp_path).credential_key()
    assert store.path.read_text(encoding="utf-8") == text


def test_two_at_once_get_the_same_keys(tmp_path: Path) -> None:
    stores = [file_store(tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(SecretStore.credential_key, stores))
    assert len(keys) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["secrets.json"]


def test_nothing_printed_holds_a_key(tmp_path: Path) -> None:
    store = file_store(tmp_path)
    kept = json.loads(store.path.read_text(encoding="utf-8")) if store.place() else {}
    for text in kept["keys"].values():
        assert text not in repr(store)
    assert str(tmp_path) in repr(store)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="those always have a keyring")
def test_without_a_desktop_no_keyring_is_asked() -> None:
    assert system_keyring({}) is None
    assert system_keyring({"DISPLAY": ":0"}) is None

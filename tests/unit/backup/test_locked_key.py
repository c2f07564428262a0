"""The key of camera passwords travels only behind a passphrase."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from barnhand_desktop.settings.locked_key import lock_key, unlock_key
from barnhand_desktop.settings.secrets import SecretStore
from engine.domain.errors import OperatorMistake

PHRASE = "seven grey mares"


def test_the_passphrase_opens_it_and_no_other() -> None:
    key = bytes(range(32))
    document = lock_key(key, PHRASE)
    assert unlock_key(document, PHRASE) == key
    assert key not in document and PHRASE.encode() not in document
    assert lock_key(key, PHRASE) != document
    with pytest.raises(OperatorMistake, match="does not open"):
        unlock_key(document, PHRASE + "s")


@pytest.mark.parametrize("change", ["locked", "nonce", "salt"])
def test_a_changed_document_does_not_open(change: str) -> None:
    fields = json.loads(lock_key(bytes(32), PHRASE))
    fields[change] = ("A" if fields[change][0] != "A" else "B") + fields[change][1:]
    with pytest.raises(OperatorMistake):
        unlock_key(json.dumps(fields).encode(), PHRASE)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1, "cost": 1099511627776}'])
def test_nonsense_is_no_key_and_costs_nothing(text: str) -> None:
    with pytest.raises(OperatorMistake, match="damaged"):
        unlock_key(text.encode(), PHRASE)


def test_short_passphrases_are_refused() -> None:
    with pytest.raises(OperatorMistake, match="at least"):
        lock_key(bytes(32), "short")


def test_an_adopted_key_stays(tmp_path: Path) -> None:
    store = SecretStore(tmp_path)
    token = store.token_key()
    store.adopt_credential_key(bytes(range(32)))
    again = SecretStore(tmp_path)
    assert again.credential_key() == bytes(range(32)) == store.credential_key()
    assert again.token_key() == token
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(OperatorMistake, match="32 bytes"):
        store.adopt_credential_key(b"short")

"""Password hashing."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from barnhand_desktop.api.passwords import Passwords, new_password, require_good
from engine.domain.errors import OperatorMistake


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


def test_hashes_are_argon2id_of_at_least_the_specified_cost(passwords: Passwords) -> None:
    parameters = extract_parameters(passwords.hash("correct horse battery"))
    assert parameters.type is Type.ID
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2
    assert parameters.parallelism == 1


def test_only_the_right_password_is_right(passwords: Passwords) -> None:
    stored = passwords.hash("correct horse battery")
    assert passwords.check(stored, "correct horse battery")
    assert not passwords.check(stored, "correct horse batterY")
    assert not passwords.check("no hash at all", "correct horse battery")


def test_an_unknown_account_costs_the_same_hashing(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    hasher = passwords._hasher
    verify = type(hasher).verify
    monkeypatch.setattr(
        type(hasher), "verify", lambda self, h, p: (seen.append(h), verify(self, h, p))[1]
    )
    known = passwords.hash("correct horse battery")
    assert not passwords.check(None, "a guess")
    assert not passwords.check(known, "a guess")
    nobody, somebody = (extract_parameters(stored) for stored in seen)
    assert nobody == somebody


def test_nobody_has_no_password_even_if_it_is_guessed(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords.__dict__["_nobody"] = passwords.hash("guessed")
    assert not passwords.check(None, "guessed")


def test_weaker_hashes_are_outdated(passwords: Passwords) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("x" * 12)
    assert passwords.outdated(weak)
    assert not passwords.outdated(passwords.hash("x" * 12))


@pytest.mark.parametrize("password", ["short", "x" * 257, "margarete123", "xmargaretex1"])
def test_poor_passwords_are_refused(password: str) -> None:
    with pytest.raises(OperatorMistake):
        require_good(password, "margarete")


def test_one_time_passwords_are_good_and_differ() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        require_good(password, "admin")

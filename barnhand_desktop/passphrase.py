"""The passphrase that locks keys: from the environment, or from the terminal."""

from __future__ import annotations

import getpass
import os
import sys

from engine.domain.errors import OperatorMistake

VARIABLE = "BARNHAND_BACKUP_PASSPHRASE"
"""The variable that may hold it."""


def ask_passphrase(what: str, *, again: bool) -> str:
    """The passphrase of ``what`` ("keys"), asked twice where it locks something (``again``). Raises
    OperatorMistake where nobody can be asked, or the two differ."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    if not sys.stdin.isatty():
        raise OperatorMistake(f"A passphrase is needed for the {what}.", f"Set {VARIABLE}.")
    said = getpass.getpass(f"Passphrase of the {what}: ")
    if again and getpass.getpass("Once more: ") != said:
        raise OperatorMistake("The two are not the same.")
    return said

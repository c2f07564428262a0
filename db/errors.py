"""The database driver's exceptions in the product's three families."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from engine.domain.errors import (
    BarnhandError,
    Bug,
    Conflict,
    NotFound,
    OperatorMistake,
    StoreUnavailable,
)

_AWAY_ADVICE = "Barnhand keeps working and tries again."


def translate(error: Exception, doing: str) -> BarnhandError:
    """The error to raise from a driver's ``error``; ``doing`` completes "while ..."."""
    if isinstance(error, (PoolTimeout, PoolClosed, TooManyRequests)):
        return StoreUnavailable(f"The database did not answer while {doing}.", _AWAY_ADVICE)
    if isinstance(error, pg.UniqueViolation):
        return Conflict(f"That name or number is taken (while {doing}).")
    if isinstance(error, pg.ForeignKeyViolation):
        return NotFound(f"An object it belongs to does not exist (while {doing}).")
    if isinstance(error, pg.DiskFull):
        return StoreUnavailable(
            f"The database's disk is full (while {doing}).",
            "Free some space; Barnhand tries again.",
        )
    if isinstance(error, (pg.InsufficientPrivilege, pg.InvalidPassword)):
        return OperatorMistake(
            f"The database refused this account while {doing}: {_first_line(error)}.",
            "Check the user, password and rights of the database setting.",
        )
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return StoreUnavailable(
            f"The database is away (while {doing}): {_first_line(error)}.", _AWAY_ADVICE
        )
    if isinstance(error, (psycopg.DataError, UnicodeEncodeError)):
        return OperatorMistake(f"The database cannot hold that value: {_first_line(error)}.")
    return Bug(f"The database refused a statement while {doing}: {_first_line(error)}.")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise the product's errors instead of the driver's, ``from`` them."""
    try:
        yield
    except (psycopg.Error, UnicodeEncodeError) as error:
        raise translate(error, doing) from error

"""Databases of one server: made beside the one in use, put in its place, kept or dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import psycopg
from psycopg import Connection, conninfo, sql
from psycopg import errors as pg

from db.errors import translated
from db.queries import queries
from engine.domain.errors import EnvironmentFault, OperatorMistake

TIMESCALE = "timescaledb"
_LONGEST_NAME = 63
_STAMP = re.compile(r"\d{8}_\d{6}(_\d+)?")
_LONGEST_ENDING = "_before_restore_20260101_000000_99"
_SERVICE_DATABASES = ("postgres", "template1")


@dataclass(frozen=True, slots=True)
class Names:
    """What the databases around ``base`` are called."""

    base: str

    def trial(self, at: datetime) -> str:
        """One that is being restored."""
        return self._name("restore", at)

    def before(self, at: datetime, number: int = 1) -> str:
        """The one that was in use until a restore; ``number``: which of that second."""
        name = self._name("before_restore", at)
        return name if number == 1 else f"{name}_{number}"

    @property
    def trial_prefix(self) -> str:
        """How all that are being restored begin."""
        return f"{self._stem}_restore_"

    @property
    def before_prefix(self) -> str:
        """How all that were kept begin."""
        return f"{self._stem}_before_restore_"

    @property
    def _stem(self) -> str:
        return self.base[: _LONGEST_NAME - len(_LONGEST_ENDING)]

    def _name(self, what: str, at: datetime) -> str:
        return f"{self._stem}_{what}_{at.astimezone(UTC):%Y%m%d_%H%M%S}"


class Workshop:
    """The server's databases, through a connection to none of Barnhand's own. ``names``: of the
    database that the settings name."""

    def __init__(self, connection: Connection, dsn: str) -> None:
        self._connection = connection
        self._dsn = dsn
        self._sql = queries("backup")
        self.names = Names(base_of(dsn))

    def dsn_of(self, database: str) -> str:
        """The same server's other database."""
        return conninfo.make_conninfo(self._dsn, dbname=database)

    def create(self, name: str, extensions: Sequence[tuple[str, str]]) -> None:
        """An empty database like the one in use. ``extensions``: names and versions that must be
        there. Raises OperatorMistake when the account may not, or an extension is missing."""
        for extension, version in extensions:
            self._require(extension, version)
        self._create(name, "template0")
        if self._has(name, extensions):
            return
        # An ordinary account may not add extensions: an administrator put them into the template.
        self.drop(name)
        self._create(name, "template1")
        if not self._has(name, extensions):
            self.drop(name)
            wanted = " ".join(f"CREATE EXTENSION {extension};" for extension, _ in extensions)
            raise OperatorMistake(
                "The database's account may not add the extensions that the backup needs to a new "
                "database.",
                f"Let an administrator of the server run, in the database template1: {wanted}",
            )

    def _create(self, name: str, template: str) -> None:
        row = self._connection.execute(
            self._sql["likeness"], {"database": self.names.base}
        ).fetchone()
        encoding, collate, ctype, provider = row or ("UTF8", "", "", "")
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING {}").format(
            sql.Identifier(name), sql.Identifier(template), sql.Literal(encoding)
        )
        if provider in ("c", b"c") and template == "template0":
            statement += sql.SQL(" LOCALE_PROVIDER libc LC_COLLATE {} LC_CTYPE {}").format(
                sql.Literal(collate), sql.Literal(ctype)
            )
        try:
            self._connection.execute(statement)
        except pg.InsufficientPrivilege as error:
            raise OperatorMistake(
                "The database's account may not make databases, which a restore needs.",
                "Let an administrator of the server run: ALTER ROLE ... CREATEDB.",
            ) from error

    def _has(self, name: str, extensions: Sequence[tuple[str, str]]) -> bool:
        """Add what is missing; False when the account may not."""
        with psycopg.connect(self.dsn_of(name), autocommit=True) as connection:
            for extension, version in extensions:
                statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(
                    sql.Identifier(extension)
                )
                if extension == TIMESCALE:
                    statement += sql.SQL(" VERSION {}").format(sql.Identifier(version))
                try:
                    connection.execute(statement)
                except pg.InsufficientPrivilege:
                    return False
        return True

    def owns_extensions(self, name: str) -> bool:
        """True where this account may change the extensions of a database."""
        with psycopg.connect(self.dsn_of(name)) as connection:
            row = connection.execute(self._sql["foreign_extensions"]).fetchone()
        return row is not None and row[0] == 0

    def _require(self, extension: str, version: str) -> None:
        rows = self._connection.execute(self._sql["offered_extension"], {"name": extension})
        offered = {str(row[0]) for row in rows.fetchall()}
        exact = extension == TIMESCALE
        if not offered or (exact and version not in offered):
            raise OperatorMistake(
                f"The backup needs the extension {extension} {version if exact else ''}, which "
                "this server does not offer.".replace("  ", " "),
                "Restore it on a server that has it.",
            )

    def drop(self, name: str) -> None:
        """Remove a database that nobody needs any more, whoever is connected."""
        self._connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def drop_trials(self) -> Sequence[str]:
        """Remove what killed restores left; only the holder of ``workshop`` may call it."""
        return self._drop_all(self.names.trial_prefix)

    def drop_kept(self, but: str = "") -> Sequence[str]:
        """Remove what earlier restores kept, except one."""
        return self._drop_all(self.names.before_prefix, but)

    def new_kept(self, at: datetime) -> str:
        """A free name for the database that is in use until a restore of that instant."""
        numbered = (self.names.before(at, number) for number in count(1))
        return next(name for name in numbered if not self.exists(name))

    def _drop_all(self, prefix: str, but: str = "") -> Sequence[str]:
        found = [name for name in self._like(prefix) if name != but]
        for name in found:
            self.drop(name)
        return found

    def _like(self, prefix: str) -> list[str]:
        # Only names that end as ours do: somebody's own database may begin the same way.
        rows = self._connection.execute(self._sql["databases_like"], {"prefix": prefix})
        names = (str(row[0]) for row in rows.fetchall())
        return [name for name in names if _STAMP.fullmatch(name[len(prefix) :])]

    def exists(self, name: str) -> bool:
        """True if the server has a database of exactly this name."""
        rows = self._connection.execute(self._sql["databases_like"], {"prefix": name}).fetchall()
        return (name,) in rows

    def require_unused(self) -> None:
        """Raises OperatorMistake naming who uses the database."""
        rows = self._connection.execute(
            self._sql["connected"], {"database": self.names.base}
        ).fetchall()
        if rows:
            who = "; ".join(f"{app} ({user} on {place}, {n})" for app, user, place, n in rows)
            raise OperatorMistake(
                f"The database {self.names.base} is in use by {who}.",
                "Stop Barnhand on every workstation first, and whatever else reads the database.",
            )

    def swap(self, fresh: str, kept: str) -> None:
        """Put ``fresh`` in the place of the database in use, which is called ``kept`` from now on:
        both or neither. Raises OperatorMistake when somebody uses either."""
        base = self.names.base
        try:
            with self._connection.transaction():
                if self.exists(base):
                    self._rename(base, kept)
                self._rename(fresh, base)
        except pg.ObjectInUse as error:
            self.require_unused()
            raise OperatorMistake(
                f"The database {base} came into use meanwhile; nothing was changed.",
                "Stop whatever uses it, then restore again.",
            ) from error

    def _rename(self, old: str, new: str) -> None:
        self._connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(old), sql.Identifier(new)
            )
        )


def base_of(dsn: str) -> str:
    """The database that an address names."""
    parts = conninfo.conninfo_to_dict(dsn)
    return str(parts.get("dbname") or parts.get("user") or "postgres")


@contextmanager
def workshop(dsn: str) -> Iterator[Workshop]:
    """Work on the databases beside the one of ``dsn``, alone: one restore or trial at a time.

    Raises OperatorMistake when another is at it, StoreUnavailable.
    """
    with translated("working on the server's databases"), _service_connection(dsn) as connection:
        row = connection.execute(queries("backup")["try_alone"]).fetchone()
        if not (row and row[0]):
            raise OperatorMistake(
                "A backup is being restored or checked on this server already.",
                "Wait until it is done.",
            )
        made = Workshop(connection, dsn)
        made.drop_trials()
        yield made


def _service_connection(dsn: str) -> Connection:
    failure: psycopg.Error | None = None
    for database in _SERVICE_DATABASES:
        try:
            return psycopg.connect(
                conninfo.make_conninfo(dsn, dbname=database),
                autocommit=True,
                connect_timeout=10,
                application_name="barnhand restore",
            )
        except psycopg.OperationalError as error:
            failure = failure or error
    if failure is None:
        raise EnvironmentFault("The server has no database to work from.")
    raise failure

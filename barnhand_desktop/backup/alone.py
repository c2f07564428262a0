"""Daily work that one node of a server does for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from db.errors import translated


@contextmanager
def alone_on_server(dsn: str, try_lock: bytes, doing: str) -> Iterator[psycopg.Connection | None]:
    """The connection that holds an advisory lock of the server while the block runs; None where
    another node holds it. ``try_lock``: the statement that tries; ``doing`` completes "while ...".
    """
    with (
        translated(doing),
        psycopg.connect(
            dsn, autocommit=True, connect_timeout=10, application_name="barnhand daily"
        ) as connection,
    ):
        row = connection.execute(try_lock).fetchone()
        yield connection if row and row[0] else None

"""Connections to PostgreSQL: at most 20 of them, shared by the repositories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection
from psycopg_pool import ConnectionPool

from db.errors import translated

MAX_CONNECTIONS = 20
_ANSWER_LIMIT_MS = 30_000


def open_pool(
    dsn: str, max_size: int = MAX_CONNECTIONS, wait_s: float = 5.0, name: str = "barnhand"
) -> ConnectionPool:
    """A pool that opens connections when they are needed and checks each before use.

    Opening never fails: a server that is away shows in the first use, as StoreUnavailable after
    ``wait_s``. The caller closes the pool.
    """
    return ConnectionPool(
        dsn,
        min_size=1,
        max_size=min(max_size, MAX_CONNECTIONS),
        timeout=wait_s,
        reconnect_timeout=2.0,
        max_idle=120.0,
        check=ConnectionPool.check_connection,
        name=name,
        open=True,
        kwargs={
            "connect_timeout": 3,
            "application_name": name,
            "options": f"-c statement_timeout={_ANSWER_LIMIT_MS} -c timezone=UTC",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        },
    )


@contextmanager
def transaction(pool: ConnectionPool, doing: str) -> Iterator[Connection]:
    """A connection in one transaction, committed at the end; the driver's errors translated.

    ``doing`` completes "while ..." in the message (``"listing the streams"``).
    """
    with translated(doing), pool.connection() as connection, connection.transaction():
        yield connection

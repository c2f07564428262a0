"""What every subject has: the connection."""

from __future__ import annotations

from ..connection import Connection


class Subject:
    """Some paths of the API."""

    def __init__(self, connection: Connection) -> None:
        self._api = connection

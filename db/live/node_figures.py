"""The figures of every process that takes part, kept for some seconds on the live-state server."""

from __future__ import annotations

from typing import Any

import redis

from db.live.connection import connect, translated

FIGURES_LIFE_S = 15
"""A process that did not write for so long has ended or is cut off."""
_NAMES_KEY = "barnhand:nodes"
_DOCUMENT_MAX_BYTES = 4_000_000


def figures_key(name: str) -> str:
    """The key of one process's figures."""
    return f"barnhand:node:{name}:figures"


class NodeFigures:
    """Writes and reads figures, from any thread. Raises StoreUnavailable while the server is
    away."""

    def __init__(self, client: redis.Redis | str) -> None:
        self._client = connect(client) if isinstance(client, str) else client

    def write(self, name: str, document: bytes) -> None:
        """Keep the figures of a process for ``FIGURES_LIFE_S``."""
        with translated("writing a node's figures"):
            pipeline = self._client.pipeline(transaction=True)
            pipeline.sadd(_NAMES_KEY, name)
            pipeline.set(figures_key(name), document, ex=FIGURES_LIFE_S)
            pipeline.execute()

    def read(self) -> dict[str, bytes]:
        """Figures by process, of those that wrote lately; others are forgotten."""
        with translated("reading the nodes' figures"):
            names = sorted(_text(name) for name in self._client.smembers(_NAMES_KEY))
            if not names:
                return {}
            found: list[Any] = self._client.mget([figures_key(name) for name in names])
            gone = [name for name, document in zip(names, found, strict=True) if document is None]
            if gone:
                self._client.srem(_NAMES_KEY, *gone)
        return {
            name: document
            for name, document in zip(names, found, strict=True)
            if document is not None and len(document) <= _DOCUMENT_MAX_BYTES
        }

    def withdraw(self, name: str) -> None:
        """This process ends: its figures are no longer true."""
        with translated("withdrawing a node's figures"):
            self._client.srem(_NAMES_KEY, name)
            self._client.delete(figures_key(name))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")

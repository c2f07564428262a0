"""HTTP connections that may not wait for ever: slow senders are cut, one address has its share.

uvicorn bounds the size of a request's head and the pause between requests, but not the time in
which a request must arrive; a thousand clients that send a byte a minute would keep everybody out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

HEAD_WITHIN_S = 10.0
BODY_WITHIN_S = 30.0
BODY_STEP_BYTES = 65_536
"""Of a body so much must come within ``BODY_WITHIN_S``, or its end: videos of sessions take long
over a slow line, and 2 KB/s is slower than any line that a barn has."""


def bounded_http(
    per_address: int,
    unbounded: Collection[str],
    head_within_s: float = HEAD_WITHIN_S,
    body_within_s: float = BODY_WITHIN_S,
) -> type[H11Protocol]:
    """A uvicorn protocol. ``per_address``: open connections of one address, except of the
    ``unbounded`` ones (trusted proxies). A head must be whole within ``head_within_s``; of a body
    there must come ``BODY_STEP_BYTES`` in every ``body_within_s``, or its end."""

    class BoundedHttp(H11Protocol):
        """One connection."""

        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            self._phase = ""
            self._end: asyncio.TimerHandle | None = None
            self._came_bytes = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            """Let it in, or cut it where its address has too many."""
            super().connection_made(cast(asyncio.Transport, transport))
            address = self.client[0] if self.client else ""
            others = sum(_address_of(one) == address for one in self.connections)
            if address not in unbounded and others > per_address:
                self.transport.abort()
                return
            self._watch()

        def data_received(self, data: bytes) -> None:
            """Take bytes; the clock runs on until the request is whole."""
            self._came_bytes += len(data)
            super().data_received(data)
            self._watch()

        def on_response_complete(self) -> None:
            """The next request may begin."""
            super().on_response_complete()
            self._watch()

        def handle_websocket_upgrade(self, event: h11.Request) -> None:
            """WebSockets have limits of their own."""
            self._enter("", 0.0)
            super().handle_websocket_upgrade(event)

        def connection_lost(self, exc: Exception | None) -> None:
            """Forget the clock."""
            self._enter("", 0.0)
            super().connection_lost(exc)

        def _watch(self) -> None:
            if self not in self.connections or self.transport.is_closing():
                self._enter("", 0.0)
            elif self.conn.their_state is h11.IDLE:
                self._enter("head", head_within_s)
            elif self.conn.their_state is h11.SEND_BODY:
                self._enter("body", body_within_s)
            else:
                self._enter("", 0.0)

        def _enter(self, phase: str, within_s: float) -> None:
            if phase == self._phase:
                return
            self._phase = phase
            self._came_bytes = 0
            if self._end is not None:
                self._end.cancel()
            self._end = self.loop.call_later(within_s, self._late) if phase else None

        def _late(self) -> None:
            waits_for_us = self.flow.read_paused
            if self._phase == "body" and (waits_for_us or self._came_bytes >= BODY_STEP_BYTES):
                self._came_bytes = 0
                self._end = self.loop.call_later(body_within_s, self._late)
                return
            log.debug("a client was too slow with its %s", self._phase)
            self.transport.abort()

    return BoundedHttp


def _address_of(connection: object) -> str:
    client = getattr(connection, "client", None)
    return str(client[0]) if client else ""

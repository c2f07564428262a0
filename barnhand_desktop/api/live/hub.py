"""Listens to the live-state channels once for the whole process, and keeps listening."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from barnhand_desktop.api.config import SocketLimits
from barnhand_desktop.api.live.rooms import Listener, LiveEvent, Rooms, envelope
from barnhand_desktop.api.metrics import ApiMetrics
from db.live.protocol import (
    EVENTS_CHANNEL_PREFIX,
    FARM_ROOM,
    SEQUENCE_KEY,
    events_channel,
)
from engine.domain.errors import OperatorMistake

log = logging.getLogger(__name__)

_BACKOFF_S = (0.2, 0.5, 1.0, 2.0)
_QUIET_S = 1.0
_ANSWER_S = 2.0


class EventHub:
    """The one subscription to every event channel, and the rooms it feeds.

    Lives on the server's event loop: ``run`` is its task, everything else is called from there.
    """

    def __init__(self, live_url: str, limits: SocketLimits, metrics: ApiMetrics) -> None:
        self._url = live_url
        self._metrics = metrics
        self.limits = limits
        self.rooms = Rooms(limits)
        self.connected = False
        self._wake: dict[Listener, asyncio.Event] = {}
        self._commands: Redis | None = None
        self._undecodable = 0

    async def run(self) -> None:
        """Listen for ever; reconnects by itself and tells the clients about it."""
        failures = 0
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                failures = 0 if self.connected else failures + 1
                self._set_connected(False, type(error).__name__)
            except Exception as error:  # worker loop: every client of this process hangs on it
                log.exception("listening to the live-state server failed")
                failures += 1
                self._set_connected(False, type(error).__name__)
            delay_s = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
            await asyncio.sleep(delay_s * random.uniform(0.8, 1.2))

    async def _listen(self) -> None:
        async with (
            Redis.from_url(
                self._url, socket_connect_timeout=_ANSWER_S, socket_timeout=_ANSWER_S
            ) as client,
            Redis.from_url(self._url, socket_connect_timeout=_ANSWER_S).pubsub() as channels,
        ):
            await channels.psubscribe(f"{EVENTS_CHANNEL_PREFIX}*")
            self._commands = client
            while True:
                message = await channels.get_message(timeout=_QUIET_S)
                if message is None:
                    # Silence is not health: a frozen server is silent too.
                    await client.ping()
                elif message["type"] == "psubscribe":
                    self._set_connected(True, "")
                elif message["type"] == "pmessage":
                    self._on_event(message["data"])

    def _on_event(self, payload: bytes) -> None:
        try:
            self._rouse(self.rooms.publish(LiveEvent(payload)))
        except OperatorMistake as error:
            self._undecodable += 1
            if self._undecodable == 1:
                log.warning("%s", error)

    def _set_connected(self, connected: bool, reason: str) -> None:
        self._metrics.live_state_up.set(1.0 if connected else 0.0)
        if connected == self.connected:
            return
        self.connected = connected
        if connected:
            log.info("events arrive from the live-state server")
        else:
            self._commands = None
            log.warning("the live-state server is away (%s)", reason)
        self._rouse(self.rooms.announce(state_text(connected)))

    def _rouse(self, listeners: Iterable[Listener]) -> None:
        for listener in listeners:
            self._wake[listener].set()

    # --- for the sockets -----------------------------------------------------------------------

    def has_room_for(self, subject: str) -> bool:
        """True if this caller may open one more socket."""
        listeners = self.rooms.listeners
        return len(listeners) < self.limits.clients and (
            sum(listener.subject == subject for listener in listeners)
            < self.limits.clients_per_caller
        )

    def join(self, listener: Listener) -> asyncio.Event:
        """Add a listener; the event is set whenever something waits for it."""
        self.rooms.listeners.add(listener)
        self._wake[listener] = asyncio.Event()
        self._metrics.socket_clients.set(len(self.rooms.listeners))
        return self._wake[listener]

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self.rooms.listeners.discard(listener)
        self._wake.pop(listener, None)
        self._metrics.socket_clients.set(len(self.rooms.listeners))

    async def newest_sequence(self, room: str) -> int | None:
        """The number of the room's last event on the live-state server, None if not known."""
        client = self._commands
        if client is None:
            return None
        channel = events_channel(None if room == FARM_ROOM else room)
        with contextlib.suppress(RedisError, OSError, TimeoutError, ValueError):
            value = await client.hget(SEQUENCE_KEY, channel)
            return None if value is None else int(value)
        return None


def state_text(connected: bool) -> str:
    """The message that says whether events can be expected."""
    return envelope("live_state", {"degraded": not connected})

"""One WebSocket client: who it is, what it asks for, and how it is let go."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from barnhand_desktop.api.access import Caller, Scope
from barnhand_desktop.api.live.hub import EventHub, state_text
from barnhand_desktop.api.live.messages import (
    OWN_ROOM,
    Authenticate,
    BadMessage,
    Close,
    Ping,
    Subscribe,
    Subscription,
    Unsubscribe,
    read_message,
)
from barnhand_desktop.api.live.rooms import Channel, Listener, envelope, kind_of, stream_of
from barnhand_desktop.api.metrics import ApiMetrics
from barnhand_desktop.api.rates import MemoryRates, Rate
from barnhand_desktop.api.tokens import TokenRefused
from db.live.protocol import FARM_ROOM
from engine.domain.errors import EnvironmentFault, StoreUnavailable
from engine.domain.ids import StreamId

log = logging.getLogger(__name__)

_TURN = 8
"""Texts that one client is sent before others have their turn."""
PROTOCOL = "barnhand.v1"
TOKEN_PROTOCOL_PREFIX = "bearer."
_TOKEN_PARAMETERS = ("token", "access_token", "api_key", "key", "authorization")


class Farewell(Exception):
    """The server ends the conversation with this close code and reason."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


Identify = Callable[[str], Caller]
VisibleStreams = Callable[[Caller], frozenset[StreamId]]


class SocketDoor:
    """Admits WebSocket clients. ``identify`` and ``visible`` may block and run on threads."""

    def __init__(
        self,
        hub: EventHub,
        metrics: ApiMetrics,
        identify: Identify,
        visible: VisibleStreams,
        message_rate: Rate,
        refuse_unchanged_passwords: bool,
        now: Callable[[], datetime],
    ) -> None:
        self.hub = hub
        self.metrics = metrics
        self._identify = identify
        self._visible = visible
        self.message_rate = message_rate
        self._refuse_unchanged = refuse_unchanged_passwords
        self.now = now

    async def serve(self, socket: WebSocket, stream_id: UUID | None = None) -> None:
        """Talk to one client until either side ends it."""
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
        try:
            credential = await self._credential(socket, offered)
            caller = await self._admit(credential)
            conversation = Conversation(self, socket, caller, credential)
            await conversation.run(stream_id)
        except WebSocketDisconnect:
            pass
        except Farewell as farewell:
            self.metrics.socket_dropped.labels(farewell.code.name.lower()).inc()
            await self._close(socket, farewell)

    async def _close(self, socket: WebSocket, farewell: Farewell) -> None:
        """Say why, but wait for a reader that takes nothing only so long."""
        if socket.client_state is not WebSocketState.CONNECTED:
            return
        with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect, OSError):
            async with asyncio.timeout(self.hub.limits.farewell_s):
                await socket.close(int(farewell.code), farewell.reason)

    async def _credential(self, socket: WebSocket, offered: list[str]) -> str:
        if any(name in socket.query_params for name in _TOKEN_PARAMETERS):
            raise Farewell(Close.TOKEN_IN_URL, "tokens do not belong into a URL")
        for protocol in offered:
            if protocol.startswith(TOKEN_PROTOCOL_PREFIX):
                return protocol.removeprefix(TOKEN_PROTOCOL_PREFIX)
        try:
            async with asyncio.timeout(self.hub.limits.authenticate_within_s):
                message = read_message(await receive_text(socket))
        except TimeoutError:
            raise Farewell(Close.LATE, "no token came in time") from None
        except BadMessage:
            raise Farewell(Close.UNAUTHENTICATED, "the first message must authenticate") from None
        if not isinstance(message, Authenticate):
            raise Farewell(Close.UNAUTHENTICATED, "the first message must authenticate")
        return message.data.token

    async def _admit(self, credential: str) -> Caller:
        caller = await self.identified(credential)
        if not self.hub.has_room_for(caller.subject):
            raise Farewell(Close.TOO_MANY, "too many open sockets")
        return caller

    async def identified(self, credential: str) -> Caller:
        """The caller now; Farewell if the credential is not, or no longer, good for a socket."""
        try:
            caller = await run_in_threadpool(self._identify, credential)
        except TokenRefused as error:
            raise Farewell(Close.UNAUTHENTICATED, error.message) from error
        except EnvironmentFault as error:
            raise Farewell(Close.TRY_LATER, "accounts cannot be checked now") from error
        if caller.scopes is not None and Scope.READ not in caller.scopes:
            raise Farewell(Close.FORBIDDEN, "the key is not for reading")
        if caller.must_change_password and self._refuse_unchanged:
            raise Farewell(Close.FORBIDDEN, "the one-time password must be changed first")
        if caller.expires_at is not None and caller.expires_at <= self.now():
            raise Farewell(Close.UNAUTHENTICATED, "the token has expired")
        return caller

    async def seen_by(self, caller: Caller) -> frozenset[str]:
        """The streams the caller sees now, as room names."""
        try:
            streams = await run_in_threadpool(self._visible, caller)
        except EnvironmentFault as error:
            raise Farewell(Close.TRY_LATER, "grants cannot be checked now") from error
        return frozenset(str(stream) for stream in streams)


class Conversation:
    """An admitted client."""

    def __init__(
        self, door: SocketDoor, socket: WebSocket, caller: Caller, credential: str
    ) -> None:
        self._door = door
        self._hub = door.hub
        self._socket = socket
        self._caller = caller
        self._credential = credential
        self._listener = Listener(caller.subject, self._hub.limits, caller.username)
        self._judge_now = asyncio.Event()
        self._listener.judge_again = self._judge_now.set
        self._overflowed = asyncio.Event()
        self._listener.give_up = self._overflowed.set
        self._rates = MemoryRates()

    async def run(self, stream_id: UUID | None) -> None:
        """Until the client leaves (WebSocketDisconnect) or must leave (Farewell)."""
        self._listener.visible = await self._door.seen_by(self._caller)
        self._listener.of(self._caller.farm_id, not self._caller.sees_granted_only)
        if stream_id is not None and str(stream_id) not in self._listener.visible:
            raise Farewell(Close.FORBIDDEN, "there is no such stream for this account")
        wake = self._hub.join(self._listener)
        try:
            self._say(envelope("welcome", {"user": self._caller.username, "protocol": PROTOCOL}))
            self._say(state_text(self._hub.connected))
            if stream_id is not None:
                await self._subscribe(Subscription(stream_id=stream_id))
            await _first_to_end(
                self._watch_reader(), self._send(wake), self._receive(wake), self._recheck()
            )
        finally:
            self._hub.leave(self._listener)

    def _say(self, text: str) -> None:
        self._listener.offer(text)

    async def _send(self, wake: asyncio.Event) -> None:
        wake.set()
        sent = self._door.metrics.socket_sent
        while True:
            await wake.wait()
            wake.clear()
            for turn in itertools.count(1):
                text = self._listener.take()
                if text is None:
                    break
                await self._socket.send_text(text)
                sent.inc()
                if turn % _TURN == 0:  # what can be sent at once never waits: others' turn
                    await asyncio.sleep(0)

    async def _watch_reader(self) -> None:
        """Notice, also while a reader takes nothing, that its queue has overflowed."""
        await self._overflowed.wait()
        raise Farewell(Close.SLOW_READER, "slow reader: events were not taken in time")

    async def _receive(self, wake: asyncio.Event) -> None:
        while True:
            text = await receive_text(self._socket)
            if self._rates.wait_s("messages", self._door.message_rate) > 0.0:
                raise Farewell(Close.TOO_MANY, "too many messages")
            try:
                await self._answer(text)
            except BadMessage as error:
                self._say(envelope("error", {"code": "bad_message", "detail": str(error)[:200]}))
            wake.set()

    async def _answer(self, text: str) -> None:
        match read_message(text):
            case Subscribe(data=wanted):
                await self._subscribe(wanted)
            case Unsubscribe(data=left):
                room = self._room(left.name)
                self._listener.subscriptions.pop(room, None)
                self._say(envelope("unsubscribed", {"room": kind_of(room)}, stream_of(room)))
            case Ping():
                self._say(envelope("pong", {"at": self._door.now().isoformat()}))
            case Authenticate():
                raise BadMessage("This socket is authenticated already.")

    def _room(self, name: str) -> str:
        return self._listener.own_room if name == OWN_ROOM else name

    async def _subscribe(self, wanted: Subscription) -> None:
        room = self._room(wanted.name)
        if kind_of(room) == "stream" and room not in self._listener.visible:
            raise BadMessage("There is no such stream for this account.")
        subscriptions = self._listener.subscriptions
        if room not in subscriptions and len(subscriptions) >= self._hub.limits.subscriptions:
            raise BadMessage("This socket has too many subscriptions.")
        channels = frozenset(wanted.channels)
        newest = None
        if wanted.last_sequence is not None:
            newest = await self._hub.newest_sequence(room)
        # From here on nothing waits: replay and live events meet without hole or double.
        told = {"room": kind_of(room), "channels": sorted(channels)}
        self._say(envelope("subscribed", told, stream_of(room)))
        if wanted.last_sequence is not None and room not in subscriptions:
            self._replay(room, wanted.last_sequence, channels, newest)
        subscriptions[room] = channels

    def _replay(
        self, room: str, last_sequence: int, channels: frozenset[Channel], newest: int | None
    ) -> None:
        """Say what the client missed in a room, as far as it may hear it."""
        if room == FARM_ROOM and not self._listener.sees_farm:
            return
        buffer = self._hub.rooms.buffer(room)
        gap, texts = buffer.after(last_sequence, channels, newest, self._listener.farm_id)
        for text in ([gap.text] if gap else []) + texts:
            self._say(text)

    async def _recheck(self) -> None:
        """Read account and grants again and again: an ended login ends the socket."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._next_check_s()):
                    await self._judge_now.wait()
            self._judge_now.clear()
            try:
                self._caller = await self._door.identified(self._credential)
                self._listener.visible = await self._door.seen_by(self._caller)
            except Farewell as farewell:
                if not isinstance(farewell.__cause__, StoreUnavailable):
                    raise
                # While the database is away nobody's rights can have changed there.
                continue
            self._listener.of(self._caller.farm_id, not self._caller.sees_granted_only)

    def _next_check_s(self) -> float:
        rest_s = self._hub.limits.recheck_every_s
        if self._caller.expires_at is None:
            return rest_s
        left_s = (self._caller.expires_at - self._door.now()).total_seconds()
        return max(min(rest_s, left_s), 0.05)


async def receive_text(socket: WebSocket) -> str:
    """The next text; bytes are taken for UTF-8 text. Raises WebSocketDisconnect."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if text is not None:
        return str(text)
    return bytes(message.get("bytes") or b"").decode("utf-8", "replace")


async def _first_to_end(*parts: Awaitable[None]) -> None:
    """Run the parts until one raises; end the others and raise that."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

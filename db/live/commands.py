"""Commands to the engine over the live-state server, and their replies."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

import redis

from db.live.connection import connect, translated
from db.live.protocol import (
    COMMANDS_CHANNEL,
    REPLY_LIFE_S,
    decode_command,
    encode_command,
    reply_key,
)
from engine.domain.commands import EngineCommand, SteerCamera, TakeSnapshot
from engine.domain.errors import BarnhandError, OperatorMistake
from engine.domain.ids import StreamId
from engine.domain.ports import Reply
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

_LISTEN_S = 0.5
_RETRY_S = 0.5
_REPLY_PREFIX = reply_key("")


class RedisCommandBus:
    """Port CommandBus: subscribes to the command channel on a thread of its own.

    While the server is away it tries twice a second; commands sent meanwhile are lost, and their
    senders are told that nobody listened. ``connected`` is True while subscribed.
    """

    def __init__(self, url: str) -> None:
        self._client: redis.Redis = connect(url, answer_s=5.0)
        self._worker: Worker | None = None
        self._handler: Callable[[EngineCommand], Reply] | None = None
        self.connected = False
        self.handled = 0

    def listen(self, handler: Callable[[EngineCommand], Reply]) -> None:
        """Start to call ``handler`` with every command; what it returns answers those that ask."""
        self._handler = handler
        self._worker = Worker("command bus", self._run, restart_budget=1000)
        self._worker.start()

    def close(self) -> None:
        """Stop listening."""
        if self._worker is not None:
            self._worker.ask_to_stop()
            if not self._worker.join(5.0):
                log.warning("the command bus did not end in 5 s")
        self._client.close()

    def _run(self, token: StopToken) -> None:
        while not token.stopping:
            try:
                with translated("listening for commands"):
                    self._listen(token)
            except BarnhandError as error:
                if self.connected:
                    log.warning("%s", error)
                self.connected = False
                token.wait(_RETRY_S)
        self.connected = False

    def _listen(self, token: StopToken) -> None:
        client: Any = self._client  # the library leaves subscriptions untyped
        with client.pubsub(ignore_subscribe_messages=False) as subscription:
            subscription.subscribe(COMMANDS_CHANNEL)
            while not token.stopping:
                message = subscription.get_message(timeout=_LISTEN_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self.connected = True
                elif message["type"] == "message":
                    self._handle(message["data"])

    def _handle(self, payload: bytes) -> None:
        try:
            command = decode_command(payload)
        except OperatorMistake as error:
            log.warning("%s", error)
            return
        self.handled += 1
        reply: Reply = None
        try:
            if self._handler is not None:
                reply = self._handler(command)
        except BarnhandError as error:
            log.warning("%s was not carried out: %s", type(command).__name__, error)
        except Exception:  # worker loop: a handler's bug must not end the bus
            log.exception("%s failed", type(command).__name__)
        if not isinstance(command, TakeSnapshot | SteerCamera):
            return
        if isinstance(reply, Future):
            reply.add_done_callback(lambda done: self._answer_later(command.reply_to, done))
        else:
            self._answer(command.reply_to, reply)

    def _answer_later(self, key: str, done: Future[bytes]) -> None:
        """On the thread that finished it: an answer that cannot be sent is logged only."""
        try:
            with translated("answering a command"):
                self._answer(key, done.result())
        except BarnhandError as error:
            log.warning("%s", error)

    def _answer(self, key: str, reply: bytes | None) -> None:
        if not key.startswith(_REPLY_PREFIX):
            log.warning("a command asked for its reply under the foreign key %r", key)
            return
        pipeline = self._client.pipeline(transaction=True)
        pipeline.rpush(key, reply or b"")  # empty: asked, but there is no picture
        pipeline.expire(key, REPLY_LIFE_S)
        pipeline.execute()


class CommandSender:
    """Sends commands to the engine, from any thread. Raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: redis.Redis = connect(url)

    def send(self, command: EngineCommand) -> int:
        """Publish a command; how many engines heard it (0: none runs)."""
        with translated("sending a command"):
            return int(self._client.publish(COMMANDS_CHANNEL, encode_command(command)))

    def request_snapshot(
        self, stream_id: StreamId, overlays: bool, timeout_s: float
    ) -> bytes | None:
        """JPEG of a stream's newest picture; None when no engine has one within ``timeout_s``.

        With several engines the first that has a picture answers.
        """
        return self._ask(lambda key: TakeSnapshot(stream_id, key, overlays), timeout_s)

    def steer(
        self,
        stream_id: StreamId,
        act: str,
        holder: tuple[str, str],
        values: Mapping[str, object],
        timeout_s: float,
    ) -> bytes | None:
        """Ask the engine that steers a camera; its answer as JSON bytes, None when none does.

        ``holder`` is (key, name) of the person who asks; acts and answers are those of
        ``barnhand_desktop.ptz_requests``.
        """
        return self._ask(lambda key: SteerCamera(stream_id, act, *holder, values, key), timeout_s)

    def _ask(self, command: Callable[[str], EngineCommand], timeout_s: float) -> bytes | None:
        """The first answer that is not empty, of as many engines as heard the command."""
        key = reply_key(str(uuid4()))
        end = time.monotonic() + timeout_s
        waiting = self.send(command(key))
        patient = connect(self._url, answer_s=timeout_s + 2.0)
        try:
            while waiting > 0:
                left_s = end - time.monotonic()
                if left_s <= 0:
                    return None
                with translated("waiting for an answer"):
                    found = patient.blpop([key], timeout=left_s)
                if not found:
                    return None
                waiting -= 1
                picture = found[1]
                if isinstance(picture, bytes) and picture:
                    return picture
            return None
        finally:
            patient.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

"""Many cheap clients in one process: listeners of a WebSocket, or askers over HTTP.

    python -m benchmarks.delivery.clients < orders

Standard input is one line of JSON, standard output one line "ready" and one of JSON with what was
measured. The clients read frames and answers with as little work as can be, so that the measure is
of the server.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import struct
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

_CAPTURED = b'"captured_at":"'
_SUBSCRIBED = b'"event":"subscribed"'


@dataclass
class Tally:
    """What all listeners heard. Delays are milliseconds from before the publisher was given a
    result until its event was read here."""

    delays_ms: list[float] = field(default_factory=list)
    texts: int = 0
    bytes: int = 0
    closed: int = 0
    counting: bool = False


class ListeningClient(asyncio.Protocol):
    """One WebSocket client that subscribes to streams and reads texts (RFC 6455)."""

    def __init__(self, tally: Tally, token: str, streams: list[str], ready: asyncio.Future[None]):
        self._tally, self._token, self._streams, self._ready = tally, token, streams, ready
        self._buffer = bytearray()
        self._open = False
        self._waits_for = len(streams)
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            head, mark, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not mark:
                return
            assert b" 101 " in head, head
            self._open, self._buffer = True, bytearray(rest)
            self._say("authenticate", {"token": self._token})
            for stream in self._streams:
                self._say("subscribe", {"stream_id": stream, "channels": ["detections", "poses"]})
        self._read_frames()

    def connection_lost(self, error: Exception | None) -> None:
        self._tally.closed += 1
        if not self._ready.done():
            self._ready.set_exception(ConnectionError("closed before it was subscribed"))

    def _read_frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            length, head = buffer[at + 1] & 0x7F, 2
            if length == 126:
                head = 4
            elif length == 127:
                head = 10
            if len(buffer) - at < head:
                break
            if head == 4:
                (length,) = struct.unpack_from("!H", buffer, at + 2)
            elif head == 10:
                (length,) = struct.unpack_from("!Q", buffer, at + 2)
            if len(buffer) - at < head + length:
                break
            code = buffer[at] & 0x0F
            if code == 1:
                self._text(bytes(buffer[at + head : at + head + length]))
            elif code == 9:
                self._frame(10, bytes(buffer[at + head : at + head + length]))
            at += head + length
        del buffer[:at]

    def _text(self, text: bytes) -> None:
        if self._waits_for and _SUBSCRIBED in text[:100]:
            self._waits_for -= 1
            if self._waits_for == 0:
                self._ready.set_result(None)
        tally = self._tally
        found = text.find(_CAPTURED)
        if tally.counting and found >= 0:
            start = found + len(_CAPTURED)
            captured = datetime.fromisoformat(text[start : text.index(b'"', start)].decode())
            tally.delays_ms.append((time.time() - captured.timestamp()) * 1e3)
            tally.texts += 1
            tally.bytes += len(text)

    def _say(self, event: str, data: dict[str, Any]) -> None:
        self._frame(1, json.dumps({"event": event, "data": data}).encode())

    def _frame(self, code: int, payload: bytes) -> None:
        """A masked frame; the mask is zero, which the protocol allows and costs nothing."""
        assert self.transport is not None
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
        self.transport.write(bytes([0x80 | code]) + length + bytes(4) + payload)


async def listen(orders: dict[str, Any]) -> dict[str, Any]:
    """Open the clients, say so, and count for some seconds."""
    tally, loop = Tally(), asyncio.get_running_loop()
    streams = orders["streams"]
    opened = []
    for index in range(orders["clients"]):
        ready: asyncio.Future[None] = loop.create_future()
        wanted = [streams[(index + k) % len(streams)] for k in range(orders["watched"])]
        _, client = await loop.create_connection(
            lambda wanted=wanted, ready=ready: ListeningClient(
                tally, orders["token"], wanted, ready
            ),
            "127.0.0.1",
            orders["port"],
        )
        opened.append(client)
        await asyncio.wait_for(ready, 20)
    print("ready", flush=True)
    await asyncio.sleep(orders["settle_s"])
    began_s, used_s = time.monotonic(), time.process_time()
    tally.counting = True
    await asyncio.sleep(orders["seconds"])
    tally.counting = False
    took_s, used_s = time.monotonic() - began_s, time.process_time() - used_s
    closed = tally.closed
    for client in opened:
        assert client.transport is not None
        client.transport.abort()
    delays = np.array(tally.delays_ms or [float("nan")])
    p50, p95, p99 = np.percentile(delays, (50, 95, 99))
    return {
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "most_ms": float(delays.max()),
        "events_s": tally.texts / took_s,
        "mb_s": tally.bytes / took_s / 1e6,
        "dropped": closed,
        "client_cpu": used_s / took_s,
    }


async def ask(orders: dict[str, Any]) -> dict[str, Any]:
    """Ask for one path over kept connections as fast as answers come."""
    request = (
        f"GET {orders['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {orders['token']}\r\n\r\n"
    ).encode()
    times_ms: list[float] = []
    sizes: set[int] = set()
    failures = 0
    ends_s = time.monotonic() + orders["seconds"]

    async def one() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", orders["port"])
        while time.monotonic() < ends_s:
            began_s = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(size)
            times_ms.append((time.perf_counter() - began_s) * 1e3)
            sizes.add(size)
            failures += not head.startswith(b"HTTP/1.1 200")
        writer.close()

    print("ready", flush=True)
    began_s = time.monotonic()
    await asyncio.gather(*(one() for _ in range(orders["clients"])))
    took_s = time.monotonic() - began_s
    p50, p99 = np.percentile(times_ms, (50, 99))
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "requests_s": len(times_ms) / took_s,
        "failures": failures,
        "bytes": max(sizes),
    }


def main() -> None:
    """Do what standard input orders."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    orders = json.loads(sys.stdin.readline())
    work = listen if orders["work"] == "listen" else ask
    print(json.dumps(asyncio.run(work(orders))), flush=True)


if __name__ == "__main__":
    main()

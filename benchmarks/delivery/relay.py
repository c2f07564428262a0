"""The peer: a bare Starlette server that passes the same messages on, and answers fixed bytes.

    python -m benchmarks.delivery.relay LIVE_URL ANSWER_FILE...

No accounts, grants, replay, gaps, sequence checks or slow-reader policy: what the API adds to this
is its own cost. It prints its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from db.live.protocol import EVENTS_CHANNEL_PREFIX, events_channel

_WAITING = 256


def application(live_url: str, answers: dict[str, bytes]) -> Starlette:
    """The server; ``answers`` are bodies by path."""
    listeners: dict[str, set[asyncio.Queue[str]]] = defaultdict(set)

    async def relay() -> None:
        async with Redis.from_url(live_url).pubsub() as channels:
            await channels.psubscribe(f"{EVENTS_CHANNEL_PREFIX}*")
            while True:
                message = await channels.get_message(timeout=1.0)
                if message is not None and message["type"] == "pmessage":
                    text = message["data"].decode()
                    for queue in listeners[message["channel"].decode()]:
                        with contextlib.suppress(asyncio.QueueFull):
                            queue.put_nowait(text)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(relay())
        yield
        task.cancel()

    async def live(client: WebSocket) -> None:
        await client.accept()
        queue: asyncio.Queue[str] = asyncio.Queue(_WAITING)

        async def send() -> None:
            while True:
                await client.send_text(await queue.get())

        sending = asyncio.create_task(send())
        try:
            while True:
                message = json.loads(await client.receive_text())
                if message["event"] == "subscribe":
                    listeners[events_channel(message["data"]["stream_id"])].add(queue)
                    queue.put_nowait('{"event":"subscribed"}')
        except (WebSocketDisconnect, RuntimeError):
            for queues in listeners.values():
                queues.discard(queue)
            sending.cancel()

    async def answer(request: Request) -> Response:
        return Response(answers[request.url.path], media_type="application/json")

    routes = [Route(path, answer) for path in answers]
    return Starlette(routes=[*routes, WebSocketRoute("/ws", live)], lifespan=lifespan)


def main() -> None:
    """Serve until killed."""
    files = sys.argv[2:]
    answers = {
        path: Path(file).read_bytes() for path, file in zip(files[::2], files[1::2], strict=True)
    }
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        application(sys.argv[1], answers),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

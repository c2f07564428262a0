"""Asks the API process whether it is alive, without blocking the window and without a client
library: one small HTTP request over asyncio streams."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

from ui.services import Level, PartState

TIMEOUT_S = 2.0


async def check_api(url: str, timeout_s: float = TIMEOUT_S) -> PartState:
    """The state of the API at ``url`` by its ``/healthz``; never raises but for cancellation."""
    try:
        async with asyncio.timeout(timeout_s):
            code = await _status_code(url, "/healthz")
    except TimeoutError:
        return PartState(Level.AWAY, f"no answer within {timeout_s:g} s")
    except (OSError, ValueError) as error:
        return PartState(Level.AWAY, f"no answer ({type(error).__name__})")
    if code == 200:
        return PartState(Level.OK, "ok")
    return PartState(Level.DEGRADED, f"answers with {code}")


async def _status_code(url: str, path: str) -> int:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    # The console checks its own child on this machine; it trusts whatever certificate it shows.
    context = ssl._create_unverified_context() if secure else None
    host = parts.hostname or "127.0.0.1"
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    reader, writer = await asyncio.open_connection(
        host, parts.port or (443 if secure else 80), ssl=context
    )
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        line = await reader.readline()
    finally:
        writer.close()
    words = line.split()
    if len(words) < 2 or not words[1].isdigit():
        raise ValueError("no HTTP answer")
    return int(words[1])

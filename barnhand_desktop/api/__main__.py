"""``python -m barnhand_desktop.api``: the child of ``ApiProcess``.

Standard input carries the configuration as one line of JSON and then stays open: its end means
that the parent is gone, and this process follows. Standard output carries JSON lines: log records,
and ``{"listening": URL, "port": N}`` once requests are answered.
"""

from __future__ import annotations

import json
import logging
import os
import sys

from pydantic import ValidationError

from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.api.server import ApiServer, JsonLines
from engine.domain.errors import BarnhandError
from engine.runtime.allocator import bound_arenas
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

_STDIN = 0
_END_WITHIN_S = 4.0
_CONFIG_MAX_BYTES = 1_000_000


def main() -> int:
    """Serve until the parent goes away; 0 after an orderly end, 2 when it could not start."""
    bound_arenas()
    handler = JsonLines(sys.stdout)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        server = ApiServer(ApiConfig.model_validate_json(_read_line()))
    except ValidationError as error:
        # Without the input, which holds secrets.
        told = "; ".join(
            f"{'.'.join(map(str, item['loc']))} {item['msg']}".strip()
            for item in error.errors(include_input=False, include_url=False)
        )
        log.error("the API's configuration is not valid: %s", told)
        return 2
    except BarnhandError as error:
        log.error("the API cannot start: %s", error)
        return 2
    Worker("parent watch", lambda token: _follow_parent(token, server)).start()
    try:
        server.run(lambda url: _say({"listening": url, "port": server.port}))
    except BarnhandError as error:
        log.error("the API cannot start: %s", error)
        return 2
    return 0


def _read_line() -> bytes:
    """The first line of standard input, read without a buffer that the watch would miss."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(_STDIN, 1)
        if not byte or len(line) > _CONFIG_MAX_BYTES:
            break
        line += byte
    return bytes(line)


def _say(document: dict[str, object]) -> None:
    print(json.dumps(document), flush=True)


def _follow_parent(token: StopToken, server: ApiServer) -> None:
    while os.read(_STDIN, 4096):
        pass
    log.info("the parent process ended or asked for the end")
    server.stop()
    token.wait(_END_WITHIN_S)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())

"""``python -m barnhand_desktop.client``: look at a barn from the command line.

The credential is never an argument: it is an API key in ``BARNHAND_API_KEY``, or an account's
password that is asked for (``--user``).
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from .barn import Barnhand
from .credentials import ApiKey, Credential, Login
from .errors import ClientError
from .rooms import Event, Heard, Room
from .trust import Authority, Pinned, Public, Trust


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it went well, 1 when the server or the client said no."""
    told = _parser().parse_args(arguments)
    try:
        with Barnhand(told.url, _credential(told.user), _trust(told)) as barn:
            told.run(barn, told)
    except (ClientError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m barnhand_desktop.client",
        description="Look at a barn over its remote API. The credential is an API key in the "
        "environment variable BARNHAND_API_KEY, or with --user a password that is asked for.",
    )
    parser.add_argument("--url", default="http://127.0.0.1:8620", help="default: %(default)s")
    parser.add_argument("--user", help="log in as this account instead of with an API key")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--ca", type=Path, help="PEM file with the certificate or authority")
    trust.add_argument("--fingerprint", help="SHA-256 of the one certificate to trust")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="say whether the server answers and who is asking")
    check.set_defaults(run=_check)
    streams = commands.add_parser("streams", help="list cameras and how they are doing")
    streams.set_defaults(run=_streams)
    watch = commands.add_parser("watch", help="print events as JSON lines until interrupted")
    watch.add_argument("--stream", type=UUID, help="one camera with all its channels")
    watch.add_argument("--count", type=int, help="end after so many")
    watch.set_defaults(run=_watch)
    snapshot = commands.add_parser("snapshot", help="write a camera's latest picture to a file")
    snapshot.add_argument("stream", type=UUID)
    snapshot.add_argument("file", type=Path)
    snapshot.add_argument("--overlays", action="store_true", help="with boxes and skeletons")
    snapshot.set_defaults(run=_snapshot)
    return parser


def _credential(user: str | None) -> Credential:
    if user is not None:
        return Login(user, getpass.getpass(f"Password of {user}: "))
    key = os.environ.get("BARNHAND_API_KEY")
    if not key:
        raise ValueError("Set BARNHAND_API_KEY, or say --user.")
    return ApiKey(key)


def _trust(told: argparse.Namespace) -> Trust:
    if told.ca is not None:
        return Authority(told.ca)
    return Public() if told.fingerprint is None else Pinned(told.fingerprint)


def _check(barn: Barnhand, _: argparse.Namespace) -> None:
    me = barn.auth.me()
    print(f"{barn.connection.url}, version {barn.operation.healthz().version}")
    print(f"{me.username}, {me.role}" + ("" if me.scopes is None else f", {', '.join(me.scopes)}"))


def _streams(barn: Barnhand, _: argparse.Namespace) -> None:
    for stream in barn.streams.list():
        print(stream.id, stream.status.state if stream.status else "unknown", stream.name)


def _watch(barn: Barnhand, told: argparse.Namespace) -> None:
    room = Room.farm() if told.stream is None else Room.stream(told.stream)
    with barn.events.listen([room]) as listening:
        for count, heard in enumerate(listening, 1):
            print(json.dumps(_line(heard), default=str), flush=True)
            if count == told.count:
                return


def _line(heard: Heard) -> dict[str, object]:
    if isinstance(heard, Event):
        return {"event": heard.name, "stream_id": heard.stream_id, "at": heard.at, **heard.data}
    return {"event": type(heard).__name__.lower(), **vars(heard)}


def _snapshot(barn: Barnhand, told: argparse.Namespace) -> None:
    told.file.write_bytes(barn.streams.snapshot(told.stream, told.overlays))


if __name__ == "__main__":
    sys.exit(main())

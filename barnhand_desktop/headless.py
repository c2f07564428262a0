"""The engine with no screen: ``barnhand headless``."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from barnhand_desktop import lifecycle
from barnhand_desktop.installation import Installation
from barnhand_desktop.settings.files import replace_file
from barnhand_desktop.wiring import Barn, Servers, build, tour_addresses
from engine.domain.ids import StreamId
from engine.domain.streams import Stream, StreamState
from engine.sources.addresses import split_credentials
from engine.sources.registry import kind_of

FINISHED = (StreamState.ERROR, StreamState.ENDED)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``barnhand headless``."""
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="URL_OR_FILE",
        help="watch this source instead of the stored cameras; may be given several times",
    )
    parser.add_argument("--for", dest="for_s", type=_seconds, metavar="SECONDS", help="then stop")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a JSON summary there")


def streams_of(addresses: Sequence[str]) -> list[Stream]:
    """Streams of addresses named on a command line, with ids that stay the same over runs."""
    streams = []
    for typed in addresses:
        address, username, password = split_credentials(typed)
        kind = kind_of(address)
        if kind.value in ("file", "folder"):
            address = str(Path(address).expanduser().absolute())
        identity = StreamId(uuid5(NAMESPACE_URL, f"barnhand:{address}"))
        path = address.removeprefix("simulated:").partition("?")[0].rstrip("/")
        name = path.rsplit("/", 1)[-1] or address
        streams.append(Stream(identity, name, kind, address, username, password))
    return streams


def run_headless(
    place: Installation, sources: Sequence[str], for_s: float | None, report: Path | None
) -> int:
    """Watch until the time is over, all sources have failed or a signal comes.

    Prints a line a second. Returns 0, or 1 when no source gave a picture and no other workstation
    watches any.
    """
    streams = streams_of(sources) if sources else None
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: over.set())
    servers = Servers.start(place)
    try:
        barn = build(place, servers)
    except BaseException:
        servers.stop()
        raise
    try:
        if streams is None and not barn.streams.list():
            print("No camera is stored yet: showing the simulated barn. Add cameras with --source,")
            print("in the console or through the API.")
            streams = streams_of(tour_addresses())
        lifecycle.start(barn, streams)
        _say_where(barn)
        _watch(barn, over, for_s)
    finally:
        survivors = lifecycle.stop(barn)
        summary_lines = barn.engine.summary()  # after the end, so that nothing is left out
    document = {
        "cameras": [
            {
                "name": camera.name,
                "decoded": camera.decoded,
                "analysed": camera.analysed,
                "dropped": camera.dropped,
                "latency_ms": {
                    "p50": camera.latency_p50_ms,
                    "p95": camera.latency_p95_ms,
                    "p99": camera.latency_p99_ms,
                },
                "horses_seen": camera.horses_seen,
                "tracks_seen": camera.tracks_seen,
                "rows": camera.rows,
                "pictures_with_rows": camera.pictures_with_rows,
            }
            for camera in summary_lines
        ],
        "rows_written": barn.writer.rows_written,
        "rows_spooled": barn.writer.rows_spooled,
        "rows_dropped": barn.writer.rows_dropped,
        "survivors": survivors,
        "errors": [f"{c.name}: {error}" for c in summary_lines for error in c.errors],
    }
    if report is not None:
        replace_file(report.absolute(), json.dumps(document, indent=2) + "\n")
    for error in document["errors"] if isinstance(document["errors"], list) else []:
        print(f"Error: {error}")
    watched = any(camera.decoded for camera in summary_lines) or barn.engine.elsewhere()
    return 0 if watched else 1


def _watch(barn: Barn, over: threading.Event, for_s: float | None) -> None:
    seconds = 0
    while for_s is None or seconds < for_s:
        if over.wait(min(1.0, for_s - seconds) if for_s is not None else 1.0):
            return
        seconds += 1
        healths = barn.engine.health().streams
        active = sum(health.state is StreamState.ACTIVE for health in healths)
        print(
            f"{active}/{len(healths)} cameras{_elsewhere(barn)}  "
            f"{sum(h.fps for h in healths):.0f} fps  "
            f"{sum(h.analysed_fps for h in healths):.0f} analysed/s  "
            f"{_horses_now(barn)} horses  "
            f"{barn.writer.rows_written} rows  "
            f"API {(barn.api.reached_at if barn.api is not None else '') or 'away'}",
            flush=True,
        )
        if healths and all(health.state in FINISHED for health in healths):
            return


def _elsewhere(barn: Barn) -> str:
    others = len(barn.engine.elsewhere())
    return f" ({others} on other workstations)" if others else ""


def _horses_now(barn: Barn) -> int:
    newest = [barn.engine.results(stream.id)[-1:] for stream in barn.engine.streams()]
    return sum(int(result.tracks.confirmed_horses.sum()) for last in newest for result in last)


def _say_where(barn: Barn) -> None:
    if barn.api is not None and barn.api.reached_at:
        print(f"API: {barn.api.reached_at}/docs")
    if barn.admin_password is not None:
        print(f"First start: the account 'admin' has the one-time password {barn.admin_password}")
        print("It is shown only this once; change it at the first login.")
    for notice in barn.engine.health().notices:
        print(f"{notice.severity.value}: {notice.message} {notice.advice}")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value

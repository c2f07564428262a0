"""Checks of the servers: database, live state, the API's port, and the cameras stored."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from barnhand_desktop.doctor.check import Check, Patient, fail, in_units, ok, warn
from barnhand_desktop.servers.folder import port_is_free
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.valkey import EmbeddedValkey
from barnhand_desktop.settings.secrets import SecretStore
from db.live.state import LiveStateReader
from db.migrate import packaged_migrations
from db.pool import open_pool, transaction
from db.queries import queries
from db.repositories.streams import PostgresStreamRepository
from engine.domain.errors import BarnhandError
from engine.domain.ids import StreamId
from engine.domain.streams import Stream
from engine.runtime.worker import StopToken, Worker, stop_all
from engine.settings import CaptureSettings

OLDEST_POSTGRES = 15
_PROBE_LIMIT_S = 30.0
_MOST_CAMERAS = 64
"""Cameras looked at, all at once."""


class Embedded(Protocol):
    """An embedded server as its checks use it."""

    def start(self) -> str: ...

    def stop(self) -> None: ...


@contextmanager
def borrowed(
    folder: Path, running: str | None, make: Callable[[Path], Embedded]
) -> Iterator[tuple[str, str]]:
    """Address of an embedded server and how it is there: running already, started on its folder
    for this check, or, where there is no folder yet, started on a temporary one."""
    if running is not None:
        yield running, "running"
        return
    trial = None if folder.exists() else Path(tempfile.mkdtemp(prefix="barnhand-doctor-"))
    try:
        server = make(folder if trial is None else trial / folder.name)
        try:
            address = server.start()
            yield address, "started and stopped for this check" if trial is None else "tried out"
        finally:
            server.stop()
    finally:
        if trial is not None:
            shutil.rmtree(trial, ignore_errors=True)


@contextmanager
def database_address(patient: Patient) -> Iterator[tuple[str, str]]:
    """DSN of the database by the settings, and how it is there."""
    settings = patient.settings.database
    if settings.mode == "shared":
        yield settings.dsn.get_secret_value(), "shared"
        return
    folder = patient.folders.postgres
    running = EmbeddedPostgres(folder).dsn_if_running() if folder.exists() else None
    with borrowed(folder, running, EmbeddedPostgres) as found:
        yield found


def database(patient: Patient) -> list[Check]:
    """The database answers, is new enough and has this program's schema; then its cameras."""
    try:
        with database_address(patient) as (dsn, how):
            return _examined_database(patient, dsn, how)
    except BarnhandError as error:
        advice = error.advice if patient.settings.database.mode == "embedded" else _SHARED_ADVICE
        return [fail("Database", error.message, advice)]


_SHARED_ADVICE = "Check database.dsn, the network, and that the server runs."


def _examined_database(patient: Patient, dsn: str, how: str) -> list[Check]:
    wait_s = patient.settings.database.connect_timeout_s
    with closing(open_pool(dsn, max_size=2, wait_s=wait_s, name="barnhand doctor")) as pool:
        sql = queries("doctor")
        with transaction(pool, "looking at the server") as connection:
            row = connection.execute(sql["server"]).fetchone() or ("0", False, False, False, 0)
            version, timescale, vector, migrated, size_bytes = row
            number = 0
            if migrated:
                answer = connection.execute(sql["schema_number"]).fetchone()
                number = answer[0] if answer else 0
        found = (
            f"PostgreSQL {version}, {'TimescaleDB' if timescale else 'native partitions'}, "
            f"{in_units(size_bytes)}, {how}"
        )
        checks = [_server(found, str(version), bool(vector)), _schema(number)]
        if number and patient.cameras:
            checks += _cameras(patient, PostgresStreamRepository(pool, _key(patient)).list())
        return checks


def _key(patient: Patient) -> bytes:
    return SecretStore(patient.folders.data).credential_key_text().encode()


def _server(found: str, version: str, vector: bool) -> Check:
    if int(version.split(".")[0].split(" ")[0]) < OLDEST_POSTGRES:
        return fail("Database", found, f"Use PostgreSQL {OLDEST_POSTGRES} or newer.")
    if not vector:
        return fail("Database", f"{found}, without pgvector", "Install pgvector on the server.")
    return ok("Database", found)


def _schema(number: int) -> Check:
    newest = packaged_migrations()[-1].number
    if number == newest:
        return ok("Schema", f"step {number:04d}, up to date")
    if number > newest:
        found = f"step {number:04d}; this program knows {newest:04d}"
        return fail("Schema", found, "Update Barnhand on this machine.")
    found = f"step {number:04d} of {newest:04d}" if number else "none yet"
    if number == 0:
        return ok("Schema", f"{found}; it is made at the first start")
    return warn("Schema", found, "Run: barnhand migrate (the next start does it too).")


# --- cameras -------------------------------------------------------------------------------------


def _cameras(patient: Patient, streams: Sequence[Stream]) -> list[Check]:
    """Every stored camera that is switched on, looked at side by side."""
    wanted = [stream for stream in streams if stream.enabled][:_MOST_CAMERAS]
    if not wanted:
        return [ok("Cameras", "none stored; the first start opens the simulated barn")]
    found: dict[StreamId, Check] = {}
    capture = patient.settings.engine.capture
    workers = [
        Worker(f"doctor-{number}", _looker(stream, capture, found), restart_budget=0)
        for number, stream in enumerate(wanted)
    ]
    for worker in workers:
        worker.start()
    stop_all(workers, _PROBE_LIMIT_S)
    late = "Check the camera and its network."
    return [
        found.get(stream.id) or fail(f"Camera {stream.name}", "did not answer in time", late)
        for stream in wanted
    ]


def _looker(
    stream: Stream, capture: CaptureSettings, found: dict[StreamId, Check]
) -> Callable[[StopToken], None]:
    def look(_token: StopToken) -> None:
        from engine.sources.probe import probe

        name = f"Camera {stream.name}"
        try:
            report = probe(stream, capture)
        except BarnhandError as error:
            found[stream.id] = fail(name, error.message, error.advice or "Check its address.")
            return
        rate = f" at {report.fps:.0f} fps" if report.fps else ""
        found[stream.id] = ok(name, f"{report.width}x{report.height}{rate}, {report.codec}")

    return look


# --- live state and API --------------------------------------------------------------------------


def live_state(patient: Patient) -> Check:
    """The Redis-protocol server answers."""
    settings = patient.settings.live
    name = "Live state"
    try:
        if settings.mode == "shared":
            _ping(settings.url.get_secret_value())
            return ok(name, "shared server answers")
        folder = patient.folders.valkey
        running = EmbeddedValkey(folder).url_if_running() if folder.exists() else None
        with borrowed(folder, running, EmbeddedValkey) as (url, how):
            _ping(url)
            return ok(name, f"Valkey answers, {how}")
    except BarnhandError as error:
        shared = "Check live.url, the network, and that the server runs."
        return fail(name, error.message, error.advice if settings.mode == "embedded" else shared)


def _ping(url: str) -> None:
    with closing(LiveStateReader(url)) as reader:
        reader.ping()


def api(patient: Patient) -> Check:
    """The API's port is free, or Barnhand's own API is on it."""
    settings = patient.settings.api
    if not settings.enabled:
        return ok("API", "switched off (api.enabled)")
    where = f"{settings.host}:{settings.port}"
    for path in (settings.tls_certificate, settings.tls_key):
        if path is not None and not path.is_file():
            return fail("API", f"{path} is not there", "Correct api.tls_certificate, api.tls_key.")
    if settings.port == 0 or port_is_free(settings.port):
        return ok("API", f"will listen on {where}")
    if _is_ours(settings.port, settings.tls_certificate is not None):
        return ok("API", f"Barnhand's API answers on {where}")
    return warn(
        "API",
        f"another program listens on port {settings.port}",
        "Set api.port to a free one, or the next free port is taken.",
    )


def _is_ours(port: int, tls: bool) -> bool:
    if tls:
        return False
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=3) as answer:
            document = json.load(answer)
    except (OSError, urllib.error.URLError, ValueError):
        return False
    return "barnhand" in str(document.get("info", {}).get("title", "")).lower()

"""Requests that mean more than they say: paths out of the media folder, addresses into the local
network, pages of other sites, names that become formulas, headers or log lines, poisoned files.
The list is in ``test_attacks``."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import socket
import struct
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import cv2
import httpx
import numpy as np
import pytest
from pydantic import ValidationError

from barnhand_desktop.exports.names import file_name, shown_name
from barnhand_desktop.exports.tables import write_tables
from barnhand_desktop.logs import JsonFormatter, TerminalFormatter
from barnhand_desktop.settings.schema import ApiSettings
from db.queue.jobs import PostgresJobQueue
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.export_rows import ExportRows
from engine.domain.ids import HorseId
from engine.domain.recording import ChunkId, ExportKind, JobId, JobKind, JobState
from tests.attacks.farmyard import JPEG, NOON, Yard
from tests.attacks.hostile_servers import Resolver
from tests.fixtures_api import PASSWORD, require_problem, run_server

SECRET = "not below the media folder"

# --- traversal -----------------------------------------------------------------------------------

WAYS_OUT = (
    "../secret.txt",
    "exports/../../secret.txt",
    "recordings/../../secret.txt",
    "..\\secret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "exports/\x00/../../secret.txt",
    "exports/link/secret.txt",
    "exports/file-link",
    "recordings/file-link",
    "..",
    ".",
    "",
)


@pytest.fixture
def outside(yard: Yard) -> Path:
    """A secret beside the media folder, and links below it that lead there."""
    secret = yard.media.parent / "secret.txt"
    secret.write_text(SECRET)
    for name in ("exports/link", "exports/file-link", "recordings/file-link"):
        link = yard.media / name
        link.parent.mkdir(exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(secret if name.endswith("file-link") else secret.parent)
    return secret


@pytest.mark.parametrize("way", WAYS_OUT)
def test_stored_paths_never_lead_out_of_the_media_folder(
    yard: Yard, outside: Path, way: str
) -> None:
    """As if a row had been forged: what the database says is resolved before it is opened."""
    queue = PostgresJobQueue(yard.world.pool)
    if "\x00" not in way:  # the database itself takes none
        job = queue.submit(JobKind.EXPORT, "x", {}, "Anna", yard.world.farm)
        queue.end(job.id, JobState.DONE, "", {"path": way, "name": way})
        answer = yard.send("manager", "GET", f"/exports/{job.id}/download")
        require_problem(answer, 404, "not_found")
        side = yard.sides["granted"]
        chunk = replace(side.chunk, id=ChunkId(uuid4()), path=f"{way}{'' if way else uuid4()}")
        try:
            PostgresChunkRepository(yard.world.pool).put(chunk)
        except Exception:
            return  # refused by the table, which is as good
        try:
            for part in ("video", "overlay"):
                answer = yard.send("manager", "GET", f"/chunks/{chunk.id}/{part}")
                require_problem(answer, 404)
                assert SECRET not in answer.text
        finally:
            yard.execute("DELETE FROM video_chunks WHERE id = %s", chunk.id)


@pytest.mark.parametrize(
    "path",
    [
        "/chunks/..%2f..%2fsecret.txt/video",
        "/chunks/%2e%2e%2f%2e%2e%2fetc%2fpasswd/video",
        "/chunks/..%252f..%252fetc%252fpasswd/video",
        "/exports/..%2f..%2fsecret.txt/download",
        "/exports/%00/download",
        "/horses/..%5c..%5csecret.txt/avatar",
        "/hls/..%2f..%2fsecret.txt/video.mp4",
        "/hls/%2e%2e/video.mp4",
        "/chunks/%c0%ae%c0%ae%c0%afetc/overlay",
        "/alerts/..%2fx/picture",
    ],
)
def test_encoded_paths_reach_no_file(yard: Yard, outside: Path, path: str) -> None:
    target = f"/api/v1{path}".encode()
    headers = yard.credentials["root"]
    url = httpx.URL(yard.world.url).copy_with(raw_path=target)
    answer = yard.world.http.get(url, headers=headers)
    assert answer.status_code in (403, 404, 422), answer.text
    assert SECRET not in answer.text and "root:" not in answer.text


@pytest.mark.parametrize("way", [way for way in WAYS_OUT if way and "\x00" not in way])
def test_a_file_as_a_camera_lies_below_the_media_folder(
    yard: Yard, outside: Path, way: str
) -> None:
    for address in (
        f"file:{way}",
        f"file:///{way}",
        f"file://localhost/{way}",
        f"file:%2e%2e/{way}",
    ):
        body = {"name": f"f{uuid4().hex[:8]}", "address": address}
        answer = yard.send("manager", "POST", "/streams", body)
        if answer.status_code == 201:
            stored = yard.execute(
                "SELECT address FROM streams WHERE id = %s", UUID(answer.json()["id"])
            )[0][0]
            assert Path(stored).resolve().is_relative_to(yard.media.resolve()), address
            yard.send("manager", "DELETE", f"/streams/{answer.json()['id']}")
        else:
            require_problem(answer, 422)


# --- request forgery -----------------------------------------------------------------------------

INTO_THE_NETWORK = (
    "rtsp://169.254.169.254/",
    "http://2852039166/",
    "http://0xA9FEA9FE/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00:ec2::254]/",
    "http://0/",
    "http://0.0.0.0:80/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://100.100.100.200/latest/",
    "http://good.example@169.254.169.254/",
    "http://good.example:80@169.254.169.254:80/",
    "http://169.254.169.254#@good.example/",
    "http://169.254.169.254?@good.example/",
    "http://169.254.169.254\\@good.example/",
    "http://good.example\r\nHost: 169.254.169.254/",
    "http://good.example/\r\nX: y",
    "http://good.example\t@169.254.169.254/",
    "http:///169.254.169.254/",
    "http:169.254.169.254/",
    "HTTP://169.254.169.254/",
    " http://169.254.169.254/",
    "rtsps://meta.example/",
    "rtmps://meta.example/app/x",
    "https://meta.example/",
    "rtsp://both.example/",
    "ftp://192.0.2.1/x",
    "gopher://192.0.2.1/x",
    "dict://192.0.2.1/x",
    "tcp://192.0.2.1:25",
    "udp://192.0.2.1:25",
    "concat:http://192.0.2.1/a|http://192.0.2.1/b",
    "crypto:http://192.0.2.1/",
    "data:video/mp4;base64,AAAA",
    "pipe:0",
    "subfile,,start,0,end,9,,:/etc/passwd",
    "unix:///run/x.sock",
    "usb:0",
    "/dev/video0",
    "/etc/passwd",
    "-i /etc/passwd",
    "--exec=touch /x",
    "web:http://127.0.0.1/page",
    "web:https://evil.example/page",
    "web:--exec=x",
    "web:file:///etc/passwd",
    "https://user:pass@www.youtube.com/watch?v=x",
    "https://youtube.com.meta.example/watch?v=x",
    "rtmp-listen://0.0.0.0:1950/barn",
    "rtmp-listen://127.0.0.1:6379/barn",
    "simulated:../../etc/passwd",
    "simulated://evil.example/x",
    "javascript:alert(1)",
    "x" * 3000,
)


@pytest.mark.parametrize("address", INTO_THE_NETWORK, ids=lambda text: text[:40])
def test_no_camera_leads_into_the_network(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolver = Resolver(socket.getaddrinfo)
    for name, stands_for in {
        "good.example": "192.0.2.9", "meta.example": "169.254.169.254",
        "youtube.com.meta.example": "169.254.169.254", "evil.example": "192.0.2.66",
    }.items():  # fmt: skip
        resolver.name(name, stands_for)
    ask = resolver.__call__

    def both(host: Any, *further: Any, **named: Any) -> Any:
        if host == "both.example":  # one good address among bad ones is not enough
            good = ask("192.0.2.9", *further, **named)
            return good + ask("169.254.169.254", *further, **named)
        return ask(host, *further, **named)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    before = yard.audited()
    body = {"name": f"ssrf {uuid4().hex[:8]}", "address": address}
    require_problem(yard.send("manager", "POST", "/streams", body), 422)
    stream = yard.fresh("stream", "granted")
    change = {**body, "version": 1}
    after = yard.audited()
    require_problem(yard.send("manager", "PUT", f"/streams/{stream}", change), 422)
    assert yard.audited() == after == before + 1  # the new stream's own row
    stored = yard.execute("SELECT address FROM streams WHERE id = %s", UUID(stream))
    assert stored == [("simulated:barn",)]
    yard.send("manager", "DELETE", f"/streams/{stream}")


def test_fields_that_only_the_console_sets_are_refused(yard: Yard) -> None:
    """FFmpeg's options, cookies files and pinned addresses are no business of a remote caller."""
    good = {"name": "x", "address": "simulated:barn"}
    for smuggled in (
        {"extra": {"options": {"protocol_whitelist": "file"}}},
        {"options": {"vf": "movie=/etc/passwd"}},
        {"pinned_addresses": ["127.0.0.1"]},
        {"cookies_file": "/etc/shadow"},
        {"kind": "file"},
    ):
        answer = yard.send("manager", "POST", "/streams", {**good, **smuggled})
        require_problem(answer, 422, "validation_failed")


# --- pages of other sites ------------------------------------------------------------------------

FOREIGN = (
    "https://evil.example",
    "null",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "https://127.0.0.1.evil.example",
    "http://user@127.0.0.1",
    "file://",
    "chrome-extension://abc",
    "",
    "http://[::1",
)


@pytest.mark.parametrize("origin", FOREIGN)
def test_pages_of_other_sites_change_and_read_nothing(yard: Yard, origin: str) -> None:
    headers = {**yard.credentials["root"], "Origin": origin}
    for method, path in (("POST", "/farms"), ("PUT", "/farms/x"), ("DELETE", "/users/x")):
        answer = yard.world.http.request(
            method, yard.world.base + path, json={"name": "x"}, headers=headers
        )
        require_problem(answer, 403, "origin_refused")
    read = yard.world.http.get(f"{yard.world.base}/streams", headers=headers)
    asked = yard.world.http.options(
        f"{yard.world.base}/streams",
        headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
    )
    for answer in (read, asked):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert asked.status_code in (403, 404, 405)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8620", "127.0.0.1.evil.example", "localhost.evil.example",
        "127.0.0.1@evil.example", "127.0.0.1:80@evil.example", "evil.example#127.0.0.1",
        "[::1].evil.example", "127.1", "0", "2130706433", "localhost\\.evil.example",
    ],
)  # fmt: skip
def test_a_name_bound_to_this_machine_by_others_is_refused(yard: Yard, host: str) -> None:
    for path in ("/healthz", "/metrics", "/openapi.json"):
        answer = yard.world.http.get(yard.world.url + path, headers={"Host": host})
        assert answer.status_code in (400, 403), (host, answer.text)


def test_forwarding_headers_of_strangers_mean_nothing(yard: Yard) -> None:
    """Neither a wrong name in the audit trail, nor an allowance of one's own, nor open metrics."""
    forged = {
        "X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9",
        "X-Real-IP": "203.0.113.9", "X-Forwarded-Host": "evil.example", "X-Original-URL": "/users",
        "X-Rewrite-URL": "/users", "X-HTTP-Method-Override": "DELETE",
    }  # fmt: skip
    body = {"username": "nobody at all", "password": PASSWORD}
    yard.world.http.post(f"{yard.world.base}/auth/login", json=body, headers=forged)
    (row,) = yard.execute("SELECT address FROM audit_log ORDER BY id DESC LIMIT 1")
    assert row == ("127.0.0.1",)
    answer = yard.world.http.get(f"{yard.world.url}/metrics", headers=forged)
    require_problem(answer, 401, "unauthenticated")
    me = yard.world.http.get(
        f"{yard.world.base}/auth/me", headers={**forged, **yard.credentials["viewer"]}
    )
    assert me.json()["username"] == "viewer"


def test_only_a_trusted_proxy_speaks_for_others(yard: Yard) -> None:
    config = yard.world.config.model_copy(update={"trusted_proxies": ("127.0.0.1",)})
    body = {"username": "nobody at all", "password": PASSWORD}
    for url in run_server(config):
        headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        httpx.post(f"{url}/api/v1/auth/login", json=body, headers=headers)
    # What the client itself claimed to be stands before what the proxy saw, and is not believed.
    (row,) = yard.execute("SELECT address FROM audit_log ORDER BY id DESC LIMIT 1")
    assert row == ("203.0.113.9",)
    for wrong in ("*", "proxy.example", "10.0.0.0/8", ""):
        with pytest.raises(ValidationError):
            ApiSettings(trusted_proxies=(wrong,))


# --- names that become something else ------------------------------------------------------------

FORMULAS = ("=cmd()", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")')
LINES = 'Bella\r\nSet-Cookie: x=1\r\n\r\n{"level":"error"}\u2028\x1b[31m'


@pytest.mark.parametrize("name", FORMULAS)
def test_a_horse_s_name_is_no_formula(yard: Yard, tmp_path: Path, name: str) -> None:
    """What a spreadsheet would take for a formula stands behind an apostrophe."""
    side, rows = yard.sides["granted"], ExportRows(yard.world.pool)
    horse = HorseId(UUID(yard.fresh("horse", "granted")))
    yard.execute("UPDATE horses SET name = %s WHERE id = %s", name, horse)
    scope = rows.scope(side.farm, [side.stream], horse, NOON, NOON + timedelta(minutes=1))
    file = tmp_path / "out.csv"
    count = write_tables(ExportKind.CSV, ["detections"], rows, scope, file, lambda *_: None)
    assert count == {"detections": 1}
    (row,) = csv.DictReader(io.StringIO(file.read_bytes().decode(), newline=""))
    assert row["horse"] == f"'{name}"


@pytest.mark.parametrize(
    "name", [LINES, '../../x"; filename="evil.exe', "-rf", "x\x00y", "\u202egpj"]
)
def test_names_of_downloads_are_harmless(yard: Yard, name: str) -> None:
    made = file_name("csv", name, NOON, JobId(uuid4()), ".csv")
    for shown in (made, shown_name(name, made)):
        assert not set(shown) & set('/\\"\r\n\x00;\u202e') and not shown.startswith("-")
    if "\x00" in name:
        return
    job = yard.fresh("export", "granted")
    yard.execute(
        "UPDATE jobs SET result = jsonb_set(result, '{name}', to_jsonb(%s::text)) WHERE id = %s",
        name, UUID(job),
    )  # fmt: skip
    answer = yard.send("manager", "GET", f"/exports/{job}/download")
    assert answer.is_success and "set-cookie" not in answer.headers
    header = answer.headers["content-disposition"]
    assert header.startswith("attachment; filename") and header.count('"') in (0, 2)
    assert ".exe" not in header or "%22" in header


def test_names_are_no_lines_of_the_log() -> None:
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "INFO", "levelno": 20, "msg": "camera %s", "args": (LINES,)}
    )
    text = JsonFormatter().format(record)
    assert len(text.splitlines()) == 1 and json.loads(text)["message"].startswith("camera Bella")
    told = TerminalFormatter().format(record)
    assert len(told.splitlines()) == 1 and "\x1b" not in told


def test_names_with_control_characters_are_refused_or_shown_as_they_are(yard: Yard) -> None:
    for path, body in (
        ("/farms", {"name": LINES}),
        ("/streams", {"name": LINES, "address": "simulated:barn"}),
        ("/users", {"username": LINES, "password": PASSWORD, "role": "viewer"}),
    ):
        answer = yard.send("root", "POST", path, body)
        assert "set-cookie" not in answer.headers
        assert answer.status_code in (201, 422)
        lines = yard.send("root", "GET", f"{yard.world.url}/metrics").text.splitlines()
        assert all(
            line.startswith(("#", "barnhand", "python", "process")) for line in lines if line
        )


def test_deep_links_into_json_answers_stay_json(yard: Yard) -> None:
    """Markup in a name comes back as JSON that no browser renders."""
    body = {"name": f"<script>alert(1)</script>{uuid4().hex[:6]}"}
    answer = yard.send("root", "POST", "/farms", body)
    listed = yard.send("root", "GET", "/farms")
    for one in (answer, listed):
        assert one.headers["content-type"].startswith("application/")
        assert one.headers["x-content-type-options"] == "nosniff"


# --- pictures ------------------------------------------------------------------------------------


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def part(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(data))
        + part(b"IEND", b"")
    )  # fmt: skip


def good_jpeg() -> bytes:
    made, encoded = cv2.imencode(".jpg", np.full((40, 60, 3), 90, np.uint8))
    assert made
    return bytes(encoded.tobytes())


POISONED = {
    "a bomb": png(60_000, 60_000, b"\0" * 1000),
    "a flat bomb": png(2**31 - 1, 1),
    "no pixels": png(0, 0),
    "cut": good_jpeg()[:200],
    "only a head": b"\xff\xd8\xff\xe0",
    "markers without an end": b"\xff\xd8" + b"\xff\xe0\x00\x02" * 100_000,
    "a length of none": b"\xff\xd8" + b"\xff\xe0\x00\x00" * 10_000,
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "GIF": b"GIF89a\xff\xff\xff\xff",
    "TIFF": b"II*\x00" + b"\xff" * 100,
    "HTML": b"<html><script>alert(1)</script>",
    "Postscript": b"%!PS\n(/etc/passwd)(r)file",
    "nothing": b"",
    "noise": os.urandom(5000),
}


@pytest.mark.parametrize("name", POISONED)
def test_poisoned_pictures_are_refused(yard: Yard, name: str) -> None:
    horse = yard.sides["granted"].ids["horse"]
    url = f"{yard.world.base}/horses/{horse}/avatar"
    headers = {**yard.credentials["manager"], "Content-Type": "image/jpeg"}
    answer = yard.world.http.put(url, content=POISONED[name], headers=headers)
    assert answer.status_code in (400, 413, 415, 422), answer.text
    assert yard.send("manager", "GET", f"/horses/{horse}/avatar").content == JPEG


def test_what_hides_in_a_picture_does_not_come_back(yard: Yard) -> None:
    """A picture is drawn anew: where it was taken and what stands behind its end is gone."""
    horse = yard.fresh("horse", "granted")
    hidden = good_jpeg()
    hidden = hidden[:2] + b"\xff\xfe\x00\x12GPS 53.1 N 8.2 E" + hidden[2:] + b"<?php evil(); ?>"
    url = f"{yard.world.base}/horses/{horse}/avatar"
    headers = {**yard.credentials["manager"], "Content-Type": "image/jpeg"}
    assert yard.world.http.put(url, content=hidden, headers=headers).is_success
    kept = yard.send("manager", "GET", f"/horses/{horse}/avatar")
    assert kept.content[:2] == b"\xff\xd8" and kept.headers["content-type"] == "image/jpeg"
    assert b"GPS" not in kept.content and b"php" not in kept.content

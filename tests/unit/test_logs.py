"""Logs say what happened to which camera and never with which password."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnhand_desktop.logs import (
    LOG_FILES,
    REDACTOR,
    JsonFormatter,
    Redactor,
    close_logging,
    configure_logging,
)
from engine.domain.errors import EnvironmentFault

log = logging.getLogger("barnhand.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    level = logging.getLogger().level
    yield io.StringIO()
    close_logging()
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("rtsp://admin:hunter2@10.0.0.5:554/h264", "rtsp://***@10.0.0.5:554/h264"),
        ("rtsp://admin:hunter2@x@10.0.0.5/1", "rtsp://***@10.0.0.5/1"),
        ("postgresql://barn:hunter2@db/barn refused", "postgresql://***@db/barn refused"),
        ("redis://:hunter2@cache:6379/0", "redis://***@cache:6379/0"),
        ("Authorization: Basic YWRtaW46aHVudGVyMg==", "Authorization: ***"),
        ("sent Bearer hunter2hunter2", "sent Bearer ***"),
        ("password=hunter2 host=db", "password=*** host=db"),
        ("{'password': 'hunter2', 'port': 1}", "{'password': ***, 'port': 1}"),
        ("GET /x?token=hunter2&y=1", "GET /x?token=***&y=1"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2", "***"),
    ],
)
def test_credentials_are_taken_out(text: str, kept: str) -> None:
    cleaned = Redactor().clean(text)
    assert cleaned == kept
    assert "hunter2" not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "camera Aisle 2 is offline since 5.2 s",
        "http://10.0.0.5/snapshot.jpg?channel=1",
        "mail to barn@example.org",
        "the token was refused",
        "passwords must have 12 characters",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor().clean(text) == text


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=40),
    before=st.text(max_size=20),
)
def test_a_known_secret_never_passes(secret: str, before: str) -> None:
    redactor = Redactor()
    redactor.add([secret])
    cleaned = redactor.clean(f"{before}|{secret}|")
    assert secret not in cleaned.replace("***", "")


def test_a_record_is_one_line_of_json_with_ids(stream: io.StringIO) -> None:
    configure_logging("info", stream=stream, json_lines=True)
    stream_id = uuid4()
    log.info(
        "reconnected after %d tries\nrtsp://a:hunter2@cam/1",
        3,
        extra={"stream_id": stream_id, "latency_ms": 12.5, "password": "hunter2"},
    )
    log.debug("not wanted")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    document = json.loads(lines[0])
    assert document["stream_id"] == str(stream_id)
    assert document["latency_ms"] == 12.5
    assert document["level"] == "info" and document["logger"] == "barnhand.test"
    assert document["at"].endswith("+00:00")
    assert "hunter2" not in lines[0]


def test_tracebacks_are_clean_too(stream: io.StringIO) -> None:
    configure_logging("info", stream=stream, json_lines=True)
    try:
        raise ValueError("rtsp://a:hunter2@cam/1 refused")
    except ValueError:
        log.exception("failed")
    document = json.loads(stream.getvalue())
    assert document["error"] == "ValueError"
    assert "refused" in document["traceback"] and "hunter2" not in document["traceback"]


def test_the_terminal_is_for_people(stream: io.StringIO) -> None:
    configure_logging("warning", stream=stream)
    log.info("quiet")
    log.warning("camera %s: password=hunter2", "Aisle")
    assert "WARNING camera Aisle: password=***" in stream.getvalue()
    assert "quiet" not in stream.getvalue()


def test_files_rotate_within_their_limit(tmp_path: Path, stream: io.StringIO) -> None:
    configure_logging("info", tmp_path / "logs", max_mb=1, stream=stream)
    for _ in range(2200):
        log.info("x" * 500)
    files = sorted((tmp_path / "logs").iterdir())
    assert 1 < len(files) <= LOG_FILES
    assert sum(f.stat().st_size for f in files) <= 1_000_000
    for line in files[0].read_text(encoding="utf-8").splitlines():
        json.loads(line)


def test_configuring_twice_logs_once(stream: io.StringIO) -> None:
    configure_logging("info", stream=stream)
    configure_logging("info", stream=stream)
    log.info("once")
    assert stream.getvalue().count("once") == 1


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path, stream: io.StringIO) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match="No log can be kept"):
        configure_logging("info", tmp_path / "file" / "logs", stream=stream)


def test_a_thread_that_dies_is_logged(stream: io.StringIO) -> None:
    configure_logging("info", stream=stream, json_lines=True)

    def fail() -> None:
        raise RuntimeError("token=hunter2")

    thread = threading.Thread(target=fail, name="decoder")
    thread.start()
    thread.join()
    document = json.loads(stream.getvalue())
    assert "decoder" in document["message"]
    assert "hunter2" not in stream.getvalue()


def test_extras_of_every_kind_are_json() -> None:
    record = logging.makeLogRecord(
        {"msg": "m", "ids": (uuid4(),), "rate": float("nan"), "nested": {"api_key": "hunter2"}}
    )
    document = json.loads(JsonFormatter(REDACTOR).format(record))
    assert document["nested"] == {"api_key": "***"}
    assert len(document["ids"]) == 1

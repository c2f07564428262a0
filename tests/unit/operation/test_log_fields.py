"""Lines of the log name their camera, track and trace as fields, and never a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from threading import Event
from uuid import uuid4

import pytest

from barnhand_desktop.api.server import JsonLines
from barnhand_desktop.logs import RESERVED, JsonFormatter, Redactor
from engine.runtime import log_context
from engine.runtime.worker import StopToken, Worker

CANARY = "canary-Passw0rd-of-a-camera"
log = logging.getLogger("barnhand.fields")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    redactor = Redactor()
    redactor.add([CANARY])
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(redactor))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield stream
    log.removeHandler(handler)


def told(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_thread_says_once_which_camera_it_serves(lines: io.StringIO) -> None:
    ids = {name: uuid4() for name in ("yard", "stall")}
    everyone = Event()

    def body_of(name: str) -> Worker:
        def body(_token: StopToken) -> None:
            log_context.bind(stream_id=ids[name], camera=name)
            everyone.wait(5.0)
            log.info("picture")
            with log_context.about(track_id="t-1"):
                log.info("track")
            log.info("after")

        return Worker(f"capture-{name}", body)

    workers = [body_of(name) for name in ids]
    for worker in workers:
        worker.start()
    everyone.set()
    assert all(worker.join(5.0) for worker in workers)
    log.info("main")
    for line in told(lines):
        thread = str(line["thread"])
        if thread.startswith("capture-"):
            name = thread.removeprefix("capture-")
            assert (line["stream_id"], line["camera"]) == (str(ids[name]), name)
            assert ("track_id" in line) == (line["message"] == "track")
        else:
            assert "stream_id" not in line and "camera" not in line
    assert len(told(lines)) == 7


def test_a_secret_in_a_field_is_hidden(lines: io.StringIO) -> None:
    with log_context.about(camera=f"rtsp://groom:{CANARY}@10.0.0.5/1", api_token=CANARY):
        log.warning("away", extra={"track_id": CANARY})
    assert CANARY not in lines.getvalue()
    assert told(lines)[0]["camera"] == "rtsp://***@10.0.0.5/1"


def test_no_field_can_replace_what_every_line_has(lines: io.StringIO) -> None:
    with log_context.about(level="none", message="forged", thread="forged"):
        log.info("real")
    (line,) = told(lines)
    assert (line["level"], line["message"]) == ("info", "real")


def test_fields_survive_the_way_from_the_api_process() -> None:
    stream = io.StringIO()
    handler = JsonLines(stream)
    record = log.makeRecord(
        "n", logging.INFO, "f", 1, "hello", (), None, extra={"track_id": uuid4()}
    )
    with log_context.about(stream_id="s-1"):
        handler.emit(record)
    document = json.loads(stream.getvalue())
    assert document["fields"]["stream_id"] == "s-1"
    assert document["fields"]["track_id"] == str(vars(record)["track_id"])
    assert not document["fields"].keys() & RESERVED

"""The client without a server: it stands alone, and what it writes on the wire."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from shutil import copytree, ignore_patterns
from uuid import UUID

import pytest

import barnhand_desktop.client
from barnhand_desktop.client.connection import given, plain
from barnhand_desktop.client.errors import NotFound, Refused, ServerMistake, refusal
from barnhand_desktop.client.rooms import Event, Gap, LiveState, Room, heard, subscription
from barnhand_desktop.client.uploads import UploadForm

AN_ID = UUID("5283c002-570c-4dbe-8016-7042a25f96f9")
LOOK = """
import json, sys
import barn_client
from barn_client import __main__, answers
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_other_programs_can_take_the_folder_alone(tmp_path: Path) -> None:
    folder = Path(barnhand_desktop.client.__file__).parent
    copytree(folder, tmp_path / "barn_client", ignore=ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert {"barn_client", "pydantic", "requests", "websockets"} <= loaded
    assert not {"barnhand_desktop", "engine", "db", "ui", "fastapi", "torch", "numpy"} & loaded


def test_values_are_written_as_the_api_does() -> None:
    east = datetime(2026, 11, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    assert plain({"at": east, "ids": (AN_ID,), AN_ID: 3}) == {
        "at": "2026-11-01T12:00:00+01:00",
        "ids": [str(AN_ID)],
        str(AN_ID): 3,
    }
    assert given(a=1, b=None, c=False) == {"a": 1, "c": False}
    with pytest.raises(ValueError, match="no time zone"):
        plain([east.replace(tzinfo=None)])


def test_a_form_is_as_long_as_it_says(tmp_path: Path) -> None:
    file = tmp_path / 'a "b"\r\n.mp4'
    file.write_bytes(bytes(200_000))
    form = UploadForm({"title": "Trot ä"}, file)
    pieces = list(form)
    assert sum(map(len, pieces)) == len(form) and len(pieces) > 2
    whole = b"".join(pieces)
    assert b'filename="a _b___.mp4"' in whole, "no name ends a header"
    assert form.read() == b""
    form.close()


@pytest.mark.parametrize(
    ("status", "problem", "kind", "code"),
    [
        (404, {"code": "no_avatar", "detail": "x"}, NotFound, "no_avatar"),
        (500, None, ServerMistake, "error"),
        (502, ["a proxy"], ServerMistake, "error"),
        (418, {"errors": "none"}, Refused, "error"),
    ],
)
def test_any_refusal_becomes_an_exception(
    status: int, problem: object, kind: type[Refused], code: str
) -> None:
    error = refusal(status, problem, "Wed, 21 Oct 2026 07:28:00 GMT")
    assert isinstance(error, kind)
    assert (error.status, error.code, error.retry_after_s) == (status, code, None)


def test_messages_become_values() -> None:
    at = "2026-11-01T12:00:00+00:00"
    told = {"event": "stream:status", "stream_id": str(AN_ID), "timestamp": at, "sequence": 4}
    event = heard({**told, "data": {"state": "active"}})
    assert event == Event(
        "stream:status", AN_ID, datetime(2026, 11, 1, 12, tzinfo=UTC), 4, {"state": "active"}
    )
    own = heard({**told, "stream_id": None, "user": "anna", "data": {}})
    assert isinstance(own, Event) and own.room == ("user", None)
    gap = {"room": "farm", "first_missed": 2, "last_missed": None}
    assert heard({"event": "gap", "stream_id": None, "data": gap}) == Gap(("farm", None), 2, None)
    assert heard({"event": "live_state", "data": {"degraded": True}}) == LiveState(True)
    assert heard({"event": "subscribed", "stream_id": None, "data": {}}) is None
    with pytest.raises(KeyError):
        heard({"event": "gap", "data": {}})


def test_rooms_are_asked_for_with_the_last_number_known() -> None:
    room = Room.stream(AN_ID, ("poses",))
    assert subscription(room, 41) == {
        "event": "subscribe",
        "data": {"channels": ["poses"], "stream_id": str(AN_ID), "last_sequence": 41},
    }
    assert subscription(Room.user(), None)["data"] == {"channels": [], "room": "user"}

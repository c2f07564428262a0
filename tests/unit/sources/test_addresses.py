"""Typed addresses: their kind, and passwords that never show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import OperatorMistake
from engine.domain.networks import PINNED
from engine.domain.streams import SourceKind
from engine.sources.addresses import (
    host_and_port,
    kind_of,
    redacted,
    split_credentials,
    with_credentials,
)
from engine.sources.pinned import knocking_place
from tests.helpers.streams import stream_of


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("rtsp://192.168.1.10/stream1", SourceKind.RTSP),
        ("RTSP://cam:554/x", SourceKind.RTSP),
        ("rtmp://host/live/barn", SourceKind.RTMP),
        ("http://cam/video.mjpeg", SourceKind.HTTP),
        ("https://host/live.m3u8", SourceKind.HTTP),
        ("usb:0", SourceKind.USB),
        ("/dev/video2", SourceKind.USB),
        ("simulated:paddock", SourceKind.SIMULATED),
        ("clips/walk.mp4", SourceKind.FILE),
        ("C:\\clips\\walk.mp4", SourceKind.FILE),
        ("file:///srv/clips/walk.mp4", SourceKind.FILE),
    ],
)
def test_kinds(address: str, kind: SourceKind) -> None:
    assert kind_of(address) is kind


def test_a_folder_is_seen_on_the_disk(tmp_path: Path) -> None:
    assert kind_of(str(tmp_path)) is SourceKind.FOLDER
    odd = tmp_path / "gopher:clip.mp4"
    odd.write_bytes(b"")
    assert kind_of(str(odd)) is SourceKind.FILE


@pytest.mark.parametrize("address", ["", "   ", "gopher://barn", "concat:a.mp4|b.mp4"])
def test_unknown_addresses_are_refused(address: str) -> None:
    with pytest.raises(OperatorMistake):
        kind_of(address)


@given(user=st.text(min_size=1), password=st.text())
def test_credentials_return_from_the_url(user: str, password: str) -> None:
    surrogates = any("\ud800" <= c <= "\udfff" for c in user + password)
    if surrogates:
        return
    url = with_credentials("rtsp://cam:8554/a?b=c", user, password)
    assert split_credentials(url) == ("rtsp://cam:8554/a?b=c", user, password)
    assert redacted(url) == "rtsp://cam:8554/a?b=c"


def test_no_credentials_leave_the_url_alone() -> None:
    assert with_credentials("rtsp://cam/a", "", "") == "rtsp://cam/a"
    assert split_credentials("rtsp://cam/a") == ("rtsp://cam/a", "", "")


def test_passwords_in_queries_are_hidden() -> None:
    shown = redacted("http://cam/cgi?user=admin&channel=1&pwd=hay#x")
    assert shown == "http://cam/cgi?user=***&channel=1&pwd=***#x"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("rtsp://cam/x", ("cam", 554)),
        ("http://cam:8080/x", ("cam", 8080)),
        ("rtsp://[::1]:99/x", ("::1", 99)),
        ("rtsp://cam:99999999/x", None),
        ("clips/walk.mp4", None),
        ("simulated:stall", None),
    ],
)
def test_where_the_server_listens(address: str, place: tuple[str, int] | None) -> None:
    assert host_and_port(address) == place


def test_a_pinned_stream_is_knocked_at_where_it_was_checked() -> None:
    free = stream_of("rtsp://stall.example:8554/a")
    assert knocking_place(free) == ("stall.example", 8554)
    assert knocking_place(replace(free, extra={PINNED: ["10.0.0.2"]})) == ("10.0.0.2", 8554)
    assert knocking_place(stream_of("https://youtu.be/a")) is None
    assert knocking_place(stream_of("rtmp-listen://127.0.0.1:1935/barn")) is None

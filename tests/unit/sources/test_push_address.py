"""Addresses to push to, as typed and as stored."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine.domain.errors import OperatorMistake
from engine.domain.push import new_push_key, read_push_address, require_push_key
from engine.domain.streams import SourceKind
from engine.settings import CaptureSettings, PushSettings
from engine.sources.addresses import host_and_port, kind_of, redacted
from engine.sources.registry import open_source
from tests.helpers.streams import QUICK, stream_of


@pytest.mark.parametrize(
    ("typed", "stored", "key"),
    [
        ("rtmp-listen:", "rtmp-listen://127.0.0.1:1935/barn", ""),
        ("rtmp-listen://", "rtmp-listen://127.0.0.1:1935/barn", ""),
        ("RTMP-LISTEN://localhost/stall", "rtmp-listen://127.0.0.1:1935/stall", ""),
        ("rtmp-listen://0.0.0.0:1940/live/abc_D-1", "rtmp-listen://0.0.0.0:1940/live", "abc_D-1"),
        ("rtmp-listen://[::1]:1940/live", "rtmp-listen://[::1]:1940/live", ""),
    ],
)  # fmt: skip
def test_they_are_understood(typed: str, stored: str, key: str) -> None:
    address, found = read_push_address(typed)
    assert (str(address), found) == (stored, key)
    assert read_push_address(stored) == (address, "")
    assert kind_of(stored) is SourceKind.RTMP_PUSH
    assert host_and_port(stored) is None  # knocking would be a call at our own gate


@pytest.mark.parametrize(
    "typed",
    [
        "rtmp://127.0.0.1/barn",
        "rtmp-listen://barn.example/live",
        "rtmp-listen://127.0.0.1:99999/live",
        "rtmp-listen://127.0.0.1/a b",
        "rtmp-listen://127.0.0.1/live/key/more",
        "rtmp-listen://127.0.0.1/live?x=1",
    ],
)
def test_what_makes_no_sense_is_refused(typed: str) -> None:
    with pytest.raises(OperatorMistake):
        read_push_address(typed)


def test_a_camera_is_told_this_machine_as_it_sees_it() -> None:
    address, _ = read_push_address("rtmp-listen://0.0.0.0:1936/barn")
    assert address.url("192.168.1.5") == "rtmp://192.168.1.5:1936/barn"
    assert address.url("fd00::5") == "rtmp://[fd00::5]:1936/barn"
    assert not address.local


def test_keys_are_long_and_never_the_same() -> None:
    keys = {new_push_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(require_push_key(key) == key and len(key) >= 20 for key in keys)


@pytest.mark.parametrize("key", ["", "short", "with space in it", "x" * 65])
def test_weak_keys_are_refused(key: str) -> None:
    stream = stream_of("rtmp-listen://127.0.0.1:1935/barn", password=key)
    with pytest.raises(OperatorMistake, match="stream key has"):
        open_source(stream, QUICK)


def test_other_machines_are_let_in_by_a_setting_only() -> None:
    stream = stream_of("rtmp-listen://0.0.0.0:1935/barn", password=new_push_key())
    with pytest.raises(OperatorMistake, match="switched off"):
        open_source(stream, CaptureSettings(push=PushSettings(remote=False)))


def test_the_ports_are_a_range() -> None:
    with pytest.raises(ValidationError, match="last_port"):
        PushSettings(first_port=2000, last_port=1999)


def test_a_key_typed_into_the_address_is_not_shown() -> None:
    typed = "rtmp-listen://127.0.0.1:1935/barn/key-of-the-stall"
    assert redacted(typed) == "rtmp-listen://127.0.0.1:1935/barn/***"
    assert redacted("rtmp-listen://127.0.0.1:1935/barn") == "rtmp-listen://127.0.0.1:1935/barn"

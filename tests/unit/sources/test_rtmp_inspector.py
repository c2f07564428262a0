"""Who may push: the gate reads along until the right key was named, however the bytes fall."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sources.rtmp_inspector import PublishInspector, PublishRefused

KEY = "k3y-of-the-stall"
HANDSHAKE = b"\x03" + bytes(1536) + bytes(1536)


def text(value: str) -> bytes:
    return b"\x02" + struct.pack(">H", len(value)) + value.encode()


def number(value: float) -> bytes:
    return b"\x00" + struct.pack(">d", value)


def about(**values: str) -> bytes:
    body = b"".join(text(name)[1:] + text(value) for name, value in values.items())
    return b"\x03" + body + b"\x00\x00\x09"


def message(kind: int, body: bytes, *, stream: int = 3, chunk: int = 128) -> bytes:
    """A message cut into chunks, the first with a full header, the others with none."""
    head = bytes([stream]) + bytes(3) + len(body).to_bytes(3, "big") + bytes([kind]) + bytes(4)
    pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]
    return head + bytes([0xC0 | stream]).join(pieces)


def command(*values: bytes, chunk: int = 128) -> bytes:
    return message(20, b"".join(values), chunk=chunk)


def connect(app: str = "barn", chunk: int = 128) -> bytes:
    filler = "x" * 300  # makes it longer than a chunk
    return command(
        text("connect"), number(1), about(app=app, flashVer=filler, tcUrl="rtmp://h/barn"),
        chunk=chunk,
    )  # fmt: skip


def publish(key: str = KEY) -> bytes:
    return command(text("publish"), number(5), b"\x05", text(key), text("live"))


def introduction(key: str = KEY, app: str = "barn") -> bytes:
    return (
        HANDSHAKE
        + connect(app)
        + command(text("releaseStream"), number(2), b"\x05", text(key))
        + command(text("createStream"), number(4), b"\x05")
        + publish(key)
    )


@given(st.lists(st.integers(1, 4000), max_size=30))
def test_the_right_key_passes_however_the_bytes_fall(cuts: list[int]) -> None:
    inspector, sent, passed = PublishInspector("barn", KEY), introduction() + b"pictures", b""
    at = 0
    for size in [*cuts, len(sent)]:
        passed += inspector.feed(sent[at : at + size])
        at += size
    assert inspector.authorised
    assert passed == sent


@given(st.integers(1, 5000))
def test_publish_with_a_wrong_key_is_never_passed_on(size: int) -> None:
    inspector, sent, passed = PublishInspector("barn", KEY), introduction("guess-guess-guess"), b""
    with pytest.raises(PublishRefused, match="wrong stream key"):
        for at in range(0, len(sent), size):
            passed += inspector.feed(sent[at : at + size])
    assert not inspector.authorised
    assert sent.startswith(passed)
    assert b"publish" not in passed[len(HANDSHAKE) :]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"GET / HTTP/1.1\r\n", "does not speak RTMP"),
        (introduction(app="other"), "another application"),
        (HANDSHAKE + publish(), "wrong stream key"),
        (HANDSHAKE + connect() + publish(KEY[:-1]), "wrong stream key"),
        (HANDSHAKE + connect() + publish(""), "wrong stream key"),
        (HANDSHAKE + connect() + command(text("publish"), number(5)), "wrong stream key"),
        (HANDSHAKE + connect() + command(text("play"), number(4), b"\x05", text(KEY)), "else"),
        (HANDSHAKE + message(9, b"\x17\x00"), "pictures before"),
        (HANDSHAKE + message(18, text("@setDataFrame")), "pictures before"),
        (HANDSHAKE + message(20, b"\x02\xff\xff"), "cannot be read"),
        (HANDSHAKE + message(20, b"\x0a"), "cannot be read"),
        (HANDSHAKE + message(20, b"\x03" + b"\x00\x01a\x03" * 20), "cannot be read"),
        (HANDSHAKE + b"\x03" + bytes(3) + b"\xff\xff\xff\x14" + bytes(4), "too long"),
        (
            HANDSHAKE + b"".join(message(5, bytes(4), stream=n) for n in range(3, 40)),
            "too many chunk streams",
        ),
        (HANDSHAKE + message(5, bytes(4)) * 20_000, "too much"),
    ],
)
def test_others_are_refused(sent: bytes, words: str) -> None:
    inspector = PublishInspector("barn", KEY)
    with pytest.raises(PublishRefused, match=words) as caught:
        inspector.feed(sent)
    assert not inspector.authorised
    assert KEY not in str(caught.value)


def test_a_larger_chunk_size_is_kept_to() -> None:
    larger = message(1, (4096).to_bytes(4, "big"), stream=2)
    inspector = PublishInspector("barn", KEY)
    inspector.feed(HANDSHAKE + larger + connect(chunk=4096) + publish())
    assert inspector.authorised


def test_what_follows_the_key_as_a_query_is_left_out() -> None:
    inspector = PublishInspector("barn", KEY)
    inspector.feed(introduction(f"{KEY}?user=obs", "barn/"))
    assert inspector.authorised


@given(st.binary(max_size=3000))
def test_any_bytes_are_refused_or_waited_for(data: bytes) -> None:
    inspector = PublishInspector("barn", KEY)
    with suppress(PublishRefused):
        inspector.feed(HANDSHAKE + data)
    assert not inspector.authorised

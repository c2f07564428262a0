"""Parts come out whole however the network cuts the stream."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.errors import SourceUnreachable
from engine.sources import multipart
from engine.sources.multipart import PartSplitter, boundary_of

BODIES = [
    b"\xff\xd8first\r\n\r\npicture\xff\xd9",
    b"\xff\xd8" + bytes(range(256)) + b"\xff\xd9",
    b"x",
]


def spoken(with_length: bool) -> bytes:
    text = b"preamble\r\n"
    for body in BODIES:
        text += b"--frame\r\nContent-Type: image/jpeg\r\n"
        if with_length:
            text += b"content-LENGTH:  %d\r\n" % len(body)
        text += b"\r\n" + body + b"\r\n"
    return text + b"--frame\r\n"


@given(cuts=st.lists(st.integers(0, 500), max_size=30), with_length=st.booleans())
@settings(max_examples=60)
def test_any_cut(cuts: list[int], with_length: bool) -> None:
    text = spoken(with_length)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    splitter = PartSplitter(b"--frame")
    bodies = [b for a, z in itertools.pairwise(edges) for b in splitter.feed(text[a:z])]
    assert bodies == BODIES


@pytest.mark.parametrize(
    "header",
    [
        "multipart/x-mixed-replace; boundary=frame",
        'multipart/x-mixed-replace;boundary="--frame"',
        "multipart/x-mixed-replace; BOUNDARY=--frame; charset=x",
    ],
)
def test_boundaries_as_cameras_write_them(header: str) -> None:
    assert boundary_of(header) == b"--frame"


def test_a_part_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "PART_AT_MOST_BYTES", 1000)
    splitter = PartSplitter(b"--frame")
    splitter.feed(b"--frame\r\n\r\n")
    with pytest.raises(SourceUnreachable):
        for _ in range(20):
            splitter.feed(b"\0" * 100)

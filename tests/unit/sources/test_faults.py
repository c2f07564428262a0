"""What is told and logged about a failed camera never carries its password."""

from __future__ import annotations

import logging
import traceback

import pytest

from engine.domain.errors import BarnhandError
from engine.domain.streams import SourceKind
from engine.sources.registry import open_source
from tests.helpers.cameras import free_port
from tests.helpers.streams import QUICK, stream_of

CANARY = "c4n4ry-p4ss"


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp", "http"])
@pytest.mark.parametrize("typed_into_address", [False, True])
def test_the_password_is_nowhere(
    scheme: str, typed_into_address: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    if typed_into_address:
        stream = stream_of(f"{scheme}://groom:{CANARY}@127.0.0.1:{free_port()}/live/x")
    else:
        stream = stream_of(
            f"{scheme}://127.0.0.1:{free_port()}/live/x", username="groom", password=CANARY
        )
    with pytest.raises(BarnhandError, match="refused the connection") as caught:
        open_source(stream, QUICK)
    told = "".join(traceback.format_exception(caught.value))
    assert CANARY not in told + str(caught.value) + caplog.text
    if not typed_into_address:
        assert CANARY not in repr(stream)


def test_an_address_of_another_kind_is_refused() -> None:
    from dataclasses import replace

    stream = replace(stream_of("rtsp://127.0.0.1/x"), kind=SourceKind.HTTP)
    with pytest.raises(BarnhandError, match="not an address of kind http"):
        open_source(stream, QUICK)

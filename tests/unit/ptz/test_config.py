"""Camera control as it is kept with its stream."""

from __future__ import annotations

import json

import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.ids import new_stream_id
from engine.domain.ptz import Authentication, PtzConfig, Wire
from engine.domain.streams import SourceKind, Stream
from engine.ptz.config import parsed_ptz, ptz_of, stored_ptz, with_ptz

CONFIG = PtzConfig(
    Wire.ONVIF, "hi3510", "10.0.0.9", 80, True, Authentication.QUERY, 2, True, False, 4
)


def camera(address: str = "rtsp://10.0.0.7:554/live") -> Stream:
    return Stream(new_stream_id(), "Yard", SourceKind.RTSP, address)


def test_it_comes_back_from_json_as_it_was() -> None:
    assert parsed_ptz(json.loads(json.dumps(stored_ptz(CONFIG)))) == CONFIG


def test_it_is_kept_beside_what_else_a_stream_has() -> None:
    stream = with_ptz(camera(), CONFIG)
    assert ptz_of(stream) == CONFIG
    assert with_ptz(stream, None) == camera().__class__(
        stream.id, "Yard", SourceKind.RTSP, stream.address
    )
    assert ptz_of(camera()) is None


def test_the_host_is_the_streams_own_unless_it_is_set() -> None:
    config = PtzConfig(Wire.CGI, "hi3510", "")
    found = ptz_of(with_ptz(camera(), config))
    assert found is not None and (found.host, found.port) == ("10.0.0.7", 8080)
    with pytest.raises(OperatorMistake, match="host"):
        ptz_of(with_ptz(camera("simulated:paddock"), config))


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"port": 0}, "port"),
        ({"wire": "telnet"}, "wire"),
        ({"home_preset": 9}, "home_preset"),
        ({"host": "user:pw@camera"}, "host"),
        ({"hots": "camera"}, "hots"),
        ("hi3510", "object"),
    ],
)
def test_mistakes_are_named(stored: object, told: str) -> None:
    with pytest.raises(OperatorMistake, match=told):
        parsed_ptz(stored)


def test_a_password_in_the_open_part_is_refused_and_not_repeated() -> None:
    with pytest.raises(OperatorMistake, match="encrypted") as caught:
        parsed_ptz({"password": "canary-1"})
    assert "canary-1" not in str(caught.value)

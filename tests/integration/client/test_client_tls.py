"""The client and a server with the generated certificate: who is trusted, who is told nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from barnhand_desktop.api.certificate import ensure_certificate, fingerprint_of
from barnhand_desktop.client import (
    Authority,
    Barnhand,
    Connected,
    Login,
    Pinned,
    Public,
    Room,
    Untrusted,
)
from barnhand_desktop.client.trust import Trust
from tests.fixtures_api import PASSWORD, run_server
from tests.fixtures_document import Barn


@dataclass
class Secured:
    """A server over TLS, its certificate and another's."""

    url: str
    certificate: Path
    other: Path


@pytest.fixture(scope="module")
def secured(stocked: Barn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    certificate, key = ensure_certificate(tmp_path_factory.mktemp("tls"))
    other, _ = ensure_certificate(tmp_path_factory.mktemp("other"))
    config = stocked.world.config.model_copy(
        update={"host": "0.0.0.0", "tls_certificate": certificate, "tls_key": key}
    )
    for url in run_server(config):
        yield Secured(url, certificate, other)


def client(secured: Secured, trust: Trust, url: str | None = None) -> Barnhand:
    return Barnhand(url or secured.url, Login("manager", PASSWORD), trust)


@pytest.mark.parametrize("how", ["file", "fingerprint", "fingerprint by another name"])
def test_the_generated_certificate_is_trusted_when_it_is_named(secured: Secured, how: str) -> None:
    trust: Trust = Authority(secured.certificate)
    if how != "file":
        trust = Pinned(fingerprint_of(secured.certificate))
    url = secured.url if "name" not in how else secured.url.replace("127.0.0.1", "127.0.0.2")
    with client(secured, trust, url) as barn:
        assert barn.auth.me().username == "manager"
        with barn.events.listen([Room.farm()]) as listening:
            assert isinstance(listening.next(within_s=15), Connected)


@pytest.mark.parametrize("how", ["nothing", "another file", "another fingerprint", "another name"])
def test_any_other_certificate_is_sent_nothing(secured: Secured, how: str) -> None:
    trust: Trust = {
        "nothing": Public(),
        "another file": Authority(secured.other),
        "another fingerprint": Pinned(fingerprint_of(secured.other)),
        "another name": Authority(secured.certificate),
    }[how]
    url = secured.url if how != "another name" else secured.url.replace("127.0.0.1", "127.0.0.2")
    with client(secured, trust, url) as barn, pytest.raises(Untrusted):
        barn.auth.me()
    good = client(secured, Pinned(fingerprint_of(secured.certificate)))
    token = good.connection.bearer()
    good.close()
    sent: list[str] = []

    class Known:
        def token(self, exchange: object) -> str:
            sent.append(token)
            return token

        def renewed(self, refused: str, exchange: object) -> None:
            return None

    with (
        Barnhand(url, Known(), trust) as barn,
        barn.events.listen([Room.farm()]) as listening,
        pytest.raises(Untrusted),
    ):
        listening.next(within_s=15)
    assert sent == [token], "it was at hand and stayed here"


def test_a_fingerprint_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        Pinned("AB:CD")

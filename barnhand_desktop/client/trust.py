"""Which server is the right one: public authorities, a certificate file, or a fingerprint.

A barn's generated certificate is known to no authority. Take its file along::

    Barnhand("https://192.168.1.20:8620", key, trust=Authority("api.crt"))

or compare and pin the fingerprint that ``barnhand remote`` prints::

    Barnhand("https://192.168.1.20:8620", key, trust=Pinned("AB:CD:..."))
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter

from .errors import Untrusted


@dataclass(frozen=True)
class Public:
    """Certificates of the public authorities."""


@dataclass(frozen=True)
class Authority:
    """The certificates in a PEM file and nothing else: an own authority, or the server's own
    self-signed certificate. The host name must be one of the certificate's."""

    path: Path | str


class Pinned:
    """One certificate, by the SHA-256 of its DER form (``AB:CD:...``), whatever names and dates it
    has. ValueError for a text that is no SHA-256."""

    def __init__(self, sha256: str) -> None:
        self.sha256 = re.sub(r"[:\s]", "", sha256).lower()
        if re.fullmatch(r"[0-9a-f]{64}", self.sha256) is None:
            raise ValueError("a fingerprint is a SHA-256: 64 hexadecimal digits")


Trust = Public | Authority | Pinned


class TrustingAdapter(HTTPAdapter):
    """Gives the connections of a ``requests`` session their fingerprint to compare."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Called by the constructor of ``HTTPAdapter``."""
        if isinstance(self._trust, Pinned):
            options["assert_fingerprint"] = self._trust.sha256
        super().init_poolmanager(*arguments, **options)


def verification(trust: Trust) -> bool | str:
    """What ``requests`` calls ``verify``. A pinned certificate is compared by the adapter."""
    if isinstance(trust, Authority):
        return str(trust.path)
    return isinstance(trust, Public)


def tls_context(trust: Trust) -> ssl.SSLContext:
    """For connections made without ``requests``. With a fingerprint nothing is checked here:
    ``require_pinned`` does it before anything is sent."""
    if isinstance(trust, Authority):
        return ssl.create_default_context(cafile=str(trust.path))
    context = ssl.create_default_context()
    if isinstance(trust, Pinned):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def secured(plain: socket.socket, host: str, trust: Trust) -> ssl.SSLSocket:
    """A TLS connection over a fresh TCP connection. Raises Untrusted, with the socket closed."""
    try:
        secure = tls_context(trust).wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise Untrusted(f"The certificate of {host} is not trusted: {error.verify_message}.") from (
            error
        )
    if isinstance(trust, Pinned):
        seen = hashlib.sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(seen, trust.sha256):
            secure.close()
            raise Untrusted(f"{host} shows another certificate than the pinned one: {seen}.")
    return secure

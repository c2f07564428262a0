"""What the API process is told when it starts; travels over its standard input, never its
arguments."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from barnhand_desktop.api.rates import Rate

DEFAULT_PORT = 8620
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """True if a listener on ``host`` can be reached from this machine only."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class RateLimits(BaseModel):
    """How often callers may ask. Logins are counted before a password is hashed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    login_account: Rate = Rate(count=10, per_s=300, description="logins of one account")
    login_address: Rate = Rate(count=30, per_s=300, description="logins from one address")
    caller: Rate = Rate(count=600, per_s=60, description="requests of one user or key")
    address: Rate = Rate(count=1200, per_s=60, description="requests from one address")
    model_upload: Rate = Rate(count=20, per_s=600, description="uploads of models of one caller")
    socket_messages: Rate = Rate(count=60, per_s=10, description="messages on one WebSocket")


class SocketLimits(BaseModel):
    """What WebSocket clients may cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clients: int = Field(200, ge=1, description="open sockets, all callers together")
    clients_per_caller: int = Field(20, ge=1, description="open sockets of one user or key")
    queue_messages: int = Field(256, ge=8, description="events waiting for one reader, at most")
    queue_bytes: int = Field(2_000_000, ge=10_000, description="the same in bytes")
    replay_messages: int = Field(300, ge=0, description="events kept per stream for reconnects")
    replay_bytes: int = Field(4_000_000, ge=0, description="the same in bytes, per stream")
    message_bytes: int = Field(16_384, ge=256, description="longest message taken from a client")
    subscriptions: int = Field(128, ge=1, description="subscriptions of one socket")
    authenticate_within_s: float = Field(5.0, gt=0, description="time to send the token")
    recheck_every_s: float = Field(30.0, gt=0, description="account and grants are read again")
    farewell_s: float = Field(5.0, gt=0, description="time a slow reader gets to hear the reason")


class ApiConfig(BaseModel):
    """Everything the API process needs.

    ``secret_path`` names a 0600 file with the signing key, made when absent. ``credential_key``
    is the key of stored camera credentials. ``cors_origins`` are full origins
    (``https://barn.example``); none by default. ``public_hosts`` are names under which a proxy
    offers this server; ``trusted_proxies`` the addresses whose forwarding headers are believed.
    ``tls_ends_upstream``: a proxy on the same trusted network does TLS.
    ``media_root``: files below it may be added as streams; None refuses files. ``video_sites``,
    ``push_ports`` and ``push_remote`` are the engine's settings of web videos and pushing cameras.
    ``traces_endpoint``: the collector of traces; None makes none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dsn: str = Field(repr=False)
    live_url: str = Field(repr=False)
    secret_path: Path
    credential_key: str = Field(repr=False)
    host: str = "127.0.0.1"
    port: int = Field(DEFAULT_PORT, ge=0, le=65535)
    port_tries: int = Field(20, ge=1, le=1000, description="ports tried upwards when taken")
    cors_origins: tuple[str, ...] = ()
    public_hosts: tuple[str, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ends_upstream: bool = False
    trusted_proxies: tuple[str, ...] = ()
    media_root: Path | None = None
    video_sites: tuple[str, ...] = ()
    push_ports: tuple[int, int] = (1935, 1966)
    push_remote: bool = False
    hls_delay_s: float = Field(20.0, ge=10, le=30, description="remote viewers' delay")
    metrics: bool = Field(True, description="offer /metrics")
    traces_endpoint: str | None = None
    traces_share: float = Field(0.1, ge=0, le=1, description="share of the requests traced")
    pool_size: int = Field(10, ge=1, le=20, description="database connections, at most")
    model_upload_mb: int = Field(256, ge=1, le=1024, description="largest uploaded model")
    upload_folder: Path | None = Field(None, description="where uploads lie until looked at")
    session_upload_mb: int = Field(2048, ge=1, le=65_536, description="largest uploaded video")
    body_bytes: int = Field(1_000_000, ge=1_000, description="longest request body")
    rates: RateLimits = RateLimits()
    sockets: SocketLimits = SocketLimits()

    @property
    def model_upload_bytes(self) -> int:
        """The largest uploaded model in bytes."""
        return self.model_upload_mb << 20

    @property
    def session_upload_bytes(self) -> int:
        """The largest uploaded video in bytes."""
        return self.session_upload_mb << 20

    @property
    def uploads(self) -> Path:
        """Where uploads lie until they are looked at; below the data folder."""
        return self.upload_folder or self.secret_path.parent / "uploads"

    @property
    def remote(self) -> bool:
        """True if other machines can reach the listener."""
        return not is_loopback(self.host)

    @model_validator(mode="after")
    def _remote_needs_tls(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.remote and self.tls_certificate is None and not self.tls_ends_upstream:
            raise ValueError(
                "remote access needs TLS: name a certificate and its key, or say that TLS ends "
                "upstream"
            )
        return self

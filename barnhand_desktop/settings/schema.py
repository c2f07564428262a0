"""The application's settings with units and limits.

The settings dialog, the file, the environment overrides and the messages about wrong values are
all made from this schema. Farm-wide settings live in the server, these are the workstation's.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, SecretStr, field_validator, model_validator

from engine.settings import EngineSettings, Section

FORMAT_VERSION = 1
"""Version of the settings file's layout; see ``migrations``."""

DEFAULT_API_PORT = 8620


def _unit(unit: str) -> dict[str, JsonValue]:
    return {"unit": unit}


def is_loopback(host: str) -> bool:
    """True if a listener on ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(mode: str, address: SecretStr, field: str, schemes: tuple[str, ...]) -> None:
    value = address.get_secret_value()
    if mode == "shared" and not value:
        raise ValueError(f'mode is "shared" but {field} is empty: give the server\'s address')
    if value and not value.startswith(schemes):
        raise ValueError(f"{field} must start with {' or '.join(schemes)}")


class DatabaseSettings(Section):
    """The PostgreSQL server that keeps everything."""

    mode: Literal["embedded", "shared"] = Field(
        "embedded", description="Own server in the data folder, or one shared by workstations"
    )
    dsn: SecretStr = Field(
        SecretStr(""),
        description="Address of the shared server, postgresql://user:password@host/db",
    )
    pool_size: int = Field(8, ge=2, le=20, description="Connections of this program, at most")
    connect_timeout_s: float = Field(
        5.0, ge=0.5, le=60, description="Give up connecting after", json_schema_extra=_unit("s")
    )

    @model_validator(mode="after")
    def _shared_has_an_address(self) -> Self:
        _check_address(self.mode, self.dsn, "dsn", ("postgresql://", "postgres://"))
        return self


class LiveSettings(Section):
    """The Redis-protocol server that carries live state, events and commands."""

    mode: Literal["embedded", "shared"] = Field(
        "embedded", description="Own server in the data folder, or one shared by workstations"
    )
    url: SecretStr = Field(
        SecretStr(""), description="Address of the shared server, redis://:password@host:6379/0"
    )

    @model_validator(mode="after")
    def _shared_has_an_address(self) -> Self:
        _check_address(self.mode, self.url, "url", ("redis://", "rediss://", "unix://"))
        return self


class ApiSettings(Section):
    """The remote API. Other machines reach it only with remote access on, which needs TLS."""

    enabled: bool = Field(True, description="Run the API beside the engine")
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on")
    port: int = Field(DEFAULT_API_PORT, ge=0, le=65535, description="Port; 0 takes any free one")
    remote_access: bool = Field(False, description="Let other machines reach the API")
    tls_certificate: Path | None = Field(None, description="Certificate file (PEM)")
    tls_key: Path | None = Field(None, description="Private key file of the certificate (PEM)")
    tls_ends_upstream: bool = Field(
        False, description="A proxy in front of the API does TLS on a trusted network"
    )
    cors_origins: tuple[str, ...] = Field(
        (), description="Web origins that may call the API, https://name[:port]"
    )
    public_hosts: tuple[str, ...] = Field(
        (), description="Host names under which a proxy offers the API"
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses of proxies that may say for whom they ask"
    )
    session_upload_mb: int = Field(
        2048,
        ge=1,
        le=65_536,
        description="Largest video that may be uploaded as a session",
        json_schema_extra=_unit("MB"),
    )
    model_upload_mb: int = Field(
        256,
        ge=1,
        le=1024,
        description="Largest model that may be uploaded",
        json_schema_extra=_unit("MB"),
    )

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_full(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not origin.startswith(("https://", "http://")) or origin.count("/") != 2:
                raise ValueError(
                    f"{origin!r} is no origin; write https://name or https://name:port"
                )
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ipaddress.ip_address(proxy)
            except ValueError:
                raise ValueError(f"{proxy!r} is no address; write 10.0.0.2 or fd00::2") from None
        return proxies

    @model_validator(mode="after")
    def _remote_access_is_protected(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: set both or neither")
        if not self.remote_access and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached by other machines: set remote_access = true "
                'as well, or host = "127.0.0.1"'
            )
        if self.remote_access and self.tls_certificate is None and not self.tls_ends_upstream:
            raise ValueError(
                "remote_access needs TLS: set tls_certificate and tls_key, or tls_ends_upstream "
                "when a proxy does TLS"
            )
        return self


class ConsoleSettings(Section):
    """The console's look and habits."""

    theme: Literal["dark", "light"] = Field("dark", description="Colours")
    scale_percent: int = Field(
        100, ge=100, le=200, description="Size of text and controls", json_schema_extra=_unit("%")
    )
    layout: Literal[1, 4, 9, 16] = Field(4, description="Tiles of the wall at start")
    refresh_fps: float = Field(
        30.0,
        ge=5,
        le=120,
        description="Repaints of the wall, at most",
        json_schema_extra=_unit("fps"),
    )
    synchronised_overlays: bool = Field(
        True, description="Delay pictures so that overlays lie exactly on them"
    )
    reduced_motion: bool = Field(False, description="No animations")
    tour: bool = Field(True, description="Open the simulated barn when there is no camera")


class StorageSettings(Section):
    """Where things are kept and for how long."""

    data_dir: Path | None = Field(
        None, description="Folder of servers, spool, models and logs; empty takes the user's own"
    )
    media_dir: Path | None = Field(
        None, description="Folder of recordings; empty takes the data folder's"
    )
    retention_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="Keep detections and recordings for",
        json_schema_extra=_unit("days"),
    )
    exports_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="Keep finished exports for",
        json_schema_extra=_unit("days"),
    )
    spool_max_mb: int = Field(
        2048,
        ge=16,
        le=1_048_576,
        description="Rows kept on disk while the server is away, at most",
        json_schema_extra=_unit("MB"),
    )
    minimum_free_mb: int = Field(
        2048,
        ge=100,
        le=1_048_576,
        description="Warn when less disk is free than",
        json_schema_extra=_unit("MB"),
    )


class BackupSettings(Section):
    """Copies of the database, made once a day and kept for a while."""

    enabled: bool = Field(True, description="Back up the database once a day")
    hour: int = Field(
        3,
        ge=0,
        le=23,
        description="At this hour, by the machine's clock",
        json_schema_extra=_unit("h"),
    )
    keep_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="Keep backups for; the newest good one always stays",
        json_schema_extra=_unit("days"),
    )
    folder: Path | None = Field(
        None, description="Folder of backups, best on another disk; empty takes the data folder's"
    )
    check_days: int = Field(
        7,
        ge=0,
        le=365,
        description="Restore one on trial every; 0 for never",
        json_schema_extra=_unit("days"),
    )


class TraceSettings(Section):
    """Traces for an OpenTelemetry collector: one a batch of pictures and one a request."""

    enabled: bool = Field(False, description="Send traces to a collector")
    endpoint: str = Field(
        "http://127.0.0.1:4318", description="The collector's OTLP/HTTP address, without a path"
    )
    sample_share: float = Field(0.1, ge=0, le=1, description="Share of batches and requests traced")

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("endpoint must be http://host:port or https://host:port")
        return endpoint


class NodeSettings(Section):
    """This program among those that share the cameras of one server."""

    name: str = Field(
        "", max_length=60, description="Name on other workstations; empty takes the machine's"
    )
    cameras_at_most: int = Field(
        0, ge=0, le=1000, description="Watch so many cameras at most; 0 sets no limit"
    )


class TelemetrySettings(Section):
    """What the program says about itself. Nothing leaves the machine by itself."""

    metrics: bool = Field(True, description="Offer Prometheus metrics at the API's /metrics")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least serious message that is logged"
    )
    log_file: bool = Field(True, description="Keep JSON logs in the data folder")
    log_json: bool = Field(
        False, description="Write the terminal's log as JSON lines, too (containers)"
    )
    log_max_mb: int = Field(
        50,
        ge=1,
        le=10_000,
        description="Size of all kept log files together, at most",
        json_schema_extra=_unit("MB"),
    )
    traces: TraceSettings = TraceSettings()


class Settings(Section):
    """Everything that can be set on a workstation."""

    engine: EngineSettings = EngineSettings()
    database: DatabaseSettings = DatabaseSettings()
    live: LiveSettings = LiveSettings()
    api: ApiSettings = ApiSettings()
    console: ConsoleSettings = ConsoleSettings()
    storage: StorageSettings = StorageSettings()
    backup: BackupSettings = BackupSettings()
    node: NodeSettings = NodeSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

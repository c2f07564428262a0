"""ONVIF cameras (profiles S and T), through the library onvif-python: the extra ``onvif``."""

from __future__ import annotations

import importlib
import socket
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.auth import HTTPDigestAuth

from engine.domain.errors import BarnhandError, OperatorMistake
from engine.domain.ptz import Capabilities, Motion, PtzConfig
from engine.ptz.cgi import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    SNAPSHOT_AT_MOST_BYTES,
    CameraRefused,
    CameraSilent,
    Credentials,
)
from engine.ptz.dialects import PRESETS
from engine.sources.faults import from_network, from_requests, no_answer, quiet_cause

EXTRA = "onvif"
MOVE_TIMEOUT_S = 3.0
"""The camera itself stops a motion that it hears nothing about for this long."""
RENEWAL_S = 1.0
_NAME = "Barnhand {}"
"""Name of a preset that this program stored, by the number people use."""


class OnvifDriver:
    """Meets PtzDriver by ContinuousMove and Stop on the first profile that can be steered, or the
    ``channel``-th such. Shares of full speed are ONVIF's generic speeds, 1.0 the fastest.

    Raises OperatorMistake when the library is missing, the camera refuses the log-in or has no
    profile that can be steered; CameraSilent when it does not answer.
    """

    renewal_s: float | None = RENEWAL_S

    def __init__(self, config: PtzConfig, credentials: Credentials) -> None:
        self._config = config
        self._shown = f"{config.host}:{config.port}"
        self._credentials = credentials
        library = _library()
        self._guarded(lambda: _knock(config))
        client = self._guarded(lambda: _client(library, config, credentials))
        self._media = self._guarded(client.media)
        self._ptz = self._guarded(client.ptz)
        for service in (self._media, self._ptz):
            _tame(service)
        self._token = self._profile()
        self._snapshots = requests.Session()
        self._snapshots.trust_env = False
        if credentials.username:
            name, password = credentials.username, credentials.password
            self._snapshots.auth = HTTPDigestAuth(name, password)

    def __repr__(self) -> str:
        return f"OnvifDriver({self._shown})"

    @property
    def capabilities(self) -> Capabilities:
        """See PtzDriver."""
        return Capabilities(
            move=True, zoom=True, diagonals=True, presets=PRESETS, snapshot=True, absolute=True
        )

    def move(self, motion: Motion) -> None:
        """See PtzDriver."""
        pan = -motion.pan if self._config.invert_pan else motion.pan
        tilt = -motion.tilt if self._config.invert_tilt else motion.tilt
        self._call(
            "ContinuousMove",
            Velocity={"PanTilt": {"x": pan, "y": tilt}, "Zoom": {"x": motion.zoom}},
            Timeout=timedelta(seconds=MOVE_TIMEOUT_S),
        )

    def stop(self) -> None:
        """See PtzDriver."""
        self._call("Stop", PanTilt=True, Zoom=True)

    def go_absolute(self, pan: float, tilt: float, zoom: float) -> None:
        """Turn to a position of ONVIF's generic spaces: pan and tilt -1..1, zoom 0..1."""
        position = {"PanTilt": {"x": pan, "y": tilt}, "Zoom": {"x": zoom}}
        self._call("AbsoluteMove", Position=position)

    def go_to(self, preset: int) -> None:
        """See PtzDriver. A preset stored by this program is known by its name; otherwise by a
        token that is the number, or by its place in the camera's list."""
        token = self._preset_token(preset, by_place=True)
        if token is None:
            raise OperatorMistake(f"This camera has no preset {preset}.", "Store it first.")
        self._call("GotoPreset", PresetToken=token)

    def store(self, preset: int) -> None:
        """See PtzDriver."""
        token = self._preset_token(preset, by_place=False)
        known = {} if token is None else {"PresetToken": token}
        self._call("SetPreset", PresetName=_NAME.format(preset), **known)

    def snapshot(self) -> bytes:
        """See PtzDriver. Fetched from the camera's own host only."""
        answer = self._guarded(lambda: self._media.GetSnapshotUri(ProfileToken=self._token))
        url = self._own(str(answer.Uri))
        try:
            with self._snapshots.get(
                url, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S), allow_redirects=False, stream=True
            ) as picture:
                if picture.status_code != 200:
                    raise CameraSilent(f"{self._shown} gives no snapshot ({picture.status_code}).")
                body: bytes = picture.raw.read(SNAPSHOT_AT_MOST_BYTES, decode_content=True)
        except requests.RequestException as error:
            raise from_requests(error, self._shown, READ_TIMEOUT_S) from quiet_cause(error)
        if not body.startswith(b"\xff\xd8"):
            raise CameraSilent(f"{self._shown} sent something that is no JPEG picture.")
        return body

    def close(self) -> None:
        """See PtzDriver."""
        self._snapshots.close()
        for service in (self._media, self._ptz):
            service.operator.client.transport.session.close()

    # --- inside ---------------------------------------------------------------------------------

    def _profile(self) -> str:
        profiles = self._guarded(lambda: self._media.GetProfiles())
        steered = [p.token for p in profiles or () if p.PTZConfiguration is not None]
        if not steered:
            raise OperatorMistake(f"{self._shown} cannot be steered.", "It has no PTZ profile.")
        return str(steered[min(self._config.channel, len(steered) - 1)])

    def _preset_token(self, preset: int, by_place: bool) -> str | None:
        known = self._call("GetPresets") or []
        named = {str(p.Name): str(p.token) for p in known}
        if (token := named.get(_NAME.format(preset))) is not None:
            return token
        tokens = [str(p.token) for p in known]
        if str(preset) in tokens:
            return str(preset)
        return tokens[preset - 1] if by_place and preset <= len(tokens) else None

    def _own(self, url: str) -> str:
        """The snapshot's address on the host that was configured, without credentials."""
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return urlunsplit(parts._replace(netloc=host + port))

    def _call(self, operation: str, **arguments: Any) -> Any:
        method = getattr(self._ptz, operation)
        return self._guarded(lambda: method(ProfileToken=self._token, **arguments))

    def _guarded(self, call: Any) -> Any:
        try:
            return call()
        except BarnhandError:
            raise
        except Exception as error:  # the library wraps everything that can happen on the way
            raise _translated(error, self._shown) from quiet_cause(error)


def _library() -> Any:
    try:
        return importlib.import_module("onvif")
    except ImportError as error:
        raise OperatorMistake(
            "ONVIF cameras need a part of this program that is not installed.",
            f"Install it with: pip install 'barnhand-desktop[{EXTRA}]'.",
        ) from error


def _client(library: Any, config: PtzConfig, credentials: Credentials) -> Any:
    return library.ONVIFClient(
        config.host,
        config.port,
        credentials.username or None,
        credentials.password or None,
        timeout=int(READ_TIMEOUT_S),
        cache=library.CacheMode.MEM,
        use_https=config.tls,
        verify_ssl=True,
    )


def _knock(config: PtzConfig) -> None:
    """Raise OSError unless something listens: the library reads its large service descriptions
    before it finds that nobody is there."""
    socket.create_connection((config.host, config.port), CONNECT_TIMEOUT_S).close()


def _tame(service: Any) -> None:
    """No proxies and .netrc of the environment, and this program's time-outs."""
    transport = service.operator.client.transport
    transport.session.trust_env = False
    transport.operation_timeout = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)


def _translated(error: Exception, shown: str) -> BarnhandError:
    """What an exception of the library means; its own text may hold addresses."""
    cause = getattr(error, "original_exception", error)
    if isinstance(cause, BarnhandError):
        return cause
    if isinstance(cause, requests.RequestException):
        return from_requests(cause, shown, READ_TIMEOUT_S)
    if isinstance(cause, TimeoutError):
        return no_answer(shown, CONNECT_TIMEOUT_S)
    if isinstance(cause, OSError):
        return from_network(cause, shown)
    text = f"{getattr(cause, 'code', '')} {getattr(cause, 'subcodes', '')} {cause}".lower()
    status = getattr(cause, "status_code", 0)
    if "notauthorized" in text or "not authorized" in text or status in (401, 403):
        return CameraRefused(
            f"{shown} refused the user name or password.",
            "Enter them again in the stream's settings, and check the camera's clock.",
        )
    if type(cause).__name__ == "Fault":
        return CameraRefused(f"{shown} refused a command.", "It may not know this function.")
    return CameraSilent(f"{shown} did not answer as an ONVIF camera ({type(cause).__name__}).")

"""Cameras and programs that push to this machine: FFmpeg's RTMP server behind a gate."""

from __future__ import annotations

import socket
import time

from engine.domain.errors import BarnhandError, OperatorMistake, SourceEnded, SourceUnreachable
from engine.domain.push import PushAddress, read_push_address, require_push_key
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.container import ContainerSource, Opening
from engine.sources.options import stream_options
from engine.sources.push_gate import GATES, PushGate, PushGates, PushRelay

_OPEN_TIMEOUT_S = 12.0


def open_push(
    stream: Stream,
    settings: CaptureSettings,
    gates: PushGates = GATES,
    *,
    provisional: bool = False,
) -> PushSource:
    """Wait up to ``connect_timeout_s`` for the camera to push, and open what it sends.

    Raises OperatorMistake for an address or key that may not be used, and SourceUnreachable when
    the port is taken or nobody pushes; the port is held for the next attempt.
    """
    address, typed = read_push_address(stream.address)
    key = require_push_key(stream.password or typed)
    if not address.local and not settings.push.remote:
        raise OperatorMistake(
            f"{address.url()} could be reached by other machines, which is switched off.",
            "Switch on remote pushing in the settings, or write 127.0.0.1.",
        )
    gate = gates.gate(stream.id, address, provisional)
    options = _options(stream, settings)
    refusal = ""
    end_s = time.monotonic() + settings.connect_timeout_s
    while True:
        taken = gate.wait(end_s - time.monotonic())
        if taken is None:
            raise _nobody(address, gate, refusal)
        connection, name = taken
        try:
            return PushSource(connection, address, key, gate, settings, options)
        except _TurnedAway as away:
            refusal = f"{name} was turned away: {away}."


class _TurnedAway(Exception):
    """The caller was not let in."""


def _nobody(address: PushAddress, gate: PushGate, refusal: str) -> SourceUnreachable:
    if gate.closed:
        return SourceUnreachable(f"{address.url()} was closed.")
    advice = "Compare the stream key." if refusal else "Start the stream in the camera or in OBS."
    return SourceUnreachable(f"No camera pushes to {address.url()} yet. {refusal}".strip(), advice)


def _options(stream: Stream, settings: CaptureSettings) -> dict[str, str]:
    return {
        "listen": "1",
        "rw_timeout": str(int(settings.read_timeout_s * 1_000_000)),
        "analyzeduration": "1000000",
        "fpsprobesize": "0",
        "protocol_whitelist": "rtmp,tcp",
        **stream_options(stream),
    }


class PushSource(ContainerSource):
    """A ContainerSource over what one publisher sends. Opening blocks until its first packets."""

    def __init__(
        self,
        caller: socket.socket,
        address: PushAddress,
        key: str,
        gate: PushGate,
        settings: CaptureSettings,
        options: dict[str, str],
    ) -> None:
        port = _free_port()
        self._gate: PushGate | None = gate
        self._relay = PushRelay(caller, address, key, port)
        gate.busy_with(self._relay.stop)
        self._relay.start()
        opening = Opening(
            url=f"rtmp://127.0.0.1:{port}/{address.app}/stream",
            shown=address.url(),
            live=True,
            options=options,
            open_timeout_s=_OPEN_TIMEOUT_S,
            read_timeout_s=settings.read_timeout_s,
            hardware=False,  # a second try would find the publisher gone
        )
        try:
            super().__init__(opening)
            if not self._relay.authorised:
                self._container.close()
                raise SourceUnreachable(f"{opening.shown} was reached past its gate.")
        except BaseException as error:
            self._hang_up()
            if self._relay.refusal and isinstance(error, BarnhandError):
                raise _TurnedAway(self._relay.refusal) from error
            if isinstance(error, OperatorMistake):  # what it sends may be put right there
                raise SourceUnreachable(error.message, error.advice) from error
            raise

    def close(self) -> None:
        """See ``FrameSource``."""
        self._closing = True
        self._hang_up()
        super().close()

    def _hang_up(self) -> None:
        self._relay.stop()
        self._relay.join(1.0)
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.free()

    def _fault(self, error: Exception) -> BarnhandError:
        fault = super()._fault(error)
        if self._closing or isinstance(error, TimeoutError) or isinstance(fault, OperatorMistake):
            return fault
        return self._end()

    def _end(self) -> BarnhandError:
        return SourceEnded(
            f"The camera stopped pushing to {self._opening.shown}.", "It is waited for."
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

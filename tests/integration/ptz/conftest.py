"""Simulated cameras and a control on real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from engine.domain.ids import StreamId, new_stream_id
from engine.domain.ptz import Authentication, Holder, Priority, PtzConfig, Wire
from engine.domain.results import FrameResult
from engine.domain.streams import SourceKind, Stream
from engine.ptz.config import with_ptz
from engine.ptz.control import CameraControl, Guardian
from engine.ptz.eyes import EngineEyes, Eyes
from engine.runtime.clock import SystemClock
from engine.settings import PtzSettings
from engine.simulation.ptz_camera import PtzSimulator, ptz_simulator

ANNA = Holder("console-1", "Anna", Priority.OPERATOR)
BEN = Holder("console-2", "Ben", Priority.OPERATOR)
CARLA = Holder("login-7", "Carla", Priority.REMOTE)


@dataclass
class Bench:
    """A control with one camera that a simulator plays."""

    control: CameraControl
    camera: PtzSimulator
    stream: Stream
    moves: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> StreamId:
        return self.stream.id


def stream_of(camera: PtzSimulator, **changes: Any) -> Stream:
    """A stream whose camera control leads to a simulator."""
    login = {"username": camera.username, "password": camera.password}
    stream = Stream(
        new_stream_id(),
        "Yard",
        SourceKind.HTTP,
        f"{camera.base}/video.mjpg",
        extra=MappingProxyType({}),
        **login,
    )
    authentication = Authentication.QUERY if camera.query_login else Authentication.BASIC
    config = PtzConfig(
        Wire.CGI, camera.firmware.value, "", camera.port, authentication=authentication
    )
    return with_ptz(stream, replace(config, **changes))


NewBench = Callable[..., Bench]


def _no_eyes(stream_id: StreamId) -> Eyes:
    return EngineEyes(stream_id, lambda _: None, _no_results, Path(), SystemClock())


def _no_results(_stream_id: StreamId) -> tuple[FrameResult, ...]:
    return ()


@pytest.fixture
def bench() -> Iterator[NewBench]:
    """Makes benches: keyword arguments are the simulator's, ``settings`` the control's."""
    with ExitStack() as stack:

        def make(
            settings: PtzSettings | None = None,
            config: dict[str, Any] | None = None,
            guardian: Guardian | None = None,
            eyes: Callable[[StreamId], Eyes] | None = None,
            **fields: Any,
        ) -> Bench:
            camera = stack.enter_context(ptz_simulator(**fields))
            control = CameraControl(
                settings or PtzSettings(), SystemClock(), eyes or _no_eyes, _no_results, guardian
            )
            stream = stream_of(camera, **(config or {}))
            assert control.set_streams([stream]) == ()
            control.start()
            stack.callback(control.shut_down, 5.0)
            return Bench(control, camera, stream)

        yield make

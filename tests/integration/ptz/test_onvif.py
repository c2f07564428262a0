"""ONVIF through the library, against the simulated camera's SOAP services."""

from __future__ import annotations

import sys

import pytest

from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.domain.ptz import Motion, PtzConfig, Wire
from engine.ptz.cgi import CameraRefused, Credentials
from engine.ptz.drivers import open_driver
from engine.ptz.onvif import OnvifDriver
from engine.simulation.ptz_camera import PtzSimulator, ptz_simulator
from tests.helpers.cameras import free_port
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import ANNA, NewBench

CANARY = "canary-onvif-5d2"


def config(camera: PtzSimulator) -> PtzConfig:
    return PtzConfig(Wire.ONVIF, "", "127.0.0.1", camera.port)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onvif", None)
    with pytest.raises(OperatorMistake, match=r"barnhand-desktop\[onvif\]"):
        open_driver(PtzConfig(Wire.ONVIF, "", "127.0.0.1", 1), Credentials())


class TestWithTheLibrary:
    """What needs onvif-python; skipped where the extra is not installed."""

    @pytest.fixture(autouse=True)
    def _library(self) -> None:
        pytest.importorskip("onvif", reason="the extra onvif is not installed")

    def test_speeds_are_linear_and_stop_stops(self) -> None:
        with ptz_simulator(username="viewer", password=CANARY) as camera:
            driver = OnvifDriver(config(camera), Credentials("viewer", CANARY))
            driver.move(Motion(1.0, -0.5, 0.25))
            assert camera.view.speed == (1.0, -0.5, 0.25)
            driver.move(Motion(-45 / 63, 0.0, 0.0))
            assert camera.view.speed[0] == pytest.approx(-45 / 63)
            driver.stop()
            assert not camera.view.moving
            driver.close()

    def test_presets_position_and_snapshot(self) -> None:
        with ptz_simulator() as camera:
            driver = OnvifDriver(config(camera), Credentials())
            driver.store(3)
            stored = camera.view.state
            driver.go_absolute(0.5, 0.5, 0.5)
            wait_until(lambda: camera.view.state != stored and not camera.view.moving)
            there = camera.view.state
            assert (there.x_px, there.y_px, there.zoom) == pytest.approx((3840, 360, 8**0.5))
            driver.store(5)
            driver.go_to(3)
            wait_until(lambda: camera.view.state == stored)
            driver.store(3)
            assert len(camera.view.presets) == 2
            assert driver.snapshot().startswith(b"\xff\xd8")
            with pytest.raises(OperatorMistake, match="no preset 8"):
                driver.go_to(8)
            driver.close()

    def test_a_wrong_password_is_told_and_never_shown(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(1)
        with (
            ptz_simulator(username="viewer", password="other") as camera,
            pytest.raises(CameraRefused, match="user name or password") as caught,
        ):
            OnvifDriver(config(camera), Credentials("viewer", CANARY))
        assert CANARY not in caplog.text + str(caught.value) + repr(caught.value.__cause__)

    def test_nobody_there(self) -> None:
        with pytest.raises(EnvironmentFault):
            OnvifDriver(PtzConfig(Wire.ONVIF, "", "127.0.0.1", free_port()), Credentials())

    def test_a_motion_that_goes_on_is_sent_again(self, bench: NewBench) -> None:
        desk = bench(config={"wire": Wire.ONVIF})

        def sent() -> int:
            desk.control.move(desk.id, ANNA, Motion(pan=0.5))
            return desk.camera.onvif.operations.count("ContinuousMove")

        wait_until(lambda: sent() >= 2)
        desk.control.stop(desk.id, ANNA)
        wait_until(lambda: not desk.camera.view.moving)
        assert desk.control.state(desk.id).capabilities.absolute

    def test_a_stop_survives_a_cut_network(self, bench: NewBench) -> None:
        desk = bench(config={"wire": Wire.ONVIF})

        def held() -> bool:  # a move ends by itself while a slow machine still knocks
            desk.control.move(desk.id, ANNA, Motion(pan=0.5))
            return desk.camera.view.moving

        wait_until(held)
        desk.camera.cut()
        desk.control.stop(desk.id, ANNA)
        wait_until(lambda: desk.control.state(desk.id).fault != "")
        desk.camera.restore()
        wait_until(lambda: not desk.camera.view.moving)

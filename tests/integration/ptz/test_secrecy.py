"""A canary password appears in no log, exception, repr or answer, whatever goes wrong."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Iterator

import pytest

from engine.domain.errors import BarnhandError, EnvironmentFault, OperatorMistake
from engine.domain.ptz import Authentication, Motion, PtzConfig, Wire
from engine.ptz.cgi import CameraRefused, CameraSilent, CgiDriver, Credentials
from engine.ptz.dialects import Dialect
from engine.ptz.drivers import dialect_named
from engine.ptz.guardian import GuardianProcess
from engine.simulation.ptz_camera import Fault, PtzSimulator, ptz_simulator
from tests.helpers.cameras import free_port
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import ANNA, NewBench

CANARY = "canary-9Fq2+/&=%x"
TRACES = ("canary-9Fq2", "Y2FuYXJ5")
"""The password as it is or percent-encoded, and the beginning of its base64."""


@pytest.fixture
def everything_said() -> Iterator[io.StringIO]:
    """All records of all loggers at the lowest level, formatted with their tracebacks."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setLevel(1)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield said
    root.removeHandler(handler)
    root.setLevel(before)


def leaks(text: str) -> bool:
    return any(trace in text for trace in TRACES)


def driver_of(camera: PtzSimulator, dialect: Dialect | None = None) -> CgiDriver:
    login = Authentication.QUERY if camera.query_login else Authentication.BASIC
    config = PtzConfig(Wire.CGI, "hi3510", "127.0.0.1", camera.port, authentication=login)
    return CgiDriver(config, dialect or dialect_named("hi3510"), Credentials("viewer", CANARY))


@pytest.mark.parametrize("query_login", [False, True])
@pytest.mark.parametrize("fault", [None, *[f for f in Fault if f is not Fault.HANG]])
def test_no_fault_shows_the_password(
    query_login: bool, fault: Fault | None, everything_said: io.StringIO
) -> None:
    with ptz_simulator(username="viewer", password=CANARY, query_login=query_login) as camera:
        driver = driver_of(camera)
        camera.fault = fault
        shown = [repr(driver)]
        for act in (driver.stop, driver.snapshot, lambda: driver.go_to(8)):
            try:
                act()
            except BarnhandError as error:
                shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
        driver.close()
    assert fault is None or len(shown) > 3
    assert "urllib3" in logging.root.manager.loggerDict
    assert "/web/cgi-bin" in everything_said.getvalue() or fault in (Fault.REFUSE, Fault.DROP)
    assert not leaks(everything_said.getvalue())
    assert not leaks("".join(shown))


def test_a_dialect_with_other_names_for_the_login_is_redacted_too(
    everything_said: io.StringIO,
) -> None:
    own = dialect_named("hi3510").model_copy(
        update={"user_name": "loginname", "password_name": "geheim"}
    )
    with ptz_simulator() as camera:
        camera.query_login = True
        driver_of(camera, own).close()
        driver = driver_of(camera, own)
        with pytest.raises(CameraRefused):
            driver.go_to(8)
        driver.close()
    assert "geheim=***" in everything_said.getvalue()
    assert not leaks(everything_said.getvalue())


def test_nobody_there_and_a_refused_login(everything_said: io.StringIO) -> None:
    config = PtzConfig(
        Wire.CGI, "hi3510", "127.0.0.1", free_port(), authentication=Authentication.QUERY
    )
    absent = CgiDriver(config, dialect_named("hi3510"), Credentials("viewer", CANARY))
    with pytest.raises(EnvironmentFault) as silent:
        absent.stop()
    absent.close()
    with ptz_simulator(username="viewer", password="another", query_login=True) as camera:
        driver = driver_of(camera)
        with pytest.raises(CameraRefused, match="user name or password") as refused:
            driver.stop()
        driver.close()
    for caught in (silent, refused):
        assert not leaks("".join(traceback.format_exception(caught.value)))
    assert not leaks(everything_said.getvalue())


def test_a_hanging_camera_and_redirects_do_not_get_the_password_elsewhere(
    everything_said: io.StringIO,
) -> None:
    with ptz_simulator(username="viewer", password=CANARY) as camera:
        driver = driver_of(camera)
        camera.fault = Fault.HANG
        with pytest.raises(BarnhandError, match="did not answer within 3 s"):
            driver.stop()
        camera.fault = Fault.REDIRECT
        with pytest.raises(CameraRefused, match="elsewhere"):
            driver.stop()
        driver.close()  # a connection that the camera ends just now would say nothing
        camera.fault = Fault.ERROR
        with pytest.raises(CameraSilent, match="500"):
            driver.stop()
        driver.close()
    assert not leaks(everything_said.getvalue())


def test_control_stream_and_guardian_show_nothing(
    bench: NewBench, everything_said: io.StringIO
) -> None:
    guardian = GuardianProcess()
    desk = bench(guardian=guardian, username="viewer", password=CANARY, query_login=True)
    desk.control.move(desk.id, ANNA, Motion(pan=1.0))
    wait_until(lambda: desk.camera.view.moving)
    desk.camera.cut()
    wait_until(lambda: desk.control.state(desk.id).fault != "")
    shown = repr(desk.control.state(desk.id)) + repr(desk.stream) + repr(Credentials("u", CANARY))
    desk.camera.restore()
    wait_until(lambda: not desk.camera.view.moving)
    assert not leaks(shown + repr(vars(desk.control)) + everything_said.getvalue())


def test_a_login_that_a_dialect_does_not_know_is_refused() -> None:
    plain = dialect_named("hi3510").model_copy(update={"authentication": (Authentication.BASIC,)})
    config = PtzConfig(Wire.CGI, "hi3510", "h", authentication=Authentication.QUERY)
    with pytest.raises(OperatorMistake, match="basic"):
        CgiDriver(config, plain, Credentials("viewer", CANARY))

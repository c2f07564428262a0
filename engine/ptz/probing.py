"""Finding out how a camera is steered, for the settings dialog. Blocks: for a worker thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.domain.errors import BarnhandError
from engine.domain.ports import Clock
from engine.domain.ptz import Authentication, Capabilities, Motion, PtzConfig, PtzDriver, Wire
from engine.ptz.cgi import CgiDriver, Credentials
from engine.ptz.dialects import Dialect, dialects
from engine.ptz.drivers import open_driver
from engine.ptz.pictures import decoded, jpeg_of
from engine.ptz.scan import difference

TURN_SHARE = 0.5
TURN_S = 0.8
"""A test turns the camera for so long, and back."""
MOVED_LEVELS = 4.0
"""Mean difference in grey levels of two small pictures from which a camera has moved."""


@dataclass(frozen=True, slots=True)
class ProbeFinding:
    """What a probe or test found. ``config`` None: nothing answered as it should. ``snapshot``: a
    JPEG, None where the camera gives none. ``moved``: the picture changed in a test, None untold.
    ``tried``: one line for people about each way that was tried."""

    config: PtzConfig | None
    capabilities: Capabilities | None
    snapshot: bytes | None
    moved: bool | None
    tried: tuple[str, ...]


def probe_camera(config: PtzConfig, credentials: Credentials, further: str = "") -> ProbeFinding:
    """Find the dialect and log-in a camera takes: each is tried with a harmless stop, that of
    ``config`` first. An ONVIF configuration is tried as it is."""
    if config.wire is Wire.ONVIF:
        try:
            return _look(config, open_driver(config, credentials, further), ("ONVIF: answers",))
        except BarnhandError as error:
            return ProbeFinding(None, None, None, None, (f"ONVIF: {error}",))
    known = dialects(Path(further).expanduser() if further else None)
    tried: list[str] = []
    for name, authentication in _ways(config, known):
        way = replace(config, dialect=name, authentication=authentication)
        driver = CgiDriver(way, known[name], credentials)
        try:
            driver.stop()
        except BarnhandError as error:
            tried.append(f"{known[name].title}, {authentication.value}: {error.message}")
            driver.close()
            continue
        tried.append(f"{known[name].title}, {authentication.value}: answers")
        return _look(way, driver, tuple(tried))
    return ProbeFinding(None, None, None, None, tuple(tried))


def try_camera(
    config: PtzConfig, credentials: Credentials, clock: Clock, further: str = ""
) -> ProbeFinding:
    """Turn the camera right for 0.8 s and back, and compare its pictures. Raises BarnhandError
    when it does not take the commands; a stop is tried all the same."""
    driver = open_driver(config, credentials, further)
    try:
        before = _small(driver)
        _turn(driver, clock, TURN_SHARE)
        there = _small(driver)
        _turn(driver, clock, -TURN_SHARE)
        moved = None if before is None or there is None else _differ(before, there)
        said = {None: "No pictures to compare.", True: "The view moved.", False: "Nothing moved."}
        return ProbeFinding(config, driver.capabilities, there, moved, (said[moved],))
    finally:
        driver.close()


def _ways(config: PtzConfig, known: Mapping[str, Dialect]) -> list[tuple[str, Authentication]]:
    ways = [(name, login) for name, dialect in known.items() for login in dialect.authentication]
    first = (config.dialect, config.authentication)
    return sorted(ways, key=lambda way: (way != first, way[1] is not first[1]))


def _look(config: PtzConfig, driver: PtzDriver, tried: tuple[str, ...]) -> ProbeFinding:
    try:
        return ProbeFinding(config, driver.capabilities, _small(driver), None, tried)
    finally:
        driver.close()


def _turn(driver: PtzDriver, clock: Clock, share: float) -> None:
    try:
        driver.move(Motion(pan=share))
        clock.sleep(TURN_S)
    finally:
        driver.stop()


def _small(driver: PtzDriver) -> bytes | None:
    try:
        return jpeg_of(decoded(driver.snapshot()), 640)
    except BarnhandError:
        return None


def _differ(before: bytes, after: bytes) -> bool:
    return difference(decoded(before)[:, :, 1], decoded(after)[:, :, 1]) >= MOVED_LEVELS

"""The driver that fits a camera's configuration."""

from __future__ import annotations

from pathlib import Path

from engine.domain.errors import OperatorMistake
from engine.domain.ptz import PtzConfig, PtzDriver, Wire
from engine.ptz.cgi import CgiDriver, Credentials
from engine.ptz.dialects import Dialect, dialects
from engine.ptz.onvif import OnvifDriver


def open_driver(config: PtzConfig, credentials: Credentials, further: str = "") -> PtzDriver:
    """A driver for one camera; CGI connects with its first command, ONVIF here.

    ``further`` names a file with more dialects. Raises OperatorMistake for a dialect that does
    not exist or a missing library, EnvironmentFault when an ONVIF camera does not answer.
    """
    if config.wire is Wire.ONVIF:
        return OnvifDriver(config, credentials)
    return CgiDriver(config, dialect_named(config.dialect, further), credentials)


def dialect_named(name: str, further: str = "") -> Dialect:
    """A dialect by its name. Raises OperatorMistake."""
    known = dialects(Path(further).expanduser() if further else None)
    if name not in known:
        raise OperatorMistake(
            f"There is no camera dialect {name!r}.", f"There are {', '.join(sorted(known))}."
        )
    return known[name]

"""Three error families: operator mistake, environment fault, bug.

Adapters translate foreign exceptions into one of these at their edge with ``raise ... from``.
Every message says what happened; ``advice`` says what the person can do about it.
"""

from __future__ import annotations


class BarnhandError(Exception):
    """Root of the families. ``str(error)`` is fit to be shown to a person."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()


class OperatorMistake(BarnhandError):
    """The request was wrong (a setting, a file, an argument); retrying unchanged cannot help."""


class EnvironmentFault(BarnhandError):
    """Something outside failed (camera, server, disk, GPU); retrying later may help."""


class Bug(BarnhandError):
    """The program broke one of its own rules."""


class SourceUnreachable(EnvironmentFault):
    """A camera or stream could not be opened or stopped answering."""


class SourceEnded(EnvironmentFault):
    """A source has no more pictures: end of a file, or a server that hung up without an error."""


class SourceUnreadable(OperatorMistake):
    """What the address names is not a video or picture this program can read."""


class ModelUnavailable(EnvironmentFault):
    """No usable model file for a task was found."""


class ModelInvalid(OperatorMistake):
    """A model file is damaged or its inputs and outputs are not of the declared layout."""


class StoreUnavailable(EnvironmentFault):
    """The database or live-state server does not answer."""


class NotFound(OperatorMistake):
    """The object named by the caller does not exist."""


class Conflict(OperatorMistake):
    """The object was changed by someone else, or the name is taken."""

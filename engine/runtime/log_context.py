"""What a thread's log lines are about: the camera, the track. Told once, written with each line.

``bind`` at the start of a thread that serves one camera; ``about`` around work on one thing. The
program's log format adds these fields to every line of the thread; libraries' lines get them, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})
_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=_NOTHING)


def fields() -> Mapping[str, str]:
    """What the calling thread's lines are about now."""
    return _FIELDS.get()


def bind(**values: object) -> None:
    """From now on all lines of this thread are about these as well."""
    _FIELDS.set(_with(values))


@contextmanager
def about(**values: object) -> Iterator[None]:
    """Lines within are about these as well."""
    token = _FIELDS.set(_with(values))
    try:
        yield
    finally:
        _FIELDS.reset(token)


def _with(values: Mapping[str, object]) -> Mapping[str, str]:
    return MappingProxyType({**_FIELDS.get(), **{k: str(v) for k, v in values.items()}})

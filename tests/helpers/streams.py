"""Streams and settings for capture tests."""

from __future__ import annotations

from typing import Any

from engine.domain.ids import new_stream_id
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.addresses import kind_of

QUICK = CaptureSettings(connect_timeout_s=1.0, read_timeout_s=0.5, offline_after_s=1.0)


def stream_of(address: object, **changes: Any) -> Stream:
    """A stream of an address, its kind found as for a typed one."""
    address = str(address)
    return Stream(
        new_stream_id(), changes.pop("name", "camera"), kind_of(address), address, **changes
    )

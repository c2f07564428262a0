"""Waiting on a condition with a bounded deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    """Return as soon as the condition holds; fail after ``within_s``."""
    pause = threading.Event()
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "the condition did not come true in time"
        pause.wait(0.01)

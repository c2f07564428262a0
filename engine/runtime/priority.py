"""Lets a thread of heavy work step back behind the live pictures."""

from __future__ import annotations

import logging
import os
import sys
import threading

log = logging.getLogger(__name__)

BACKGROUND_NICENESS = 10


def step_back() -> bool:
    """Give the calling thread, and threads that it starts, less of the processor when others want
    it. True where the system can do that for one thread (Linux)."""
    if sys.platform != "linux":
        return False
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICENESS)
    except OSError as error:
        log.info("a background thread keeps its priority: %s", error)
        return False
    return True

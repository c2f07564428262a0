"""Keeps the C library's memory pools few, so that memory that was given back is used again.

glibc gives threads pools of their own ("arenas"), up to eight for each processor, and a pool keeps
what its threads freed. Cameras that come and go bring new threads; each camera's pictures then fill
one pool after the other while the others lie there free: the process grows for an hour although
nothing in it does. Python's threads allocate one at a time anyway, so few pools cost nothing.

Other C libraries (macOS, Windows, musl) have no such pools, and nothing is done there.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys

log = logging.getLogger(__name__)

ARENAS = 2
"""The main one and one more, so that a decoder seldom waits for another's allocation."""
_M_ARENA_MAX = -8
"""``M_ARENA_MAX`` of glibc's malloc.h."""
_OWN_CHOICE = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
"""Whoever starts the program with one of these has chosen already."""


def bound_arenas(most: int = ARENAS) -> bool:
    """Let the process have at most ``most`` arenas; True where that was done.

    Call it first, before any thread is made: glibc counts once, and arenas that exist stay. Child
    processes do not inherit it. ``mallopt(3)``: M_ARENA_MAX.
    """
    if sys.platform != "linux" or any(os.environ.get(name) for name in _OWN_CHOICE):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    done = bool(mallopt(_M_ARENA_MAX, most))
    if not done:
        log.info("the number of memory pools was not bounded")
    return done

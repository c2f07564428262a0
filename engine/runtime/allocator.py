"""Keeps the C library's memory pools few, and lets the system have what lies free in them.

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


def give_back() -> bool:
    """Let the system have the memory that lies free in the pools; True where any went.

    For when something large is over for now, such as closed models: pools give back what lies free
    at their end, and that is seldom all of it. Other threads that want memory meanwhile wait, up
    to 0.1 s on a busy machine. ``malloc_trim(3)``.
    """
    trim = None if sys.platform != "linux" else getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return False
    trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
    return bool(trim(0))

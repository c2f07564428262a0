"""What the inspecting process gives up before it looks at a stranger's file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

from barnhand_desktop.model_inspection.system_calls import give_up_calls

_ANSWER_BYTES = 64 * 1024
_OPEN_FILES = 64
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


def confine(memory_bytes: int, cpu_s: int, parent: int) -> None:
    """Limit memory (bytes of address space), CPU seconds, files and their size; no core dump. On
    Linux also no network, no other program, no file that is written, and no life beyond that of
    the process ``parent``. Windows has no such limits here: there the parent's wall-clock limit
    alone holds."""
    if sys.platform == "win32":
        return
    import resource

    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: _ANSWER_BYTES,  # its answer goes to a file
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))
    if sys.platform.startswith("linux"):
        _leave_the_network()
        _die_with(parent)
        give_up_calls()


def _leave_the_network() -> None:
    """A network of its own, which has nothing but a loopback that is down."""
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if library.unshare(_CLONE_NEWNET) != 0:
        library.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _die_with(parent: int) -> None:
    """A parent that is killed cannot end its child. A change of user or namespace forgets this, so
    it comes after ``_leave_the_network``."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before
        os._exit(1)

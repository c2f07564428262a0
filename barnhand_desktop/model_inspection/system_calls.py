"""Linux: system calls that the inspecting process gives up (seccomp), so that even a file that
takes the process over can open no connection, start no program and write to no file.

A classic BPF program; layouts and numbers are those of linux/filter.h, linux/seccomp.h and the
tables of the two machines. Other machines go without.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Sequence
from dataclasses import dataclass

_LOAD, _EQUAL, _ATLEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW; _ERRNO with EPERM
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2


@dataclass(frozen=True, slots=True)
class _Machine:
    """``audit``: AUDIT_ARCH_*. ``opening``: (call, place of its flags)."""

    audit: int
    opening: Sequence[tuple[int, int]]
    refused: Sequence[int]


# Sockets, programs, other processes, removing and renaming, the kernel's own doors.
_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        ((2, 1), (257, 2)),
        (
            41, 42, 43, 44, 46, 49, 50, 53, 288, 307, 59, 322, 62, 101, 310, 311, 76, 82, 83, 84,
            85, 86, 87, 88, 90, 91, 92, 133, 259, 260, 263, 264, 265, 266, 268, 316, 165, 166, 175,
            246, 248, 249, 250, 272, 298, 304, 308, 313, 321, 323, 425, 426, 427, 428, 437,
        ),
    ),
    "aarch64": _Machine(
        0xC00000B7,
        ((56, 2),),
        (
            198, 199, 200, 201, 202, 203, 206, 211, 242, 269, 221, 281, 129, 117, 270, 271, 33, 34,
            35, 36, 37, 38, 45, 52, 53, 54, 55, 276, 39, 40, 97, 105, 106, 217, 218, 219, 241, 265,
            268, 273, 280, 282, 425, 426, 427, 428, 437,
        ),
    ),
}  # fmt: skip


class _Step(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("yes", ctypes.c_uint8),
        ("no", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Step)))


def give_up_calls() -> bool:
    """Refuse the calls to this thread and all it starts, for good; False where that is not
    possible. A refused call fails with EPERM."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    steps = _steps(machine)
    listed = (_Step * len(steps))(*(_Step(*step) for step in steps))
    program = _Program(len(steps), ctypes.cast(listed, ctypes.POINTER(_Step)))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(library.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def _steps(machine: _Machine) -> list[tuple[int, int, int, int]]:
    """(code, jump if yes, jump if no, value) of each step; jumps count the steps left out."""
    steps = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine.audit == 0xC000003E:  # calls of the x32 kind have other numbers
        steps += [(_ATLEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _REFUSE)]
    for number in machine.refused:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    for number, place in machine.opening:
        steps += [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * place),
            (_ANY_BIT, 0, 1, _WRITING),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]

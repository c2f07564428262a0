"""The memory pools of the C library are bounded where there are such pools."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from engine.runtime.allocator import bound_arenas, give_back

GLIBC = platform.libc_ver()[0] == "glibc"
THREADS = 12

COUNT = """
import ctypes, json, re, sys, threading
from pathlib import Path
from engine.runtime.allocator import bound_arenas

wanted, report, threads = sys.argv[1] == "bounded", Path(sys.argv[2]), int(sys.argv[3])
done = bound_arenas() if wanted else False
meet, kept = threading.Barrier(threads + 1), []

def take():
    meet.wait(30.0)  # all at once: each thread looks for a pool that nobody uses
    kept.append([bytes(3000) for _ in range(300)])
    meet.wait(30.0)

for _ in range(threads):
    threading.Thread(target=take, daemon=True).start()
meet.wait(30.0)
meet.wait(30.0)
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)
libc.fclose.argtypes = (ctypes.c_void_p,)
file = libc.fopen(bytes(report), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
print(json.dumps([done, len(re.findall("<heap nr", report.read_text()))]))
"""
"""A process of its own: glibc counts once in a process's life."""

FREE = """
import json, psutil
from engine.runtime.allocator import give_back

blocks = [b"x" * 100_000 for _ in range(500)]  # too small to be mapped each by itself
kept = b"x" * 100_000  # lies behind them: the pool's end does not move
blocks.clear()
before = psutil.Process().memory_info().rss
done = give_back()
print(json.dumps([done, before - psutil.Process().memory_info().rss]))
"""


def _arenas(how: str, folder: Path, **environment: str) -> tuple[bool, int]:
    """Whether the bound was set, and how many arenas threads that allocate at once brought."""
    chosen = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
    around = {name: text for name, text in os.environ.items() if name not in chosen}
    line = [sys.executable, "-c", COUNT, how, str(folder / "arenas.xml"), str(THREADS)]
    ended = subprocess.run(
        line, env=around | environment, capture_output=True, text=True, timeout=60.0, check=True
    )
    done, arenas = json.loads(ended.stdout)
    return done, arenas


@pytest.mark.skipif(not GLIBC, reason="this C library has no arenas")
def test_threads_share_two_arenas(tmp_path: Path) -> None:
    assert _arenas("bounded", tmp_path) == (True, 2)
    done, arenas = _arenas("free", tmp_path)
    assert not done
    assert arenas > 2


@pytest.mark.skipif(not GLIBC, reason="this C library has no arenas")
def test_whoever_starts_the_program_may_choose(tmp_path: Path) -> None:
    assert _arenas("bounded", tmp_path, MALLOC_ARENA_MAX="3") == (False, 3)


@pytest.mark.skipif(not GLIBC, reason="this C library has no arenas")
def test_what_lies_free_goes_back_to_the_system() -> None:
    line = [sys.executable, "-c", FREE]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=60.0, check=True)
    done, freed_bytes = json.loads(ended.stdout)
    assert done
    assert freed_bytes > 25_000_000


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert not bound_arenas()
    assert not give_back()

"""Starts the child that looks at an uploaded file. Whatever happens to the child, the answer is a
verdict or a refusal."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from barnhand_desktop.model_inspection.file_kinds import HEAD_BYTES, refuse_strangers
from barnhand_desktop.model_inspection.verdict import (
    CODES,
    InspectionCancelled,
    ModelRefused,
    Verdict,
)
from engine.domain.errors import EnvironmentFault

_ANSWER_BYTES = 64 * 1024
_LOOK_EVERY_S = 0.1
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an inspection may take.

    ``memory_bytes``: address space beyond some times the file's size. ``cpu_s``, ``wall_s``:
    seconds. On Windows only the wall-clock limit holds.
    """

    memory_bytes: int = 4 << 30
    cpu_s: int = 90
    wall_s: float = 150.0


def default_command() -> tuple[str, ...]:
    """How this installation starts the child: a packaged program by its own name."""
    if getattr(sys, "frozen", False):
        return (sys.executable, "model-inspector")
    return (sys.executable, "-m", "barnhand_desktop.model_inspection.child")


def never() -> bool:
    """Nobody cancels."""
    return False


class Inspector:
    """Looks at files, each in a process of its own. May be used from any thread.

    ``folder``: where the questions and answers of the child lie while it works.
    """

    def __init__(
        self, folder: Path, limits: Limits = Limits(), command: Sequence[str] | None = None
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._command = tuple(command or default_command())

    def inspect(
        self,
        path: Path,
        description: Mapping[str, Any],
        file_name: str = "",
        cancelled: Callable[[], bool] = never,
    ) -> Verdict:
        """Look at a file as the model that ``description`` says it is.

        ``description`` holds ``format`` (onnx, safetensors) and the fields of a manifest entry.
        Raises ModelRefused with a code; EnvironmentFault when no process can be started at all;
        InspectionCancelled soon after ``cancelled`` says so, with the child ended.
        """
        with path.open("rb") as file:
            refuse_strangers(file.read(HEAD_BYTES), description["format"], file_name)
        question = {
            "path": str(path.absolute()),
            "description": dict(description),
            "limits": asdict(self._limits),
            "parent": os.getpid(),
        }
        with _scratch(self._folder) as asked, _scratch(self._folder) as answered:
            asked.write(json.dumps(question).encode())
            asked.seek(0)
            status = self._run(asked, answered, cancelled)
            answered.seek(0)
            return _verdict(status, answered.read(_ANSWER_BYTES + 1))

    def _run(
        self, asked: IO[bytes], answered: IO[bytes], cancelled: Callable[[], bool]
    ) -> int | None:
        """The child's exit status; None when it had to be killed."""
        try:
            process = subprocess.Popen(
                self._command,
                stdin=asked,
                stdout=answered,
                stderr=subprocess.DEVNULL,
                cwd=self._folder,
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentFault(
                f"The process that inspects models could not be started: {error.strerror}."
            ) from error
        try:
            return _ended(process, self._limits.wall_s, cancelled)
        finally:
            _end(process)


def _ended(
    process: subprocess.Popen[bytes], wall_s: float, cancelled: Callable[[], bool]
) -> int | None:
    """The exit status, None after ``wall_s``. Raises InspectionCancelled."""
    end_mono_s = time.monotonic() + wall_s
    while (left_s := end_mono_s - time.monotonic()) > 0:
        if cancelled():
            raise InspectionCancelled
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(left_s if cancelled is never else min(left_s, _LOOK_EVERY_S))
    return None


def _environment() -> dict[str, str]:
    """Nothing of this program's: no addresses, no keys, no proxy."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TZ") if name in os.environ}
    return kept | {
        "PYTHONPATH": str(_ROOT),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _scratch(folder: Path) -> Any:
    return tempfile.TemporaryFile(dir=folder, prefix="inspection-")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and whatever it started."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()


def _verdict(status: int | None, answer: bytes) -> Verdict:
    if status is None:
        raise _failed("took longer than it may")
    if status != 0:
        raise _failed("ended the process that looked at it (memory, time, or a crash)")
    try:
        document = json.loads(answer[:_ANSWER_BYTES])
        if "refused" in document:
            refused = document["refused"]
            code = refused["code"] if refused["code"] in CODES else "model_inspection_failed"
            raise ModelRefused(code, str(refused["message"])[:1000], str(refused["advice"])[:1000])
        return Verdict(MappingProxyType(dict(document["figures"])))
    except (ValueError, KeyError, TypeError) as error:
        raise _failed("made the inspection answer nonsense") from error


def _failed(what: str) -> ModelRefused:
    return ModelRefused(
        "model_inspection_failed",
        f"The file {what}.",
        "Export the model again; smaller, without post-processing inside the graph.",
    )

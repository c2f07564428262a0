"""The child process: reads a question, looks at the file, answers. Both are one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO, Any

from barnhand_desktop.model_inspection.confinement import confine
from barnhand_desktop.model_inspection.verdict import EXPORT_ADVICE, ModelRefused
from engine.domain.errors import BarnhandError, EnvironmentFault

_TIMES_THE_FILE = 6
"""Parsed, checked and opened by the runtime, a file is in memory that often at most."""

_TOO_MUCH = ("It needs more memory than an inspection may take.", "Export a smaller model.")


def inspect(path: Path, description: dict[str, Any]) -> dict[str, object]:
    """The figures of an acceptable file. Raises ModelRefused."""
    if description["format"] == "safetensors":
        from barnhand_desktop.model_inspection.weights import look_at_weights

        return look_at_weights(path)
    from barnhand_desktop.model_inspection.graphs import look_at_graph
    from barnhand_desktop.model_inspection.trial import try_out

    figures = look_at_graph(path)
    return {**figures, **try_out(path, description)}


def main(source: IO[str] = sys.stdin, sink: IO[str] = sys.stdout) -> int:
    """Answer one question. What is not foreseen ends the process, which is a refusal, too."""
    question = json.loads(source.read())
    path, limits = Path(question["path"]), question["limits"]
    memory = int(limits["memory_bytes"]) + _TIMES_THE_FILE * path.stat().st_size
    confine(memory, int(limits["cpu_s"]), int(question["parent"]))
    answer: dict[str, object]
    try:
        answer = {"figures": inspect(path, question["description"])}
    except ModelRefused as error:
        answer = _refused(error.code, error.message, error.advice)
    except (MemoryError, RecursionError):
        answer = _refused("model_too_complex", *_TOO_MUCH)
    except BarnhandError as error:
        if isinstance(error, EnvironmentFault) and "emory" in error.message:
            answer = _refused("model_too_complex", *_TOO_MUCH)
        else:
            answer = _refused("model_layout", error.message, error.advice or EXPORT_ADVICE)
    sink.write(json.dumps(answer))
    sink.flush()
    return 0


def _refused(code: str, message: str, advice: str) -> dict[str, object]:
    return {"refused": {"code": code, "message": message, "advice": advice}}


if __name__ == "__main__":
    sys.exit(main())

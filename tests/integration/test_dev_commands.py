"""dev.py for real on a small project: environment, interruptions, exit codes, signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PYPROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "barnhand-desktop"
version = "1"
"""

BACKEND = '''
"""Builds an editable wheel of the folder it lies in, without any package from outside."""
import os, zipfile

NAME = "barnhand_desktop-1"
META = "Metadata-Version: 2.1\\nName: barnhand-desktop\\nVersion: 1\\nProvides-Extra: dev\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    if os.path.exists("broken"):
        raise RuntimeError("the index is away")
    file = f"{NAME}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, file), "w") as wheel:
        wheel.writestr("small_project.pth", os.path.abspath(".") + "\\n")
        wheel.writestr(f"{NAME}.dist-info/METADATA", META)
        wheel.writestr(f"{NAME}.dist-info/WHEEL", WHEEL)
        wheel.writestr(f"{NAME}.dist-info/RECORD", "")
    return file


build_wheel = build_editable
'''

PROGRAM = """
import json, os, signal, sys, time

def interrupted(*_):
    print("interrupted in good order", flush=True)
    raise SystemExit(9)

if sys.argv[1:2] == ["wait"]:
    signal.signal(signal.SIGINT, interrupted)
    print("waiting", flush=True)
    time.sleep(60)
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "home": os.environ.get("HOME")}))
raise SystemExit(7)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and execve are POSIX")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with our dev.py."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copy(ROOT / "dev.py", folder / "dev.py")
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (folder / "backend.py").write_text(BACKEND, encoding="utf-8")
    (folder / "barnhand_desktop").mkdir()
    (folder / "barnhand_desktop" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "barnhand_desktop" / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    return folder


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BARNHAND_", "PYTHONPATH"))}
    kept.pop("HOME", None)
    kept.pop("DISPLAY", None)
    return kept


def start(
    clone: Path, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """``python dev.py ...`` with standard input closed and no HOME."""
    return subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", sys.executable, clone / "dev.py", *arguments],
        cwd=cwd or clone,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def last_line(ended: subprocess.CompletedProcess[str]) -> dict[str, object]:
    answer = json.loads(ended.stdout.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


@pytest.mark.timeout(400)
def test_the_whole_life_of_an_environment(clone: Path, tmp_path: Path) -> None:
    (clone / "broken").touch()
    failed = start(clone, "run", "x")
    assert failed.returncode == 1
    assert "the index is away" in failed.stderr and "start again" in failed.stderr
    (clone / "broken").unlink()

    first = start(clone, "run", "headless", "--source", "a b.mp4", cwd=tmp_path)
    assert first.returncode == 7, first.stdout + first.stderr
    assert "environment ready" in first.stdout and "making .venv" not in first.stdout
    answer = last_line(first)
    assert answer["argv"] == ["headless", "--source", "a b.mp4"]
    assert answer["cwd"] == str(tmp_path) and answer["home"]

    second = start(clone, "run")
    assert second.returncode == 7
    assert "environment ready" not in second.stdout
    assert last_line(second)["argv"] == ["headless"]

    (clone / "pyproject.toml").write_text(PYPROJECT + "\n", encoding="utf-8")
    third = start(clone, "run")
    assert "environment ready" in third.stdout and "making .venv" not in third.stdout

    (clone / ".venv" / "barnhand-installing").touch()
    fourth = start(clone, "run")
    assert "making it anew" in fourth.stdout and fourth.returncode == 7
    assert "environment ready" not in start(clone, "run").stdout

    process = subprocess.Popen(
        [sys.executable, clone / "dev.py", "run", "wait"],
        cwd=clone,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    assert "in good order" in rest
    assert process.returncode == 9

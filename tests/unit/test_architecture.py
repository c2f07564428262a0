"""The architecture as an executable contract."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.blocked_imports import BLOCKED

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("barnhand_desktop", "ui", "engine", "db", "resources")
VAGUE_NAMES = frozenset({"util", "utils", "misc", "manager", "managers", "helper", "helpers"})


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_dependency_directions_are_kept() -> None:
    ended = run(
        "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 broken" in ended.stdout


def test_a_broken_contract_would_be_noticed(tmp_path: Path) -> None:
    for package in ("engine", "ui"):
        (tmp_path / package).mkdir()
    (tmp_path / "engine/__init__.py").write_text("import ui\n", encoding="utf-8")
    (tmp_path / "ui/__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.importlinter]\nroot_packages = ["engine", "ui"]\n'
        '[[tool.importlinter.contracts]]\nname = "ground floor"\ntype = "forbidden"\n'
        'source_modules = ["engine"]\nforbidden_modules = ["ui"]\n',
        encoding="utf-8",
    )
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports as l; raise SystemExit(l())",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr


def test_unit_tests_import_with_qt_and_servers_absent() -> None:
    ended = run(
        "-m", "pytest", "--collect-only", "-q", "-p", "tests.helpers.blocked_imports", "tests/unit"
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]


def test_the_engine_imports_with_qt_and_servers_absent() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources("engine")
        if path.name != "__main__.py"
    ]
    blocked = [*sorted(BLOCKED - {"pytestqt"}), "psycopg", "redis", "fastapi", "uvicorn"]
    ended = run(
        "-W",
        "error",
        "-c",
        "import sys, importlib\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(len(sys.modules))",
    )
    assert ended.returncode == 0, ended.stderr[-3000:]


def test_modules_have_names_that_say_something() -> None:
    vague = [
        str(path.relative_to(ROOT))
        for path in sources(*PACKAGES)
        if VAGUE_NAMES & {path.stem, path.parent.name}
    ]
    assert not vague


@pytest.mark.parametrize("package", PACKAGES)
def test_only_the_worker_makes_threads(package: str) -> None:
    makers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(package)
        if path.relative_to(ROOT).as_posix() != "engine/runtime/worker.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name) and _name(node) in THREAD_MAKERS
    ]
    assert not makers


THREAD_MAKERS = frozenset(
    {"threading.Thread", "Thread", "ThreadPoolExecutor", "futures.ThreadPoolExecutor", "QThread"}
)


def _name(node: ast.Attribute | ast.Name) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else node.attr


def test_the_licence_is_the_one_that_is_declared() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in text and "Version 3" in text
    assert 'license = "AGPL-3.0-or-later"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")

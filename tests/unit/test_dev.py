"""The launcher's decisions, without making an environment."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """dev.py as a module whose repository is an empty folder."""
    spec = importlib.util.spec_from_file_location("dev_under_test", ROOT / "dev.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    repository = tmp_path / "clone" / "main"
    repository.mkdir(parents=True)
    venv = repository / ".venv"
    for name, value in {
        "ROOT": repository,
        "VENV": venv,
        "STAMP": venv / "stamp.json",
        "INSTALLING": venv / "installing",
        "INSTALL_LOG": venv / "install.log",
        "LOCK": repository / ".scratch" / "lock",
    }.items():
        monkeypatch.setattr(module, name, value)
    (repository / "pyproject.toml").write_text('x = ["torch==9.9.9",]\n', encoding="utf-8")
    yield module


def make_venv(dev: ModuleType) -> None:
    """Just enough of a virtual environment: an interpreter that runs."""
    python = dev.venv_python()
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (dev.VENV / "pyvenv.cfg").write_text("", encoding="utf-8")


def stamp(dev: ModuleType, **changes: str) -> None:
    made = dev.wanted_stamp(str(dev.venv_python())) | changes
    dev.STAMP.write_text(json.dumps(made), encoding="utf-8")


def test_it_needs_the_standard_library_only_and_starts_with_old_pythons() -> None:
    tree = ast.parse((ROOT / "dev.py").read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
    }
    assert imported <= sys.stdlib_module_names


# --- Python --------------------------------------------------------------------------------------


def test_the_starting_python_is_taken_when_it_fits(dev: ModuleType) -> None:
    assert dev.find_python() == sys.executable


def test_another_python_on_the_path_is_found(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "PYTHONS", ((3, 98), (3, 99)))
    monkeypatch.setattr(dev.shutil, "which", lambda name: f"/opt/{name}")
    monkeypatch.setattr(
        dev, "python_version", lambda path: (3, 99) if path.endswith("99") else None
    )
    assert dev.find_python() == "/opt/python3.99"


def test_without_a_fitting_python_it_says_what_to_do(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "PYTHONS", ((3, 99),))
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    with pytest.raises(dev.Stop, match=r"needs Python 3\.11, 3\.12 or 3\.13"):
        dev.find_python()


def test_a_file_that_is_no_python_has_no_version(dev: ModuleType, tmp_path: Path) -> None:
    assert dev.python_version(str(tmp_path / "absent")) is None
    assert dev.python_version("/bin/true") is None
    assert dev.python_version(sys.executable) == sys.version_info[:2]


# --- system libraries ----------------------------------------------------------------------------


@pytest.fixture
def lacking(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Libraries this machine seems to lack; change the set to change the machine."""
    absent = {"libEGL.so.1", "libxcb-cursor.so.0"}
    monkeypatch.setattr(dev.sys, "platform", "linux")
    monkeypatch.setattr(dev, "can_load", lambda library: library not in absent)
    return absent


def test_missing_libraries_are_named_with_the_command(
    dev: ModuleType, lacking: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "may_install", lambda: False)
    monkeypatch.setattr(dev.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(dev.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(dev.Stop) as caught:
        dev.ensure_libraries(dev.QT_LIBRARIES)
    assert "sudo apt-get install --no-install-recommends libegl1 libxcb-cursor0" in str(
        caught.value
    )


def test_elsewhere_the_library_files_are_named(
    dev: ModuleType, lacking: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    monkeypatch.setattr(dev, "may_install", lambda: False)
    with pytest.raises(dev.Stop, match=r"libEGL\.so\.1, libxcb-cursor\.so\.0"):
        dev.ensure_libraries(dev.QT_LIBRARIES)


def test_root_installs_what_is_missing(
    dev: ModuleType, lacking: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def install(packages: list[str]) -> bool:
        asked.append(packages)
        lacking.clear()
        return True

    monkeypatch.setattr(dev, "may_install", lambda: True)
    monkeypatch.setattr(dev, "apt_install", install)
    dev.ensure_libraries(dev.QT_LIBRARIES)
    dev.ensure_libraries(dev.QT_LIBRARIES)
    assert asked == [["libegl1", "libxcb-cursor0"]]


def test_an_install_that_brings_nothing_stops(
    dev: ModuleType, lacking: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "may_install", lambda: True)
    monkeypatch.setattr(dev, "apt_install", lambda packages: True)
    with pytest.raises(dev.Stop, match=r"libEGL\.so\.1"):
        dev.ensure_libraries(dev.QT_LIBRARIES)


def test_a_real_library_loads_and_an_invented_one_does_not(dev: ModuleType) -> None:
    assert not dev.can_load("libnosuchthing.so.99")
    if sys.platform.startswith("linux"):
        assert dev.can_load("libc.so.6")


# --- the environment -----------------------------------------------------------------------------


def test_a_complete_environment_is_ready(dev: ModuleType) -> None:
    assert not dev.environment_is_ready()
    make_venv(dev)
    assert not dev.environment_is_ready()
    stamp(dev)
    assert dev.environment_is_ready()


def test_changed_pins_are_installed_over_it(dev: ModuleType) -> None:
    make_venv(dev)
    stamp(dev)
    (dev.ROOT / "pyproject.toml").write_text("y = 1\n", encoding="utf-8")
    assert not dev.environment_is_ready()
    assert not dev.must_start_over(sys.executable)


@pytest.mark.parametrize("damage", ["interrupted", "moved", "no interpreter", "no venv"])
def test_a_damaged_environment_is_made_anew(dev: ModuleType, damage: str) -> None:
    make_venv(dev)
    stamp(dev, **({"root": "/elsewhere"} if damage == "moved" else {}))
    if damage == "interrupted":
        dev.INSTALLING.touch()
    if damage == "no interpreter":
        dev.venv_python().unlink()
    if damage == "no venv":
        (dev.VENV / "pyvenv.cfg").unlink()
        dev.STAMP.unlink()
    assert not dev.environment_is_ready()
    assert dev.must_start_over(sys.executable)


def test_a_torn_stamp_is_no_stamp(dev: ModuleType) -> None:
    make_venv(dev)
    dev.STAMP.write_text('{"pypro', encoding="utf-8")
    assert dev.read_stamp() is None
    assert not dev.environment_is_ready()


# --- running -------------------------------------------------------------------------------------


def test_models_of_a_shared_folder_are_offered(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BARNHAND_SHARED", "BARNHAND_MODELS"):
        monkeypatch.delenv(name, raising=False)
    assert "BARNHAND_MODELS" not in dev.child_environment()
    beside = tmp_path / "clone" / "shared" / "models"
    beside.mkdir(parents=True)
    assert dev.child_environment()["BARNHAND_MODELS"] == str(beside.resolve())
    named = tmp_path / "named" / "models"
    named.mkdir(parents=True)
    monkeypatch.setenv("BARNHAND_SHARED", str(named.parent))
    assert dev.child_environment()["BARNHAND_MODELS"] == str(named.resolve())
    monkeypatch.setenv("BARNHAND_MODELS", "")
    assert dev.child_environment()["BARNHAND_MODELS"] == ""


def test_a_home_is_found_without_home(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    assert Path(dev.child_environment()["HOME"]).is_absolute()


@pytest.fixture
def became(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be started, with libraries and environment taken as there."""
    started: list[list[str]] = []
    monkeypatch.setattr(dev.sys, "platform", "linux")
    monkeypatch.setattr(dev, "ensure_environment", lambda: None)
    monkeypatch.setattr(dev, "ensure_libraries", lambda libraries: None)
    monkeypatch.setattr(dev, "become", lambda command, environment: started.append(command) or 0)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return started


@pytest.mark.parametrize(
    ("display", "arguments", "passed"),
    [
        ({}, [], ["headless"]),
        ({"DISPLAY": ":0"}, [], []),
        ({"WAYLAND_DISPLAY": "wayland-0"}, [], []),
        ({}, ["--help"], ["--help"]),
        ({}, ["headless", "--source", "a b.mp4"], ["headless", "--source", "a b.mp4"]),
        ({"DISPLAY": ":0"}, ["analyse", "F", "--out", "D"], ["analyse", "F", "--out", "D"]),
    ],
)
def test_run_chooses_the_front_and_passes_arguments_on(
    dev: ModuleType,
    became: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    display: dict[str, str],
    arguments: list[str],
    passed: list[str],
) -> None:
    for name, value in display.items():
        monkeypatch.setenv(name, value)
    assert dev.main(["run", *arguments]) == 0
    assert became == [[str(dev.venv_python()), "-m", "barnhand_desktop", *passed]]


def test_only_the_window_asks_for_qt_libraries(
    dev: ModuleType, became: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []
    monkeypatch.setattr(dev, "ensure_libraries", asked.append)
    monkeypatch.setenv("DISPLAY", ":0")
    dev.run([])
    dev.run(["headless"])
    assert "libEGL.so.1" in asked[0]
    assert "libEGL.so.1" not in asked[1] and "libGL.so.1" in asked[1]


# --- checks --------------------------------------------------------------------------------------


def step(name: str, status: int) -> tuple[str, list[str], dict[str, str]]:
    return (name, [sys.executable, "-c", f"raise SystemExit({status})"], {})


def test_steps_stop_at_the_first_failure_and_tell_all(
    dev: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dev.run_steps([step("first", 0), step("second", 3), step("third", 0)]) == 3
    told = capfd.readouterr().out
    assert "ok" in told and "FAILED" in told
    assert "not run           third" in told


def test_the_test_command_does_everything_in_order(dev: ModuleType) -> None:
    steps = dev.test_steps([])
    names = [name for name, _, _ in steps]
    assert names == [
        "ruff check",
        "ruff format --check",
        "mypy",
        "import contracts",
        "unit tests without Qt, servers and GPU",
        "other tests",
    ]
    assert steps[-2][1][-1] == "tests/unit" and steps[-1][1][-1] == "--ignore=tests/unit"
    assert steps[-1][2]["QT_QPA_PLATFORM"] == "offscreen"
    assert dev.test_steps(["-k", "wall"])[-1][1][-2:] == ["-k", "wall"]


def test_without_a_command_it_explains_itself(
    dev: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.main([]) == 2
    assert dev.main(["--help"]) == 0
    assert dev.main(["runn"]) == 2
    assert "dev.py run" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["bench", "pictures"])
def test_a_script_that_is_not_there_is_said(
    dev: ModuleType, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.main([command]) == 1
    assert "does not exist" in capsys.readouterr().err

#!/usr/bin/env python3
"""The two commands of the README, and a few more, from a clean clone on a fresh machine.

    python3 dev.py run [ARGS...]     start Barnhand; arguments reach the program untouched
    python3 dev.py test [ARGS...]    style, types, contracts, unit tests, whole suite
    python3 dev.py lint              style, types and contracts only
    python3 dev.py format            tidy the sources
    python3 dev.py bench [ARGS...]   the benchmarks
    python3 dev.py pictures [ARGS...]  the manual's pictures
    python3 dev.py extra NAME        optional packages: train, mmpose, openvino

Each makes what it needs first: a virtual environment in .venv with the pinned packages of
pyproject.toml, and missing system libraries (installed when this runs as root on Debian or Ubuntu,
named with the exact command otherwise). Standard library only; any Python from 3.9 can start it.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "barnhand-stamp.json"
INSTALLING = VENV / "barnhand-installing"
INSTALL_LOG = VENV / "barnhand-install.log"
LOCK = ROOT / ".scratch" / "environment.lock"
PYTHONS = ((3, 11), (3, 12), (3, 13))
WINDOWS = sys.platform == "win32"

CORE_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
}
"""What OpenCV and Qt's core load, with or without a display: file -> Debian package."""

QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libpulse.so.0": "libpulse0",
}
"""What Qt's window and sound plugins load."""

WAYLAND_LIBRARIES = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
}

TEST_PROGRAMS = {
    "Xvfb": "xvfb",
    "ffprobe": "ffmpeg",
    "pdftoppm": "poppler-utils",
    "chromium-headless-shell": "chromium-headless-shell",
    "docker-compose": "docker-compose",
}
"""Programs that tests use as independent eyes, with their Debian packages."""
TAKEN_PROGRAMS = {"promtool": "prometheus"}
"""The same, out of packages that would start a server when installed."""
FONT_PACKAGES = {
    "NotoSans-Regular": "fonts-noto-core",
    "NotoSansCJK-Regular": "fonts-noto-cjk",
    "NotoColorEmoji": "fonts-noto-color-emoji",
}

WINDOWLESS = (
    "headless",
    "api",
    "migrate",
    "doctor",
    "models",
    "train",
    "analyse",
    "backup",
    "restore",
    "user",
)
"""Commands of the program that open no window."""


class Stop(Exception):
    """Ends the run with a message for the person and an exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def say(text: str) -> None:
    print(f"[barnhand] {text}", flush=True)


# --- a Python that fits --------------------------------------------------------------------------


def python_version(executable: str) -> tuple[int, int] | None:
    """(3, 11) of an interpreter, None if it does not run."""
    try:
        answer = subprocess.run(
            [executable, "-c", "import sys; print(*sys.version_info[:2])"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.split()
        return int(answer[0]), int(answer[1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def find_python() -> str:
    """The interpreter the environment is made with; Stop with advice when there is none."""
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    for major, minor in PYTHONS:
        found = shutil.which(f"python{major}.{minor}")
        if found and python_version(found) == (major, minor):
            return found
    if WINDOWS:
        advice = "Install Python 3.11, 3.12 or 3.13 and start this with it: py -3.12 dev.py run"
    elif sys.platform == "darwin":
        advice = "Install one, for example with: brew install python@3.12"
    else:
        advice = (
            "Install one with your distribution's packages, for example: "
            "sudo apt-get install python3.12 python3.12-venv"
        )
    raise Stop(
        f"Barnhand needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]} and no other "
        f"was found.\n{advice}"
    )


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")


def tool(name: str) -> str:
    """A program of the environment."""
    return str(VENV / (f"Scripts/{name}.exe" if WINDOWS else f"bin/{name}"))


# --- system packages -----------------------------------------------------------------------------


def can_load(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages(libraries: dict[str, str]) -> dict[str, str]:
    """The libraries that cannot be loaded, with their packages."""
    if not sys.platform.startswith("linux"):
        return {}
    return {name: package for name, package in libraries.items() if not can_load(name)}


def may_install() -> bool:
    return (
        sys.platform.startswith("linux")
        and os.geteuid() == 0
        and shutil.which("apt-get") is not None
    )


def install_command(packages: list[str]) -> str:
    sudo = "" if not WINDOWS and os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install --no-install-recommends {' '.join(packages)}"


def apt_install(packages: list[str]) -> bool:
    """Install Debian packages as root; False when that fails (the reason is printed)."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    say(f"installing system packages: {' '.join(packages)}")
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    for command in (
        ["apt-get", "-q", *wait, "update"],
        ["apt-get", "-q", "-y", *wait, "install", "--no-install-recommends", *packages],
    ):
        ended = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        # A mirror that is away may not matter: the lists may be there from before.
        if ended.returncode != 0 and "install" in command:
            say("that failed; the end of what apt-get said:")
            print("\n".join(ended.stdout.splitlines()[-12:]), flush=True)
            return False
    return True


def ensure_libraries(libraries: dict[str, str]) -> None:
    """Have the libraries, or Stop with the command that brings them."""
    missing = missing_packages(libraries)
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if may_install() and apt_install(packages):
        missing = missing_packages(libraries)
        if not missing:
            return
    names = ", ".join(sorted(missing))
    if shutil.which("apt-get"):
        raise Stop(
            f"These system libraries are missing: {names}\n"
            f"Install them with:\n  {install_command(sorted(set(missing.values())))}\n"
            "and start again."
        )
    raise Stop(
        f"These system libraries are missing: {names}\n"
        "Install the packages of your distribution that hold them, and start again."
    )


def ensure_test_extras() -> None:
    """Things some tests want and skip without: a display, a browser, readers of exports, fonts."""
    if not sys.platform.startswith("linux"):
        return
    wanted = [package for program, package in TEST_PROGRAMS.items() if not shutil.which(program)]
    folders = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), ROOT / "resources/fonts")
    fonts = {file.stem for folder in folders for file in folder.rglob("Noto*.[ot]t[fc]")}
    wanted += [package for font, package in FONT_PACKAGES.items() if font not in fonts]
    if wanted and not (may_install() and apt_install(wanted)):
        say("some tests will be skipped without these packages:")
        say(f"  {install_command(wanted)}")
    for program, package in TAKEN_PROGRAMS.items():
        if not shutil.which(program) and not (may_install() and take_program(program, package)):
            say(f"some tests will be skipped without {program} (Debian's package {package})")


def take_program(program: str, package: str) -> bool:
    """Copy one program out of a Debian package that is not installed; whether that worked."""
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            ["apt-get", "-q", "download", package],
            ["sh", "-c", "dpkg-deb --extract *.deb ."],
        ):
            ended = subprocess.run(command, cwd=folder, capture_output=True, check=False)
            if ended.returncode != 0:
                return False
        shutil.copy2(Path(folder) / "usr/bin" / program, "/usr/local/bin")
    return True


# --- the environment -----------------------------------------------------------------------------


def wanted_stamp(python: str) -> dict[str, str]:
    """What the environment must have been made from."""
    return {
        "pyproject": hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
        "root": str(ROOT),
        "python": ".".join(map(str, python_version(python) or ())),
    }


def read_stamp() -> dict[str, str] | None:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def environment_is_ready() -> bool:
    """True if the environment was made completely, here, from today's pyproject.toml."""
    stamp = read_stamp()
    if stamp is None or INSTALLING.exists() or not venv_python().exists():
        return False
    made_with = stamp.get("python", "")
    pyproject = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.get("pyproject") != pyproject or stamp.get("root") != str(ROOT):
        return False
    return made_with == ".".join(map(str, python_version(str(venv_python())) or ()))


@contextlib.contextmanager
def only_one():
    """Hold off a second start while an environment is being made."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("a") as file:
        if not WINDOWS:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say("another start is preparing the environment; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure_environment() -> None:
    """Have .venv with the pinned packages, made anew where it is absent, broken or interrupted."""
    if environment_is_ready():
        return
    with only_one():
        if environment_is_ready():
            return
        started = time.monotonic()
        python = find_python()
        if must_start_over(python):
            say("the environment in .venv is incomplete or of another place; making it anew")
            shutil.rmtree(VENV)
        if not venv_python().exists():
            make_venv(python)
        STAMP.unlink(missing_ok=True)
        INSTALLING.touch()
        # A pip that fails leaves whole packages behind and may go on next time; only one that was
        # killed leaves the marker, and with it an environment nobody can trust.
        status = pip_install()
        INSTALLING.unlink()
        if status != 0:
            raise Stop(pip_failure())
        check_torch()
        STAMP.write_text(json.dumps(wanted_stamp(str(venv_python()))), encoding="utf-8")
        say(f"environment ready after {time.monotonic() - started:.0f} s")


def must_start_over(python: str) -> bool:
    if not VENV.exists():
        return False
    if INSTALLING.exists():
        return True
    stamp = read_stamp()
    if stamp is not None and stamp.get("root") != str(ROOT):
        return True
    version = python_version(str(venv_python()))
    if version is None or version not in PYTHONS:
        return True
    return not (VENV / "pyvenv.cfg").exists()


def make_venv(python: str) -> None:
    version = python_version(python) or (3, 11)
    say(f"making .venv with Python {version[0]}.{version[1]} ({python})")
    if not makes_venvs(python):
        package = f"python{version[0]}.{version[1]}-venv"
        if not (may_install() and apt_install([package]) and makes_venvs(python)):
            advice = (
                f"Install it with:\n  {install_command([package])}"
                if shutil.which("apt-get")
                else "Install your distribution's package for it."
            )
            raise Stop(f"This Python has no venv module with ensurepip.\n{advice}")
    ended = subprocess.run(
        [python, "-m", "venv", str(VENV)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise Stop(f"The virtual environment could not be made:\n{ended.stdout.strip()}")


def makes_venvs(python: str) -> bool:
    return (
        subprocess.run(
            [python, "-c", "import venv, ensurepip"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )


def pip_install() -> int:
    """Install the project, editable, with its pinned packages in one pip call; the status.

    One call, because pip must see the pin of torch when it resolves ultralytics.
    """
    say("installing the pinned packages (about 3 GB on disk, some minutes the first time)")
    command = [str(venv_python()), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "--editable", f"{ROOT}[dev]"]
    environment = dict(child_environment(), PYTHONUNBUFFERED="1")
    with INSTALL_LOG.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            follow(process)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return process.returncode


def follow(process: subprocess.Popen) -> None:
    """Tell what pip is doing until it ends: a line per package, a sign of life every 15 s."""
    started = told = time.monotonic()
    doing, count, position = "resolving", 0, 0
    while True:
        ended = process.poll() is not None
        with INSTALL_LOG.open(encoding="utf-8", errors="replace") as log:
            log.seek(position)
            lines = [line for line in iter(log.readline, "") if line.endswith("\n") or ended]
            position += sum(len(line.encode("utf-8")) for line in lines)
        for line in lines:
            if line.startswith("Collecting "):
                count += 1
                doing = f"{count} packages found, now {line.split()[1]}"
                if count % 10 == 0:
                    say(f"  {doing}")
                    told = time.monotonic()
            elif line.startswith("Installing collected packages"):
                doing = f"unpacking {line.count(',') + 1} packages"
                say(f"  {doing}")
                told = time.monotonic()
        if ended:
            return
        if time.monotonic() - told > 15:
            told = time.monotonic()
            say(f"  {doing} ({told - started:.0f} s)")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)


def pip_failure() -> str:
    tail = INSTALL_LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
    return (
        "The packages could not be installed; pip said:\n"
        + "\n".join(f"  {line}" for line in tail)
        + f"\nThe whole of it is in {INSTALL_LOG}. Check the network and the free disk space, and "
        "start again: what was fetched is kept."
    )


def check_torch() -> None:
    """Say so when pip replaced the pinned torch (it would bring gigabytes of another build)."""
    pinned = ""
    for line in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines():
        if line.strip().startswith('"torch=='):
            pinned = line.strip().strip('",').split("==")[1]
    found = subprocess.run(
        [str(venv_python()), "-c", "import importlib.metadata as m; print(m.version('torch'))"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    if found.split("+")[0] != pinned:
        raise Stop(f"torch {pinned} was asked for and {found or 'none'} is installed.")
    say(f"torch {found}")


# --- running -------------------------------------------------------------------------------------


def child_environment() -> dict[str, str]:
    """This environment with a home folder, and the models of a shared folder where there is one."""
    environment = dict(os.environ)
    if not WINDOWS and not environment.get("HOME"):
        import pwd

        try:
            environment["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            home = ROOT / ".scratch" / "home"
            home.mkdir(parents=True, exist_ok=True)
            environment["HOME"] = str(home)
    shared = Path(environment.get("BARNHAND_SHARED") or ROOT.parent / "shared")
    if not shared.is_absolute():
        shared = Path.cwd() / shared
    models = shared / "models"
    if "BARNHAND_MODELS" not in environment and models.is_dir():
        environment["BARNHAND_MODELS"] = str(models.resolve())
    return environment


def has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def become(command: list[str], environment: dict[str, str]) -> int:
    """Run the command in this process's place: its exit status and signals are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not WINDOWS:
        os.execve(command[0], command, environment)
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the program got it too and is ending in its own order


def run(arguments: list[str]) -> int:
    windowed = has_display() and not (arguments and arguments[0] in WINDOWLESS)
    libraries = dict(CORE_LIBRARIES)
    if windowed:
        libraries.update(QT_LIBRARIES)
        if os.environ.get("WAYLAND_DISPLAY"):
            libraries.update(WAYLAND_LIBRARIES)
    ensure_libraries(libraries)
    ensure_environment()
    if not arguments and not windowed:
        say("no display here: running headless (with one, this opens the console)")
        arguments = ["headless"]
    command = [str(venv_python()), "-m", "barnhand_desktop", *arguments]
    return become(command, child_environment())


def module_or_stop(relative: str) -> str:
    if not (ROOT / relative).exists():
        raise Stop(f"{relative} does not exist in this version.")
    return str(ROOT / relative)


def bench(arguments: list[str]) -> int:
    script = module_or_stop("benchmarks/__main__.py")
    ensure_libraries(CORE_LIBRARIES)
    ensure_environment()
    os.chdir(ROOT)
    del script
    return become([str(venv_python()), "-m", "benchmarks", *arguments], child_environment())


def pictures(arguments: list[str]) -> int:
    script = module_or_stop("docs/pictures.py")
    ensure_libraries({**CORE_LIBRARIES, **QT_LIBRARIES})
    ensure_test_extras()
    ensure_environment()
    environment = dict(child_environment())
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    return become([str(venv_python()), script, *arguments], environment)


# --- checks --------------------------------------------------------------------------------------


def style_steps() -> list[tuple[str, list[str], dict[str, str]]]:
    return [
        ("ruff check", [tool("ruff"), "check", "."], {}),
        ("ruff format --check", [tool("ruff"), "format", "--check", "."], {}),
        ("mypy", [tool("mypy")], {}),
        ("import contracts", [tool("lint-imports")], {}),
    ]


OFFSCREEN = {"QT_QPA_PLATFORM": "offscreen"}
SIDE_BY_SIDE = ["-n", "2", "--dist", "loadfile"]
"""Tests of one file share their servers; two files run at a time, much of which is waiting."""


def test_steps(arguments: list[str]) -> list[tuple[str, list[str], dict[str, str]]]:
    pytest = [str(venv_python()), "-m", "pytest"]
    alone = {"CUDA_VISIBLE_DEVICES": "", **OFFSCREEN}
    unit = [*pytest, "-q", *SIDE_BY_SIDE, "-p", "tests.helpers.blocked_imports", "tests/unit"]
    # The unit tests have run by then; with arguments pytest is told what to run.
    others = [*pytest, *(arguments or [*SIDE_BY_SIDE, "--ignore=tests/unit"])]
    return [
        *style_steps(),
        ("unit tests without Qt, servers and GPU", unit, alone),
        ("other tests" if not arguments else "asked tests", others, OFFSCREEN),
    ]


def run_steps(steps: list[tuple[str, list[str], dict[str, str]]]) -> int:
    """Run the steps in order up to the first that fails; the times of all at the end."""
    done: list[tuple[str, float, int]] = []
    for name, command, extra in steps:
        say(f"{name} ...")
        started = time.monotonic()
        status = subprocess.call(
            command, cwd=ROOT, env={**child_environment(), **extra}, stdin=subprocess.DEVNULL
        )
        done.append((name, time.monotonic() - started, status))
        if status != 0:
            break
    for name, seconds, status in done:
        say(f"{'ok    ' if status == 0 else 'FAILED'} {seconds:7.1f} s  {name}")
    for name, _, _ in steps[len(done) :]:
        say(f"not run           {name}")
    failed = done[-1][2]
    return failed if failed >= 0 else 128 - failed


def prepare_tests() -> None:
    ensure_libraries({**CORE_LIBRARIES, **QT_LIBRARIES})
    ensure_test_extras()
    ensure_environment()


def test(arguments: list[str]) -> int:
    prepare_tests()
    return run_steps(test_steps(arguments))


def lint(_arguments: list[str]) -> int:
    ensure_environment()
    return run_steps(style_steps())


def tidy(_arguments: list[str]) -> int:
    ensure_environment()
    return run_steps(
        [
            ("ruff check --fix", [tool("ruff"), "check", "--fix", "."], {}),
            ("ruff format", [tool("ruff"), "format", "."], {}),
        ]
    )


def extra(arguments: list[str]) -> int:
    script = module_or_stop("installers/extras.py")
    ensure_environment()
    return become([str(venv_python()), script, *arguments], child_environment())


COMMANDS = {
    "run": run,
    "test": test,
    "lint": lint,
    "format": tidy,
    "bench": bench,
    "pictures": pictures,
    "extra": extra,
}


def occupy_standard_streams() -> None:
    """Open nothing as 0, 1 or 2 by accident where this was started with them closed."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def main(arguments: list[str]) -> int:
    occupy_standard_streams()
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__.strip())
        return 0 if arguments[:1] in (["-h"], ["--help"], ["help"]) else 2
    # Ending the launcher politely ends what it is waiting for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except Stop as stop:
        print(f"[barnhand] {stop}", file=sys.stderr, flush=True)
        return stop.status
    except KeyboardInterrupt:
        print(file=sys.stderr)
        say("stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

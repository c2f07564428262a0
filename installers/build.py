#!/usr/bin/env python3
"""Makes what people install. Run with the environment's Python:

    .venv/bin/python installers/build.py STEP...

    stage     the sources with briefcase.toml merged into pyproject.toml, ready for Briefcase
    freeze    the program as a folder, with PyInstaller
    deb       a Debian package of that folder
    appdir    an AppDir of that folder, ready for appimagetool
    msi       a Windows installer of that folder, with WiX (on Windows)
    dmg       a macOS disk image of that folder (on macOS)
    smoke     start the frozen program without a display, watch the simulated barn, look at the rows

Everything is written below build/ and dist/, which git ignores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tomlkit

ROOT = Path(__file__).resolve().parents[1]
STAGE = ROOT / "build" / "stage"
FROZEN = ROOT / "dist" / "barnhand"
EXTRA_FILES = ("LICENSE", "README.md", "CHANGELOG.md")
NOT_STAGED = shutil.ignore_patterns("__pycache__", "*.pyc")
NOT_PROJECT = ("readme", "license-files", "optional-dependencies", "scripts", "gui-scripts")


class BuildFailed(Exception):
    """Said to the person who builds."""


# --- staging -------------------------------------------------------------------------------------


def merged_pyproject(pyproject: str, briefcase: str) -> str:
    """pyproject.toml's [project] with briefcase.toml's [tool.briefcase], as TOML.

    Raises BuildFailed when the app names sources that the wheel does not hold.
    """
    source = tomlkit.parse(pyproject).unwrap()
    packaging = tomlkit.parse(briefcase).unwrap()["tool"]["briefcase"]
    project = {key: value for key, value in source["project"].items() if key not in NOT_PROJECT}
    packaging["version"] = project["version"]
    packaged = {
        name.rstrip("*") for name in source["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    for name, app in packaging["app"].items():
        if set(app["sources"]) != packaged:
            raise BuildFailed(
                f"briefcase.toml's sources of {name} are {sorted(app['sources'])}, but the wheel "
                f"holds {sorted(packaged)}"
            )
        if "windows" in app and app["windows"].get("version_triple") != project["version"]:
            raise BuildFailed(f"version_triple of {name} is not {project['version']}")
    document = {"project": project, "tool": {"briefcase": packaging}}
    return tomlkit.dumps(document)


def stage(target: Path = STAGE) -> Path:
    """Copy what is packaged to ``target``, replacing what was there."""
    pyproject = merged_pyproject(
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
        (ROOT / "briefcase.toml").read_text(encoding="utf-8"),
    )
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    (target / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    for app in tomlkit.parse(pyproject).unwrap()["tool"]["briefcase"]["app"].values():
        for package in app["sources"]:
            shutil.copytree(ROOT / package, target / package, ignore=NOT_STAGED)
    for name in EXTRA_FILES:
        shutil.copy2(ROOT / name, target / name)
    return target


def version() -> str:
    """The project's version."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomlkit.parse(text).unwrap()["project"]["version"])


# --- installers ----------------------------------------------------------------------------------


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a tool; BuildFailed when it is missing or fails."""
    if shutil.which(str(command[0])) is None:
        raise BuildFailed(f"{command[0]} is not installed; it is needed for this step")
    ended = subprocess.run([str(part) for part in command], cwd=cwd, check=False)
    if ended.returncode != 0:
        raise BuildFailed(f"{command[0]} ended with {ended.returncode}")


def freeze() -> Path:
    """The program as a folder."""
    run(
        sys.executable,
        "-m",
        "PyInstaller",
        "--noconfirm",
        "--distpath",
        FROZEN.parent,
        "--workpath",
        ROOT / "build" / "pyinstaller",
        ROOT / "installers" / "barnhand.spec",
    )
    return FROZEN


def frozen() -> Path:
    """The frozen folder; BuildFailed when it was not made."""
    if not FROZEN.is_dir():
        raise BuildFailed(f"{FROZEN} is not there: run build.py freeze first")
    return FROZEN


def deb_tree(target: Path, source: Path, architecture: str, runtime: list[str]) -> Path:
    """A Debian package's file tree: the program in /opt, a link, a desktop entry, the licence."""
    installed = target / "opt" / "barnhand"
    shutil.copytree(source, installed, symlinks=True)
    link = target / "usr" / "bin" / "barnhand"
    link.parent.mkdir(parents=True)
    link.symlink_to("/opt/barnhand/barnhand")
    _desktop_files(target / "usr" / "share")
    licence = target / "usr" / "share" / "doc" / "barnhand" / "copyright"
    licence.parent.mkdir(parents=True)
    shutil.copy2(ROOT / "LICENSE", licence)
    size_kb = sum(f.lstat().st_size for f in target.rglob("*") if f.is_file()) // 1024
    control = (ROOT / "installers" / "linux" / "control.in").read_text(encoding="utf-8")
    (target / "DEBIAN").mkdir()
    (target / "DEBIAN" / "control").write_text(
        control.format(
            version=version(),
            architecture=architecture,
            size_kb=size_kb,
            runtime=", ".join(runtime),
        ),
        encoding="utf-8",
    )
    return target


def _desktop_files(share: Path) -> None:
    linux = ROOT / "installers" / "linux"
    for source, folder in (
        (linux / "org.barnhand.desktop", share / "applications"),
        (linux / "org.barnhand.metainfo.xml", share / "metainfo"),
    ):
        folder.mkdir(parents=True)
        shutil.copy2(source, folder / source.name)
    icons = share / "icons" / "hicolor" / "scalable" / "apps"
    icons.mkdir(parents=True)
    shutil.copy2(ROOT / "resources" / "icons" / "barn.svg", icons / "org.barnhand.svg")


def runtime_packages() -> list[str]:
    """Debian packages the program needs, as briefcase.toml lists them."""
    text = (ROOT / "briefcase.toml").read_text(encoding="utf-8")
    app = tomlkit.parse(text).unwrap()["tool"]["briefcase"]["app"]["barnhand_desktop"]
    return [str(name) for name in app["linux"]["system"]["debian"]["system_runtime_requires"]]


def deb() -> Path:
    """The Debian package of the frozen folder."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
    if not architecture:
        raise BuildFailed(f"no Debian architecture is known for {platform.machine()}")
    package = ROOT / "dist" / f"barnhand_{version()}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as folder:
        tree = deb_tree(Path(folder) / "tree", frozen(), architecture, runtime_packages())
        run("dpkg-deb", "--root-owner-group", "--build", tree, package)
    return package


def appdir(target: Path | None = None) -> Path:
    """An AppDir; ``appimagetool`` makes the AppImage of it where it is at hand."""
    target = target or ROOT / "dist" / "Barnhand.AppDir"
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(frozen(), target / "opt" / "barnhand", symlinks=True)
    _desktop_files(target / "usr" / "share")
    linux = ROOT / "installers" / "linux"
    shutil.copy2(linux / "AppRun", target / "AppRun")
    (target / "AppRun").chmod(0o755)
    shutil.copy2(linux / "org.barnhand.desktop", target / "org.barnhand.desktop")
    shutil.copy2(ROOT / "resources" / "icons" / "barn.svg", target / "org.barnhand.svg")
    if shutil.which("appimagetool"):
        run("appimagetool", target, ROOT / "dist" / f"Barnhand-{version()}.AppImage")
    return target


def msi() -> Path:
    """The Windows installer."""
    package = ROOT / "dist" / f"Barnhand-{version()}.msi"
    source = ROOT / "installers" / "windows" / "barnhand.wxs"
    run(
        "wix",
        "build",
        source,
        "-d",
        f"Version={version()}",
        "-d",
        f"Frozen={frozen()}",
        "-o",
        package,
    )
    return package


def dmg() -> Path:
    """The macOS disk image."""
    image = ROOT / "dist" / f"Barnhand-{version()}.dmg"
    run("/bin/sh", ROOT / "installers" / "macos" / "make_dmg.sh", frozen(), image, version())
    return image


def smoke(seconds: int = 20) -> Path:
    """Run the frozen program without a display on a fresh data folder; BuildFailed unless it saw
    the simulated barn, wrote rows and ended in order."""
    program = frozen() / ("barnhand.exe" if sys.platform == "win32" else "barnhand")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        environment = dict(os.environ, BARNHAND_DATA_DIR=folder, QT_QPA_PLATFORM="offscreen")
        ended = subprocess.run(
            [program, "headless", "--for", str(seconds), "--report", report],
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=seconds + 180,
            check=False,
        )
        if ended.returncode != 0 or not report.exists():
            raise BuildFailed(f"the packaged program ended with {ended.returncode}")
        told = json.loads(report.read_text(encoding="utf-8"))
    if not told["cameras"] or told["rows_written"] == 0 or told["errors"]:
        raise BuildFailed(f"the packaged program did not work: {told}")
    return program


STEPS = {
    "stage": stage,
    "freeze": freeze,
    "deb": deb,
    "appdir": appdir,
    "msi": msi,
    "dmg": dmg,
    "smoke": smoke,
}


def main(arguments: list[str]) -> int:
    """Run the named steps in order."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("steps", nargs="+", choices=sorted(STEPS), metavar="STEP")
    try:
        for step in parser.parse_args(arguments).steps:
            print(f"{step}: {STEPS[step]()}")
    except (BuildFailed, subprocess.TimeoutExpired) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

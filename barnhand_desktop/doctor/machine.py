"""Checks of the machine: Python, libraries, display, graphics card, codecs, disk, memory."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import psutil

from barnhand_desktop.doctor.check import Check, Patient, fail, in_units, ok, warn
from barnhand_desktop.settings.secrets import SecretStore
from engine.domain.errors import BarnhandError

DISTRIBUTION = "barnhand-desktop"
LITTLE_MEMORY_BYTES = 3.5e9
"""Models, PostgreSQL and four cameras take about 3 GB."""

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^;\s]+)\s*(?:;(.*))?$")
_WINDOW_PROGRAM = """
import sys
from PySide6.QtWidgets import QApplication
application = QApplication([])
print(application.platformName(), application.primaryScreen().size().toTuple())
"""
_DECODERS = ("h264", "hevc", "mjpeg", "mpeg4", "vp9", "av1")


def python_version(patient: Patient) -> Check:
    """The interpreter is one Barnhand is tested with."""
    version = platform.python_version()
    found = f"Python {version} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] in ((3, 11), (3, 12), (3, 13)):
        return ok("Python", found)
    return warn("Python", found, "Use Python 3.11, 3.12 or 3.13.")


def packages(patient: Patient) -> Check:
    """The installed packages are the pinned ones."""
    try:
        wanted = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return warn("Packages", "Barnhand is not installed as a package", "Use dev.py run.")
    count, wrong = 0, []
    for line in wanted:
        pin = _PIN.match(line)
        if pin is None or (pin[3] and ("extra" in pin[3] or "sys_platform" in pin[3])):
            continue
        count += 1
        try:
            version = importlib.metadata.version(pin[1])
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{pin[1]} is missing")
            continue
        if version.split("+")[0] != pin[2]:
            wrong.append(f"{pin[1]} is {version}, not {pin[2]}")
    if wrong:
        return fail("Packages", "; ".join(wrong), "Run: python3 dev.py run doctor")
    return ok("Packages", f"{count} pinned packages are there")


def window(patient: Patient) -> Check:
    """A window can be opened: Qt, its libraries and a display."""
    display = sys.platform in ("win32", "darwin") or bool(
        patient.environment.get("DISPLAY") or patient.environment.get("WAYLAND_DISPLAY")
    )
    environment = dict(patient.environment)
    if not display:
        environment["QT_QPA_PLATFORM"] = "offscreen"
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _WINDOW_PROGRAM],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return fail("Window", f"Qt does not start: {error}", "Check the display.")
    if ended.returncode != 0:
        reason = (ended.stderr.strip().splitlines() or [f"ended by {ended.returncode}"])[-1]
        return fail(
            "Window",
            f"Qt does not start: {reason}",
            "Install the libraries that python3 dev.py run names; headless works without.",
        )
    if not display:
        return warn(
            "Window",
            "Qt works, but this session has no display",
            "Use headless here, or start the console where there is a screen.",
        )
    return ok("Window", f"Qt on {ended.stdout.strip()}")


def graphics_card(patient: Patient) -> Check:
    """What models can run on, against what the settings ask for."""
    import onnxruntime

    asked = patient.settings.engine.analysis.device
    providers = [
        name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()
    ]
    card = _cuda_card()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    runtimes = f"ONNX Runtime offers {', '.join(providers)}"
    if card and "CUDA" in providers:
        return ok("Graphics card", f"{card}; {runtimes}")
    if asked == "cuda":
        return fail(
            "Graphics card",
            f"the settings ask for CUDA, which is not usable ({card or 'no card'}); {runtimes}",
            'Set engine.analysis.device = "auto", or install a driver and the CUDA packages.',
        )
    if card:
        return warn(
            "Graphics card",
            f"{card}, used by torch models only; {runtimes}",
            "Install onnxruntime-gpu in place of onnxruntime to run all models on it.",
        )
    return ok("Graphics card", f"none; models run on {cores} CPU cores; {runtimes}")


def _cuda_card() -> str:
    import torch

    if not torch.cuda.is_available():
        return ""
    properties = torch.cuda.get_device_properties(0)
    return f"{properties.name} with {in_units(properties.total_memory)}"


def codecs(patient: Patient) -> Check:
    """FFmpeg, as it comes with the av package, decodes what cameras send and encodes H.264."""
    import av
    from av.codec import Codec
    from av.error import FFmpegError

    def has(name: str, mode: Literal["r", "w"]) -> bool:
        try:
            Codec(name, mode)
        except (FFmpegError, ValueError):
            return False
        return True

    missing = [name for name in _DECODERS if not has(name, "r")]
    if "h264" in missing or not has("h264", "w"):
        return fail("Video codecs", "H.264 is missing", "Install the av package from its wheel.")
    found = f"av {av.__version__} decodes {', '.join(n for n in _DECODERS if n not in missing)}"
    if missing:
        return warn(
            "Video codecs", f"{found}, not {', '.join(missing)}", "Set those cameras to H.264."
        )
    return ok("Video codecs", found)


def memory(patient: Patient) -> Check:
    """There is room for models and servers."""
    now = psutil.virtual_memory()
    found = f"{in_units(now.available)} free of {in_units(now.total)}"
    if now.available < LITTLE_MEMORY_BYTES:
        return warn("Memory", found, "Close other programs, or watch fewer cameras.")
    return ok("Memory", found)


def data_folder(patient: Patient) -> Check:
    """The data folder can be written, or made."""
    folder = patient.folders.data
    place = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        if not place.is_dir():
            raise NotADirectoryError(20, "a file is in its way")
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return fail(
            "Data folder",
            f"{folder} cannot be written: {error.strerror}",
            "Change its permissions, or set storage.data_dir or BARNHAND_DATA_DIR.",
        )
    return ok("Data folder", str(folder) if place == folder else f"{folder} (not made yet)")


def free_disk(patient: Patient) -> list[Check]:
    """There is disk left where data and recordings go."""
    least = patient.settings.storage.minimum_free_mb * 1e6
    checks, seen = [], set()
    for name, folder in (
        ("Data disk", patient.folders.data),
        ("Media disk", patient.folders.media),
    ):
        place = next(p for p in (folder, *folder.parents) if p.exists())
        device = place.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        usage = psutil.disk_usage(str(place))
        found = f"{in_units(usage.free)} free of {in_units(usage.total)} at {folder}"
        if usage.free < least:
            advice = "Free some space, or set storage.data_dir and storage.media_dir elsewhere."
            checks.append(warn(name, f"{found}, less than {in_units(least)}", advice))
        else:
            checks.append(ok(name, found))
    return checks


def keys(patient: Patient) -> Check:
    """The workstation's keys can be read."""
    path: Path = SecretStore(patient.folders.data).path
    if not path.exists():
        return ok("Keys", "will be made at the first start")
    try:
        return ok("Keys", f"kept in the {SecretStore(patient.folders.data).place()}")
    except BarnhandError as error:
        return fail("Keys", error.message, error.advice)

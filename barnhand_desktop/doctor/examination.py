"""All checks in order, and their report as a table or JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import as_file, files
from typing import TextIO

from barnhand_desktop.doctor import backups, machine, models, servers, sources
from barnhand_desktop.doctor.check import Check, Patient, State, fail
from barnhand_desktop.logs import REDACTOR
from barnhand_desktop.settings.folders import Folders, folders_of
from barnhand_desktop.settings.schema import Settings
from engine.domain.errors import BarnhandError

log = logging.getLogger(__name__)

Examination = Callable[[Patient], Check | list[Check]]

EXAMINATIONS: tuple[tuple[str, Examination], ...] = (
    ("Python", machine.python_version),
    ("Packages", machine.packages),
    ("Window", machine.window),
    ("Graphics card", machine.graphics_card),
    ("Video codecs", machine.codecs),
    ("Web videos", sources.web_videos),
    ("Pushing", sources.pushing),
    ("Memory", machine.memory),
    ("Data folder", machine.data_folder),
    ("Disk", machine.free_disk),
    ("Keys", machine.keys),
    ("Models", models.models),
    ("Database", servers.database),
    ("Live state", servers.live_state),
    ("API", servers.api),
    ("Backup", backups.backups),
)

_COLOURS = {State.OK: "32", State.WARN: "33", State.FAIL: "31"}


def examine(
    patient: Patient, examinations: Sequence[tuple[str, Examination]] = EXAMINATIONS
) -> Iterator[Check]:
    """Every finding, as soon as it is there. A check that breaks is a finding too."""
    for name, examination in examinations:
        try:
            found = examination(patient)
        except BarnhandError as error:
            found = fail(name, error.message, error.advice)
        except Exception as error:  # one broken check must not hide what the others find
            log.debug("the check %s failed", name, exc_info=True)
            advice = "This check itself failed; run with --log-level debug and report it."
            found = fail(name, f"{type(error).__name__}: {error}", advice)
        yield from found if isinstance(found, list) else [found]


def run_doctor(
    settings: Settings,
    *,
    folders: Folders | None = None,
    environment: Mapping[str, str] = os.environ,
    as_json: bool = False,
    cameras: bool = True,
    output: TextIO | None = None,
) -> int:
    """Print all findings and return the exit status: 0 unless something fails.

    ``folders`` None takes those of the settings; ``output`` None is standard output. ``as_json``
    prints ``{"ok": bool, "checks": [{"name", "state", "found", "advice"}]}`` at the end instead
    of a line as each check ends. ``cameras`` False leaves the stored cameras alone.
    """
    output = output if output is not None else sys.stdout
    with as_file(files("resources").joinpath("models")) as bundled:
        patient = Patient(
            settings,
            folders if folders is not None else folders_of(settings, environment),
            environment,
            bundled / "manifest.toml",
            cameras,
        )
        findings = []
        for check in examine(patient):
            findings.append(check)
            if not as_json:
                print(_lines(check, output.isatty()), file=output, flush=True)
    failed = sum(check.state is State.FAIL for check in findings)
    warned = sum(check.state is State.WARN for check in findings)
    if as_json:
        print(_document(findings, failed == 0), file=output, flush=True)
    else:
        print(_verdict(failed, warned), file=output, flush=True)
    return 1 if failed else 0


def _lines(check: Check, colours: bool) -> str:
    state = f"{check.state.value:<4}"
    if colours:
        state = f"\x1b[{_COLOURS[check.state]}m{state}\x1b[0m"
    text = f"{state}  {check.name:<16} {REDACTOR.clean(check.found)}"
    if check.advice and check.state is not State.OK:
        text += f"\n{'':24}-> {REDACTOR.clean(check.advice)}"
    return text


def _document(findings: Sequence[Check], fine: bool) -> str:
    return json.dumps(
        {
            "ok": fine,
            "checks": [
                {
                    "name": check.name,
                    "state": check.state.value,
                    "found": REDACTOR.clean(check.found),
                    "advice": REDACTOR.clean(check.advice),
                }
                for check in findings
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def _verdict(failed: int, warned: int) -> str:
    if failed:
        return f"{failed} to repair, {warned} to know about."
    if warned:
        return f"Barnhand works; {warned} to know about."
    return "All is well."

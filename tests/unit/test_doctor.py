"""The doctor's report, and its checks of the machine."""

from __future__ import annotations

import io
import json
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from barnhand_desktop.doctor import Check, Patient, State, examine, machine
from barnhand_desktop.doctor import examination as report
from barnhand_desktop.doctor.check import fail, in_units, ok, warn
from barnhand_desktop.settings.folders import Folders, folders_of
from barnhand_desktop.settings.schema import Settings
from engine.domain.errors import EnvironmentFault


def patient(folder: Path, settings: Settings | None = None) -> Patient:
    folders = Folders(folder, folder / "media")
    return Patient(settings or Settings(), folders, {}, folder / "manifest.toml")


def broken(_patient: Patient) -> Check:
    raise RuntimeError("rtsp://admin:hunter2@cam/1 exploded")


def faulty(_patient: Patient) -> Check:
    raise EnvironmentFault("The disk is gone.", "Plug it in.")


def good(_patient: Patient) -> list[Check]:
    return [ok("A", "there"), warn("B", "password=hunter2", "Do this.")]


def test_a_check_that_breaks_is_a_finding_and_hides_no_other(tmp_path: Path) -> None:
    found = list(
        examine(patient(tmp_path), (("first", broken), ("second", faulty), ("third", good)))
    )
    assert [(c.name, c.state) for c in found] == [
        ("first", State.FAIL),
        ("second", State.FAIL),
        ("A", State.OK),
        ("B", State.WARN),
    ]
    assert found[1].advice == "Plug it in."


def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *checks: Callable[..., object], as_json: bool
) -> tuple[int, str]:
    named = tuple((check.__name__, check) for check in checks)
    monkeypatch.setattr(report.examine, "__defaults__", (named,))
    output = io.StringIO()
    status = report.run_doctor(
        Settings(),
        folders=Folders(tmp_path, tmp_path),
        environment={},
        as_json=as_json,
        output=output,
    )
    return status, output.getvalue()


def test_the_table_says_what_to_do_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status, text = run(monkeypatch, tmp_path, good, broken, as_json=False)
    assert status == 1
    assert "WARN  B" in text and "-> Do this." in text
    assert "1 to repair, 1 to know about." in text
    assert "hunter2" not in text


def test_warnings_alone_are_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status, text = run(monkeypatch, tmp_path, good, as_json=False)
    assert status == 0 and "Barnhand works; 1 to know about." in text


def test_json_for_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status, text = run(monkeypatch, tmp_path, good, faulty, as_json=True)
    document = json.loads(text)
    assert status == 1 and document["ok"] is False
    assert document["checks"][0] == {"name": "A", "state": "OK", "found": "there", "advice": ""}
    assert document["checks"][2]["advice"] == "Plug it in."
    assert "hunter2" not in text


def test_checks_of_this_machine(tmp_path: Path) -> None:
    here = patient(tmp_path)
    assert machine.codecs(here).state is State.OK
    assert "h264" in machine.codecs(here).found
    assert machine.memory(here).found.count("B") >= 2
    assert machine.python_version(here).state is State.OK
    assert machine.data_folder(here) == ok("Data folder", str(tmp_path))
    assert machine.keys(here) == ok("Keys", "will be made at the first start")


def test_a_folder_not_made_yet_is_fine_and_stays_unmade(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    assert "not made yet" in machine.data_folder(patient(folder)).found
    assert not folder.parent.exists()


def test_a_file_in_the_way_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = machine.data_folder(patient(tmp_path / "file" / "data"))
    assert found.state is State.FAIL and "BARNHAND_DATA_DIR" in found.advice


def test_little_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free total")
    monkeypatch.setattr(machine.psutil, "disk_usage", lambda path: usage(3e9, 9e9))
    (found,) = machine.free_disk(patient(tmp_path))
    assert found == ok("Data disk", f"3.0 GB free of 9.0 GB at {tmp_path}")
    strict = Settings.model_validate({"storage": {"minimum_free_mb": 4000}})
    (found,) = machine.free_disk(patient(tmp_path, strict))
    assert found.state is State.WARN and "less than 4.0 GB" in found.found


def test_damaged_keys_are_told(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{", encoding="utf-8")
    found = machine.keys(patient(tmp_path))
    assert found.state is State.FAIL and "backup" in found.advice


def test_asking_for_a_card_that_is_not_there_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_cuda_card", lambda: "")
    asks = Settings.model_validate({"engine": {"analysis": {"device": "cuda"}}})
    assert machine.graphics_card(patient(tmp_path, asks)).state is State.FAIL
    assert machine.graphics_card(patient(tmp_path)).state is State.OK


def test_packages_that_differ_from_their_pins_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = ["numpy==0.0.1", "no-such-package==1", "extra-thing==1; extra == 'dev'", "loose>=1"]
    monkeypatch.setattr(machine.importlib.metadata, "requires", lambda name: pins)
    found = machine.packages(patient(tmp_path))
    assert found.state is State.FAIL
    assert "numpy is" in found.found and "no-such-package is missing" in found.found
    assert "extra-thing" not in found.found
    monkeypatch.setattr(machine.importlib.metadata, "requires", lambda name: pins[3:])
    assert machine.packages(patient(tmp_path)).state is State.OK


def test_sizes_read_well() -> None:
    assert in_units(512e6) == "512 MB" and in_units(1.5e9) == "1.5 GB"
    assert fail("x", "y", "z").state is State.FAIL


def test_folders_by_settings_and_environment(tmp_path: Path) -> None:
    folders = folders_of(
        Settings(), {"BARNHAND_DATA_DIR": str(tmp_path), "BARNHAND_MODELS": "/a:/b"}
    )
    assert folders.postgres == tmp_path / "postgres"
    assert folders.media == tmp_path / "media"
    assert folders.model_search == (Path("/a"), Path("/b"))
    assert folders_of(Settings(), {"BARNHAND_DATA_DIR": str(tmp_path)}).model_search == ()

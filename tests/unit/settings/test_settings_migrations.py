"""Settings files of older formats are brought forward with a way back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import tomlkit
from tomlkit import TOMLDocument

from barnhand_desktop.settings.loader import load_settings
from barnhand_desktop.settings.migrations import (
    STEPS,
    Step,
    backup_path,
    migrate_document,
    migrate_file,
    roll_back,
    version_of,
)
from barnhand_desktop.settings.schema import FORMAT_VERSION
from engine.domain.errors import Bug, OperatorMistake


def rename_port(document: TOMLDocument) -> None:
    document["api"]["port"] = document["api"].pop("listen_port")


def add_theme(document: TOMLDocument) -> None:
    document["console"] = {"theme": "light"}


CHAIN: Mapping[int, Step] = {1: rename_port, 2: add_theme}
OLD = "# office\n[api]\nlisten_port = 9000 # proxied\n"


def accept(document: TOMLDocument) -> None:
    if not 0 <= document.unwrap()["api"]["port"] <= 65535:
        raise OperatorMistake("port")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_chain_reaches_the_present_format() -> None:
    assert sorted(STEPS) == list(range(1, FORMAT_VERSION))


def test_a_file_goes_through_every_step_and_keeps_its_comments(tmp_path: Path) -> None:
    path = write(tmp_path, OLD)
    assert migrate_file(path, accept, CHAIN, 3)
    text = path.read_text(encoding="utf-8")
    assert "# office" in text
    assert tomlkit.parse(text).unwrap() == {
        "api": {"port": 9000},
        "console": {"theme": "light"},
        "format_version": 3,
    }
    assert backup_path(path, 1).read_text(encoding="utf-8") == OLD
    assert not migrate_file(path, accept, CHAIN, 3)


def test_roll_back_restores_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path, OLD)
    migrate_file(path, accept, CHAIN, 3)
    roll_back(path, 1)
    assert path.read_text(encoding="utf-8") == OLD
    assert "format_version = 3" in path.with_name("settings.toml.bak").read_text(encoding="utf-8")
    with pytest.raises(OperatorMistake, match="no backup"):
        roll_back(path, 7)


@pytest.mark.parametrize("text", ["[api]\n", "[api]\nlisten_port = 99999\n"])
def test_a_failing_step_or_result_leaves_the_file(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(OperatorMistake):
        migrate_file(path, accept, CHAIN, 3)
    assert path.read_text(encoding="utf-8") == text
    assert [p.name for p in tmp_path.iterdir()] == ["settings.toml"]


def test_a_file_from_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, f"format_version = {FORMAT_VERSION + 1}\n")
    with pytest.raises(OperatorMistake, match="newer Barnhand"):
        load_settings(path, {})


def test_the_present_format_is_accepted(tmp_path: Path) -> None:
    load_settings(write(tmp_path, f"format_version = {FORMAT_VERSION}\n"), {})


@pytest.mark.parametrize("version", [0, -1, "one", True, 1.5])
def test_a_nonsense_version_is_a_mistake(version: object) -> None:
    with pytest.raises(OperatorMistake, match="format_version"):
        version_of({"format_version": version}, "settings.toml")


def test_a_gap_in_the_chain_is_a_bug() -> None:
    with pytest.raises(Bug):
        migrate_document(tomlkit.parse("[api]\nlisten_port = 1\n"), "x", {1: rename_port}, 3)

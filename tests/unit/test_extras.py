"""The optional packages' installer names only extras that pyproject.toml has."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(ROOT / "installers" / "extras.py"))


def test_every_extra_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = declared["project"]["optional-dependencies"]
    assert set(SCRIPT["STEPS"]) == set(extras) - {"dev"}
    for name, steps in SCRIPT["STEPS"].items():
        assert f",{name}]" in steps[-1][-1] and "--editable" in steps[-1]


@pytest.mark.parametrize("names", [[], ["nonsense"], ["train", "nonsense"]])
def test_unknown_names_install_nothing(
    names: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCRIPT["main"].__globals__, "subprocess", None)
    assert SCRIPT["main"](names) == 2
    assert "train" in capsys.readouterr().err

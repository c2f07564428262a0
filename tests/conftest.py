"""What every test may use. Areas keep their own fixtures beside their tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

pytest_plugins = ["tests.fixtures_data", "tests.fixtures_api"]

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("BARNHAND_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"reference material is not at {folder} (set BARNHAND_SHARED)")
    return folder.resolve()

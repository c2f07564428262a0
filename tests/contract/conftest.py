"""What the contract suites share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of measuring data and third-party weights; skips where there is none."""
    folder = Path(os.environ.get("BARNHAND_SHARED", ROOT / ".." / "shared")).resolve()
    if not (folder / "models").is_dir():
        pytest.skip(f"no shared data at {folder} (BARNHAND_SHARED)")
    return folder

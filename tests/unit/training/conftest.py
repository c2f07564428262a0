"""The folder of measuring material beside the repository, when it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def shared() -> Path:
    """BARNHAND_SHARED, or ``../shared`` beside the repository; skips when absent."""
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("BARNHAND_SHARED", str(root / ".." / "shared")))
    if not folder.is_dir():
        pytest.skip("no measuring material beside the repository")
    return folder

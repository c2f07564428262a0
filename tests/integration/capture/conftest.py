"""Captures that are stopped after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.captures import Captures


@pytest.fixture
def captures() -> Iterator[Captures]:
    """Starts captures; none may survive."""
    captures = Captures()
    yield captures
    assert captures.stop() == []

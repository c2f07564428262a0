"""A barn whose cameras are recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.recordings import RecordedBarn


@pytest.fixture
def new_barn(tmp_path: Path) -> Iterator[Callable[..., RecordedBarn]]:
    """Makes barns with the given recording settings, not started; stopped at the end."""
    barns: list[RecordedBarn] = []

    def make(**settings: Any) -> RecordedBarn:
        media = tmp_path / "media"
        media.mkdir(exist_ok=True)
        barns.append(RecordedBarn(media, **settings))
        return barns[-1]

    yield make
    assert not [name for barn in barns for name in barn.stop()]


@pytest.fixture
def barn(new_barn: Callable[..., RecordedBarn]) -> RecordedBarn:
    """One that records."""
    return new_barn().start()

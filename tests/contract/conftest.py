"""What several contract tests stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures_identity import IdentityBarn


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[IdentityBarn]:
    """A farm of its own in a real database."""
    barn = IdentityBarn(postgres_dsn)
    yield barn
    barn.close()

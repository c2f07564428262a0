"""PostgreSQL's own programs are found beside the embedded server, new enough or not at all."""

from __future__ import annotations

import pytest

from barnhand_desktop.backup.programs import find_program
from engine.domain.errors import EnvironmentFault


def test_an_older_client_is_refused_by_name() -> None:
    assert find_program("pg_dump", 15).exists()
    with pytest.raises(EnvironmentFault, match=r"PostgreSQL 99.*pg_dump.*99 or newer"):
        find_program("pg_dump", 99)

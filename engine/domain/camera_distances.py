"""How far cameras are apart, as a camera's settings state it (``Stream.extra``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from engine.domain.ids import StreamId

KEY = "distances_m"
"""Where ``Stream.extra`` holds them: metres by the other camera's id, 0 where the two overlap."""


def stated_distances_m(
    told: object, wrong: Callable[[object], object] = lambda _other: None
) -> dict[StreamId, float]:
    """Metres by other camera, at least 0; ``wrong`` hears of each key whose distance is none."""
    if not isinstance(told, Mapping):
        return {}
    found: dict[StreamId, float] = {}
    for other, metres in told.items():
        try:
            found[StreamId(UUID(other))] = max(float(metres), 0.0)
        except (ValueError, TypeError):
            wrong(other)
    return found

"""How time is cut into tiles at every level of detail. No Qt.

A level is the length of one bucket; a tile is TILE_BUCKETS of them, aligned to 1970 UTC, so that
panning asks for the same tiles again.
"""

from __future__ import annotations

from dataclasses import dataclass

TILE_BUCKETS = 720
BUCKETS_US = tuple(
    round(s * 1e6)
    for s in (
        *(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
        *(60, 120, 300, 600, 1800, 3600, 7200, 14400),
    )
)
"""Steps of one to three pixels at every zoom: round, so that sums per minute or hour fit them."""


@dataclass(frozen=True, slots=True)
class TileKey:
    """One tile: its level, and how many tiles of that level lie between it and 1970."""

    level: int
    index: int

    @property
    def bucket_us(self) -> int:
        """Length of one bucket."""
        return BUCKETS_US[self.level]

    @property
    def length_us(self) -> int:
        """Length of the tile."""
        return self.bucket_us * TILE_BUCKETS

    @property
    def start_us(self) -> int:
        """Where it begins, microseconds since 1970 UTC."""
        return self.index * self.length_us

    @property
    def end_us(self) -> int:
        """Where the next one begins."""
        return self.start_us + self.length_us


def level_for(us_per_px: float) -> int:
    """The finest level whose buckets are not narrower than a pixel."""
    return next((n for n, us in enumerate(BUCKETS_US) if us >= us_per_px), len(BUCKETS_US) - 1)


def covering(level: int, start_us: int, end_us: int) -> list[TileKey]:
    """The tiles of a level that reach into a span, in order."""
    length = BUCKETS_US[level] * TILE_BUCKETS
    return [TileKey(level, n) for n in range(start_us // length, -(-end_us // length))]


def beside(keys: list[TileKey]) -> list[TileKey]:
    """The tiles before and after."""
    if not keys:
        return []
    first, last = keys[0], keys[-1]
    return [TileKey(last.level, last.index + 1), TileKey(first.level, first.index - 1)]

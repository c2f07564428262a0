"""The ten track colours as stored with a horse; the console's tokens hold the same values."""

from __future__ import annotations

TRACK_COLOURS_HEX = (
    "#E5484D", "#12A594", "#3E63DD", "#7CE2C1", "#F5D90A",
    "#E93D82", "#68C5F0", "#8E4EC6", "#05A2C2", "#F76B15",
)  # fmt: skip
"""By index as in ``engine.tracking.colours.COLOUR_NAMES``."""


def colour_hex(index: int) -> str:
    """What is stored for a colour's index 0..9."""
    return TRACK_COLOURS_HEX[index]


def colour_of_hex(stored: str) -> int:
    """The index of a stored colour; 0 for one that is none of the ten."""
    upper = stored.upper()
    return TRACK_COLOURS_HEX.index(upper) if upper in TRACK_COLOURS_HEX else 0

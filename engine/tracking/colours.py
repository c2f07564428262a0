"""Ten track colours, chosen by a stable hash and free of collisions within a camera."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2s
from uuid import UUID

COLOUR_NAMES = (
    "red", "teal", "blue", "mint", "yellow", "pink", "light blue", "purple", "cyan", "orange",
)  # fmt: skip
"""Order of the specification; the console's tokens give their values."""


def colour_index(identity: UUID, taken: Collection[int] = ()) -> int:
    """Index 0..9: the identity's own colour, or the next free one when it is taken.

    When all ten are taken the own colour is used again.
    """
    own = blake2s(identity.bytes, digest_size=2).digest()[0] % len(COLOUR_NAMES)
    for step in range(len(COLOUR_NAMES)):
        candidate = (own + step) % len(COLOUR_NAMES)
        if candidate not in taken:
            return candidate
    return own

"""Coats and markings of simulated horses."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""


@dataclass(frozen=True, slots=True)
class Look:
    """One coat. ``points`` colours the lower legs; ``socks`` counts white feet in limb order;
    ``patches`` draws a pinto's white."""

    name: str
    body: Colour
    mane: Colour
    points: Colour
    blaze: bool = False
    socks: int = 0
    patches: bool = False


WHITE: Colour = (214, 222, 226)
HOOF: Colour = (48, 54, 60)
LOOKS = (
    Look("bay", (38, 62, 112), (22, 24, 28), (24, 28, 34), blaze=True),
    Look("grey", (182, 186, 188), (150, 152, 154), (120, 122, 124)),
    Look("chestnut", (40, 82, 156), (46, 92, 168), (40, 80, 150), blaze=True, socks=2),
    Look("black", (30, 32, 36), (18, 19, 21), (22, 23, 25), socks=1),
    Look("palomino", (104, 168, 210), (196, 220, 232), (110, 172, 212), socks=4),
    Look("pinto", (44, 66, 104), (40, 48, 60), WHITE, blaze=True, socks=4, patches=True),
    Look("dark bay", (26, 40, 66), (16, 17, 20), (18, 20, 24)),
    Look("dun", (98, 142, 176), (36, 40, 46), (44, 50, 58)),
)

"""Coats, markings and builds: what makes one simulated horse another than its neighbour."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""


class Pattern(StrEnum):
    """How white lies over the coat."""

    PLAIN = "plain"
    PINTO = "pinto"
    APPALOOSA = "appaloosa"
    DAPPLE = "dapple"


class FaceMark(StrEnum):
    """White on the face."""

    NONE = "none"
    STAR = "star"
    STRIPE = "stripe"
    BLAZE = "blaze"


@dataclass(frozen=True, slots=True)
class Look:
    """One horse's outside.

    points colours the lower legs. socks: height of the white on each leg in the order of
    ``gaits.LIMBS``, metres above the ground, 0 for none. grain seeds where patches lie.
    """

    name: str
    body: Colour
    mane: Colour
    points: Colour
    pattern: Pattern = Pattern.PLAIN
    face: FaceMark = FaceMark.NONE
    socks: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    grain: int = 0


WHITE: Colour = (216, 224, 228)
HOOF: Colour = (48, 54, 60)
_NO_SOCK, _FETLOCK, _CANNON = 0.0, 0.17, 0.34

COATS = (
    Look("bay", (34, 58, 108), (20, 22, 26), (22, 26, 32)),
    Look("grey", (184, 188, 190), (206, 208, 210), (128, 130, 132), Pattern.DAPPLE),
    Look("chestnut", (36, 78, 152), (44, 92, 170), (34, 74, 146)),
    Look("black", (30, 31, 34), (18, 19, 21), (22, 23, 25)),
    Look("palomino", (98, 164, 208), (200, 224, 234), (108, 172, 212)),
    Look("pinto", (40, 60, 100), (40, 48, 60), WHITE, Pattern.PINTO),
    Look("appaloosa", (58, 72, 96), (46, 52, 60), (60, 70, 88), Pattern.APPALOOSA),
    Look("dun", (98, 142, 176), (34, 38, 44), (42, 48, 56)),
    Look("dark bay", (22, 34, 58), (15, 16, 19), (16, 18, 22)),
    Look("flaxen chestnut", (40, 70, 128), (128, 178, 206), (38, 68, 122)),
    Look("buckskin", (112, 156, 190), (22, 24, 28), (26, 30, 36)),
    Look("black pinto", (28, 29, 32), (30, 31, 34), WHITE, Pattern.PINTO),
    Look("blue roan", (112, 104, 98), (28, 28, 30), (34, 35, 38)),
    Look("white grey", (222, 226, 228), (226, 230, 232), (196, 200, 204)),
)
"""Coats without markings; ``horse_looks`` adds those."""

NAMES = (
    "Bella", "Nimbus", "Rusty", "Onyx", "Honey", "Domino", "Pepper", "Sandy", "Raven", "Ginger",
    "Toffee", "Orca", "Storm", "Ghost", "Clover", "Jasper",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Build:
    """Body size against a horse 1.60 m at the withers, and how broad for its height."""

    size: float
    bulk: float

    @property
    def withers_m(self) -> float:
        """Height at the withers."""
        return 1.60 * self.size


@dataclass(frozen=True, slots=True)
class Asymmetry:
    """Left/right difference of head and pelvis in trot, millimetres, right minus left.

    hd_min: lowest head while the right front leg bears, minus while the left does. hd_max: highest
    head after the right front leg bore, minus after the left. pd_min, pd_max: the same of the
    pelvis and the hind legs. A positive hd_min means that the right front leg bears less. spread_mm
    is the standard deviation from stride to stride of each.
    """

    hd_min_mm: float = 0.0
    hd_max_mm: float = 0.0
    pd_min_mm: float = 0.0
    pd_max_mm: float = 0.0
    head_spread_mm: float = 5.0
    pelvis_spread_mm: float = 2.0


@dataclass(frozen=True, slots=True)
class SimulatedHorse:
    """One individual. ``id`` is small and unique on the site; ``pace`` scales its speeds and
    ``rhythm`` (0..1) its habits of ear and tail."""

    id: int
    name: str
    look: Look
    build: Build
    guest: bool
    pace: float
    rhythm: float
    asymmetry: Asymmetry


def herd(
    seed: int, count: int, guests: int = 0, asymmetry: Asymmetry | None = None
) -> tuple[SimulatedHorse, ...]:
    """``count`` residents and then guests, the same for the same seed; ids from 1 on.

    No two of the first 14 share a coat colour; from then on markings and builds tell them apart.
    """
    chance = random.Random(seed * 7919 + 17)
    coats = chance.sample(COATS, len(COATS))
    names = chance.sample(NAMES, len(NAMES))
    horses = []
    for index in range(count + guests):
        rounds, place = divmod(index, len(coats))
        name = names[index % len(names)] + (f" {index // len(names) + 1}" if rounds else "")
        horses.append(
            SimulatedHorse(
                id=index + 1,
                name=name,
                look=_marked(coats[place], chance, seed * 101 + index),
                build=Build(chance.uniform(0.86, 1.07), chance.uniform(0.93, 1.10)),
                guest=index >= count,
                pace=chance.uniform(0.94, 1.06),
                rhythm=chance.random(),
                asymmetry=asymmetry or Asymmetry(),
            )
        )
    return tuple(horses)


def _marked(coat: Look, chance: random.Random, grain: int) -> Look:
    face = chance.choice((FaceMark.NONE, FaceMark.STAR, FaceMark.STRIPE, FaceMark.BLAZE))
    socks = [chance.choice((_NO_SOCK, _NO_SOCK, _FETLOCK, _CANNON)) for _ in range(4)]
    return Look(
        coat.name, coat.body, coat.mane, coat.points, coat.pattern, face,
        (socks[0], socks[1], socks[2], socks[3]), grain,
    )  # fmt: skip

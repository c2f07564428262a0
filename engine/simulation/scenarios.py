"""Ready-made farms for tests, tours and evaluation; the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from engine.domain.errors import OperatorMistake
from engine.simulation.farm import SimulatedFarm
from engine.simulation.looks import herd
from engine.simulation.programmes import rounds

HORSES_AT_MOST = 14


def occlusion_and_reentry(seed: int, horses: int = 10, minutes: float = 10.0) -> SimulatedFarm:
    """A lively farm: horses walk from camera to camera, pass each other, leave and come back
    after seconds and minutes. Repeats after ``minutes``."""
    everyone = herd(seed, horses, guests=1)
    return SimulatedFarm(everyone, rounds(everyone, seed, minutes * 60.0))


PROGRAMMES: dict[str, Callable[[int, int], SimulatedFarm]] = {"rounds": occlusion_and_reentry}
"""Programmes of ``simulated://barn`` addresses: (seed, horses) -> farm."""


@lru_cache(maxsize=8)
def shared_farm(programme: str, seed: int, horses: int) -> SimulatedFarm:
    """The farm that all cameras of a programme, seed and number of horses look at.

    Raises OperatorMistake.
    """
    if programme not in PROGRAMMES:
        raise OperatorMistake(
            f"There is no simulated programme {programme!r}.",
            f"There are {', '.join(PROGRAMMES)}.",
        )
    if not 1 <= horses <= HORSES_AT_MOST:
        raise OperatorMistake(f"A simulated barn holds 1 to {HORSES_AT_MOST} horses.")
    return PROGRAMMES[programme](seed, horses)

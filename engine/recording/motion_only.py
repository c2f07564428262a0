"""Which chunks a camera keeps that records only where something is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

NEIGHBOUR_S = 2.0
"""Chunks whose ends lie closer than this follow each other."""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """A finished chunk with its times (s, any clock) and whether something was seen in it."""

    chunk: T
    start_s: float
    end_s: float
    seen: bool


class MotionOnly(Generic[T]):
    """Keeps chunks in which something was seen, and their neighbours as run-up and run-out."""

    def __init__(self) -> None:
        self._before_seen: Candidate[T] | None = None
        self._undecided: Candidate[T] | None = None

    def offer(self, next_one: Candidate[T]) -> list[tuple[T, bool]]:
        """Chunks about which it is now decided, oldest first, and whether each is kept."""
        decided: list[tuple[T, bool]] = []
        if self._undecided is not None:
            kept = next_one.seen and _follows(self._undecided, next_one)
            decided.append((self._undecided.chunk, kept))
            self._undecided = None
        before = self._before_seen
        if next_one.seen or (before is not None and _follows(before, next_one)):
            decided.append((next_one.chunk, True))
        else:
            self._undecided = next_one
        self._before_seen = next_one if next_one.seen else None
        return decided

    def flush(self) -> list[tuple[T, bool]]:
        """Nothing follows: what is still undecided was seen by nobody."""
        last, self._undecided, self._before_seen = self._undecided, None, None
        return [] if last is None else [(last.chunk, False)]


def _follows(one: Candidate[T], two: Candidate[T]) -> bool:
    return abs(two.start_s - one.end_s) <= NEIGHBOUR_S

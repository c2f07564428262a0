"""What one horse did lately, as rules read it: spells of postures and actions over all cameras.

Times are POSIX seconds. Bouts of several cameras and tracks become one line of time: where two
cameras disagree, the surer one counts.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from engine.domain.behaviour import OwnedBout
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import Action, Bout, BoutKind, Posture

LYING = frozenset({Posture.STERNAL.label, Posture.LATERAL.label, Posture.LYING.label})
UP_AFTER_S = 5.0
"""Upright for this long it has got up; shorter is a label that flickers or a failed attempt."""
LYING_BRIDGE_S = 900.0
"""Lying before and after less than this out of sight, it is taken to have gone on lying."""
DOING_BRIDGE_S = 300.0
"""Something else after less than this out of sight counts as a change of what it does."""
JOIN_S = 3.0
"""Spells of the same word this close together are one."""
LEAST_S = 2.0
"""Rolling and other actions shorter than this are not counted: no rule counts single pictures."""
LEAST_DOWN_S = 5.0
"""Nor is a time on the ground shorter than this."""


@dataclass(frozen=True, slots=True)
class Spell:
    """One word from one time to another."""

    word: str
    start_s: float
    end_s: float
    track_id: TrackId
    stream_id: StreamId
    confidence: float = 1.0

    @classmethod
    def of(cls, bout: Bout) -> Spell:
        """A stored bout as rules read it."""
        return cls(
            bout.value,
            bout.start_at.timestamp(),
            bout.end_at.timestamp(),
            bout.track_id,
            bout.stream_id,
            bout.confidence,
        )

    @property
    def duration_s(self) -> float:
        """Seconds it lasted."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Down:
    """A time on the ground, from getting down to getting up. ``up``: it was seen to get up."""

    start_s: float
    end_s: float
    up: bool
    spells: tuple[Spell, ...]


@dataclass(frozen=True)
class HorseLog:
    """One horse. Spells are by rising start and do not overlap within a kind."""

    horse_id: HorseId
    title: str
    resident: bool
    postures: tuple[Spell, ...] = ()
    actions: tuple[Spell, ...] = ()
    company: tuple[Spell, ...] = ()
    last_seen_s: float | None = None

    @cached_property
    def seen(self) -> tuple[tuple[float, float], ...]:
        """When it was seen at all, as rising intervals that do not touch."""
        return union((s.start_s, s.end_s) for s in (*self.postures, *self.actions))

    @cached_property
    def downs(self) -> tuple[Down, ...]:
        """Every time on the ground."""
        return tuple(d for d in _downs(self.postures) if d.end_s - d.start_s >= LEAST_DOWN_S)

    @cached_property
    def rolling(self) -> tuple[Spell, ...]:
        """Rolling and struggling."""
        rolled = (s for s in self.actions if s.word == Action.ROLLING.label)
        return tuple(s for s in rolled if s.duration_s >= LEAST_S)

    @cached_property
    def changes_s(self) -> tuple[float, ...]:
        """When it began to do something else."""
        lasting = [s for s in self.actions if s.duration_s >= LEAST_S]
        return tuple(
            later.start_s
            for earlier, later in itertools.pairwise(lasting)
            if later.word != earlier.word and later.start_s - earlier.end_s <= DOING_BRIDGE_S
        )

    def between(self, start_s: float, end_s: float) -> HorseLog:
        """What was known at ``end_s`` of the time since ``start_s``."""
        begun = (
            line[: bisect_left(line, end_s, key=_start)] for line in (self.postures, self.actions)
        )
        last_s = max((min(spells[-1].end_s, end_s) for spells in begun if spells), default=None)
        return HorseLog(
            self.horse_id,
            self.title,
            self.resident,
            _cut(self.postures, start_s, end_s),
            _cut(self.actions, start_s, end_s),
            _cut(self.company, start_s, end_s),
            last_s,
        )

    @property
    def streams(self) -> frozenset[StreamId]:
        """Cameras that saw it."""
        return frozenset(s.stream_id for s in (*self.postures, *self.actions))

    @property
    def latest(self) -> Spell | None:
        """The newest spell: where it is now."""
        newest = [spells[-1] for spells in (self.postures, self.actions) if spells]
        return max(newest, key=lambda s: s.end_s) if newest else None


def log_of(
    horse_id: HorseId,
    title: str,
    resident: bool,
    bouts: Iterable[OwnedBout],
    last_seen_s: float | None = None,
) -> HorseLog:
    """One horse's log from its bouts, in any order."""
    by_kind: defaultdict[BoutKind, list[Spell]] = defaultdict(list)
    for owned in bouts:
        by_kind[owned.bout.kind].append(Spell.of(owned.bout))
    lines: Mapping[BoutKind, tuple[Spell, ...]] = {
        kind: one_line(spells) for kind, spells in by_kind.items()
    }
    ends = [line[-1].end_s for line in lines.values() if line]
    seen_s = max(ends, default=last_seen_s)
    if last_seen_s is not None and seen_s is not None:
        seen_s = max(seen_s, last_seen_s)
    return HorseLog(
        horse_id,
        title,
        resident,
        lines.get(BoutKind.POSTURE, ()),
        lines.get(BoutKind.ACTION, ()),
        lines.get(BoutKind.COMPANY, ()),
        seen_s,
    )


def one_line(spells: Sequence[Spell]) -> tuple[Spell, ...]:
    """Spells of several tracks as one line of time: the surer one where they overlap, neighbours of
    the same word joined."""
    edges = sorted({t for s in spells for t in (s.start_s, s.end_s)})
    waiting = sorted(spells, key=lambda s: s.start_s, reverse=True)
    running: list[Spell] = []
    line: list[Spell] = []
    for start_s, end_s in itertools.pairwise(edges):
        while waiting and waiting[-1].start_s <= start_s:
            running.append(waiting.pop())
        running = [s for s in running if s.end_s > start_s]
        if running:
            best = max(running, key=lambda s: (s.confidence, -s.start_s))
            _append(line, best, start_s, end_s)
    return tuple(line)


def _append(line: list[Spell], spell: Spell, start_s: float, end_s: float) -> None:
    if line and line[-1].word == spell.word and start_s - line[-1].end_s <= JOIN_S:
        last = line.pop()
        line.append(
            Spell(
                last.word, last.start_s, end_s, spell.track_id, spell.stream_id,
                max(last.confidence, spell.confidence),
            )
        )  # fmt: skip
        return
    line.append(
        Spell(spell.word, start_s, end_s, spell.track_id, spell.stream_id, spell.confidence)
    )


def _start(spell: Spell) -> float:
    return spell.start_s


def _end(spell: Spell) -> float:
    return spell.end_s


def _cut(line: tuple[Spell, ...], start_s: float, end_s: float) -> tuple[Spell, ...]:
    """The spells that reach into [start, end); the last one ends there at the latest."""
    first = bisect_right(line, start_s, key=_end)
    part = line[first : bisect_left(line, end_s, key=_start)]
    if part and part[-1].end_s > end_s:
        part = (*part[:-1], replace(part[-1], end_s=end_s))
    return part


def union(intervals: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The same time as rising intervals that do not touch."""
    merged: list[tuple[float, float]] = []
    for start_s, end_s in sorted(intervals):
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return tuple(merged)


def overlap_s(intervals: Iterable[tuple[float, float]], start_s: float, end_s: float) -> float:
    """Seconds of the intervals inside [start, end)."""
    return sum(max(0.0, min(b, end_s) - max(a, start_s)) for a, b in intervals)


def _downs(postures: Sequence[Spell]) -> Iterable[Down]:
    lying: list[Spell] = []
    for spell in postures:
        if spell.word in LYING:
            if lying and spell.start_s - lying[-1].end_s > LYING_BRIDGE_S:
                yield _down(lying, up=False)
                lying = []
            lying.append(spell)
        elif lying and spell.word == Posture.UPRIGHT.label and spell.duration_s >= UP_AFTER_S:
            yield _down(lying, up=True)
            lying = []
    if lying:
        yield _down(lying, up=False)


def _down(lying: Sequence[Spell], up: bool) -> Down:
    return Down(lying[0].start_s, lying[-1].end_s, up, tuple(lying))

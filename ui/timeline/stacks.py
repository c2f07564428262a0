"""Rows that the store has summed up: how much of every step each mark took, drawn as a stack. No
Qt.

A stack looks unlike runs on purpose: its steps say how much, not when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.domain.behaviour import LaneKind
from ui.timeline.marks import Mark

ORDER = (
    Mark.LYING, Mark.STERNAL, Mark.LATERAL, Mark.CHANGING, Mark.RESTING, Mark.STANDING,
    Mark.UPRIGHT, Mark.GRAZING, Mark.ALERT, Mark.WALKING, Mark.RUNNING, Mark.TROT, Mark.CANTER,
    Mark.GALLOP, Mark.ROLLING, Mark.PERSON, Mark.RECORDED, Mark.LOCKED, Mark.SEEN, Mark.NO_DATA,
    Mark.INFO, Mark.WARNING, Mark.CRITICAL,
)  # fmt: skip
"""From the bottom of a stack to its top."""
WHOLE = 0.97
"""From this share on a step is said to be of one mark."""

Shares = NDArray[np.float32]


@dataclass(frozen=True)
class Stack:
    """S steps that do not overlap, rising. start_us, end_us: int64 (S,). marks: the K marks there
    are, from the bottom up. shares: float32 (S, K), part of the step that each took; they add up
    to at most 1, the rest is nothing."""

    start_us: NDArray[np.int64]
    end_us: NDArray[np.int64]
    marks: tuple[Mark, ...]
    shares: Shares
    _drawn: dict[int, NDArray[np.uint8]] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return len(self.start_us)

    def at(self, at_us: int) -> int | None:
        """Index of the step at an instant, None where there is none."""
        index = int(np.searchsorted(self.start_us, at_us, "right")) - 1
        return index if index >= 0 and at_us < self.end_us[index] else None

    def drawn(self, height: int) -> NDArray[np.uint8]:
        """Marks of every step's pixels from the top down, uint8 (S, height); kept."""
        if height not in self._drawn:
            tops = np.rint(np.cumsum(self.shares, axis=1) * height)
            level = np.arange(height, 0, -1)
            which = (tops[:, None, :] < level[None, :, None]).sum(axis=2)
            names = np.array([*self.marks, Mark.NOTHING], np.uint8)
            self._drawn[height] = names[which]
        return self._drawn[height]

    def whole(self) -> NDArray[np.uint8]:
        """The mark of steps that are of one alone, NOTHING for the others, uint8 (S,); kept."""
        if 0 not in self._drawn:
            self._drawn[0] = self._whole()
        return self._drawn[0]

    def _whole(self) -> NDArray[np.uint8]:
        best = self.shares.argmax(axis=1)
        names = np.array(self.marks, np.uint8)
        full = self.shares[np.arange(len(self)), best] >= WHOLE
        return np.where(full, names[best], Mark.NOTHING).astype(np.uint8)

    def told(self, index: int) -> list[tuple[Mark, float]]:
        """Marks of a step with their shares, most first."""
        row = zip(self.marks, self.shares[index].tolist(), strict=True)
        return sorted(((m, s) for m, s in row if s > 0), key=lambda told: -told[1])


def stacked(
    start_us: NDArray[np.int64],
    end_us: NDArray[np.int64],
    mark: NDArray[np.uint8],
    share: NDArray[np.float32],
) -> Stack:
    """Runs that lie over each other, each with its share, as steps."""
    edges = np.unique(np.concatenate([start_us, end_us]))
    marks = tuple(m for m in ORDER if (mark == m).any())
    shares = np.zeros((max(len(edges) - 1, 0), len(marks)), np.float32)
    for column, one in enumerate(marks):
        of_it = mark == one
        change = np.zeros(len(edges), np.float64)
        np.add.at(change, np.searchsorted(edges, start_us[of_it]), share[of_it])
        np.add.at(change, np.searchsorted(edges, end_us[of_it]), -share[of_it])
        shares[:, column] = np.cumsum(change)[:-1]
    whole = shares.sum(axis=1, keepdims=True)
    shares = np.clip(shares / np.maximum(whole, 1.0), 0.0, 1.0)
    keep = whole[:, 0] > 1e-6
    return Stack(edges[:-1][keep], edges[1:][keep], marks, shares[keep])


def activity_stack(rows: Mapping[LaneKind, Stack]) -> Stack | None:
    """What a horse does, from sums of its posture, gait and action: lying goes before what it does
    lying, trot or faster before walking; what is left of the time it was seen is just that."""
    known = [rows[kind] for kind in _TOLD if kind in rows and len(rows[kind])]
    if not known:
        return None
    edges = np.unique(np.concatenate([e for s in known for e in (s.start_us, s.end_us)]))
    starts = edges[:-1]

    def share(kind: LaneKind, *marks: Mark) -> NDArray[np.float64]:
        stack = rows.get(kind)
        total = np.zeros(len(starts))
        if stack is None or not len(stack):
            return total
        index = np.searchsorted(stack.start_us, starts, "right") - 1
        inside = (index >= 0) & (starts < stack.end_us[index])
        for column, mark in enumerate(stack.marks):
            if mark in marks:
                total += np.where(inside, stack.shares[index, column], 0.0)
        return total

    posture, gait, action = LaneKind.POSTURE, LaneKind.GAIT, LaneKind.ACTION
    lying = share(posture, Mark.LYING, Mark.STERNAL)
    lateral = share(posture, Mark.LATERAL)
    running = np.maximum(
        share(gait, Mark.TROT, Mark.CANTER, Mark.GALLOP), share(action, Mark.RUNNING)
    )
    parts: dict[Mark, NDArray[np.float64]] = {
        Mark.LYING: lying,
        Mark.LATERAL: lateral,
        Mark.CHANGING: share(posture, Mark.CHANGING),
        Mark.ROLLING: share(action, Mark.ROLLING),
        Mark.RUNNING: running,
        Mark.GRAZING: share(action, Mark.GRAZING),
        Mark.ALERT: share(action, Mark.ALERT),
        Mark.WALKING: share(action, Mark.WALKING),
        Mark.RESTING: np.maximum(share(action, Mark.RESTING) - lying - lateral, 0.0),
        Mark.STANDING: share(action, Mark.STANDING),
    }
    seen = np.maximum(share(LaneKind.SEEN, Mark.SEEN), 0.0)
    told = np.zeros(len(starts))
    for part in parts.values():
        np.minimum(part, 1.0 - told, out=part)
        told += part
    parts[Mark.SEEN] = np.maximum(seen - told, 0.0)
    parts[Mark.NO_DATA] = np.minimum(
        share(LaneKind.NO_DATA, Mark.NO_DATA), np.maximum(1.0 - np.maximum(seen, told), 0.0)
    )
    return _of_parts(edges, parts)


_TOLD: Sequence[LaneKind] = (
    LaneKind.SEEN,
    LaneKind.POSTURE,
    LaneKind.GAIT,
    LaneKind.ACTION,
    LaneKind.NO_DATA,
)


def _of_parts(edges: NDArray[np.int64], parts: Mapping[Mark, NDArray[np.float64]]) -> Stack:
    marks = tuple(m for m in ORDER if m in parts and (parts[m] > 1e-6).any())
    shares = np.zeros((len(edges) - 1, len(marks)), np.float32)
    for column, mark in enumerate(marks):
        shares[:, column] = parts[mark]
    keep = shares.sum(axis=1) > 1e-6
    return Stack(edges[:-1][keep], edges[1:][keep], marks, shares[keep])

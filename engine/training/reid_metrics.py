"""Figures of re-identification: each horse's earliest day is the gallery, later clips ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.training.accuracy import bootstrap_interval


@dataclass(frozen=True)
class ClipVectors:
    """Vectors of one clip: unit vectors float32 (N, D) of its frames, its horse and day."""

    name: str
    horse: str
    day: str
    frames: FloatArray

    @property
    def mean(self) -> FloatArray:
        """The renormalised mean vector (D,)."""
        return np.asarray(unit(self.frames.mean(axis=0, keepdims=True))[0], np.float32)


@dataclass(frozen=True)
class QueryOutcome:
    """What became of one later clip: how many other horses looked more alike than its own (0 is a
    hit), and the share of its single frames whose nearest horse is the right one."""

    clip: str
    horse: str
    place: int
    frame_hits: float


def unit(vectors: FloatArray) -> FloatArray:
    """Rows scaled to length 1, float32 (N, D)."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / lengths, np.float32)


def earliest_days(clips: Sequence[ClipVectors]) -> dict[str, str]:
    """Horse -> its first day."""
    days: dict[str, str] = {}
    for clip in clips:
        days[clip.horse] = min(clip.day, days.get(clip.horse, clip.day))
    return days


def gallery_of(clips: Sequence[ClipVectors]) -> tuple[list[str], FloatArray]:
    """Horses by name and the mean vector of each one's earliest day, (horses, D)."""
    first = earliest_days(clips)
    horses = sorted(first)
    means = [
        np.concatenate([c.frames for c in clips if c.horse == h and c.day == first[h]]).mean(axis=0)
        for h in horses
    ]
    return horses, unit(np.stack(means).astype(np.float32))


def outcomes(clips: Sequence[ClipVectors]) -> list[QueryOutcome]:
    """Ask every clip of a later day against the gallery of all horses."""
    horses, gallery = gallery_of(clips)
    first = earliest_days(clips)
    found = []
    for clip in clips:
        if clip.day == first[clip.horse]:
            continue
        own = horses.index(clip.horse)
        likeness = gallery @ clip.mean
        hits = (clip.frames @ gallery.T).argmax(axis=1) == own
        place = int((likeness > likeness[own]).sum())
        found.append(QueryOutcome(clip.name, clip.horse, place, float(hits.mean())))
    return found


def summary(found: Sequence[QueryOutcome]) -> dict[str, object]:
    """``rank1``, ``map``, ``rank1_frame`` (mean over clips), each with a 95 % interval by bootstrap
    over horses. With one gallery vector a horse, average precision is 1 / (1 + place)."""
    groups = tuple(o.horse for o in found)
    columns: dict[str, NDArray[np.float64]] = {
        "rank1": np.array([float(o.place == 0) for o in found]),
        "map": np.array([1.0 / (1 + o.place) for o in found]),
        "rank1_frame": np.array([o.frame_hits for o in found]),
    }
    report: dict[str, object] = {}
    for name, values in columns.items():
        report[name] = float(values.mean())
        report[f"{name}_interval"] = list(bootstrap_interval(values, groups))
    return report


def stranger_likeness(clips: Sequence[ClipVectors]) -> FloatArray:
    """Cosine clipped to 0..1 of every pair of clips of different horses on different days."""
    means = np.stack([clip.mean for clip in clips])
    likeness = np.clip(means @ means.T, 0.0, 1.0)
    horses = np.array([clip.horse for clip in clips])
    days = np.array([clip.day for clip in clips])
    wanted = (horses[:, None] != horses[None]) & (days[:, None] != days[None])
    return np.asarray(likeness[np.triu(wanted, 1)], np.float32)


def own_likeness(clips: Sequence[ClipVectors]) -> FloatArray:
    """Cosine clipped to 0..1 of every pair of clips of one horse on different days."""
    means = np.stack([clip.mean for clip in clips])
    likeness = np.clip(means @ means.T, 0.0, 1.0)
    horses = np.array([clip.horse for clip in clips])
    days = np.array([clip.day for clip in clips])
    wanted = (horses[:, None] == horses[None]) & (days[:, None] != days[None])
    return np.asarray(likeness[np.triu(wanted, 1)], np.float32)


def acceptance_threshold(strangers: FloatArray, share: float = 0.01) -> float:
    """The lowest likeness that accepts at most ``share`` of the pairs of different horses."""
    ordered = np.sort(strangers)[::-1]
    allowed = int(np.floor(share * len(ordered)))
    return float(np.nextafter(ordered[allowed], np.float32(2.0))) if len(ordered) else 1.0

"""Decides live, for each confirmed horse track, which horse it is.

Used by the analysis thread only. A track stays unidentified until several good crops agree; it is
compared with the camera's recent horses, then with the whole farm; it becomes a known horse, a
question to a person, or, when it is clearly different from everyone, a new guest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.identity import IdentityEvent, ReviewKind
from engine.domain.ids import HorseId, ModelId, StreamId, TrackId
from engine.domain.tracks import TrackBatch
from engine.identity.candidates import Candidates
from engine.identity.cases import ENGINE, Case, Stretch
from engine.identity.contacts import note_contacts
from engine.identity.crossings import judged, note_meetings, shared_parts
from engine.identity.decision import Outcome
from engine.identity.gallery import HorseGallery
from engine.identity.herd import HerdWatch
from engine.identity.presence import Presence, Seen, seen_in
from engine.identity.registry import Registry
from engine.identity.rules import Rules
from engine.identity.second_thoughts import SecondThoughts
from engine.identity.teaching import Teacher
from engine.identity.trails import Trails
from engine.identity.verdicts import Verdicts

CHECKS_A_PICTURE = 4
"""Tracks compared with the galleries in one picture, at most: the rest wait for the next."""
BESIDE_OVERLAP = 0.5
"""Boxes that share less of the smaller one are two bodies, not two boxes on one."""

APART_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Sight:
    """One analysed picture of one camera. vectors: float32 (N, D) unit vectors of the rows of
    ``tracks``, None without an appearance model. qualities: float32 (N,) of the crops, 0..1.
    """

    stamp: FrameStamp
    size_px: tuple[int, int]
    tracks: TrackBatch
    vectors: FloatArray | None
    qualities: FloatArray


class Resolver:
    """The live identity of every camera's tracks. ``rules`` may be replaced while it runs."""

    def __init__(self, rules: Rules, emit: Callable[[IdentityEvent], None]) -> None:
        self.rules = rules
        self.registry: Registry | None = None
        self.presence = Presence()
        self._teacher = Teacher(emit)
        self._herd = HerdWatch()
        self._cases: dict[TrackId, Case] = {}
        self._last_mono_s: dict[StreamId, float] = {}
        self._candidates = Candidates(rules, self.presence, self._cases)
        self._trails = Trails()
        self._verdicts = Verdicts(
            rules, emit, self.presence, self._cases, self._last_mono_s, self._herd, self._teacher,
            self._trails,
        )  # fmt: skip
        self._second = SecondThoughts(
            rules, self._candidates, self._verdicts, self._teacher, self._trails
        )
        self._apart_mono_s: dict[StreamId, float] = {}
        self._turn = 0

    # --- the registry ---------------------------------------------------------------------------

    def load(
        self, registry: Registry, model_id: ModelId | None, now_s: float, at: datetime
    ) -> None:
        """Take a new registry: what people changed shows on live tracks at once."""
        self._teacher.model_id = model_id
        before, self.registry = self.registry, registry
        self._verdicts.registry = registry
        if before is not None:
            self._carry_over(before, registry)
        self.presence.distances_m = registry.snapshot.distances_m
        for absorbed in registry.merged:
            self.presence.hand_over(absorbed, registry.current(absorbed))
        for known in registry.snapshot.horses:
            for stream_id, seen_at in known.streams.items():
                if before is None or stream_id not in self._last_mono_s:
                    ago_s = max((at - seen_at).total_seconds(), 0.0)
                    self.presence.saw(known.horse.id, stream_id, Seen(now_s - ago_s))
        self._candidates.rejected = registry.rejected
        for case in self._cases.values():
            self._relabel(case, registry)
        self.presence.keep(registry.known)
        self._herd.keep(registry.known)

    def _carry_over(self, before: Registry, after: Registry) -> None:
        """Horses that this engine founded and the store has not told of yet stay known."""
        for horse_id, known in before.known.items():
            if not known.local or horse_id in after.known or horse_id in after.merged:
                continue
            after.known[horse_id] = known
            if before.gallery is not None and after.gallery is not None:
                after.gallery.load({horse_id: before.gallery.vectors(horse_id)})
        after.rejected |= before.rejected & {
            (case.track_id, horse) for case in self._cases.values() for horse in after.known
        }

    def _relabel(self, case: Case, registry: Registry) -> None:
        """What people decided about a live track holds; their undone decisions are undone."""
        horse_id, by = registry.snapshot.owners.get(case.track_id, (None, ENGINE))
        owner = None if horse_id is None else registry.current(horse_id)
        if owner is not None and by != ENGINE:
            if owner != case.horse_id:
                self._verdicts.leave(case)
            case.horse_id, case.decided_by, case.approved, case.doubts = owner, by, True, 0
        elif case.locked:
            self._verdicts.leave(case)
            case.horse_id = owner
        elif case.horse_id is not None:
            case.horse_id = registry.current(case.horse_id)
        gone = case.horse_id is not None and case.horse_id not in registry.known
        if gone or (case.track_id, case.horse_id) in registry.rejected:
            self._verdicts.leave(case)

    # --- one picture ----------------------------------------------------------------------------

    def observe(self, sight: Sight) -> tuple[HorseId | None, ...]:
        """Horse of each row of the picture's tracks, None where nobody is sure."""
        registry, tracks = self.registry, sight.tracks
        if registry is None:
            return (None,) * len(tracks)
        for stage in (self._candidates, self._verdicts, self._second):
            stage.rules = self.rules
        now_s = sight.stamp.captured_mono_s
        rows: list[int] = np.flatnonzero(tracks.confirmed_horses).tolist()
        cases = [self._case(sight, row) for row in rows]
        shares = shared_parts(tracks.boxes_xyxy_px[rows])
        here = [c for c in self._cases.values() if c.stream_id == sight.stamp.stream_id]
        boxes, at = tracks.boxes_xyxy_px[rows], sight.stamp.captured_at
        before_s = self._last_mono_s.get(sight.stamp.stream_id, now_s)
        note_contacts(cases, boxes, shares, here, now_s, at, before_s)
        self._look(sight, rows, cases)
        self._stand_apart(cases, shares, sight.stamp)
        self._herd.count(sight.stamp.stream_id, len(cases), now_s)
        if sight.vectors is not None and registry.gallery is not None:
            self._check(sight, rows, cases, registry, registry.gallery)
            note_meetings(cases, shares, sight.stamp.captured_at, now_s)
            self._second.suspect(cases, sight.stamp, registry.gallery)
            for crossing in judged(cases, registry.gallery, self.rules, now_s):
                self._second.cross(crossing, sight.stamp, registry.gallery)
            self._suggest(registry, sight.stamp)
        self._one_each(cases)
        for row, case in zip(rows, cases, strict=True):
            if case.horse_id is not None:
                self.presence.saw(case.horse_id, case.stream_id, _seen(sight, row))
        self._last_mono_s[sight.stamp.stream_id] = now_s
        owners = {case.track_id: case.horse_id for case in cases}
        return tuple(owners.get(track_id) for track_id in tracks.track_ids)

    def colour_of(self, horse_id: HorseId) -> int | None:
        """The stored colour of a horse, 0..9; None for one that is not known."""
        known = None if self.registry is None else self.registry.known.get(horse_id)
        return None if known is None else known.colour

    def closed(self, track_id: TrackId) -> None:
        """The track has ended: what it did with others will not be judged."""
        self._trails.forget(track_id)
        if self._cases.pop(track_id, None) is not None:
            for case in self._cases.values():
                case.meetings.pop(track_id, None)

    def _suggest(self, registry: Registry, stamp: FrameStamp) -> None:
        """Now and then: does a guest look like somebody else who is known?"""
        latest = {c.horse_id: c for c in self._cases.values() if c.horse_id is not None}
        found = self._herd.twin(registry, latest, self.rules, stamp.captured_mono_s)
        if found is not None:
            self._verdicts.ask(found[0], ReviewKind.MATCH, found[1], stamp)

    def _case(self, sight: Sight, row: int) -> Case:
        track_id = sight.tracks.track_ids[row]
        case = self._cases.get(track_id)
        if case is None:
            now_s, at = sight.stamp.captured_mono_s, sight.stamp.captured_at
            first = _seen(sight, row)
            case = Case(
                track_id,
                sight.stamp.stream_id,
                first,
                at,
                Stretch(first, at),
                sight.tracks.boxes_xyxy_px[row],
                seen_mono_s=now_s,
            )
            self._cases[track_id] = case
            if self.registry is not None:
                self._relabel(case, self.registry)
        return case

    def _look(self, sight: Sight, rows: Sequence[int], cases: Sequence[Case]) -> None:
        if sight.vectors is None:
            return
        stamp, now_s = sight.stamp, sight.stamp.captured_mono_s
        self._trails.note(
            stamp.stream_id, sight.tracks.track_ids, sight.vectors, sight.qualities,
            stamp.captured_at, now_s,
        )  # fmt: skip
        for row, case in zip(rows, cases, strict=True):
            if sight.qualities[row] >= self.rules.good_quality:
                quality = float(sight.qualities[row])
                at, every_s = sight.stamp.captured_at, self.rules.crop_interval_s
                case.take_crop(now_s, at, sight.vectors[row], quality, every_s)

    def _stand_apart(self, cases: Sequence[Case], shares: FloatArray, stamp: FrameStamp) -> None:
        """Two bodies in one picture are two horses. Looked at a few times a second."""
        now_s, stream_id = stamp.captured_mono_s, stamp.stream_id
        passed_s = now_s - self._apart_mono_s.get(stream_id, now_s - APART_EVERY_S)
        if passed_s < APART_EVERY_S:
            return
        self._apart_mono_s[stream_id] = now_s
        passed_s = min(passed_s, 2.0 * APART_EVERY_S)
        named = [(j, c.horse_id) for j, c in enumerate(cases) if c.horse_id is not None]
        for i, case in enumerate(cases):
            if case.horse_id is not None:
                continue
            for j, horse in named:
                if shares[i, j] < BESIDE_OVERLAP:
                    case.apart_s[horse] = case.apart_s.get(horse, 0.0) + passed_s
        if named:  # one horse at a time: nobody hurries to learn that two names are two horses
            self._turn = (self._turn + 1) % len(named)
            i, one = named[self._turn]
            for j, horse in named:
                if i != j and shares[i, j] < BESIDE_OVERLAP:
                    self._herd.apart(one, horse)

    def _one_each(self, cases: Sequence[Case]) -> None:
        """No two tracks of one picture show one horse; a person's word, then the likeness wins."""
        holders: dict[HorseId, Case] = {}
        order = sorted(cases, key=lambda c: (not c.locked, -(c.similarity or 0.0)))
        for case in order:
            if case.horse_id is None:
                continue
            if case.horse_id in holders:
                self._verdicts.withdraw(case)
            else:
                holders[case.horse_id] = case

    # --- decisions ------------------------------------------------------------------------------

    def _check(
        self,
        sight: Sight,
        rows: Sequence[int],
        cases: Sequence[Case],
        registry: Registry,
        gallery: HorseGallery,
    ) -> None:
        """Compare the tracks whose turn it is, those that waited longest first."""
        now_s = sight.stamp.captured_mono_s
        due = [
            (case, row)
            for row, case in zip(rows, cases, strict=True)
            if case.check_mono_s <= now_s and case.stretch.crops >= self.rules.crops
        ]
        due.sort(key=lambda pair: pair[0].check_mono_s)
        for case, row in due[:CHECKS_A_PICTURE]:
            if case.horse_id is None:
                case.check_mono_s = now_s + self.rules.retry_s
                if not case.locked:
                    self._identify(case, row, sight, cases, registry, gallery)
            else:
                case.check_mono_s = now_s + self.rules.recheck_s
                self._second.verify(case, sight.stamp, gallery)

    def _identify(
        self,
        case: Case,
        row: int,
        sight: Sight,
        cases: Sequence[Case],
        registry: Registry,
        gallery: HorseGallery,
    ) -> None:
        vectors, qualities = case.stretch.columns()
        centre = _seen(sight, row).centre_px or (0.0, 0.0)
        expected = registry.expected_at(case.stream_id, centre, sight.size_px)
        stamp = sight.stamp
        decision = self._candidates.compare(
            case, vectors, cases, expected, stamp.captured_mono_s, gallery
        )
        if decision.outcome is Outcome.KNOWN and decision.match is not None:
            horse = decision.match.horse_id
            start = self._trails.began(
                case.track_id, gallery, horse, gallery.vectors(horse), case.since_at, self.rules
            )
            self._verdicts.settle(case, decision.match, start, stamp)
            if case.approved and not case.stretch.touching:
                self._teacher.learn(
                    case, gallery, vectors, qualities, stamp.captured_mono_s, stamp.captured_at
                )
            else:
                self._teacher.keep(case, vectors, qualities, False, stamp.captured_at)
        elif decision.outcome is Outcome.NEW:
            strange = case.nearest < self.rules.guest_below and not case.stretch.touching
            strange = strange and self._teacher.has_lesson(qualities)
            if not strange or not registry.snapshot.complete:
                return
            if self._herd.may_found(case.stream_id, stamp.captured_mono_s, self.rules):
                self._verdicts.found(case, vectors, qualities, stamp, registry, gallery)
            elif decision.match is not None:
                self._verdicts.ask(case, ReviewKind.MATCH, decision.match, stamp)
        elif decision.outcome is Outcome.UNCERTAIN and decision.match is not None:
            self._verdicts.ask(case, ReviewKind.MATCH, decision.match, stamp)
            self._teacher.keep(case, vectors, qualities, False, stamp.captured_at)


def _seen(sight: Sight, row: int) -> Seen:
    tracks = sight.tracks
    return seen_in(sight.stamp.captured_mono_s, tracks.track_ids[row], tracks.boxes_xyxy_px[row])

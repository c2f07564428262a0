"""What becomes of a decision: the track's owner changes, and stores and people are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import uuid4

from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.identity import (
    HorseFound,
    IdentityEvent,
    Review,
    ReviewId,
    ReviewKind,
    ReviewRaised,
    Span,
    SpanDecided,
    SpanId,
    SpanWithdrawn,
)
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.identity.cases import ENGINE, Case
from engine.identity.gallery import HorseGallery, Match
from engine.identity.herd import HerdWatch
from engine.identity.presence import Presence
from engine.identity.registry import Known, Registry
from engine.identity.rules import CAMERA_HORSES, Rules
from engine.identity.teaching import Teacher
from engine.identity.trails import Trails
from engine.tracking.colours import colour_index


class Verdicts:
    """Carries decisions out. Used by one thread. ``live`` are all live tracks and ``last_mono_s``
    every camera's latest picture, both by reference; ``rules`` and ``registry`` are replaced as
    they change."""

    def __init__(
        self,
        rules: Rules,
        emit: Callable[[IdentityEvent], None],
        presence: Presence,
        live: Mapping[TrackId, Case],
        last_mono_s: Mapping[StreamId, float],
        herd: HerdWatch,
        teacher: Teacher,
        trails: Trails,
    ) -> None:
        self.rules = rules
        self.registry: Registry | None = None
        self._emit = emit
        self._presence = presence
        self._live = live
        self._last_mono_s = last_mono_s
        self._herd = herd
        self._teacher = teacher
        self._trails = trails

    def leave(self, case: Case) -> None:
        """The track is nobody's; what it said of where its horse was is taken back."""
        if case.horse_id is not None:
            self._presence.withdraw(case.horse_id, case.track_id)
        case.release()

    def settle(self, case: Case, match: Match, start: datetime | None, stamp: FrameStamp) -> None:
        """The track is that horse, from ``start`` on (None: from its first picture)."""
        for other in self._live.values():
            live = self._last_mono_s.get(other.stream_id, 0.0) <= other.seen_mono_s
            beside = other is not case and other.stream_id == case.stream_id and live
            if beside and other.horse_id == match.horse_id and not other.locked:
                self.withdraw(other)
        self.leave(case)
        case.horse_id, case.similarity, case.owned_from = match.horse_id, match.similarity, start
        case.approved = match.similarity >= self.rules.approve_from
        case.stretch.verified = True
        case.check_mono_s = stamp.captured_mono_s + self.rules.recheck_s
        span = Span(
            SpanId(uuid4()), case.track_id, match.horse_id, start, None, match.similarity, ENGINE
        )
        self._emit(SpanDecided(span, case.stream_id, match.similarity))

    def withdraw(self, case: Case, since: datetime | None = None) -> None:
        """The engine is no longer sure of what it decided, from an instant on or altogether."""
        if not case.locked:
            self.leave(case)
            case.since_at, case.nearest = since, 0.0
            self._emit(SpanWithdrawn(case.track_id, case.stream_id, case.first_at, since))

    def found(
        self,
        case: Case,
        vectors: FloatArray,
        qualities: FloatArray,
        stamp: FrameStamp,
        registry: Registry,
        gallery: HorseGallery,
    ) -> None:
        """A horse never met before: a guest until people accept it. ``vectors``: unit float32
        (k, D) of the track with their ``qualities`` (k,), the first that are known of the horse."""
        horse_id = HorseId(uuid4())
        here = self._presence.recent(case.stream_id, CAMERA_HORSES)
        taken = {k.colour for h in here if (k := registry.known.get(h)) is not None}
        colour = colour_index(horse_id, taken)
        registry.known[horse_id] = Known(horse_id, colour, guest=True, local=True)
        self._herd.founded(case.stream_id, stamp.captured_mono_s)
        start = self._trails.began(
            case.track_id, gallery, horse_id, vectors, case.since_at, self.rules
        )
        met_at = start or case.first_at
        self._emit(HorseFound(horse_id, case.stream_id, colour, met_at))
        self.settle(case, Match(horse_id, 1.0), start, stamp)
        case.founded = True
        self._teacher.learn(
            case, gallery, vectors, qualities, stamp.captured_mono_s, stamp.captured_at
        )

    def ask(
        self,
        case: Case,
        kind: ReviewKind,
        match: Match,
        stamp: FrameStamp,
        other: TrackId | None = None,
        at: datetime | None = None,
    ) -> None:
        """Ask a person, once for each track; again only after a no."""
        rejected = set() if self.registry is None else self.registry.rejected
        unanswered = {horse for horse in case.asked if (case.track_id, horse) not in rejected}
        if kind is ReviewKind.MATCH and (unanswered or match.horse_id in case.asked):
            return
        case.asked.add(match.horse_id)
        self._emit(
            ReviewRaised(
                Review(
                    ReviewId(uuid4()),
                    kind,
                    case.track_id,
                    other,
                    match.horse_id,
                    match.similarity if kind is ReviewKind.MATCH else None,
                    at or stamp.captured_at,
                    case.stream_id,
                )
            )
        )

"""Identities: live tracks, corrections with undo, open questions, figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ..answers import (
    Command,
    Correction,
    HorseTracking,
    LiveHorse,
    Review,
    Threshold,
    TrackingStats,
    Verdict,
)
from .base import Subject
from .horses import Profile, correction

Scope = Literal["track", "camera", "everywhere"]
Versions = Mapping[UUID, int]
"""Horse versions as a dry run told them: another's change since is a Conflict."""


class Tracking(Subject):
    """Corrections are commands that can be taken back::

    effect = barn.tracking.merge(kept=bella.id, absorbed=guest.id, dry_run=True).effect
    done = barn.tracking.merge(bella.id, guest.id, expected=effect.expected)
    barn.tracking.undo(done.command.command_id)
    """

    def horses(self, stream_id: UUID | None = None) -> tuple[LiveHorse, ...]:
        """Identified horses on cameras now."""
        return self._api.get(tuple[LiveHorse, ...], "/tracking/horses", {"stream_id": stream_id})

    def horse(self, horse_id: UUID) -> HorseTracking:
        """History and appearance of a horse."""
        return self._api.get(HorseTracking, f"/tracking/horses/{horse_id}")

    def threshold(self, farm_id: UUID | None = None) -> Threshold:
        """The similarity from which a track is taken for a known horse."""
        return self._api.get(Threshold, "/tracking/threshold", {"farm_id": farm_id})

    def set_threshold(self, threshold: float | None, farm_id: UUID | None = None) -> Threshold:
        """Set it, 0..1; None goes back to the model's own."""
        body = {"threshold": threshold}
        return self._api.send(Threshold, "POST", "/tracking/threshold", body, {"farm_id": farm_id})

    def merge(
        self,
        kept: UUID,
        absorbed: UUID,
        fields: Profile | None = None,
        reason: str = "",
        expected: Versions | None = None,
        dry_run: bool = False,
    ) -> Correction:
        """Two records are one horse; ``fields`` settle what both have."""
        body = correction(reason, expected, dry_run, kept=kept, absorbed=absorbed, fields=fields)
        return self._correct("merge", body)

    def split(
        self,
        horse_id: UUID,
        at: datetime,
        scope: Scope,
        track_id: UUID | None = None,
        stream_id: UUID | None = None,
        into: UUID | None = None,
        reason: str = "",
        expected: Versions | None = None,
        dry_run: bool = False,
    ) -> Correction:
        """From ``at`` on a record is another horse: ``into``, or a new one."""
        body = correction(
            reason,
            expected,
            dry_run,
            horse_id=horse_id,
            at=at,
            scope=scope,
            track_id=track_id,
            stream_id=stream_id,
            into=into,
        )
        return self._correct("split", body)

    def swap(
        self,
        first: UUID,
        second: UUID,
        at: datetime,
        stream_id: UUID | None = None,
        reason: str = "",
        expected: Versions | None = None,
        dry_run: bool = False,
    ) -> Correction:
        """Two horses were mistaken for each other from ``at`` on."""
        body = correction(
            reason, expected, dry_run, first=first, second=second, at=at, stream_id=stream_id
        )
        return self._correct("swap", body)

    def reassign(
        self,
        track_id: UUID,
        horse_id: UUID | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        reason: str = "",
        expected: Versions | None = None,
        dry_run: bool = False,
    ) -> Correction:
        """A track is that horse, or a new one, between two instants."""
        body = correction(
            reason, expected, dry_run, track_id=track_id, horse_id=horse_id, start=start, end=end
        )
        return self._correct("reassign", body)

    def reject(
        self,
        track_id: UUID,
        horse_id: UUID,
        reason: str = "",
        expected: Versions | None = None,
        dry_run: bool = False,
    ) -> Correction:
        """A track is not that horse; the pair is remembered."""
        body = correction(reason, expected, dry_run, track_id=track_id, horse_id=horse_id)
        return self._correct("reject", body)

    def undo(self, command_id: UUID) -> Correction:
        """Put everything back as it was before a correction."""
        return self._correct("undo", {"command_id": command_id})

    def redo(self, command_id: UUID) -> Correction:
        """Do an undone correction again."""
        return self._correct("redo", {"command_id": command_id})

    def commands(
        self, farm_id: UUID | None = None, horse_id: UUID | None = None, limit: int = 100
    ) -> Iterator[Command]:
        """The corrections, newest first; ``limit`` a page."""
        query = {"farm_id": farm_id, "horse_id": horse_id, "limit": limit}
        return self._api.pages(Command, "/tracking/commands", query)

    def stats(self, farm_id: UUID | None = None) -> TrackingStats:
        """How identification is doing."""
        return self._api.get(TrackingStats, "/tracking/stats", {"farm_id": farm_id})

    def reviews(self, farm_id: UUID | None = None, limit: int = 50) -> Iterator[Review]:
        """What the engine is not sure of."""
        return self._api.pages(Review, "/tracking/reviews", {"farm_id": farm_id, "limit": limit})

    def decide(self, review_id: UUID, verdict: Literal["same", "different", "later"]) -> Verdict:
        """Answer a question."""
        path = f"/tracking/reviews/{review_id}"
        return self._api.send(Verdict, "POST", path, {"verdict": verdict})

    def _correct(self, act: str, body: dict[str, Any]) -> Correction:
        return self._api.send(Correction, "POST", f"/tracking/{act}", body)

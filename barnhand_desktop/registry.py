"""The registry between store, engine and console: changes come in, corrections are told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from db.live.announcer import Announcer
from engine.domain.identity import (
    CommandId,
    CommandRecord,
    Correction,
    Effect,
    RegistrySnapshot,
    Review,
    ReviewId,
    Verdict,
)
from engine.domain.ids import FarmId, HorseId
from engine.domain.ports import IdentityRepository

log = logging.getLogger(__name__)


class RegistryRelay:
    """Hands each snapshot of the feed to the engine, the live state and the console's listeners.

    Called on the feed's thread; ``subscribe`` from any.
    """

    def __init__(self, *receivers: Callable[[RegistrySnapshot], None]) -> None:
        self._receivers = receivers
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change of the registry by anybody."""
        with self._lock:
            self._listeners.append(listener)

    def __call__(self, snapshot: RegistrySnapshot) -> None:
        """Pass one snapshot on; a failing receiver does not keep it from the others."""
        with self._lock:
            listeners = tuple(self._listeners)
        for receiver in self._receivers:
            try:
                receiver(snapshot)
            except Exception:  # worker loop of the feed
                log.exception("a receiver of the registry failed")
        for listener in listeners:
            try:
                listener()
            except Exception:  # worker loop of the feed
                log.exception("a listener of the registry failed")


class AnnouncedIdentity:
    """An IdentityRepository whose corrections are told to every console and client at once."""

    def __init__(self, repository: IdentityRepository, announcer: Announcer) -> None:
        self._repository = repository
        self._announcer = announcer

    def preview(self, correction: Correction) -> Effect:
        """See the port."""
        return self._repository.preview(correction)

    def apply(
        self,
        correction: Correction,
        actor: str,
        reason: str = "",
        expected: Mapping[HorseId, int] | None = None,
    ) -> CommandRecord:
        """See the port."""
        record = self._repository.apply(correction, actor, reason, expected)
        self._announcer.corrected(record, "applied")
        return record

    def undo(self, command_id: CommandId, actor: str) -> CommandRecord:
        """See the port."""
        record = self._repository.undo(command_id, actor)
        self._announcer.corrected(record, "undone")
        return record

    def redo(self, command_id: CommandId, actor: str) -> CommandRecord:
        """See the port."""
        record = self._repository.redo(command_id, actor)
        self._announcer.corrected(record, "redone")
        return record

    def history(
        self,
        farm_id: FarmId | None = None,
        horse_id: HorseId | None = None,
        limit: int = 100,
        before: CommandId | None = None,
    ) -> Sequence[CommandRecord]:
        """See the port."""
        return self._repository.history(farm_id, horse_id, limit, before)

    def reviews(self, farm_id: FarmId | None = None, limit: int = 50) -> Sequence[Review]:
        """See the port."""
        return self._repository.reviews(farm_id, limit)

    def decide(self, review_id: ReviewId, verdict: Verdict, actor: str) -> CommandRecord | None:
        """See the port."""
        record = self._repository.decide(review_id, verdict, actor)
        if record is not None:
            self._announcer.corrected(record, "applied")
        return record

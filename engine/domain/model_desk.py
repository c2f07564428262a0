"""Registered models as a person at the console keeps them: taken in from a file, chosen for the
cameras, removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.domain.ids import StreamId
from engine.domain.models import Activation, RegisteredId, RegisteredModel

UploadProgress = Callable[[float, str], None]
"""Told the share done, from 0 to 1, and what is being done."""


@dataclass(frozen=True, slots=True)
class RegisteredModels:
    """What is registered and how it is used. ``choices`` as they were made; ``cameras``: the names
    of the cameras that have them."""

    models: Sequence[RegisteredModel]
    choices: Sequence[Activation]
    cameras: Mapping[StreamId, str]

    def for_all(self, model: RegisteredModel) -> bool:
        """True if it is the choice for every camera that has no other."""
        return any(c.model_id == model.id and c.stream_id is None for c in self.choices)

    def used_by(self, model: RegisteredModel) -> tuple[str, ...]:
        """Names of the cameras that it was chosen for, one by one."""
        chosen = [c.stream_id for c in self.choices if c.model_id == model.id]
        return tuple(sorted(self.cameras.get(one, "…") for one in chosen if one is not None))


class ModelDesk(Protocol):
    """Every method may block: call it on a worker. What is done is written to the audit trail under
    the name of whoever sits at this machine. All raise StoreUnavailable."""

    def look(self) -> RegisteredModels:
        """What is registered now."""
        ...

    def described(self, path: Path) -> Mapping[str, object] | None:
        """What a manifest beside the file says of it (``barnhand train`` writes one), as the fields
        of a description; None where none does. Raises OperatorMistake for a file that cannot be
        read or a manifest that is wrong."""
        ...

    def take_in(
        self,
        path: Path,
        description: Mapping[str, object],
        progress: UploadProgress,
        cancelled: Callable[[], bool],
    ) -> RegisteredModel | None:
        """Inspect a file in a confined process and register it; None when it was cancelled, which
        leaves nothing behind.

        Raises OperatorMistake with the reason of a refusal, Conflict for a name and version that
        are taken.
        """
        ...

    def remove(self, model_id: RegisteredId) -> None:
        """Remove it. Raises NotFound; Conflict naming the cameras that use it."""
        ...

    def use_everywhere(self, model_id: RegisteredId) -> None:
        """Choose it for every camera of this farm. Raises NotFound; OperatorMistake for one that
        cannot be chosen."""
        ...

    def use_own(self, model_id: RegisteredId) -> None:
        """Take the workstation's own model again wherever this one is used. Raises NotFound."""
        ...

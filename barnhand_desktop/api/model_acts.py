"""What administrators do with registered models, from the API and from the console alike, each with
its row in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from barnhand_desktop.api.audit import Actor, AuditTrail
from barnhand_desktop.api.model_desk import ModelDesk, never
from barnhand_desktop.api.model_uploads import Received
from barnhand_desktop.model_inspection.verdict import ModelRefused
from engine.domain.ids import FarmId
from engine.domain.models import RegisteredModel


@dataclass(frozen=True, slots=True)
class ModelActs:
    """The acts; ``address`` is where the actor is."""

    desk: ModelDesk
    audit: AuditTrail

    def take_in(
        self,
        actor: Actor,
        address: str,
        upload: Received,
        farm_id: FarmId | None,
        cancelled: Callable[[], bool] = never,
    ) -> RegisteredModel:
        """Inspect and store an upload; a refusal is noted, too. See ``ModelDesk.take_in``."""
        said = upload.description
        details = {"model": f"{said.name}@{said.version}", "sha256": upload.sha256}
        try:
            model = self.desk.take_in(upload, actor.username, farm_id, cancelled)
        except ModelRefused as error:
            refusal = {**details, "code": error.code}
            self.audit.record(actor, "model.refuse", "model", None, address, refusal)
            raise
        self.audit.record(actor, "model.upload", "model", model.id, address, details)
        return model

    def remove(self, actor: Actor, address: str, model: RegisteredModel) -> None:
        """Remove a model that no stream uses. Raises NotFound, Conflict."""
        self.desk.registry.remove(model.id)
        self.note(actor, address, "model.remove", model, {})

    def note(
        self,
        actor: Actor,
        address: str,
        action: str,
        model: RegisteredModel,
        details: Mapping[str, object],
    ) -> None:
        """The row of a change to a model or its use."""
        named = {"model": model.model_id, **details}
        self.audit.record(actor, action, "model", model.id, address, named)

"""Registered models, uploads, and which stream uses which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from ..answers import Model, ModelUsed
from ..connection import given
from .base import Subject


class Models(Subject):
    """Models::

    model = barn.models.upload({"name": "yard", "version": "1", ...}, "yard.onnx")
    barn.models.activate(model.id, stream_id=stream.id)
    """

    def list(self, farm_id: UUID | None = None, task: str | None = None) -> Iterator[Model]:
        """The product's models and the uploaded ones."""
        return self._api.pages(Model, "/models", {"farm_id": farm_id, "task": task})

    def get(self, model_id: UUID) -> Model:
        """One model."""
        return self._api.get(Model, f"/models/{model_id}")

    def upload(self, description: Mapping[str, Any], file: Path | str) -> Model:
        """Register an ONNX or safetensors file; Invalid with a ``model_...`` code says what is
        wrong with it. ``description`` is as in a manifest entry."""
        return self._api.upload(Model, "/models", description, file)

    def remove(self, model_id: UUID) -> None:
        """Remove a registered model that no stream uses."""
        self._api.do("DELETE", f"/models/{model_id}")

    def activate(
        self, model_id: UUID, stream_id: UUID | None = None, farm_id: UUID | None = None
    ) -> ModelUsed:
        """Use it at one stream, or at all of the farm."""
        body = given(stream_id=stream_id, farm_id=farm_id)
        return self._api.send(ModelUsed, "POST", f"/models/{model_id}/activate", body)

    def deactivate(
        self, model_id: UUID, stream_id: UUID | None = None, farm_id: UUID | None = None
    ) -> ModelUsed:
        """Take the workstation's own model again, there or everywhere."""
        body = given(stream_id=stream_id, farm_id=farm_id)
        return self._api.send(ModelUsed, "POST", f"/models/{model_id}/deactivate", body)

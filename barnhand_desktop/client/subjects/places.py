"""Farms, the places in them, and whether the server can serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from ..answers import Area, Farm, Health, Readiness
from ..connection import given
from .base import Subject

Kind = Literal["barn", "stall", "aisle", "paddock", "arena", "other"]
Region = Sequence[tuple[float, float]]
"""A polygon in shares of the camera's picture, x right and y down."""


class Farms(Subject):
    """Farms: ``[farm.name for farm in barn.farms.list()]``."""

    def list(self) -> tuple[Farm, ...]:
        """The farms that the caller sees."""
        return self._api.get(tuple[Farm, ...], "/farms")

    def get(self, farm_id: UUID) -> Farm:
        """One farm."""
        return self._api.get(Farm, f"/farms/{farm_id}")

    def add(self, name: str) -> Farm:
        """Make a farm."""
        return self._api.send(Farm, "POST", "/farms", {"name": name})

    def change(self, farm_id: UUID, name: str, expected_residents: int | None = None) -> Farm:
        """Rename it, and say how many horses live there (None: nobody knows)."""
        body = {"name": name, "expected_residents": expected_residents}
        return self._api.send(Farm, "PUT", f"/farms/{farm_id}", body)

    def remove(self, farm_id: UUID) -> None:
        """Remove an empty farm."""
        self._api.do("DELETE", f"/farms/{farm_id}")


class Areas(Subject):
    """Barns, stalls and paddocks: ``barn.areas.add("Box 3", "stall", expected=horse.id)``."""

    def list(self, farm_id: UUID | None = None) -> tuple[Area, ...]:
        """The places by name."""
        return self._api.get(tuple[Area, ...], "/areas", {"farm_id": farm_id})

    def get(self, area_id: UUID) -> Area:
        """One place."""
        return self._api.get(Area, f"/areas/{area_id}")

    def add(
        self,
        name: str,
        kind: Kind,
        stream_id: UUID | None = None,
        region: Region | None = None,
        expected: UUID | None = None,
        farm_id: UUID | None = None,
    ) -> Area:
        """Make a place; ``expected`` is the horse that lives there."""
        body = given(
            name=name,
            kind=kind,
            stream_id=stream_id,
            region=region,
            expected=expected,
            farm_id=farm_id,
        )
        return self._api.send(Area, "POST", "/areas", body)

    def change(
        self,
        area_id: UUID,
        name: str,
        kind: Kind,
        version: int,
        stream_id: UUID | None = None,
        region: Region | None = None,
        expected: UUID | None = None,
    ) -> Area:
        """A place as it shall be; ``version`` is the one that was read."""
        body = given(
            name=name,
            kind=kind,
            version=version,
            stream_id=stream_id,
            region=region,
            expected=expected,
        )
        return self._api.send(Area, "PUT", f"/areas/{area_id}", body)

    def remove(self, area_id: UUID) -> None:
        """Remove a place; horses and cameras stay."""
        self._api.do("DELETE", f"/areas/{area_id}")


class Operation(Subject):
    """The server itself: ``barn.operation.healthz().version``. Nothing here is tried again."""

    def healthz(self) -> Health:
        """The process answers."""
        answer = self._api.request("GET", "/healthz", patient=False)
        return Health.model_validate_json(answer.content)

    def readyz(self) -> Readiness:
        """It can serve; Unavailable with ``not_ready`` when it cannot."""
        answer = self._api.request("GET", "/readyz", patient=False)
        return Readiness.model_validate_json(answer.content)

    def metrics(self) -> str:
        """Figures in the Prometheus text format."""
        return self._api.text("/metrics")

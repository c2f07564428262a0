"""The farm every installation starts with."""

from __future__ import annotations

from uuid import UUID

from engine.domain.ids import FarmId

DEFAULT_FARM = FarmId(UUID("00000000-0000-4000-8000-000000000001"))
"""Made by the first migration; what belongs to no named farm belongs to it."""

"""The registry: who the horses are, where they were and how they moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypedDict
from uuid import UUID

from ..answers import (
    Correction,
    DayOfHorse,
    Horse,
    HorseAsymmetry,
    HorseDetail,
    HorseMetrics,
    HourOfHorse,
    SimilarHorse,
    Stride,
    TimeBudget,
    Timeline,
)
from .base import Subject

HorseStatus = Literal["active", "guest", "merged", "archived"]


class Profile(TypedDict, total=False):
    """Profile values to set; what is left out stays, None clears."""

    name: str | None
    breed: str | None
    sex: str | None
    birth_year: int | None
    height_cm: int | None
    colour: str | None
    markings: str | None
    stall: str | None


def correction(
    reason: str, expected: Mapping[UUID, int] | None, dry_run: bool, **values: Any
) -> dict[str, Any]:
    """The body of a correction; None among ``values`` is left out."""
    sent = {"reason": reason, "dry_run": dry_run, "expected": expected, **values}
    return {name: value for name, value in sent.items() if value is not None}


class Horses(Subject):
    """The registry::

    horse = next(barn.horses.list(q="Bella"))
    print(barn.horses.time_budget(horse.id).budgets[0].actions_s)
    """

    def list(
        self,
        farm_id: UUID | None = None,
        status: HorseStatus | None = None,
        seen_since: datetime | None = None,
        q: str | None = None,
        limit: int = 100,
    ) -> Iterator[Horse]:
        """Horses by name; ``q`` is part of it, ``limit`` a page."""
        query = {
            "farm_id": farm_id,
            "status": status,
            "seen_since": seen_since,
            "q": q,
            "limit": limit,
        }
        return self._api.pages(Horse, "/horses", query)

    def get(self, horse_id: UUID) -> HorseDetail:
        """One horse with its profile."""
        return self._api.get(HorseDetail, f"/horses/{horse_id}")

    def change(
        self,
        horse_id: UUID,
        changes: Profile,
        reason: str = "",
        expected: Mapping[UUID, int] | None = None,
        dry_run: bool = False,
    ) -> Correction:
        """Change its profile: a correction, which can be undone."""
        body = correction(reason, expected, dry_run, changes=changes)
        return self._api.send(Correction, "PATCH", f"/horses/{horse_id}", body)

    def accept(
        self,
        horse_id: UUID,
        resident: bool = True,
        reason: str = "",
        expected: Mapping[UUID, int] | None = None,
        dry_run: bool = False,
    ) -> Correction:
        """Make a guest a resident, or a resident a guest again."""
        body = correction(reason, expected, dry_run, resident=resident)
        return self._api.send(Correction, "POST", f"/horses/{horse_id}/accept", body)

    def avatar(self, horse_id: UUID) -> bytes:
        """Its picture as JPEG."""
        return self._api.content(f"/horses/{horse_id}/avatar")

    def choose_avatar(self, horse_id: UUID, picture: Path | str) -> None:
        """Take a JPEG or PNG of at most 1 MB for its picture."""
        data = Path(picture).read_bytes()
        kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
        path = f"/horses/{horse_id}/avatar"
        self._api.request("PUT", path, body=data, headers={"Content-Type": kind})

    def forget_avatar(self, horse_id: UUID) -> None:
        """Let the engine choose its picture again."""
        self._api.do("DELETE", f"/horses/{horse_id}/avatar")

    def similar(self, horse_id: UUID, limit: int = 5) -> tuple[SimilarHorse, ...]:
        """Horses that look like it, the likest first."""
        return self._api.get(
            tuple[SimilarHorse, ...], f"/horses/{horse_id}/similar", {"limit": limit}
        )

    def timeline(
        self,
        horse_id: UUID,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        stream_id: UUID | None = None,
        limit: int = 500,
    ) -> Timeline:
        """Where it was and what it did."""
        query = {
            "start_time": start_time,
            "end_time": end_time,
            "stream_id": stream_id,
            "limit": limit,
        }
        return self._api.get(Timeline, f"/horses/{horse_id}/timeline", query)

    def metrics(
        self,
        horse_id: UUID,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        names: Sequence[str] | None = None,
        points: int = 1000,
    ) -> HorseMetrics:
        """Figures over time, at most ``points`` of each; no ``names``: all."""
        query = {
            "start_time": start_time,
            "end_time": end_time,
            "names": None if names is None else ",".join(names),
            "points": points,
        }
        return self._api.get(HorseMetrics, f"/horses/{horse_id}/metrics", query)

    def time_budget(
        self,
        horse_id: UUID,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        step_s: float = 86_400.0,
    ) -> TimeBudget:
        """How long it did what, in steps of ``step_s``."""
        query = {"start_time": start_time, "end_time": end_time, "step_s": step_s}
        return self._api.get(TimeBudget, f"/horses/{horse_id}/time-budget", query)

    def strides(
        self,
        horse_id: UUID,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        gait: Sequence[str] | None = None,
        straight: bool = False,
        limit: int = 500,
    ) -> Iterator[Stride]:
        """Every stride of a stretch of time; ``limit`` a page."""
        query = {
            "start_time": start_time,
            "end_time": end_time,
            "gait": gait,
            "straight": straight,
            "limit": limit,
        }
        return self._api.pages(Stride, f"/horses/{horse_id}/strides", query)

    def asymmetry(
        self,
        horse_id: UUID,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
    ) -> HorseAsymmetry:
        """How evenly it trots, and the trend; ``refusal`` says why there is no figure."""
        query = {"start_time": start_time, "end_time": end_time}
        return self._api.get(HorseAsymmetry, f"/horses/{horse_id}/asymmetry", query)


class Analytics(Subject):
    """What the herd did: ``barn.analytics.presence(start_time=last_week)``."""

    def hourly_activity(
        self,
        farm_id: UUID | None = None,
        horse_id: UUID | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
    ) -> tuple[HourOfHorse, ...]:
        """What horses did in each hour."""
        query = _stretch(farm_id, horse_id, start_time, end_time)
        return self._api.get(tuple[HourOfHorse, ...], "/analytics/hourly-activity", query)

    def presence(
        self,
        farm_id: UUID | None = None,
        horse_id: UUID | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
    ) -> tuple[DayOfHorse, ...]:
        """How long horses were seen on each UTC day."""
        query = _stretch(farm_id, horse_id, start_time, end_time)
        return self._api.get(tuple[DayOfHorse, ...], "/analytics/presence", query)


def _stretch(
    farm_id: UUID | None,
    horse_id: UUID | None,
    start_time: datetime | None,
    end_time: datetime | None,
) -> dict[str, Any]:
    return {
        "farm_id": farm_id,
        "horse_id": horse_id,
        "start_time": start_time,
        "end_time": end_time,
    }

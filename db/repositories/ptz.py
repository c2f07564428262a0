"""What steered cameras know (port PtzRepository): presets, tours, plans of barn scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import NotFound
from engine.domain.ids import StreamId
from engine.domain.ptz import Preset, ScanPlan, Schedule, Tour, TourStep


class PostgresPtzRepository:
    """Presets, tours and scan plans in PostgreSQL."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("ptz")

    def presets(self, stream_id: StreamId | None = None) -> Mapping[StreamId, Sequence[Preset]]:
        """Presets by camera, each camera's by number."""
        found: dict[StreamId, list[Preset]] = {}
        for row in self._rows("presets", "reading presets", {"stream_id": stream_id}):
            picture = None if row["thumbnail"] is None else bytes(row["thumbnail"])
            preset = Preset(row["number"], row["name"], picture, row["set_at"])
            found.setdefault(StreamId(row["stream_id"]), []).append(preset)
        return found

    def save_preset(self, stream_id: StreamId, preset: Preset) -> None:
        """Store or replace one preset. Raises NotFound for a camera that is gone."""
        given = {
            "stream_id": stream_id,
            "number": preset.number,
            "name": preset.name,
            "thumbnail": preset.thumbnail,
            "set_at": preset.set_at,
        }
        self._write("save_preset", "storing a preset", given)

    def tours(self, stream_id: StreamId | None = None) -> Sequence[Tour]:
        """Tours of a camera, or of all, by name."""
        return tuple(
            Tour(
                row["id"],
                StreamId(row["stream_id"]),
                row["name"],
                tuple(TourStep(int(preset), float(dwell)) for preset, dwell in row["steps"]),
                _schedule(row["schedule"]),
            )
            for row in self._rows("tours", "reading tours", {"stream_id": stream_id})
        )

    def save_tour(self, tour: Tour) -> None:
        """Store a tour or replace the one of its id. Raises NotFound for a camera that is gone
        and for a tour of another camera."""
        given = {
            "id": tour.id,
            "stream_id": tour.stream_id,
            "name": tour.name,
            "steps": Jsonb([[step.preset, step.dwell_s] for step in tour.steps]),
            "schedule": _schedule_json(tour.schedule),
        }
        if not self._write("save_tour", "storing a tour", given):
            raise NotFound("That camera has no such tour.")

    def remove_tour(self, tour_id: UUID) -> None:
        """Forget a tour. Raises NotFound."""
        if not self._write("remove_tour", "removing a tour", {"id": tour_id}):
            raise NotFound("There is no such tour.")

    def scan_plans(self, stream_id: StreamId | None = None) -> Sequence[ScanPlan]:
        """The plan of a camera, or of all that have one."""
        return tuple(
            ScanPlan(
                StreamId(row["stream_id"]),
                tuple(row["presets"]),
                row["settle_s"],
                row["record_s"],
                _schedule(row["schedule"]),
            )
            for row in self._rows("scan_plans", "reading scan plans", {"stream_id": stream_id})
        )

    def save_scan_plan(self, plan: ScanPlan) -> None:
        """Store or replace a camera's plan. Raises NotFound for a camera that is gone."""
        given = {
            "stream_id": plan.stream_id,
            "presets": list(plan.presets),
            "settle_s": plan.settle_s,
            "record_s": plan.record_s,
            "schedule": _schedule_json(plan.schedule),
        }
        self._write("save_scan_plan", "storing a scan plan", given)

    def _rows(self, name: str, doing: str, given: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        with transaction(self._pool, doing) as connection:
            return (
                connection.cursor(row_factory=dict_row).execute(self._sql[name], given).fetchall()
            )

    def _write(self, name: str, doing: str, given: Mapping[str, Any]) -> bool:
        """Run a statement; True if it touched a row."""
        with transaction(self._pool, doing) as connection:
            return connection.execute(self._sql[name], given).rowcount > 0


def schedule_values(schedule: Schedule | None) -> dict[str, Any] | None:
    """A schedule as plain JSON values, None for none."""
    if schedule is None:
        return None
    return {
        "weekdays": sorted(schedule.weekdays),
        "start": schedule.start.isoformat(),
        "end": schedule.end.isoformat(),
        "every_min": schedule.every_min,
    }


def _schedule_json(schedule: Schedule | None) -> Jsonb | None:
    values = schedule_values(schedule)
    return None if values is None else Jsonb(values)


def _schedule(stored: Mapping[str, Any] | None) -> Schedule | None:
    if stored is None:
        return None
    return Schedule(
        frozenset(stored["weekdays"]),
        time.fromisoformat(stored["start"]),
        time.fromisoformat(stored["end"]),
        stored["every_min"],
    )

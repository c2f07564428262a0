"""Background work and exports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, TypedDict, Unpack
from uuid import UUID

from ..answers import Job
from ..connection import given
from ..errors import JobEnded, WaitedTooLong
from .base import Subject

JobKind = Literal["reanalyse", "reprocess", "export", "session"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
ExportKind = Literal["clip", "csv", "parquet", "json", "packet"]
Table = Literal["detections", "bouts", "strides", "metrics", "alerts"]

_OVER = frozenset({"done", "failed", "cancelled"})


class ExportOptions(TypedDict, total=False):
    """What can be left out of an export: ``tables`` for CSV, Parquet and JSON, ``overlays`` for
    clips; a packet needs ``horse_id``."""

    stream_ids: Sequence[UUID]
    horse_id: UUID
    overlays: bool
    tables: Sequence[Table]
    file_name: str
    farm_id: UUID


class Jobs(Subject):
    """Background work: ``barn.jobs.wait(job.id, within_s=600)``."""

    def list(
        self,
        farm_id: UUID | None = None,
        active_only: bool = False,
        kind: Sequence[JobKind] | None = None,
        state: Sequence[JobState] | None = None,
        limit: int = 100,
    ) -> Iterator[Job]:
        """Newest first."""
        query = {
            "farm_id": farm_id,
            "active_only": active_only,
            "kind": kind,
            "state": state,
            "limit": limit,
        }
        return self._api.pages(Job, "/jobs", query)

    def get(self, job_id: UUID) -> Job:
        """How far it is."""
        return self._api.get(Job, f"/jobs/{job_id}")

    def cancel(self, job_id: UUID) -> Job:
        """Ask for its end."""
        return self._api.send(Job, "POST", f"/jobs/{job_id}/cancel")

    def wait(
        self,
        job_id: UUID,
        within_s: float = 600.0,
        every_s: float = 1.0,
        told: Callable[[Job], object] = lambda job: None,
    ) -> Job:
        """The job once it is done. ``told`` hears of every look at it. JobEnded when it failed or
        was cancelled, WaitedTooLong when it is not over in time (it goes on)."""
        ends_s = time.monotonic() + within_s
        while True:
            job = self.get(job_id)
            told(job)
            if job.state == "done":
                return job
            if job.state in _OVER:
                raise JobEnded(job.state, job.message)
            if time.monotonic() + every_s > ends_s:
                raise WaitedTooLong(f"The work is still {job.state} after {within_s:.0f} s.")
            time.sleep(every_s)


class Exports(Subject):
    """Clips, tables and the vet's packet::

    job = barn.exports.add("csv", start, end, tables=["bouts"])
    barn.jobs.wait(job.id)
    barn.exports.download(job.id, "bouts.csv")
    """

    def list(self, farm_id: UUID | None = None, limit: int = 100) -> Iterator[Job]:
        """Exports, newest first."""
        return self._api.pages(Job, "/exports", {"farm_id": farm_id, "limit": limit})

    def get(self, export_id: UUID) -> Job:
        """How far it is."""
        return self._api.get(Job, f"/exports/{export_id}")

    def add(
        self,
        kind: ExportKind,
        start_time: datetime,
        end_time: datetime,
        **options: Unpack[ExportOptions],
    ) -> Job:
        """Make a file of a stretch of time, in the background."""
        body = given(kind=kind, start_time=start_time, end_time=end_time, **options)
        return self._api.send(Job, "POST", "/exports", body)

    def download(self, export_id: UUID, into: Path | str) -> Path:
        """Bring the file here."""
        return self._api.download(f"/exports/{export_id}/download", into)

    def remove(self, export_id: UUID) -> None:
        """Remove the file."""
        self._api.do("DELETE", f"/exports/{export_id}")

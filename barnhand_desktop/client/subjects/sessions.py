"""Sessions: recorded work and its analysis; the training calendar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, TypedDict, Unpack
from uuid import UUID

from ..answers import (
    CalendarEntry,
    Comparison,
    HeatMaps,
    Session,
    SessionMetrics,
    SessionStopped,
    SessionStrides,
)
from ..connection import given
from .base import Subject

Kind = Literal[
    "training", "lunging", "trot_up", "lesson", "competition", "rehabilitation", "free", "other"
]
Mode = Literal["training", "highlights", "preview"]
State = Literal["open", "queued", "running", "done", "failed", "cancelled"]


class SessionAbout(TypedDict, total=False):
    """What can be left out of a session. No ``horse_id``: the horse that is seen most."""

    kind: Kind
    horse_id: UUID
    note: str
    farm_id: UUID


class UploadAbout(SessionAbout, total=False):
    """Of an uploaded video also: when it was taken, by which camera, how closely to look."""

    mode: Mode
    recorded_at: datetime
    stream_id: UUID


class SessionChanges(TypedDict, total=False):
    """What is to change; what is left out stays. ``horse_id`` None: the horse seen most."""

    title: str
    kind: Kind
    mode: Mode
    horse_id: UUID | None
    note: str
    locked: bool


class Sessions(Subject):
    """Recorded work::

    session = barn.sessions.upload("Lunging", "lunging.mp4", horse_id=bella.id)
    barn.jobs.wait(session.job_id)
    for figure in barn.sessions.metrics(session.id).metrics:
        print(figure.name, figure.value, figure.unit)
    """

    def list(
        self,
        farm_id: UUID | None = None,
        horse_id: UUID | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        state: State | None = None,
        limit: int = 100,
    ) -> Iterator[Session]:
        """Newest first; ``limit`` a page."""
        query = {
            "farm_id": farm_id,
            "horse_id": horse_id,
            "start_time": start_time,
            "end_time": end_time,
            "state": state,
            "limit": limit,
        }
        return self._api.pages(Session, "/sessions", query)

    def get(self, session_id: UUID) -> Session:
        """One session."""
        return self._api.get(Session, f"/sessions/{session_id}")

    def stretch(
        self,
        title: str,
        stream_ids: Sequence[UUID],
        start_time: datetime,
        end_time: datetime,
        **about: Unpack[SessionAbout],
    ) -> Session:
        """A session of what cameras recorded."""
        body = given(
            source="stretch",
            title=title,
            stream_ids=stream_ids,
            start_time=start_time,
            end_time=end_time,
            **about,
        )
        return self._api.send(Session, "POST", "/sessions", body)

    def live(
        self, title: str, stream_ids: Sequence[UUID], **about: Unpack[SessionAbout]
    ) -> Session:
        """A session that begins now; it needs ``horse_id``, and ``stop`` ends it."""
        body = given(source="live", title=title, stream_ids=stream_ids, **about)
        return self._api.send(Session, "POST", "/sessions", body)

    def upload(self, title: str, video: Path | str, **about: Unpack[UploadAbout]) -> Session:
        """A session of a video file; it is read while it is sent."""
        return self._api.upload(Session, "/sessions/upload", given(title=title, **about), video)

    def change(self, session_id: UUID, version: int, **changes: Unpack[SessionChanges]) -> Session:
        """Change it; ``version`` is the one that was read."""
        body = {"version": version, **changes}
        return self._api.send(Session, "PATCH", f"/sessions/{session_id}", body)

    def remove(self, session_id: UUID) -> None:
        """Remove it with its files."""
        self._api.do("DELETE", f"/sessions/{session_id}")

    def stop(self, session_id: UUID) -> SessionStopped:
        """End a live session."""
        return self._api.send(SessionStopped, "POST", f"/sessions/{session_id}/stop")

    def analyse(self, session_id: UUID) -> Session:
        """Analyse it again."""
        return self._api.send(Session, "POST", f"/sessions/{session_id}/analyse")

    def metrics(self, session_id: UUID) -> SessionMetrics:
        """What was found."""
        return self._api.get(SessionMetrics, f"/sessions/{session_id}/metrics")

    def strides(self, session_id: UUID, limit: int = 10_000) -> SessionStrides:
        """The stride table."""
        return self._api.get(SessionStrides, f"/sessions/{session_id}/strides", {"limit": limit})

    def heat_map(self, session_id: UUID) -> HeatMaps:
        """Where the horse was."""
        return self._api.get(HeatMaps, f"/sessions/{session_id}/heat-map")

    def compare(self, a: UUID, b: UUID) -> Comparison:
        """Two sessions side by side."""
        return self._api.get(Comparison, "/sessions/compare", {"a": a, "b": b})

    def report(self, session_id: UUID, into: Path | str) -> Path:
        """Download the PDF."""
        return self._api.download(f"/sessions/{session_id}/report", into)

    def video(self, session_id: UUID, into: Path | str) -> Path:
        """Download the uploaded video."""
        return self._api.download(f"/sessions/{session_id}/video", into)


class EntryAbout(TypedDict, total=False):
    """What can be left out of a calendar entry. No ``horse_id``: all horses."""

    kind: Kind
    horse_id: UUID
    whole_day: bool
    note: str
    done: bool
    session_id: UUID


class Calendar(Subject):
    """Appointments: ``barn.calendar.add("Farrier", start, end, whole_day=True)``."""

    def list(
        self,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        horse_id: UUID | None = None,
        farm_id: UUID | None = None,
        limit: int = 500,
    ) -> Iterator[CalendarEntry]:
        """Entries that touch a stretch of time."""
        query = {
            "start_time": start_time,
            "end_time": end_time,
            "horse_id": horse_id,
            "farm_id": farm_id,
            "limit": limit,
        }
        return self._api.pages(CalendarEntry, "/calendar", query)

    def get(self, entry_id: UUID) -> CalendarEntry:
        """One entry."""
        return self._api.get(CalendarEntry, f"/calendar/{entry_id}")

    def add(
        self,
        title: str,
        start_time: datetime,
        end_time: datetime,
        farm_id: UUID | None = None,
        **about: Unpack[EntryAbout],
    ) -> CalendarEntry:
        """Make an entry."""
        body = given(
            title=title, start_time=start_time, end_time=end_time, farm_id=farm_id, **about
        )
        return self._api.send(CalendarEntry, "POST", "/calendar", body)

    def change(
        self,
        entry_id: UUID,
        title: str,
        start_time: datetime,
        end_time: datetime,
        version: int,
        **about: Unpack[EntryAbout],
    ) -> CalendarEntry:
        """An entry as it shall be; ``version`` is the one that was read."""
        body = given(
            title=title, start_time=start_time, end_time=end_time, version=version, **about
        )
        return self._api.send(CalendarEntry, "PUT", f"/calendar/{entry_id}", body)

    def remove(self, entry_id: UUID) -> None:
        """Remove an entry."""
        self._api.do("DELETE", f"/calendar/{entry_id}")

    def export(
        self,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        horse_id: UUID | None = None,
        farm_id: UUID | None = None,
    ) -> str:
        """The entries as iCalendar text."""
        query = {
            "start_time": start_time,
            "end_time": end_time,
            "horse_id": horse_id,
            "farm_id": farm_id,
        }
        return self._api.text("/calendar/export.ics", query)

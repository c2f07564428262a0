"""Why a camera shows nothing at an instant: it is offline now, it gave no pictures then, or they
were not recorded."""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import UTC, datetime

from PySide6.QtCore import QObject

from engine.domain.behaviour import LaneKind, TimelineRuns
from engine.domain.ids import StreamId
from engine.domain.streams import StreamHealth, StreamState
from ui.requests import RequestRunner
from ui.review.frames import Absence
from ui.services import ConsoleServices
from ui.timeline.cursor import TimeCursor, instant
from ui.wording import offline_lines

NEARLY_NOW_S = 120.0
"""So near to now the camera's own state says why there is no picture."""
AROUND_US = 60_000_000
KEPT = 64
LOOK_S = 1.0

Key = tuple[StreamId, int]


class AbsenceReasons(QObject):
    """Asks the store once for each stretch without recordings; says nothing until it knows."""

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        head: TimeCursor,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._services, self._requests, self._head = services, requests, head
        self._health: dict[StreamId, StreamHealth] = {}
        self._looked_s = -LOOK_S
        self._known: OrderedDict[Key, str] = OrderedDict()

    def of(self, stream_id: StreamId, absence: Absence) -> str:
        """The reason in words, empty while it is not known."""
        return self._now(stream_id) or self._then(stream_id, absence)

    def _now(self, stream_id: StreamId) -> str:
        if (datetime.now(UTC) - self._head.at).total_seconds() > NEARLY_NOW_S:
            return ""
        now_s = time.monotonic()
        if now_s - self._looked_s > LOOK_S:
            self._looked_s = now_s
            self._health = {h.stream_id: h for h in self._services.engine.report().streams}
        health = self._health.get(stream_id)
        if health is None or health.state is StreamState.ACTIVE:
            return ""
        return offline_lines(health)[0]

    def _then(self, stream_id: StreamId, absence: Absence) -> str:
        timeline, at_us = self._services.timeline, self._head.at_us
        key = (stream_id, absence.from_us)
        if key in self._known or timeline is None:
            return self._known.get(key, "")
        self._known[key] = ""
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        start, end = instant(at_us - AROUND_US), instant(at_us + AROUND_US)

        def read(runs: TimelineRuns) -> None:
            self._known[key] = (
                self.tr("The camera gave no pictures then.")
                if _without_data(runs, at_us)
                else self.tr("The camera was not being recorded then.")
            )

        self._requests.submit(
            "why nothing was recorded",
            lambda: timeline.lanes(start, end, 100, (), (stream_id,), (LaneKind.NO_DATA,)),
            read,
            lambda _error: None,
            self,
        )
        return ""


def _without_data(runs: TimelineRuns, at_us: int) -> bool:
    return bool(((runs.start_us <= at_us) & (at_us < runs.end_us)).any())

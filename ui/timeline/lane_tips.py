"""What a run tells when it is pointed at: at once what the lane knows, then what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from PySide6.QtCore import QObject
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QToolTip

from engine.domain.behaviour import LaneKind, OwnedBout
from engine.domain.ids import HorseId, StreamId
from engine.domain.motion import BoutKind
from ui.requests import RequestId, RequestRunner
from ui.services import ConsoleServices
from ui.timeline.cursor import instant, micros
from ui.timeline.lane_tile import ACTIVITY
from ui.timeline.lane_view import LaneView
from ui.timeline.lanes import LaneRow
from ui.timeline.marks import Mark, mark_of, mark_word
from ui.timeline.stacks import Stack
from ui.timeline.words import length_words, row_word, span_words

BOUTS_READ = 64
NEAR_PX = 24
KINDS = {
    LaneKind.GAIT: BoutKind.GAIT,
    LaneKind.ACTION: BoutKind.ACTION,
    LaneKind.POSTURE: BoutKind.POSTURE,
    LaneKind.COMPANY: BoutKind.COMPANY,
}


class LaneTips(QObject):
    """Answers the lanes' question what to say of a place, and adds confidence, camera and whether
    it is provisional once the store has told it."""

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        lanes: LaneView,
        cameras: dict[StreamId, str],
    ) -> None:
        super().__init__(lanes)
        self._services = services
        self._requests = requests
        self._lanes = lanes
        self._cameras = cameras
        self._asked: RequestId | None = None
        self.zone: tzinfo | None = None
        self.details = ""
        """What the store told last, for tests and screen readers."""

    def tell(self, row: LaneRow, at_us: int) -> str:
        """What is there now; the details follow."""
        if row.subject is None:
            return ""
        hit = self._lanes.hit(row, at_us)
        if hit is None:
            return self._nothing(row, at_us)
        if isinstance(hit.runs, Stack):
            return self.sum_words(row, hit.runs, hit.index)
        words = self.words(row, Mark(int(hit.runs.mark[hit.index])), hit.start_us, hit.end_us)
        if not row.subject.camera and row.row in (ACTIVITY, *KINDS):
            self._ask(row, at_us, words)
        return words

    def words(self, row: LaneRow, mark: Mark, start_us: int, end_us: int) -> str:
        """``Juno · walking``, from when to when and how long."""
        assert row.subject is not None
        told = f" ({row_word(row.row)})" if row.sub else ""
        lines = [
            f"{row.subject.title} · {mark_word(mark)}{told}",
            f"{span_words(start_us, end_us, self.zone)} · {length_words(end_us - start_us)}",
        ]
        return "\n".join(lines)

    def sum_words(self, row: LaneRow, stack: Stack, index: int) -> str:
        """What a step was made of: each mark with how long it took."""
        assert row.subject is not None
        start_us, end_us = int(stack.start_us[index]), int(stack.end_us[index])
        lines = [
            f"{row.subject.title} · {row_word(row.row)}",
            self.tr("{0}, summed up").format(span_words(start_us, end_us, self.zone)),
        ]
        for mark, share in stack.told(index):
            took = length_words(round(share * (end_us - start_us)))
            lines.append(f"{mark_word(mark)}: {took} · {share * 100:.0f} %")
        return "\n".join(lines)

    def _nothing(self, row: LaneRow, at_us: int) -> str:
        assert row.subject is not None
        words = span_words(at_us, at_us, self.zone).split("–")[0]
        if row.subject.camera:
            return self.tr("{0} · nothing seen · {1}").format(row.subject.title, words)
        return self.tr("{0} · not seen · {1}").format(row.subject.title, words)

    def _ask(self, row: LaneRow, at_us: int, words: str) -> None:
        motion = self._services.motion
        if motion is None or row.subject is None:
            return
        if self._asked is not None:
            self._requests.cancel(self._asked)
        horse = HorseId(row.subject.id)
        kinds = [KINDS[row.row]] if isinstance(row.row, LaneKind) else list(KINDS.values())
        at, where = instant(at_us), QCursor.pos()

        def work() -> Sequence[OwnedBout]:
            return motion.bouts(at, instant(at_us + 1), [horse], kinds=kinds, limit=BOUTS_READ)

        def told(bouts: Sequence[OwnedBout]) -> None:
            self._asked = None
            lines = [self.bout_words(owned) for owned in bouts]
            self.details = "\n".join([words, *lines])
            near = (QCursor.pos() - where).manhattanLength() <= NEAR_PX
            if lines and near and QToolTip.isVisible():
                QToolTip.showText(where, self.details, self._lanes.viewport())

        self._asked = self._requests.submit("bouts at a place", work, told, lambda _e: None, self)

    def bout_words(self, owned: OwnedBout) -> str:
        """One stored bout: value, length, how sure, by which camera, and whether it is final."""
        bout = owned.bout
        mark = mark_of(LaneKind(bout.kind.value), bout.value)
        value = mark_word(mark) if mark is not Mark.NOTHING else bout.value
        length = length_words(micros(bout.end_at) - micros(bout.start_at))
        parts = [
            f"{row_word(LaneKind(bout.kind.value))}: {value}, {length}",
            self.tr("confidence {0}").format(f"{bout.confidence:.2f}"),
            self._cameras.get(bout.stream_id, ""),
            self.tr("provisional") if bout.provisional else self.tr("final"),
            self.tr("still running") if bout.open else "",
        ]
        return " · ".join(part for part in parts if part)

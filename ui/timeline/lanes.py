"""Which lanes there are, in which order, and where each of their rows lies. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from engine.domain.behaviour import LaneKind
from ui.timeline.lane_tile import ACTIVITY, Row

LANE_PX, BAR_PX = 36, 24
SUB_PX, SUB_BAR_PX = 18, 10
HEAD_PX = 26
BELOW_PX = 6


class Grouping(StrEnum):
    """Lanes of horses, of cameras, or of both."""

    HORSES = "horses"
    CAMERAS = "cameras"
    BOTH = "both"


class Order(StrEnum):
    """By name, the most recently seen first, or as people moved them."""

    NAME = "name"
    RECENT = "recent"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Subject:
    """A horse or a camera with a lane. ``recent_us``: when it was last seen, 0 if never; a guest
    is a horse that nobody accepted yet."""

    id: UUID
    title: str
    camera: bool
    colour_hex: str = ""
    guest: bool = False
    recent_us: int = 0


@dataclass(frozen=True, slots=True)
class LaneRow:
    """One bar of a lane. ``subject`` None: the head over a group of lanes, ``title`` its words."""

    subject: Subject | None
    row: Row
    y: int
    height: int
    bar_px: int
    title: str = ""
    sub: bool = False
    open: bool = False

    @property
    def bar_y(self) -> int:
        """Top of the bar."""
        return self.y + (self.height - self.bar_px) // 2


HORSE_ROWS: tuple[Row, ...] = (
    LaneKind.POSTURE,
    LaneKind.GAIT,
    LaneKind.ACTION,
    LaneKind.COMPANY,
    LaneKind.SEEN,
    LaneKind.ALERT,
)
CAMERA_ROWS: tuple[Row, ...] = (LaneKind.SEEN, LaneKind.RECORDED, LaneKind.ALERT)


def ordered(
    subjects: Sequence[Subject],
    grouping: Grouping,
    order: Order,
    search: str = "",
    hidden: Collection[UUID] = (),
    own: Sequence[UUID] = (),
) -> list[Subject]:
    """The subjects with lanes, horses ahead of cameras, residents ahead of guests."""
    places = {subject_id: place for place, subject_id in enumerate(own)}
    wanted = search.casefold().split()

    def shown(subject: Subject) -> bool:
        of_group = grouping is Grouping.BOTH or subject.camera == (grouping is Grouping.CAMERAS)
        title = subject.title.casefold()
        return of_group and subject.id not in hidden and all(part in title for part in wanted)

    keys: dict[Order, Callable[[Subject], tuple[object, ...]]] = {
        Order.NAME: lambda s: (s.guest, s.title.casefold()),
        Order.RECENT: lambda s: (-s.recent_us, s.title.casefold()),
        Order.OWN: lambda s: (places.get(s.id, len(places)), s.guest, s.title.casefold()),
    }
    key = keys[order]
    return sorted((s for s in subjects if shown(s)), key=lambda s: (s.camera, *key(s)))


def laid_out(
    subjects: Sequence[Subject], opened: Collection[UUID], heads: tuple[str, str] = ("", "")
) -> list[LaneRow]:
    """Rows from the top; open lanes have one for every kind. ``heads``: words over the horses and
    over the cameras, told where both are on show."""
    rows: list[LaneRow] = []
    y, group = 0, None
    both = len({subject.camera for subject in subjects}) == 2
    for subject in subjects:
        if both and subject.camera is not group:
            rows.append(LaneRow(None, "", y, HEAD_PX, 0, heads[subject.camera]))
            y += HEAD_PX
            group = subject.camera
        is_open = subject.id in opened
        main: Row = LaneKind.SEEN if subject.camera else ACTIVITY
        rows.append(LaneRow(subject, main, y, LANE_PX, BAR_PX, subject.title, open=is_open))
        y += LANE_PX
        if not is_open:
            continue
        for kind in CAMERA_ROWS if subject.camera else HORSE_ROWS:
            rows.append(LaneRow(subject, kind, y, SUB_PX, SUB_BAR_PX, sub=True))
            y += SUB_PX
        y += BELOW_PX
    return rows


def total_px(rows: Sequence[LaneRow]) -> int:
    """Height of all rows."""
    return rows[-1].y + rows[-1].height + BELOW_PX if rows else 0


def row_at(rows: Sequence[LaneRow], y: int) -> LaneRow | None:
    """The row at a height."""
    return next((row for row in rows if row.y <= y < row.y + row.height), None)

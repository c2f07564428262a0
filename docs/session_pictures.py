"""The Sessions page for the manual: a rendered clip of a simulated horse is taken in through the
page itself and analysed by the program's own job, and a month is planned."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import uuid4

import av

from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import EnvironmentFault
from engine.domain.ids import HorseId
from engine.domain.sessions import (
    CalendarEntry,
    CalendarEntryId,
    CalendarRepository,
    SessionKind,
    SessionState,
)
from engine.simulation.barn import SimulatedBarn
from engine.simulation.farm import SimulatedFarm
from engine.simulation.gaits import Gait
from engine.simulation.itineraries import Itinerary
from engine.simulation.looks import herd
from ui.main_window import MainWindow
from ui.sessions.dialogs import VideoDialog
from ui.sessions.sessions_page import CALENDAR, LIST

FPS, SECONDS, SEED = 25, 11.0, 3
PATIENCE_S = 420.0
PLANNED = (
    (2, 9, "Lunging", 0, SessionKind.LUNGING), (4, 17, "Lesson Mia", 1, SessionKind.LESSON),
    (7, 9, "Lunging", 0, SessionKind.LUNGING), (9, 11, "Trot up", 2, SessionKind.TROT_UP),
    (11, 17, "Lesson Mia", 1, SessionKind.LESSON), (14, 9, "Hack", 0, SessionKind.FREE),
    (16, 9, "Walk in hand", 2, SessionKind.REHABILITATION),
    (18, 17, "Lesson Mia", 1, SessionKind.LESSON), (21, 9, "Lunging", 0, SessionKind.LUNGING),
    (24, 8, "Show", 1, SessionKind.COMPETITION), (25, 17, "Lesson Mia", 1, SessionKind.LESSON),
    (27, 9, "Lunging", 0, SessionKind.LUNGING),
)  # fmt: skip
"""Day of the month, hour, title, place among the horses, kind."""

Wait = Callable[[Callable[[], bool], float], None]
Save = Callable[[str], None]


def render_sessions(
    window: MainWindow, calendar: CalendarRepository, wait: Wait, save: Save
) -> None:
    """One analysed session and a month of the calendar."""
    window.directory.refresh()
    wait(lambda: len(window.directory.horses) >= 3, 30.0)
    horses = [horse.id for horse in window.directory.horses]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "past-the-arena.mp4"
        render_clip(clip)
        _analyse(window, clip, horses[0], wait)
    save("sessions")
    today = datetime.now(UTC).astimezone().date()
    for planned in PLANNED:
        calendar.add(_entry(today, horses, *planned))
    window.sessions.show_part(CALENDAR)
    wait(lambda: bool(window.sessions.calendar.cards), 3.0)
    window.sessions.calendar.grid.choose(today.replace(day=PLANNED[3][0]))
    wait(lambda: bool(window.sessions.calendar.cards), 10.0)
    wait(lambda: False, 0.5)
    save("sessions-calendar")
    window.sessions.show_part(LIST)


def _analyse(window: MainWindow, clip: Path, horse_id: HorseId, wait: Wait) -> None:
    page = window.sessions
    window.show_page("sessions")
    dialog = page.desk.ask_video()
    if not isinstance(dialog, VideoDialog):
        raise EnvironmentFault("The page takes no video.")
    dialog.show_file(str(clip))
    dialog.title.setText("Past the arena")
    dialog.horse.setCurrentIndex(dialog.horse.findData(str(horse_id)))
    dialog.note.setPlainText("Loose rein, first time out after two days of rain.")
    dialog.accept()

    def done() -> bool:
        page.feed.refresh()
        detail = page.list.detail
        return (
            detail.session is not None
            and detail.session.state is SessionState.DONE
            and detail.reading is not None
            and detail.reading.metrics is not None
        )

    wait(done, PATIENCE_S)
    wait(lambda: window.toast.text.startswith("Done"), 10.0)
    window.toast.hide()
    wait(lambda: False, 1.0)


def _entry(
    today: date, horses: list[HorseId], day: int, hour: int, title: str, place: int,
    kind: SessionKind,
) -> CalendarEntry:  # fmt: skip
    start = datetime.combine(today.replace(day=day), time(hour)).astimezone(UTC)
    return CalendarEntry(
        CalendarEntryId(uuid4()), DEFAULT_FARM, title, kind, start, start + timedelta(minutes=45),
        "Anna", start, horse_id=horses[place % len(horses)], done=start < datetime.now(UTC),
    )  # fmt: skip


def render_clip(path: Path) -> None:
    """One horse that walks from west to east, 9 m in front of the arena's camera."""
    horse = herd(SEED, 1)[0]
    way = Itinerary((43.5, -5.0), 0.0, horse.pace, horse.build.size)
    way.place = "arena"
    way.go([(64.0, -5.0)], Gait.WALK)
    barn = SimulatedBarn("arena", SEED, farm=SimulatedFarm([horse], [way.timeline()]))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height = barn.camera.width_px, barn.camera.height_px
        stream.pix_fmt = "yuv420p"
        for index in range(round(SECONDS * FPS)):
            picture = av.VideoFrame.from_ndarray(barn.picture_at(index / FPS), "bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())

"""The timeline's views for the manual: a day, single bouts, a marked range, one lane opened."""

from __future__ import annotations

from collections.abc import Callable

from engine.domain.ids import HorseId
from ui.main_window import MainWindow
from ui.timeline.axis import HOUR_US, SECOND_US
from ui.timeline.cursor import instant

PATIENCE_S = 15.0
MINUTE_US = 60 * SECOND_US

Wait = Callable[[Callable[[], bool], float], None]
Save = Callable[[str], None]


def render_timeline(window: MainWindow, wait: Wait, save: Save) -> None:
    """Every view of the timeline, on what was stored so far."""
    page = window.timeline
    window.show_page("timeline")

    def rest() -> bool:
        reader, plots = page.reader, page.plots
        return not (reader.wanting or reader.tiles.busy or plots.series.busy or plots.strides.busy)

    def settled() -> None:
        wait(lambda: False, 0.2)
        wait(rest, PATIENCE_S)
        wait(lambda: False, 0.2)

    settled()
    save("timeline")
    busiest = max(page.directory.horses, key=lambda horse: horse.total_detections, default=None)
    if busiest is not None:
        page.lanes.select(HorseId(busiest.id))
    now_us = page.view.now_us
    page.view.show(now_us - 3 * MINUTE_US, now_us + 15 * SECOND_US)
    page.head.move_to(instant(now_us - MINUTE_US))
    settled()
    save("timeline-minutes")
    page.toggle_lane()
    page.head.mark(instant(now_us - 110 * SECOND_US), instant(now_us - 50 * SECOND_US))
    settled()
    save("timeline-range")
    dialog = page.acts.export()
    if dialog is not None:
        wait(dialog.isVisible, PATIENCE_S)
        dialog.reject()
    page.head.clear_range()
    page.toggle_lane()
    page.show_last(HOUR_US)
    settled()

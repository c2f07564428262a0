"""Alerts, a horse's motion, the timeline, calibration and review, on two simulated weeks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
from PySide6.QtWidgets import QWidget

from docs.simulated_past import Past
from engine.domain.behaviour import RuleKind
from engine.domain.streams import Stream
from engine.simulation.site import CAMERAS
from ui.main_window import MainWindow
from ui.timeline.cursor import micros

PATIENCE_S = 30.0
RECTANGLE_M = ((46.0, 2.0, 0.0), (56.0, 2.0, 0.0), (56.0, -6.0, 0.0), (46.0, -6.0, 0.0))
"""Four places on the ground of the simulated arena, as somebody with a tape would mark them."""

Wait = Callable[[Callable[[], bool], float], None]
Save = Callable[[QWidget, str], None]


def render_past(window: MainWindow, past: Past, wait: Wait, save: Save) -> None:
    """Draw what was stored, with the alerts that the program's watch raised over it."""
    window.directory.refresh()
    wait(lambda: any(h.id == past.horses[0] for h in window.directory.horses), PATIENCE_S)
    _render_alerts(window, wait, save)
    _render_motion(window, past, wait, save)
    _render_timeline(window, past, wait, save)
    _render_ground(window, past.cameras["arena"], wait, save)


def _render_alerts(window: MainWindow, wait: Wait, save: Save) -> None:
    page = window.alerts
    window.show_page("alerts")
    page.feed.refresh()
    wait(lambda: len(page.feed.alerts) > 0, PATIENCE_S)
    critical = [a for a in page.feed.alerts if a.kind is RuleKind.LONG_RECUMBENCY]
    if critical:
        page.open_alert(critical[0].id)
    wait(lambda: False, 1.0)
    save(window, "alerts")
    page.show_part(1)
    wait(lambda: page.rules is not None and page.rules.list.count() > 0, PATIENCE_S)
    if page.rules is not None and critical and critical[0].rule_id is not None:
        page.rules.choose(critical[0].rule_id)
    wait(lambda: False, 0.5)
    save(window, "alert-rules")
    page.show_part(0)


def _render_motion(window: MainWindow, past: Past, wait: Wait, save: Save) -> None:
    horse = next(h for h in window.directory.horses if h.id == past.horses[0])
    window.show_page("registry")
    window.registry.open_profile(horse)
    motion = window.registry.side.profile.motion
    wait(lambda: motion.reading is not None, PATIENCE_S)
    wait(lambda: False, 1.0)
    save(motion, "horse-motion")
    window.registry.side.close_panel()


def _render_timeline(window: MainWindow, past: Past, wait: Wait, save: Save) -> None:
    page = window.timeline
    window.show_page("timeline")
    wait(lambda: any(r.subject and r.subject.id == past.horses[0] for r in page.lanes.rows), 10.0)
    start = past.midnight - timedelta(hours=2)
    for name in ("speed", "stride"):  # no pictures were analysed in those days
        window.actions_book[f"timeline.plot.{name}"].setChecked(False)
    page.view.show(micros(start), micros(start + timedelta(hours=34)))
    page.lanes.select(past.horses[0])
    page.toggle_lane()
    lay_at = past.midnight + timedelta(hours=1)
    page.head.mark(lay_at, lay_at + timedelta(hours=3.5))
    page.head.move_to(lay_at + timedelta(hours=2))
    wait(lambda: not page.reader.wanting and not page.reader.tiles.busy, PATIENCE_S)
    wait(lambda: False, 2.0)
    save(window, "timeline-day")
    page.head.clear_range()


def _render_ground(window: MainWindow, arena: Stream, wait: Wait, save: Save) -> None:
    window.show_page("live")
    dialog = window.live.ask_for_ground(arena)
    if dialog is None:
        return
    dialog.resize(980, 520)
    wait(dialog.waiting.isHidden, PATIENCE_S)
    camera = CAMERAS["arena"]
    corners = camera.project(np.array(RECTANGLE_M))
    shares = corners / (camera.width_px, camera.height_px)
    dialog.canvas.show_points([(x, y) for x, y in shares.tolist()], ("1", "2", "3", "4"), True)
    dialog.width_m.setValue(RECTANGLE_M[1][0] - RECTANGLE_M[0][0])
    dialog.length_m.setValue(RECTANGLE_M[0][1] - RECTANGLE_M[3][1])
    wait(lambda: False, 0.5)
    save(dialog, "calibration")
    dialog.reject()

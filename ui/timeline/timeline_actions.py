"""The actions of the Timeline page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QActionGroup

from ui.actions import ActionBook
from ui.theme import Theme, icon
from ui.timeline.axis import DAY_US, HOUR_US
from ui.timeline.lanes import Grouping, Order
from ui.timeline.plot_kinds import PLOTS, plot_word

if TYPE_CHECKING:
    from ui.timeline.timeline_page import TimelinePage

ICONS = {
    "timeline.find": "search",
    "timeline.open_all": "rows",
    "timeline.mark": "free",
    "timeline.export": "film",
    "timeline.bookmark": "bookmark",
    "timeline.lock": "lock",
    "timeline.unlock": "unlock",
    "timeline.reprocess": "sync",
    "timeline.review": "review",
    "timeline.session": "sessions",
    "timeline.copy": "copy",
    "timeline.clear": "close",
    "timeline.play": "play",
}

WINDOWS_US = {
    "timeline.hour": HOUR_US,
    "timeline.day": DAY_US,
    "timeline.week": 7 * DAY_US,
    "timeline.quarter": 90 * DAY_US,
}
RANGE_ACTIONS = (
    "timeline.export",
    "timeline.bookmark",
    "timeline.lock",
    "timeline.unlock",
    "timeline.reprocess",
    "timeline.review",
    "timeline.session",
    "timeline.copy",
)
"""Acts on the marked range, in the order of the menu."""


def add_timeline_actions(book: ActionBook, page: TimelinePage, theme: Theme) -> None:
    """Fill the book; single keys listen on the page alone."""
    _add_windows(book, page)
    _add_moves(book, page)
    _add_lanes(book, page)
    _add_cursor(book, page)
    _add_range(book, page)
    _add_plots(book, page)
    dress_timeline_actions(book, theme)


def dress_timeline_actions(book: ActionBook, theme: Theme) -> None:
    """Icons in a look's colours."""
    for action_id, name in ICONS.items():
        book[action_id].setIcon(icon(name, theme))


def _add_windows(book: ActionBook, page: TimelinePage) -> None:
    group = page.tr("Timeline")
    words = {
        "timeline.hour": (page.tr("1 h"), page.tr("The last hour"), "Ctrl+Alt+1"),
        "timeline.day": (page.tr("24 h"), page.tr("The last 24 hours"), "Ctrl+Alt+2"),
        "timeline.week": (page.tr("7 d"), page.tr("The last 7 days"), "Ctrl+Alt+3"),
        "timeline.quarter": (page.tr("90 d"), page.tr("The last 90 days"), "Ctrl+Alt+4"),
    }
    for action_id, (text, tip, keys) in words.items():
        show = partial(page.show_last, WINDOWS_US[action_id])
        book.add(action_id, group, text, show, keys, tip=tip, page=page)
    today = page.tr("Today from midnight")
    book.add("timeline.today", group, page.tr("Today"), page.show_today, "T", tip=today, page=page)
    book.add(
        "timeline.follow",
        group,
        page.tr("Follow now"),
        None,
        "End",
        toggled=page.follow_now,
        checked=True,
        tip=page.tr("Keep the newest in view"),
        page=page,
    )


def _add_moves(book: ActionBook, page: TimelinePage) -> None:
    group = page.tr("Timeline")
    moves = (
        ("timeline.left", page.tr("Earlier"), partial(page.pan, -0.1), "Left"),
        ("timeline.right", page.tr("Later"), partial(page.pan, 0.1), "Right"),
        ("timeline.back", page.tr("One window earlier"), partial(page.pan, -0.9), "PgUp"),
        ("timeline.on", page.tr("One window later"), partial(page.pan, 0.9), "PgDown"),
        ("timeline.zoom_in", page.tr("Zoom in"), partial(page.zoom, 0.5), "+"),
        ("timeline.zoom_out", page.tr("Zoom out"), partial(page.zoom, 2.0), "-"),
        ("timeline.oldest", page.tr("To the oldest"), page.show_oldest, "Home"),
        ("timeline.at_cursor", page.tr("To the cursor"), page.show_cursor, "C"),
    )
    for action_id, text, run, key in moves:
        book.add(action_id, group, text, run, key, page=page)


def _add_lanes(book: ActionBook, page: TimelinePage) -> None:
    group = page.tr("Timeline lanes")
    choices = QActionGroup(page)
    words = {
        Grouping.HORSES: page.tr("Horses"),
        Grouping.CAMERAS: page.tr("Cameras"),
        Grouping.BOTH: page.tr("Both"),
    }
    for grouping, text in words.items():
        action = book.add(
            f"timeline.{grouping.value}",
            group,
            text,
            partial(page.show_grouping, grouping),
            tip=page.tr("Lanes: {0}").format(text),
            toggled=lambda _on: None,
            checked=grouping is page.who.grouping,
            page=page,
        )
        choices.addAction(action)
    orders = QActionGroup(page)
    names = {
        Order.NAME: page.tr("By name"),
        Order.RECENT: page.tr("Last seen first"),
        Order.OWN: page.tr("As I moved them"),
    }
    for order, text in names.items():
        action = book.add(
            f"timeline.order.{order.value}",
            group,
            text,
            partial(page.show_order, order),
            toggled=lambda _on: None,
            checked=order is page.who.order,
            page=page,
        )
        orders.addAction(action)
    book.add("timeline.find", group, page.tr("Find a lane"), page.find_lane, "/", page=page)
    book.add(
        "timeline.open_all",
        group,
        page.tr("Open or close all lanes"),
        page.toggle_all,
        "E",
        page=page,
    )
    book.add("timeline.open", group, page.tr("Open or close the lane"), page.toggle_lane, "Return",
             page=page)  # fmt: skip
    book.add("timeline.up", group, page.tr("Lane above"), partial(page.step_lane, -1), "Up",
             page=page)  # fmt: skip
    book.add("timeline.down", group, page.tr("Lane below"), partial(page.step_lane, 1), "Down",
             page=page)  # fmt: skip


def _add_cursor(book: ActionBook, page: TimelinePage) -> None:
    group, head = page.tr("Time cursor"), page.head
    acts = (
        ("timeline.play", page.tr("Play or pause"), head.toggle, "Space"),
        ("timeline.frame_back", page.tr("One picture back"), partial(page.step_frame, -1), ","),
        ("timeline.frame_on", page.tr("One picture on"), partial(page.step_frame, 1), "."),
        ("timeline.slower", page.tr("Slower"), head.slower, "["),
        ("timeline.faster", page.tr("Faster"), head.faster, "]"),
    )
    for action_id, text, run, key in acts:
        book.add(action_id, group, text, run, key, page=page)


def _add_range(book: ActionBook, page: TimelinePage) -> None:
    group, acts = page.tr("Marked range"), page.acts
    book.add(
        "timeline.mark",
        group,
        page.tr("Mark with the mouse"),
        None,
        "M",
        toggled=page.mark_with_mouse,
        tip=page.tr("Dragging on the lanes marks a range (it always does on the ruler)"),
        page=page,
    )
    entries = (
        ("timeline.mark_in", page.tr("Mark from the cursor"), page.mark_in, "I"),
        ("timeline.mark_out", page.tr("Mark up to the cursor"), page.mark_out, "O"),
        ("timeline.clear", page.tr("Mark nothing"), page.head.clear_range, "Esc"),
        ("timeline.export", page.tr("Export…"), acts.export, "X"),
        ("timeline.bookmark", page.tr("Bookmark…"), acts.bookmark, "B"),
        ("timeline.lock", page.tr("Lock recordings"), acts.lock, "L"),
        ("timeline.unlock", page.tr("Unlock recordings"), acts.unlock, "Shift+L"),
        ("timeline.reprocess", page.tr("Reprocess…"), acts.reprocess, ""),
        ("timeline.review", page.tr("Open in Review"), acts.review, "R"),
        ("timeline.session", page.tr("Make a session…"), acts.session, ""),
        ("timeline.copy", page.tr("Copy times"), acts.copy, "Ctrl+C"),
    )
    for action_id, text, run, key in entries:
        book.add(action_id, group, text, run, *([key] if key else []), page=page)


def _add_plots(book: ActionBook, page: TimelinePage) -> None:
    group = page.tr("Plots")
    for kind in PLOTS:
        book.add(
            f"timeline.plot.{kind.id}",
            group,
            plot_word(kind),
            toggled=partial(page.show_plot, kind.id),
            checked=kind.shown,
            tip=page.tr("Plot: {0}").format(plot_word(kind)),
            page=page,
        )

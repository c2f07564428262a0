"""The actions of the Live page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QActionGroup

from ui.actions import ActionBook
from ui.live.arrangement import Layout
from ui.live.overlay_paint import DEFAULT_SWITCHES, Switch
from ui.theme import Theme, icon

if TYPE_CHECKING:
    from ui.live.live_page import LivePage


def add_live_actions(book: ActionBook, page: LivePage, theme: Theme) -> None:
    """Fill the book; icons follow ``theme`` (see ``dress_live_actions``)."""
    _add_layouts(book, page)
    _add_overlays(book, page)
    _add_cameras(book, page)
    _add_views(book, page)
    dress_live_actions(book, theme)


ICONS = {
    "layout.1": "grid1",
    "layout.4": "grid4",
    "layout.9": "grid9",
    "layout.16": "grid16",
    "layout.free": "free",
    "overlay.boxes": "boxes",
    "overlay.ids": "ids",
    "overlay.confidence": "confidence",
    "overlay.skeleton": "skeleton",
    "overlay.trails": "trails",
    "overlay.action": "action",
    "wall.sync": "sync",
    "wall.fill": "fill",
    "wall.panel": "panel",
    "wall.maximise": "maximise",
    "camera.add": "add",
    "camera.files": "film",
    "camera.tour": "barn",
    "camera.edit": "edit",
    "camera.remove": "remove",
}


def dress_live_actions(book: ActionBook, theme: Theme) -> None:
    """Icons in a look's colours."""
    for action_id, name in ICONS.items():
        book[action_id].setIcon(icon(name, theme, "accent" if name == "add" else "muted"))


def _layout_text(page: LivePage, layout: Layout) -> str:
    if layout is Layout.FREE:
        return page.tr("Free layout")
    if layout is Layout.ONE:
        return page.tr("1 place")
    return page.tr("{0} places").format(int(layout))


def _add_layouts(book: ActionBook, page: LivePage) -> None:
    group, choices = page.tr("Layout"), QActionGroup(book)
    for layout, keys in (
        (Layout.ONE, "Alt+1"),
        (Layout.FOUR, "Alt+4"),
        (Layout.NINE, "Alt+9"),
        (Layout.SIXTEEN, "Alt+6"),
        (Layout.FREE, "Alt+0"),
    ):
        free = layout is Layout.FREE
        action = book.add(
            "layout.free" if free else f"layout.{int(layout)}",
            group,
            _layout_text(page, layout),
            partial(page.choose_layout, layout),
            keys,
            toggled=lambda _on: None,
            tip=page.tr("Free layout: drag places and their corners") if free else "",
        )
        choices.addAction(action)
    book.add(
        "layout.auto",
        group,
        page.tr("As many places as cameras"),
        toggled=page.set_auto_layout,
        checked=True,
    )
    wall = page.wall
    book.add(
        "wall.maximise",
        group,
        page.tr("Maximise camera"),
        page.toggle_maximised,
        "M",
        page=page,
        tip=page.tr("Maximise camera, or back (Enter, double-click; Esc goes back)"),
    ).setEnabled(False)
    book.add(
        "wall.fill",
        group,
        page.tr("Fill tiles"),
        None,
        "F",
        toggled=wall.set_fill,
        page=page,
        tip=page.tr("Fill tiles: cover them with the picture, cut at its edges"),
    )
    book.add(
        "wall.sync",
        group,
        page.tr("Synchronised overlays"),
        None,
        "S",
        toggled=wall.set_synchronised,
        checked=True,
        page=page,
        tip=page.tr(
            "Synchronised overlays: delay the picture up to 0.6 s so that boxes fit exactly; "
            "off: newest picture with predicted boxes"
        ),
    )
    book.add(
        "wall.panel",
        group,
        page.tr("Side panel"),
        None,
        "Ctrl+B",
        toggled=page.show_panel,
        checked=True,
    )


def _add_overlays(book: ActionBook, page: LivePage) -> None:
    group = page.tr("Overlay")
    for switch, text, keys in (
        (Switch.BOXES, page.tr("Boxes"), "B"),
        (Switch.IDS, page.tr("Numbers"), "I"),
        (Switch.CONFIDENCE, page.tr("Confidence"), "C"),
        (Switch.SKELETON, page.tr("Skeleton"), "K"),
        (Switch.TRAILS, page.tr("Trails"), "T"),
        (Switch.ACTION, page.tr("Gait and action"), "G"),
    ):
        book.add(
            f"overlay.{switch.value}",
            group,
            text,
            None,
            keys,
            toggled=partial(page.set_switch, switch),
            checked=switch in DEFAULT_SWITCHES,
            page=page,
            tip=page.tr("Gait and action (G): what each horse does now, provisional")
            if switch is Switch.ACTION
            else "",
        )


def _add_cameras(book: ActionBook, page: LivePage) -> None:
    group = page.tr("Camera")
    book.add("camera.add", group, page.tr("Add camera…"), page.ask_for_camera, "Ctrl+N")
    book.add("camera.files", group, page.tr("Open video files…"), page.ask_for_files, "Ctrl+O")
    book.add("camera.tour", group, page.tr("Simulated barn tour"), page.start_tour)
    for action_id, text, run, keys in (
        ("camera.toggle", page.tr("Start or stop camera"), page.toggle, ["Ctrl+E"]),
        ("camera.here", page.tr("Watch on this workstation"), page.watch_here, []),
        ("camera.edit", page.tr("Edit camera…"), page.ask_to_edit, ["F2"]),
        ("camera.ground", page.tr("Calibrate ground…"), page.ask_for_ground, []),
        ("camera.distances", page.tr("Distances to others…"), page.ask_for_distances, []),
        ("camera.remove", page.tr("Remove camera"), page.remove, ["Del"]),
    ):
        book.add(action_id, group, text, run, *keys, page=page).setEnabled(False)


def _add_views(book: ActionBook, page: LivePage) -> None:
    group = page.tr("View")
    for slot in range(1, 10):
        book.add(
            f"view.{slot}",
            group,
            page.tr("Show view {0}").format(slot),
            partial(page.recall_view, slot),
            f"Ctrl+{slot}",
        )
    for slot in range(1, 10):
        book.add(
            f"view.save.{slot}",
            group,
            page.tr("Save this view as {0}").format(slot),
            partial(page.save_view, slot),
            f"Ctrl+Shift+{slot}",
        )

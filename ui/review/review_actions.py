"""The actions of the Review page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QActionGroup

from ui.actions import ActionBook
from ui.live.overlay_paint import Switch
from ui.review.transport import OVERLAYS
from ui.theme import Theme, icon

if TYPE_CHECKING:
    from ui.review.review_page import ReviewPage

ICONS = {
    "review.play": "play",
    "review.frame_back": "frame-back",
    "review.frame_on": "frame-on",
    "review.loop": "loop",
    "review.export": "film",
    "review.bookmark": "bookmark",
    "review.snapshot": "camera",
    "review.copy": "copy",
    "review.places1": "grid1",
    "review.places2": "grid2",
    "review.places4": "grid4",
    "review.inspector": "panel",
    "review.delete": "remove",
}


def add_review_actions(book: ActionBook, page: ReviewPage, theme: Theme) -> None:
    """Fill the book; single keys listen on the page alone."""
    _add_playing(book, page)
    _add_moves(book, page)
    _add_range(book, page)
    _add_looks(book, page)
    _add_edits(book, page)
    dress_review_actions(book, theme)


def dress_review_actions(book: ActionBook, theme: Theme) -> None:
    """Icons in a look's colours."""
    for action_id, name in ICONS.items():
        book[action_id].setIcon(icon(name, theme))
    for name in OVERLAYS:
        book[f"review.overlay.{name}"].setIcon(icon(name, theme))


def _add_playing(book: ActionBook, page: ReviewPage) -> None:
    group, head, playback = page.tr("Review"), page.head, page.playback
    acts = (
        ("review.play", page.tr("Play or pause"), playback.toggle, ("Space", "K")),
        ("review.frame_back", page.tr("One picture back"), partial(playback.step, -1), (",",)),
        ("review.frame_on", page.tr("One picture on"), partial(playback.step, 1), (".",)),
        ("review.slower", page.tr("Slower"), head.slower, ("[",)),
        ("review.faster", page.tr("Faster"), head.faster, ("]",)),
        ("review.backwards", page.tr("Play backwards"), partial(playback.shuttle, -1), ("J",)),
        ("review.forwards", page.tr("Play forwards, again: faster"), partial(playback.shuttle, 1),
         ("L",)),
    )  # fmt: skip
    for action_id, text, run, keys in acts:
        book.add(action_id, group, text, run, *keys, page=page)


def _add_moves(book: ActionBook, page: ReviewPage) -> None:
    group, head, playback = page.tr("Review"), page.head, page.playback
    find = page.finder.jump
    acts = (
        ("review.second_back", page.tr("One second back"), partial(head.move_by, -1.0), "Left"),
        ("review.second_on", page.tr("One second on"), partial(head.move_by, 1.0), "Right"),
        ("review.ten_back", page.tr("Ten seconds back"), partial(head.move_by, -10.0),
         "Shift+Left"),
        ("review.ten_on", page.tr("Ten seconds on"), partial(head.move_by, 10.0), "Shift+Right"),
        ("review.range_start", page.tr("To the begin of the range"), playback.to_start, "Home"),
        ("review.range_end", page.tr("To the end of the range"), playback.to_end, "End"),
        ("review.previous", page.tr("Previous recording"), partial(find, False), "PgUp"),
        ("review.next", page.tr("Next recording"), partial(find, True), "PgDown"),
        ("review.zoom_in", page.tr("Less time in the bar"), partial(page.coverage.zoom, -1), "+"),
        ("review.zoom_out", page.tr("More time in the bar"), partial(page.coverage.zoom, 1), "-"),
        ("review.next_place", page.tr("Next player"), page.wall.select_next, "N"),
        ("review.timeline", page.tr("Show in the timeline"), page.to_timeline, "T"),
    )  # fmt: skip
    for action_id, text, run, key in acts:
        book.add(action_id, group, text, run, key, page=page)


def _add_range(book: ActionBook, page: ReviewPage) -> None:
    group = page.tr("Marked range")
    acts = (
        ("review.mark_in", page.tr("Review: mark from here"), page.playback.mark_in, "I"),
        ("review.mark_out", page.tr("Review: mark up to here"), page.playback.mark_out, "O"),
        ("review.clear", page.tr("Review: mark nothing"), page.head.clear_range, "Esc"),
        ("review.export", page.tr("Review: export range…"), page.acts.export, "X"),
        ("review.bookmark", page.tr("Review: bookmark…"), page.acts.bookmark, "B"),
    )
    for action_id, text, run, key in acts:
        book.add(action_id, group, text, run, key, page=page)
    book.add(
        "review.loop", group, page.tr("Loop the marked range"), None, "R",
        toggled=page.playback.set_loop, page=page,
    )  # fmt: skip


def _add_looks(book: ActionBook, page: ReviewPage) -> None:
    group = page.tr("Review")
    words = {
        Switch.BOXES: page.tr("Boxes"),
        Switch.IDS: page.tr("Names and numbers"),
        Switch.SKELETON: page.tr("Skeletons"),
        Switch.ACTION: page.tr("Gait and action"),
        Switch.CONFIDENCE: page.tr("Confidence"),
    }
    for place, (switch, text) in enumerate(words.items(), start=1):
        book.add(
            f"review.overlay.{switch.value}", group, page.tr("Draw: {0}").format(text), None,
            str(place), toggled=partial(page.switch, switch), checked=switch in page.switches,
            page=page,
        )  # fmt: skip
    layouts = QActionGroup(page)
    for count, text in ((1, page.tr("1 player")), (2, page.tr("2 players")),
                        (4, page.tr("4 players"))):  # fmt: skip
        action = book.add(
            f"review.places{count}", group, text, partial(page.set_places, count),
            f"Ctrl+Alt+{count}",
            toggled=lambda _on: None, checked=page.wall.count == count, page=page,
        )  # fmt: skip
        layouts.addAction(action)
    book.add(
        "review.snapshot", group, page.tr("Save the picture…"), page.keeper.save, "S", page=page
    )
    book.add(
        "review.copy", group, page.tr("Copy the picture"), page.keeper.copy, "Ctrl+C", page=page
    )


def _add_edits(book: ActionBook, page: ReviewPage) -> None:
    group = page.tr("Review")
    book.add(
        "review.inspector", group, page.tr("Inspect the picture"), None, "E",
        toggled=page.show_inspector, checked=page.inspects, page=page,
    )  # fmt: skip
    book.add(
        "review.delete",
        group,
        page.tr("Delete the detection"),
        page.corrector.delete,
        "Del",
        page=page,
    )
    book.add(
        "review.assign",
        group,
        page.tr("Say which horse it is…"),
        page.corrector.assign,
        "H",
        page=page,
    )
    book.add(
        "review.guest",
        group,
        page.tr("It is a new guest"),
        page.corrector.make_guest,
        "G",
        page=page,
    )
    book.add("review.apply", group, page.tr("Apply the edits"), page.corrector.apply, "Ctrl+Return",
             page=page)  # fmt: skip

"""The actions of the Registry page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.actions import ActionBook
from ui.theme import Theme, icon

if TYPE_CHECKING:
    from ui.registry.registry_page import RegistryPage

ICONS = {
    "registry.table": "rows",
    "registry.review": "review",
    "registry.history": "history",
    "registry.merge": "merge",
    "registry.rename": "edit",
    "registry.find": "search",
}


HORSE_ACTIONS = ("registry.profile", "registry.rename", "registry.merge", "registry.accept")
"""Acts on the selected horse."""


def add_registry_actions(book: ActionBook, page: RegistryPage, theme: Theme) -> None:
    """Fill the book; single letters listen on the page alone."""
    group = page.tr("Registry")
    book.add(
        "registry.review",
        group,
        page.tr("Review"),
        page.open_review,
        "Ctrl+R",
        tip=page.tr("Review: what the engine is not sure of, one key each"),
    )
    book.add(
        "registry.history",
        group,
        page.tr("History"),
        page.open_history,
        "Ctrl+H",
        tip=page.tr("History: who corrected what, when and why"),
    )
    book.add(
        "registry.find",
        group,
        page.tr("Find a horse"),
        page.find_horse,
        "Ctrl+F",
    )
    book.add(
        "registry.table",
        group,
        page.tr("Table of horses"),
        None,
        "T",
        toggled=page.show_table,
        page=page,
    )
    acts = (
        ("registry.profile", page.tr("Open profile"), page.open_profile, ("P",)),
        ("registry.rename", page.tr("Rename horse"), page.rename, ("F2",)),
        ("registry.merge", page.tr("Merge with…"), page.merge_selected, ("M",)),
        ("registry.accept", page.tr("Accept as resident or not"), page.accept, ("A",)),
    )
    for action_id, text, run, keys in acts:
        book.add(action_id, group, text, run, *keys, page=page).setEnabled(False)
    dress_registry_actions(book, theme)


def dress_registry_actions(book: ActionBook, theme: Theme) -> None:
    """Icons in a look's colours."""
    for action_id, name in ICONS.items():
        book[action_id].setIcon(icon(name, theme))
